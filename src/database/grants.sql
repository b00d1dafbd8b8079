-- Gives the service's roles what they need, where they exist (roles.sql makes them) and have it not yet. Run by the owner of the
-- schema after each migration. Where the service's only role owns the schema, there is nothing to give.
DO $$
DECLARE
    item text;
BEGIN
    -- Two at a time would stumble over each other's changes of the catalog.
    PERFORM pg_advisory_xact_lock(7770011);
    FOR item IN
        WITH tables AS (
            SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname IN ('public', 'views') AND c.relkind IN ('r', 'p') AND pg_has_role(c.relowner, 'USAGE')
        ), wanted (role, relation, privilege) AS (
            -- The service reads and writes rows of everything; but what is in the log stays as it is, and so does the list of
            -- migrations.
            SELECT 'workroom_service', name, privilege
            FROM tables, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege
            WHERE NOT (name = 'public.events' AND privilege IN ('UPDATE', 'DELETE'))
              -- The trees over the log are only added to; redact_payload alone puts a commitment in the place of a salt.
              AND NOT (name IN ('public.log_identity', 'public.log_tree_epochs', 'public.log_nodes', 'public.log_feed_sizes',
                                'public.log_leaves')
                       AND privilege IN ('UPDATE', 'DELETE'))
              AND NOT (name = 'public._sqlx_migrations' AND privilege <> 'SELECT')
            UNION ALL
            SELECT 'workroom_worker', name, privilege
            FROM (VALUES
                ('workers.events', ARRAY['SELECT']),
                ('workers.aggregate_snapshots', ARRAY['SELECT']),
                ('public.job_inputs', ARRAY['SELECT']),
                ('public.workers', ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']),
                ('public.log_epoch', ARRAY['SELECT']),
                ('public.projection_checkpoints', ARRAY['SELECT']),
                ('public.relay_checkpoints', ARRAY['SELECT']),
                ('public.view_incarnations', ARRAY['SELECT', 'INSERT']),
                ('public._sqlx_migrations', ARRAY['SELECT'])
            ) AS few (name, privileges), unnest(privileges) AS privilege
        )
        SELECT format('GRANT %s ON TABLE %s TO %I', privilege, relation, role)
        FROM wanted WHERE to_regrole(role) IS NOT NULL AND NOT has_table_privilege(role, relation, privilege)
        UNION ALL
        SELECT format('GRANT USAGE ON SCHEMA %I TO %I', schema, role)
        FROM (VALUES ('workroom_service', 'views'), ('workroom_worker', 'workers')) AS wanted (role, schema)
        WHERE to_regrole(role) IS NOT NULL AND NOT has_schema_privilege(role, schema, 'USAGE')
        UNION ALL
        SELECT format('GRANT EXECUTE ON FUNCTION %s TO %I', p.oid::regprocedure, role)
        FROM (VALUES
            ('workroom_service', 'public', 'redact_payload'),
            ('workroom_service', 'public', 'refresh_statistics'),
            ('workroom_service', 'public', 'store_job_output'),
            ('workroom_worker', 'public', 'store_job_output'),
            ('workroom_service', 'public', 'store_job_artifacts'),
            ('workroom_worker', 'public', 'store_job_artifacts'),
            ('workroom_service', 'public', 'store_job_progress'),
            ('workroom_worker', 'public', 'store_job_progress'),
            ('workroom_service', 'public', 'taken_jobs'),
            ('workroom_worker', 'public', 'taken_jobs'),
            ('workroom_worker', 'workers', 'append_batch')
        ) AS wanted (role, schema, name)
        JOIN pg_namespace n ON n.nspname = schema
        JOIN pg_proc p ON p.pronamespace = n.oid AND p.proname = name
        WHERE to_regrole(role) IS NOT NULL AND NOT has_function_privilege(role, p.oid, 'EXECUTE')
        UNION ALL
        -- TEMPORARY: a runner of the views keeps its statements as functions of its session.
        SELECT format('GRANT %s ON DATABASE %I TO %I', privilege, current_database(), role)
        FROM (VALUES
            ('workroom_service', 'CONNECT'), ('workroom_service', 'TEMPORARY'), ('workroom_worker', 'CONNECT')
        ) AS wanted (role, privilege)
        WHERE to_regrole(role) IS NOT NULL AND NOT has_database_privilege(role, current_database(), privilege)
    LOOP
        EXECUTE item;
    END LOOP;
END $$;
