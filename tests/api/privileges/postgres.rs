//! What the service's roles in Postgres may do.

use sqlx::{Connection, Executor, PgConnection};
use workroom::database;

use crate::{
    cli::process::Served,
    support::{World, eventually},
};

/// The SQLSTATE that a statement fails with; nothing when it does not.
async fn failure(url: &str, statement: &str) -> Option<String> {
    let mut connection = PgConnection::connect(url).await.expect("a connection");
    let outcome = connection.execute(statement).await;
    outcome.err().map(|error| error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned())
}

#[track_caller]
fn refused(url: &str, statement: &str) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    let (url, statement) = (url.to_owned(), statement.to_owned());
    async move {
        // insufficient_privilege
        assert_eq!(failure(&url, &statement).await.as_deref(), Some("42501"), "{statement}, at {caller}");
    }
}

#[tokio::test]
async fn no_role_of_the_service_runs_programs_or_reads_files() {
    for world in [World::without_schema().await, World::with_own_postgres().await] {
        drop(world.pool().await);
        let urls = world.urls();
        assert_eq!(
            failure(&urls.admin, "COPY (SELECT 1) TO PROGRAM 'cat > /dev/null'").await,
            None,
            "a superuser could"
        );
        for url in [&urls.service, &urls.owner, &urls.worker] {
            refused(url, "COPY (SELECT 1) TO PROGRAM 'cat > /dev/null'").await;
            refused(url, "CREATE TEMP TABLE t (x text); COPY t FROM PROGRAM 'id'").await;
            refused(url, "SELECT pg_read_file('/etc/passwd')").await;
            refused(url, "SELECT lo_import('/etc/passwd')").await;
            refused(url, "SET session_replication_role = replica").await;
            refused(url, "CREATE ROLE another SUPERUSER").await;
        }
    }
}

#[tokio::test]
async fn the_service_changes_rows_and_neither_history_nor_the_schema() {
    let world = World::without_schema().await;
    drop(world.pool().await);
    let url = &world.urls().service;
    for statement in [
        "UPDATE events SET payload = '{}'",
        "DELETE FROM events",
        "DELETE FROM log_leaves",
        "UPDATE log_nodes SET hash = hash",
        "DELETE FROM log_tree_epochs",
        "DELETE FROM log_feed_sizes",
        "UPDATE log_feed_sizes SET size = size",
        "TRUNCATE events",
        "ALTER TABLE events DISABLE TRIGGER events_are_final",
        "DROP TABLE events CASCADE",
        "CREATE OR REPLACE FUNCTION refuse_change_of_history() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "CREATE TABLE more (x int)",
        "CREATE SCHEMA more",
        "CREATE TABLE views.more (x int)",
        "DELETE FROM _sqlx_migrations",
        "SET ROLE workroom_owner",
    ] {
        refused(url, statement).await;
    }
    assert_eq!(failure(url, "SELECT password_hash FROM accounts").await, None);
}

#[tokio::test]
async fn no_server_runs_as_root() {
    let world = World::with_own_postgres().await;
    let postgres = world.services().postgres().and_then(|postgres| postgres.pid()).expect("a running Postgres");
    let nats = world.nats().pid().expect("a running NATS");
    for pid in [postgres, nats] {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
        // As this process sees them: a user namespace does not hide whose files are its own.
        let users = status.lines().find_map(|line| line.strip_prefix("Uid:")).expect("its users");
        assert!(users.split_whitespace().all(|user| user != "0"), "{pid}: {users}");
        let capabilities = status.lines().find_map(|line| line.strip_prefix("CapEff:")).expect("its capabilities");
        assert_eq!(capabilities.trim().trim_start_matches('0'), "", "{pid} has none");
    }
}

#[tokio::test]
async fn a_superuser_is_warned_of_and_an_ordinary_role_that_owns_its_database_is_enough() {
    const WARNING: &str = "MAY RUN PROGRAMS ON THE DATABASE'S HOST";
    let world = World::without_schema().await;
    let ordinary = Served::start(&world.urls().owner, world.nats_url(), &[]);
    ordinary.listens().await;
    assert!(!ordinary.said().join("\n").contains(WARNING));
    let powerful = Served::start(&world.urls().admin, world.nats_url(), &[]);
    powerful.listens().await;
    eventually("the warning", async || powerful.said().join("\n").contains(WARNING)).await;
}

#[tokio::test]
async fn a_service_that_does_not_own_the_schema_waits_until_its_owner_has_made_it() {
    let world = World::without_schema().await;
    let served = Served::start(&world.urls().service, world.nats_url(), &[]);
    eventually("it says what it waits for", async || served.said().join("\n").contains("workroom migrate")).await;
    assert_eq!(served.address(), None);
    let (done, text) = world.command(&["migrate"]).await;
    assert!(done, "{text}");
    served.listens().await;
}

#[tokio::test]
async fn a_database_that_a_superuser_made_can_be_given_to_the_roles() {
    let world = World::without_schema().await;
    let urls = world.urls();
    let mut admin = PgConnection::connect(&urls.admin).await.expect("a connection");
    let name: String =
        sqlx::query_scalar("SELECT current_database()::text").fetch_one(&mut admin).await.expect("a name");
    admin.execute(format!("ALTER DATABASE {name} OWNER TO CURRENT_USER").as_str()).await.expect("another owner");
    let before = Served::start(&urls.admin, world.nats_url(), &[]);
    before.listens().await;
    before.end_by(nix::sys::signal::Signal::SIGTERM).await;

    // As docs/operations.md says; again, because somebody will.
    for _ in 0..2 {
        sqlx::raw_sql(database::ROLES).execute(&mut admin).await.expect("roles");
    }
    let left: Vec<String> = sqlx::query_scalar(
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname IN ('public', 'views', 'workers') AND c.relowner <> 'workroom_owner'::regrole
         UNION ALL
         SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE n.nspname IN ('public', 'views', 'workers') AND p.proowner <> 'workroom_owner'::regrole",
    )
    .fetch_all(&mut admin)
    .await
    .expect("owners");
    assert!(left.is_empty(), "{left:?}");
    for arguments in [&["migrate"][..], &["projections", "rebuild"]] {
        let (done, text) = world.command(arguments).await;
        assert!(done, "{arguments:?}: {text}");
    }
    let served = Served::start(&urls.service, world.nats_url(), &[]);
    served.listens().await;
}
