//! A rebuild leaves no trace in the schema: whatever has a name, an owner or a grant keeps it, so that later migrations find it.

use std::borrow::Cow;

use sqlx::{ConnectOptions, Connection, PgConnection, migrate::Migrator};
use workroom::database;
use workroom_projections::{
    Group, Projection,
    changes::{Changes, Table},
    groups,
    log::Recorded,
    rebuild,
};

use crate::support::World;

static MIGRATIONS: Migrator = sqlx_macros::migrate!("./migrations");

/// All that the catalog says of the schema of the views.
const CATALOG: &str = "
    WITH tables AS (SELECT c.* FROM pg_class c WHERE c.relnamespace = 'views'::regnamespace)
    SELECT 'relation ' || c.relname || ' ' || c.relkind::text || ' ' || c.relpersistence::text || ' ' || c.relowner::regrole
           || ' acl ' || COALESCE((SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(c.relacl) a), '-')
           || ' options ' || COALESCE(c.reloptions::text, '-') || ' identity ' || c.relreplident::text
           || ' comment ' || COALESCE(obj_description(c.oid, 'pg_class'), '-')
           || ' toast ' || COALESCE((SELECT t.reloptions::text FROM pg_class t WHERE t.oid = c.reltoastrelid), '-') AS line
    FROM tables c
    UNION ALL SELECT 'index ' || pg_get_indexdef(i.indexrelid) || ' valid ' || i.indisvalid || ' clustered ' || i.indisclustered
    FROM pg_index i JOIN tables c ON c.oid = i.indrelid
    UNION ALL SELECT 'constraint ' || k.conname || ' on ' || c.relname || ' ' || pg_get_constraintdef(k.oid)
           || ' comment ' || COALESCE(obj_description(k.oid, 'pg_constraint'), '-')
    FROM pg_constraint k JOIN tables c ON c.oid = k.conrelid
    UNION ALL SELECT 'column ' || c.relname || '.' || a.attnum || ' ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
           || ' ' || a.attnotnull || ' ' || COALESCE(pg_get_expr(d.adbin, d.adrelid), '-') || ' ' || a.attstorage::text
           || ' ' || a.attcollation || ' target ' || COALESCE(NULLIF(a.attstattarget, -1)::text, '-')
           || ' options ' || COALESCE(a.attoptions::text, '-')
           || ' acl ' || COALESCE(a.attacl::text, '-') || ' comment ' || COALESCE(col_description(c.oid, a.attnum), '-')
    FROM pg_attribute a JOIN tables c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (c.oid, a.attnum)
    WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind = 'r'
    UNION ALL SELECT 'statistics ' || pg_get_statisticsobjdef(s.oid) FROM pg_statistic_ext s JOIN tables c ON c.oid = s.stxrelid
    UNION ALL SELECT 'trigger ' || pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN tables c ON c.oid = t.tgrelid
    WHERE NOT t.tgisinternal
    UNION ALL SELECT 'sequence ' || s.oid::regclass::text || ' of ' || d.refobjid::regclass::text || '.' || d.refobjsubid
    FROM tables s JOIN pg_depend d ON d.objid = s.oid AND d.deptype IN ('a', 'i') WHERE s.relkind = 'S'
    ORDER BY line";

async fn catalog(connection: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar(CATALOG).fetch_all(connection).await.expect("the catalog")
}

async fn execute(connection: &mut PgConnection, statements: &str) {
    sqlx::raw_sql(statements).execute(connection).await.unwrap_or_else(|error| panic!("{statements}: {error}"));
}

/// What an operator may have done to the views: none of it is in a migration.
const ADDED_BY_HAND: &str = "
    CREATE ROLE $role;
    GRANT USAGE ON SCHEMA views TO $role;
    GRANT SELECT ON views.tasks, views.projects TO $role;
    GRANT SELECT (id, name), UPDATE (name) ON views.organizations TO $role WITH GRANT OPTION;
    ALTER TABLE views.tasks SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, toast.autovacuum_enabled = false);
    ALTER TABLE views.tasks ALTER COLUMN title SET STATISTICS 500;
    ALTER TABLE views.tasks ALTER COLUMN title SET (n_distinct = -0.5);
    ALTER TABLE views.tasks ALTER COLUMN description SET STORAGE EXTERNAL;
    ALTER TABLE views.comments RENAME CONSTRAINT comments_pkey TO comments_are_told_apart;
    ALTER TABLE views.comments REPLICA IDENTITY FULL;
    ALTER TABLE views.rosters OWNER TO $role;
    ALTER TABLE views.projects ADD CONSTRAINT named CHECK (name <> ''), ADD CONSTRAINT told_apart UNIQUE (id, version);
    CREATE INDEX by_hand ON views.tasks USING hash (title);
    CREATE INDEX \"Strange name\" ON views.tasks (lower(title) DESC NULLS LAST) INCLUDE (id) WITH (fillfactor = 70) WHERE priority = 'high';
    CREATE STATISTICS views.together (dependencies) ON project_id, status FROM views.tasks;
    COMMENT ON TABLE views.tasks IS 'It''s \"what\" to do';
    COMMENT ON COLUMN views.tasks.title IS 'in words';
    COMMENT ON INDEX views.by_hand IS 'equal titles';
    COMMENT ON CONSTRAINT comments_are_told_apart ON views.comments IS 'by their ids';
    ALTER TABLE views.files CLUSTER ON files_by_path;
    CREATE SEQUENCE views.numbers;
    ALTER TABLE views.files ADD COLUMN number bigint NOT NULL DEFAULT nextval('views.numbers');
    ALTER SEQUENCE views.numbers OWNED BY views.files.number;
    ALTER TABLE views.files ADD COLUMN row bigint GENERATED BY DEFAULT AS IDENTITY (SEQUENCE NAME views.rows_of_files);
    CREATE FUNCTION views.told() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
    CREATE TRIGGER teller AFTER INSERT ON views.tasks FOR EACH STATEMENT EXECUTE FUNCTION views.told();";

