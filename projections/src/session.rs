//! Sessions with the database: how each is begun, and what it is set to, whatever the defaults are.
//!
//! A database, a role or a connection pooler can come with defaults of its own: another isolation level, time limits,
//! commits that do not wait for the disk. None of them may change what the service does. So whoever connects does it by
//! [`begin`], or calls [`prepare`] first, and every setting that matters is in [`SETTINGS`].
//!
//! They are set by a statement, not in the packet that opens a connection: poolers refuse settings there, or drop them
//! without a word.

use std::sync::LazyLock;

use sqlx::{ConnectOptions, Executor, PgConnection, postgres::PgConnectOptions};

/// The search path of a session whose role may not read the log: a process that only runs jobs. It finds in this schema, under the
/// same names, what it may see and do.
const WORKERS_PATH: &str = "workers, public";

/// What every session is set to, but for [`WORKERS_PATH`]. A version of Postgres that does not know one of them does without.
pub const SETTINGS: [(&str, &str); 31] = [
    // Time limits first: a default among them could end what follows.
    ("statement_timeout", "20s"),
    ("lock_timeout", "0"),
    ("transaction_timeout", "0"),
    ("idle_in_transaction_session_timeout", "20s"),
    ("idle_session_timeout", "0"),
    // The views are found without naming their schema, so that a replay can show others.
    ("search_path", "views, public"),
    // The append takes the log's lock and then looks: a snapshot from before the lock would show it a log of the past.
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_read_only", "off"),
    ("default_transaction_deferrable", "off"),
    // Acknowledged means committed.
    ("synchronous_commit", "on"),
    // A client that is gone must not keep its locks: the server finds out within seconds.
    ("tcp_keepalives_idle", "2"),
    ("tcp_keepalives_interval", "1"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "5000"),
    // How values are written and read as text.
    ("TimeZone", "UTC"),
    ("DateStyle", "ISO, MDY"),
    ("IntervalStyle", "postgres"),
    ("bytea_output", "hex"),
    ("extra_float_digits", "1"),
    ("standard_conforming_strings", "on"),
    ("array_nulls", "on"),
    ("transform_null_equals", "off"),
    ("quote_all_identifiers", "off"),
    // A policy that hides rows is an error, not a shorter answer.
    ("row_security", "off"),
    ("client_min_messages", "warning"),
    // What a migration creates is what it says.
    ("default_tablespace", ""),
    ("default_table_access_method", "heap"),
    ("check_function_bodies", "on"),
    // Every statement is prepared once and run often; planning anew costs more than a better plan could save.
    ("plan_cache_mode", "force_generic_plan"),
    // A list walks an index in its own order and stops after a page. A bitmap gathers all there is first, which looks as
    // cheap to a planner that has no statistics yet.
    ("enable_bitmapscan", "off"),
    // Compiling a plan takes longer than any of ours runs.
    ("jit", "off"),
];

/// Connects, and sets what every session is set to.
pub async fn begin(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let mut connection = options.connect().await?;
    prepare(&mut connection).await?;
    Ok(connection)
}

/// Sets what every session is set to, in one round trip.
pub async fn prepare(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    // Unprepared, so that it works before the search path is known to be right, and through any pooler.
    connection.execute(STATEMENT.as_str()).await?;
    Ok(())
}

static STATEMENT: LazyLock<String> = LazyLock::new(|| {
    let values: Vec<String> = SETTINGS.iter().map(|(name, value)| format!("('{name}', '{value}')")).collect();
    format!(
        "SELECT pg_catalog.set_config(name, CASE
             WHEN name = 'search_path'
                 AND pg_catalog.has_table_privilege(pg_catalog.to_regclass('public.events'), 'SELECT') IS FALSE
             THEN '{WORKERS_PATH}' ELSE value END, false)
         FROM (VALUES {}) AS settings (name, value)
         WHERE pg_catalog.current_setting(name, true) IS NOT NULL",
        values.join(", ")
    )
});
