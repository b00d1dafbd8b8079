//! The connection to Postgres: how every part of the service connects, and the schema it finds there.

use std::{str::FromStr, time::Duration};

use anyhow::Context;
use sqlx::{
    ConnectOptions, Connection, PgPool,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use workroom_projections::progress::Positions;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// How long a connection may take to come about.
pub const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// How to connect: the views are found without naming their schema, and nothing waits for ever.
///
/// # Errors
/// The URL is not one of Postgres.
pub fn options(url: &str) -> anyhow::Result<PgConnectOptions> {
    let options = PgConnectOptions::from_str(url).context("DATABASE_URL is not a Postgres URL")?;
    Ok(options.application_name("workroom").options([
        ("search_path", "views,public"),
        ("statement_timeout", "20s"),
        ("idle_in_transaction_session_timeout", "20s"),
        // A client that is gone must not keep its locks: the server finds out within seconds.
        ("tcp_keepalives_idle", "2"),
        ("tcp_keepalives_interval", "1"),
        ("tcp_keepalives_count", "3"),
        ("tcp_user_timeout", "5000"),
        ("synchronous_commit", "on"),
        // Every statement is prepared once and run often; planning anew costs more than a better plan could save.
        ("plan_cache_mode", "force_generic_plan"),
        // A list walks an index in its own order and stops after a page. A bitmap gathers all there is first, which looks as
        // cheap to a planner that has no statistics yet.
        ("enable_bitmapscan", "off"),
    ]))
}

/// Connections that queries share.
///
/// A future that is dropped inside `begin()` can leave a pooled connection in a transaction
/// (<https://github.com/launchbadge/sqlx/issues/4385>): so transactions on this pool begin only in tasks that nobody
/// cancels.
pub fn pool(options: PgConnectOptions, connections: u32) -> PgPool {
    pool_options(connections).connect_lazy_with(options)
}

fn pool_options(connections: u32) -> PgPoolOptions {
    PgPoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE_TIMEOUT).test_before_acquire(false)
}

/// Connections that views are read through for clients. After a crash of the server none is handed out before the views show
/// again what they showed before, as [`Positions::admit`] tells.
pub fn pool_of_views(options: PgConnectOptions, connections: u32, positions: &Positions) -> PgPool {
    let positions = positions.clone();
    pool_options(connections)
        .after_connect(move |connection, _| {
            let positions = positions.clone();
            Box::pin(async move { positions.admit(connection).await })
        })
        .connect_lazy_with(options)
}

/// Brings the schema up to date. On a connection of its own: what migrations create without naming a schema belongs into
/// `public`, the list of those that have run above all, and they may take their time.
///
/// # Errors
/// The database cannot be reached, or holds a schema of a newer version.
pub async fn migrate(options: &PgConnectOptions) -> anyhow::Result<()> {
    let options = options.clone().options([("search_path", "public"), ("statement_timeout", "0")]);
    let connecting = tokio::time::timeout(ACQUIRE_TIMEOUT, options.connect());
    let mut connection = connecting
        .await
        .map_err(|_| anyhow::anyhow!("the database does not answer"))?
        .context("the database cannot be reached")?;
    MIGRATIONS.run(&mut connection).await.context("the database could not be brought up to date")?;
    connection.close().await.ok();
    Ok(())
}