#[tokio::test]
async fn a_rebuild_keeps_names_owners_grants_and_settings() {
    let mut world = World::without_schema().await;
    // Whoever gives tables to others has to be a member of them, or a superuser.
    world.database_url = world.urls().admin.clone();
    drop(world.pool().await);
    let role = format!("reader_{}", uuid::Uuid::now_v7().simple());
    let mut connection =
        database::options(&world.database_url).expect("options").connect().await.expect("a connection");
    let migrated = catalog(&mut connection).await;
    for statements in ["", &ADDED_BY_HAND.replace("$role", &role)] {
        execute(&mut connection, statements).await;
        let before = catalog(&mut connection).await;
        for _ in 0..2 {
            for group in groups() {
                let mut own =
                    database::options(&world.database_url).expect("options").connect().await.expect("a connection");
                rebuild::rebuild(&mut own, &group, &|_, _| {}).await.expect("a rebuild");
            }
            let after = catalog(&mut connection).await;
            let lost: Vec<_> = before.iter().filter(|line| !after.contains(line)).collect();
            let new: Vec<_> = after.iter().filter(|line| !before.contains(line)).collect();
            assert!(lost.is_empty() && new.is_empty(), "lost: {lost:#?}\nnew: {new:#?}");
        }
    }
    assert_ne!(migrated, catalog(&mut connection).await);
    execute(
        &mut connection,
        &format!("ALTER TABLE views.rosters OWNER TO CURRENT_USER; DROP OWNED BY {role}; DROP ROLE {role}"),
    )
    .await;
}

/// Tables as they were at some time, with nothing that projects into them.
struct Old(&'static [Table]);

impl Projection for Old {
    fn tables(&self) -> &'static [Table] {
        self.0
    }

    fn reads(&self) -> &'static [&'static str] {
        &[]
    }

    fn apply(&self, _: &Recorded, _: &mut Changes) {}
}

/// Rebuilds today's groups, as far as there are tables of theirs yet.
async fn rebuild_all(options: &sqlx::postgres::PgConnectOptions) {
    let mut connection = options.connect().await.expect("a connection");
    let existing: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'views'::regnamespace",
    )
    .fetch_all(&mut connection)
    .await
    .expect("tables");
    for group in groups() {
        let existing = |table: &&Table| existing.iter().any(|name| name == table.name());
        let tables: Vec<Table> = group.projections.iter().flat_map(|p| p.tables()).filter(existing).copied().collect();
        let old = Group { name: group.name, projections: vec![Box::new(Old(tables.leak()))] };
        let mut own = options.connect().await.expect("a connection");
        rebuild::rebuild(&mut own, &old, &|_, _| {}).await.expect("a rebuild");
    }
}

/// Migrations up to the `count`th, as a release of that time brought them.
async fn migrate_to(options: &sqlx::postgres::PgConnectOptions, count: usize) {
    let options = options.clone().options([("search_path", "public")]);
    let mut connection = options.connect().await.expect("a connection");
    let mut migrator = Migrator::DEFAULT;
    migrator.migrations = Cow::Owned(MIGRATIONS.migrations[..count].to_vec());
    migrator.run(&mut connection).await.unwrap_or_else(|error| panic!("up to migration {count}: {error}"));
    connection.close().await.expect("an end");
}

/// Makes the views of these releases anew, each in a schema of its own, and upgrades it to today's.
async fn upgrade(releases: impl Iterator<Item = usize>) {
    for released in releases {
        let world = World::without_schema().await;
        let options = database::options(&world.database_url).expect("options");
        migrate_to(&options, released).await;
        rebuild_all(&options).await;
        migrate_to(&options, MIGRATIONS.migrations.len()).await;
    }
}

/// The first release that has views.
const FIRST: usize = 3;

#[tokio::test]
async fn a_released_schema_can_be_upgraded_after_a_rebuild() {
    let all = MIGRATIONS.migrations.len();
    upgrade([FIRST].into_iter().chain(all - 3..all)).await;
    // And step by step, with a rebuild after each.
    let world = World::without_schema().await;
    let options = database::options(&world.database_url).expect("options");
    for released in FIRST..=all {
        migrate_to(&options, released).await;
        rebuild_all(&options).await;
    }
}

#[tokio::test]
#[ignore = "long drill"]
async fn drill_every_released_schema_can_be_upgraded_after_a_rebuild() {
    upgrade(FIRST..MIGRATIONS.migrations.len()).await;
}
