//! Twins of tables: what is made beside a live table to take its place.
//!
//! A twin has all that the live table has, under the same names (those of indexes, constraints and statistics are told apart by
//! schema only), so that later migrations find what they expect, and operators what they have set.

use sqlx::{Acquire, PgConnection, Row};

use super::{LIVE, ReplayError, run};

/// What a live table has that a twin would lack.
const OBSTACLES: &str = "
    SELECT what FROM pg_class c CROSS JOIN LATERAL (VALUES
        ('row security', c.relrowsecurity OR EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid)),
        ('rules', EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = c.oid)),
        ('partitions or heirs', EXISTS (SELECT FROM pg_inherits i WHERE c.oid IN (i.inhrelid, i.inhparent))),
        ('foreign keys',
         EXISTS (SELECT FROM pg_constraint k WHERE k.contype = 'f' AND c.oid IN (k.conrelid, k.confrelid))),
        ('a publication', EXISTS (SELECT FROM pg_publication_rel p WHERE p.prrelid = c.oid)),
        ('views or functions that depend on it',
         EXISTS (SELECT FROM pg_depend d WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid
                 AND d.classid IN ('pg_rewrite'::regclass, 'pg_proc'::regclass) AND d.deptype = 'n'))
    ) AS obstacle (what, is_there)
    WHERE c.oid = format('%I.%I', $1, $2)::regclass AND is_there";

