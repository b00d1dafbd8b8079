-- Makes the roles of Workroom. For a superuser, connected to Workroom's database; may be run again, also over a database that
-- was used with a single role before: then all of it is given to the owner.
--
--   workroom_owner    owns the database and its schema: migrations, rebuilds of the views        OWNER_URL
--   workroom_service  reads and writes rows: every process that does not only run jobs           DATABASE_URL
--   workroom_worker   sees jobs and no credentials: processes that only run jobs                 DATABASE_URL
--
-- None of them has a password yet: `\password workroom_owner` and so on. What they may do is granted by `workroom migrate`.
DO $$
DECLARE
    item text;
BEGIN
    PERFORM pg_advisory_xact_lock(7770011);
    FOREACH item IN ARRAY ARRAY['workroom_owner', 'workroom_service', 'workroom_worker'] LOOP
        IF to_regrole(item) IS NULL THEN
            EXECUTE format('CREATE ROLE %I LOGIN', item);
        END IF;
    END LOOP;
    -- The owner can look at the service's sessions, and end them.
    IF NOT pg_has_role('workroom_owner', 'workroom_service', 'MEMBER') THEN
        GRANT workroom_service TO workroom_owner;
    END IF;
    IF NOT pg_has_role('workroom_owner', 'workroom_worker', 'MEMBER') THEN
        GRANT workroom_worker TO workroom_owner;
    END IF;

    IF (SELECT datdba <> 'workroom_owner'::regrole FROM pg_database WHERE datname = current_database()) THEN
        EXECUTE format('ALTER DATABASE %I OWNER TO workroom_owner', current_database());
    END IF;
    -- As new databases have it since Postgres 15.
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    GRANT USAGE ON SCHEMA public TO PUBLIC;
    GRANT CREATE ON SCHEMA public TO workroom_owner;

    FOR item IN
        SELECT format('ALTER SCHEMA %I OWNER TO workroom_owner', n.nspname)
        FROM pg_namespace n WHERE n.nspname IN ('views', 'workers') AND n.nspowner <> 'workroom_owner'::regrole
        UNION ALL
        SELECT format('ALTER %s %I.%I OWNER TO workroom_owner',
                      CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, n.nspname, c.relname)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('public', 'views', 'workers') AND c.relowner <> 'workroom_owner'::regrole
          -- A sequence that belongs to a column goes with its table.
          AND (c.relkind IN ('r', 'p', 'v') OR c.relkind = 'S' AND NOT EXISTS (
              SELECT FROM pg_depend d
              WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0))
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
        UNION ALL
        SELECT format('ALTER ROUTINE %I.%I(%s) OWNER TO workroom_owner', n.nspname, p.proname,
                      pg_get_function_identity_arguments(p.oid))
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname IN ('public', 'views', 'workers') AND p.proowner <> 'workroom_owner'::regrole
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
        UNION ALL
        SELECT format('ALTER TYPE %I.%I OWNER TO workroom_owner', n.nspname, t.typname)
        FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
        WHERE n.nspname IN ('public', 'views', 'workers') AND t.typtype = 'e' AND t.typowner <> 'workroom_owner'::regrole
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')
    LOOP
        EXECUTE item;
    END LOOP;
END $$;
