//! Defaults of the database and of the role decide nothing.

use std::collections::BTreeMap;

use sqlx::{Connection, PgConnection, PgPool};

use super::use_it;
use crate::support::World;

/// Defaults that would each break something.
const DEFAULTS: [(&str, &str); 23] = [
    ("default_transaction_isolation", "'serializable'"),
    ("default_transaction_read_only", "on"),
    ("default_transaction_deferrable", "on"),
    ("search_path", "pg_catalog"),
    ("synchronous_commit", "off"),
    ("lock_timeout", "1"),
    ("statement_timeout", "2000"),
    ("idle_in_transaction_session_timeout", "2000"),
    ("idle_session_timeout", "2000"),
    ("timezone", "'Asia/Kathmandu'"),
    ("datestyle", "'SQL, DMY'"),
    ("intervalstyle", "'sql_standard'"),
    ("bytea_output", "'escape'"),
    ("extra_float_digits", "-15"),
    ("standard_conforming_strings", "off"),
    ("array_nulls", "off"),
    ("transform_null_equals", "on"),
    ("quote_all_identifiers", "on"),
    ("row_security", "on"),
    ("client_min_messages", "debug1"),
    ("plan_cache_mode", "force_custom_plan"),
    ("enable_bitmapscan", "on"),
    ("jit", "on"),
];

/// Sets defaults of the database, or of the role in it.
async fn set_defaults(world: &World, of_role: bool, defaults: &[(&str, &str)]) {
    let mut connection = PgConnection::connect(&world.urls().admin).await.expect("a connection");
    let database: String =
        sqlx::query_scalar("SELECT current_database()::text").fetch_one(&mut connection).await.expect("a name");
    let roles = ["workroom_owner", "workroom_service"].map(|role| format!("ROLE {role} IN DATABASE"));
    let whose = if of_role { roles.to_vec() } else { vec!["DATABASE".to_owned()] };
    for (whose, (name, value)) in whose.iter().flat_map(|whose| defaults.iter().map(move |default| (whose, default))) {
        let statement = format!("ALTER {whose} {database} SET {name} = {value}");
        sqlx::query(&statement).execute(&mut connection).await.expect("a default");
    }
}

/// What a session of the pool is set to.
async fn settings(pool: &PgPool) -> BTreeMap<String, String> {
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT lower(name), setting FROM pg_settings").fetch_all(pool).await.expect("settings");
    rows.into_iter().collect()
}

#[tokio::test]
async fn repeatable_read_as_the_default_changes_nothing() {
    let world = World::without_schema().await;
    set_defaults(&world, false, &[("default_transaction_isolation", "'repeatable read'")]).await;
    let (one, two) = (world.server().await, world.server().await);
    use_it(&world, &one, &two).await;
}

#[tokio::test]
async fn the_service_relies_on_no_default() {
    let usual = settings(&World::without_schema().await.pool().await).await;
    let world = World::without_schema().await;
    set_defaults(&world, true, &[("default_transaction_isolation", "'repeatable read'"), ("lock_timeout", "2")]).await;
    if usual.contains_key("transaction_timeout") {
        set_defaults(&world, false, &[("transaction_timeout", "2000")]).await;
    }
    set_defaults(&world, false, &DEFAULTS).await;
    let there = settings(&world.pool().await).await;
    for (name, _) in DEFAULTS {
        assert_eq!(there.get(name), usual.get(name), "{name}");
    }
    let (one, two) = (world.server().await, world.server().await);
    use_it(&world, &one, &two).await;
}

#[tokio::test]
async fn a_default_that_switches_the_logs_protection_off_is_refused() {
    let world = World::without_schema().await;
    set_defaults(&world, false, &[("session_replication_role", "replica")]).await;
    let (good, text) = world.command(&["migrate"]).await;
    assert!(!good && text.contains("session_replication_role") && text.contains("DATABASE_URL"), "{text}");
}