/// The statements that give a fresh twin what `LIKE` does not, in phases: 1 at once, 2 before the tables change places, 3 after
/// that. Of the table $2, live in schema $1 and with its twin in $3.
const STATEMENTS: &str = "
    WITH live AS (
             SELECT c.*, format('%I.%I', $1, c.relname) AS name, format('%I.%I', $3, c.relname) AS twin
             FROM pg_class c WHERE c.oid = format('%I.%I', $1, $2)::regclass),
         index AS (
             SELECT i.*, x.relname AS index_name, x.reloptions AS index_options, l.name, l.twin,
                    EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.conrelid = l.oid) AS constrains
             FROM live l JOIN pg_index i ON i.indrelid = l.oid JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indisvalid),
         attribute AS (
             SELECT a.*, l.twin, l.name FROM live l JOIN pg_attribute a ON a.attrelid = l.oid
             WHERE a.attnum > 0 AND NOT a.attisdropped),
         -- Lists of settings as the catalog has them, and as statements have them.
         setting AS (
             SELECT o.options, p.prefix,
                    (SELECT string_agg(format('%s%s = %L', p.prefix, split_part(s, '=', 1), substr(s, strpos(s, '=') + 1)),
                                       ', ' ORDER BY n)
                     FROM unnest(o.options) WITH ORDINALITY AS each (s, n)) AS settings
             FROM (SELECT reloptions FROM live UNION SELECT index_options FROM index UNION SELECT attoptions FROM attribute
                   UNION SELECT t.reloptions FROM live l JOIN pg_class t ON t.oid = l.reltoastrelid) AS o (options),
                  (VALUES (''), ('toast.')) AS p (prefix)
             WHERE o.options IS NOT NULL),
         sequence AS (
             SELECT format('%I.%I', $1, s.relname) AS sequence, s.relname AS sequence_name, d.deptype, a.attname, a.name, a.twin
             FROM live l JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = l.oid
                  AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
             JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
             JOIN attribute a ON a.attnum = d.refobjsubid),
         statistic AS (
             SELECT s.*, l.twin, format('%I.%I', n.nspname, s.stxname) AS statistic, n.nspname AS namespace,
                    (SELECT string_agg(kind, ', ') FROM (VALUES ('d', 'ndistinct'), ('f', 'dependencies'), ('m', 'mcv'))
                     AS kinds (letter, kind) WHERE letter = ANY (s.stxkind::text[])) AS kinds
             FROM live l JOIN pg_statistic_ext s ON s.stxrelid = l.oid JOIN pg_namespace n ON n.oid = s.stxnamespace),
         privilege (grantee, grantor, privilege_type, is_grantable, columns, twin) AS (
             SELECT e.grantee, e.grantor, e.privilege_type, e.is_grantable, '', l.twin FROM live l, aclexplode(l.relacl) e
             WHERE e.grantee <> l.relowner
             UNION ALL
             SELECT e.grantee, e.grantor, e.privilege_type, e.is_grantable, format(' (%I)', a.attname), a.twin
             FROM attribute a, aclexplode(a.attacl) e)
    SELECT phase, statement FROM (
        SELECT 1 AS phase, 1 AS step, k.conname::text AS item,
               format('ALTER TABLE %s ADD CONSTRAINT %I %s', l.twin, k.conname, pg_get_constraintdef(k.oid)) AS statement
        FROM live l JOIN pg_constraint k ON k.conrelid = l.oid WHERE k.contype IN ('p', 'u', 'x')
        UNION ALL
        SELECT 1, 2, index_name, replace(pg_get_indexdef(indexrelid), ' ON ' || name || ' ', ' ON ' || twin || ' ')
        FROM index WHERE NOT constrains
        UNION ALL
        SELECT 1, 3, index_name, format('ALTER INDEX %I.%I SET (%s)', $3, index_name, settings)
        FROM index, setting WHERE constrains AND options = index_options AND prefix = ''
        UNION ALL
        SELECT 1, 4, index_name, format('ALTER TABLE %s CLUSTER ON %I', twin, index_name) FROM index WHERE indisclustered
        UNION ALL
        SELECT 1, 4, l.relname, format('ALTER TABLE %s REPLICA IDENTITY %s', l.twin,
                 CASE l.relreplident WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING'
                      ELSE format('USING INDEX %I', (SELECT index_name FROM index WHERE indisreplident)) END)
        FROM live l WHERE l.relreplident <> 'd'
        UNION ALL
        SELECT 1, 5, l.relname, format('ALTER TABLE %s SET (%s)', l.twin, settings)
        FROM live l JOIN setting ON options = l.reloptions AND prefix = ''
        UNION ALL
        SELECT 1, 5, l.relname, format('ALTER TABLE %s SET (%s)', l.twin, settings)
        FROM live l JOIN pg_class t ON t.oid = l.reltoastrelid JOIN setting ON options = t.reloptions AND prefix = 'toast.'
        UNION ALL
        SELECT 1, 6, attname, format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS %s', twin, attname, attstattarget)
        FROM attribute WHERE attstattarget >= 0
        UNION ALL
        SELECT 1, 6, attname, format('ALTER TABLE %s ALTER COLUMN %I SET (%s)', twin, attname, settings)
        FROM attribute JOIN setting ON options = attoptions AND prefix = ''
        UNION ALL
        SELECT 1, 7, stxname, format('CREATE STATISTICS %I.%I%s ON %s FROM %s', $3, stxname, COALESCE(' (' || kinds || ')', ''),
                                     pg_get_statisticsobjdef_columns(oid), twin)
        FROM statistic
        UNION ALL
        SELECT 1, 8, '', format('COMMENT ON TABLE %s IS %L', twin, obj_description(oid, 'pg_class'))
        FROM live WHERE obj_description(oid, 'pg_class') IS NOT NULL
        UNION ALL
        SELECT 1, 8, index_name, format('COMMENT ON INDEX %I.%I IS %L', $3, index_name, obj_description(indexrelid, 'pg_class'))
        FROM index WHERE obj_description(indexrelid, 'pg_class') IS NOT NULL
        UNION ALL
        SELECT 1, 8, k.conname, format('COMMENT ON CONSTRAINT %I ON %s IS %L', k.conname, l.twin, obj_description(k.oid, 'pg_constraint'))
        FROM live l JOIN pg_constraint k ON k.conrelid = l.oid
        WHERE k.contype IN ('p', 'u', 'x') AND obj_description(k.oid, 'pg_constraint') IS NOT NULL
        UNION ALL
        -- What defaults of the database have granted on a new table.
        SELECT 1, 9, e.grantee::text, format('REVOKE ALL ON TABLE %s FROM %s', l.twin,
                                     CASE e.grantee WHEN 0 THEN 'PUBLIC' ELSE e.grantee::regrole::text END)
        FROM live l JOIN pg_class t ON t.oid = l.twin::regclass, aclexplode(t.relacl) e WHERE e.grantee <> t.relowner
        UNION ALL
        -- In its place only: the owner needs no right to the schema of twins. What was granted is then theirs to grant.
        SELECT 3, 4, '', format('ALTER TABLE %s OWNER TO %s', name, relowner::regrole) FROM live
        WHERE relowner <> current_user::regrole
        UNION ALL
        SELECT 1, 11, grantee::text || columns, format('GRANT %s%s ON TABLE %s TO %s%s', privilege_type, columns, twin,
                       CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END,
                       CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
        FROM privilege
        UNION ALL
        -- A sequence that a column owns would move along with its table.
        SELECT 2, 1, sequence_name, format('ALTER SEQUENCE %s OWNED BY NONE', sequence) FROM sequence WHERE deptype = 'a'
        UNION ALL
        SELECT 3, 1, sequence_name, format('ALTER SEQUENCE %s OWNED BY %s.%I', sequence, name, attname)
        FROM sequence WHERE deptype = 'a'
        UNION ALL
        SELECT 1, 12, sequence_name, format('ALTER SEQUENCE %s RENAME TO %I', pg_get_serial_sequence(twin, attname), sequence_name)
        FROM sequence
        WHERE deptype = 'i' AND pg_get_serial_sequence(twin, attname) <> format('%I.%I', $3, sequence_name)
        UNION ALL
        -- Statistics stay where they are when their table moves.
        SELECT 2, 2, stxname, format('DROP STATISTICS %s', statistic) FROM statistic
        UNION ALL
        SELECT 3, 2, stxname, format('ALTER STATISTICS %I.%I SET SCHEMA %I', $3, stxname, namespace) FROM statistic
        UNION ALL
        -- Not before the replay is over: they are told what happens, not what has happened.
        SELECT 3, 3, t.tgname, pg_get_triggerdef(t.oid) FROM live l JOIN pg_trigger t ON t.tgrelid = l.oid WHERE NOT t.tgisinternal
    ) AS all_statements ORDER BY phase, step, item";

/// The twin of a live table.
pub(super) struct Twin {
    table: &'static str,
    before: Vec<String>,
    after: Vec<String>,
}

impl Twin {
    /// Makes an empty twin of a live table in `schema`.
    pub(super) async fn create(
        connection: &mut PgConnection,
        table: &'static str,
        schema: &str,
    ) -> Result<Self, ReplayError> {
        let mut transaction = connection.begin().await?;
        // So every name is told with its schema, and means the same when the statement is carried out.
        run(&mut transaction, "SET LOCAL search_path = pg_catalog").await?;
        let obstacles: Vec<String> =
            sqlx::query_scalar(OBSTACLES).bind(LIVE).bind(table).fetch_all(&mut *transaction).await?;
        if !obstacles.is_empty() {
            return Err(ReplayError::Unsupported { table, what: obstacles.join(", ") });
        }
        let is_unlogged: bool = sqlx::query_scalar(
            "SELECT relpersistence = 'u' FROM pg_class WHERE oid = format('%I.%I', $1, $2)::regclass",
        )
        .bind(LIVE)
        .bind(table)
        .fetch_one(&mut *transaction)
        .await?;
        let unlogged = if is_unlogged { "UNLOGGED " } else { "" };
        let like = format!("LIKE {LIVE}.{table} INCLUDING ALL EXCLUDING INDEXES EXCLUDING STATISTICS");
        run(&mut transaction, &format!("CREATE {unlogged}TABLE {schema}.{table} ({like})")).await?;
        let mut twin = Self { table, before: Vec::new(), after: Vec::new() };
        let statements =
            sqlx::query(STATEMENTS).bind(LIVE).bind(table).bind(schema).fetch_all(&mut *transaction).await?;
        for row in statements {
            let statement: String = row.try_get("statement")?;
            match row.try_get::<i32, _>("phase")? {
                1 => run(&mut transaction, &statement).await?,
                2 => twin.before.push(statement),
                _ => twin.after.push(statement),
            }
        }
        transaction.commit().await?;
        Ok(twin)
    }

    /// Puts the twin, from `schema`, in the place of the live table, which goes to `retired`. Both must be locked.
    pub(super) async fn take_over(
        &self,
        connection: &mut PgConnection,
        schema: &str,
        retired: &str,
    ) -> Result<(), sqlx::Error> {
        let table = self.table;
        let moves = [
            format!("ALTER TABLE {LIVE}.{table} SET SCHEMA {retired}"),
            format!("ALTER TABLE {schema}.{table} SET SCHEMA {LIVE}"),
        ];
        for statement in self.before.iter().chain(&moves).chain(&self.after) {
            run(connection, statement).await?;
        }
        Ok(())
    }
}
