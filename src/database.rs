//! The connection to Postgres: where it is, how every part of the service connects, and the schema it finds there.
//!
//! There may be two ways to it: `DATABASE_URL`, for queries, which may lead through a connection pooler that keeps
//! sessions, and `DIRECT_URL`, for what belongs to one session: migrations, the log's writer, leaders. Without the latter
//! both go the same way. [`Database::ready`] makes sure that they are what the service takes them for.
//!
//! The role that owns the schema may be another than the one that the service works with: `OWNER_URL` then leads there as the
//! owner, for migrations and rebuilds. Without it a process migrates if its own role owns the schema, and else waits until it is up
//! to date.

use std::{
    path::PathBuf,
    str::FromStr,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use anyhow::Context;
use sqlx::{
    ConnectOptions, Connection, Executor, PgConnection, PgPool, Row,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
};
use tokio::time::Instant;
use workroom_projections::{describe::describe, progress::Positions, session};

use crate::{backoff::Backoff, config::Config, event_store::IncarnationWatch, tls};

static MIGRATIONS: Migrator = sqlx_macros::migrate!("./migrations");

/// What makes the roles of the service; for a superuser.
pub const ROLES: &str = include_str!("database/roles.sql");
/// What gives the roles of the service what they need; for the owner of the schema.
const GRANTS: &str = include_str!("database/grants.sql");

/// How long a connection may take to come about.
pub const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a process that waits for the database says that it still does.
const SAY_SO: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How often two sessions are asked whether they are still their own.
const SESSION_TRIALS: usize = 4;

/// How to connect. Every session is then [prepared](session::prepare).
///
/// # Errors
/// The URL is not one of Postgres, or what it says of TLS does not hold together.
pub fn options(url: &str) -> anyhow::Result<PgConnectOptions> {
    parse(url, "DATABASE_URL")
}

fn parse(url: &str, setting: &str) -> anyhow::Result<PgConnectOptions> {
    let wanted = || format!("{setting} is not a Postgres URL (postgres://user:password@host:port/database)");
    anyhow::ensure!(url.starts_with("postgres://") || url.starts_with("postgresql://"), wanted());
    let options = PgConnectOptions::from_str(url).with_context(wanted)?;
    check_tls(&url::Url::parse(url).with_context(wanted)?, options.get_ssl_mode())
        .with_context(|| format!("{setting} does not fit"))?;
    // Poolers refuse startup parameters that they do not know.
    Ok(options.application_name("workroom").extra_float_digits(None))
}

/// The names that the driver knows of what a URL may say of TLS; it passes over others.
const SSL_MODE: [&str; 2] = ["sslmode", "ssl-mode"];
const SSL_ROOT_CERT: [&str; 3] = ["sslrootcert", "ssl-root-cert", "ssl-ca"];
const SSL_CERT: [&str; 2] = ["sslcert", "ssl-cert"];
const SSL_KEY: [&str; 2] = ["sslkey", "ssl-key"];

/// Whether a URL gets what it says of TLS. The driver would pass over a word that it does not know, and over authorities unless the
/// mode is one that verifies; a file that is missing it would find out at each connection, as if the server were away.
fn check_tls(url: &url::Url, mode: PgSslMode) -> anyhow::Result<()> {
    for (name, _) in url.query_pairs().filter(|(name, _)| name.to_lowercase().starts_with("ssl")) {
        let known = [&SSL_MODE[..], &SSL_ROOT_CERT, &SSL_CERT, &SSL_KEY].concat().contains(&name.as_ref());
        anyhow::ensure!(known, "{name} is not known: sslmode, sslrootcert, sslcert and sslkey are");
    }
    let given = |names: &[&str]| {
        let value = url.query_pairs().filter(|(name, _)| names.contains(&name.as_ref())).last();
        value.map(|(_, value)| PathBuf::from(value.as_ref()))
    };
    // The driver takes these as defaults; what is no name of a file is the certificate itself.
    let default = |name: &str| std::env::var(name).ok().filter(|value| !value.contains("-----")).map(PathBuf::from);
    let verifies = matches!(mode, PgSslMode::VerifyCa | PgSslMode::VerifyFull);
    if let Some(authorities) = given(&SSL_ROOT_CERT) {
        anyhow::ensure!(verifies, "sslrootcert is not looked at without sslmode=verify-full");
        tls::check_authorities(&authorities).context("sslrootcert cannot be used")?;
    } else if let Some(authorities) = default("PGSSLROOTCERT").filter(|_| verifies) {
        tls::check_authorities(&authorities).context("PGSSLROOTCERT cannot be used")?;
    }
    if matches!(mode, PgSslMode::Disable | PgSslMode::Allow) {
        return Ok(());
    }
    let certificate = given(&SSL_CERT).or_else(|| default("PGSSLCERT"));
    let key = given(&SSL_KEY).or_else(|| default("PGSSLKEY"));
    match (certificate, key) {
        (Some(certificate), Some(key)) => {
            tls::check_pair(&certificate, &key).context("sslcert and sslkey cannot be used")
        }
        (None, None) => Ok(()),
        _ if ["PGSSLCERT", "PGSSLKEY"].iter().any(|name| std::env::var_os(name).is_some()) => Ok(()),
        _ => anyhow::bail!("sslcert and sslkey belong together: one of them is not given"),
    }
}

/// Connections that queries share.
///
/// Nobody begins a transaction on them: a future that is dropped inside `begin()` can leave a connection in one
/// (<https://github.com/launchbadge/sqlx/issues/4385>), and what is committed on it later is lost. What must be together
/// is one statement; `clippy.toml` forbids the rest. A connection that comes back in a transaction all the same is closed and counted:
/// [`closed_in_transaction`].
pub fn pool(options: PgConnectOptions, connections: u32) -> PgPool {
    pool_options(connections)
        .after_connect(|connection, _| Box::pin(session::prepare(connection)))
        .connect_lazy_with(options)
}

fn pool_options(connections: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .after_release(|connection, _| Box::pin(is_outside_transactions(connection)))
}

static CLOSED_IN_TRANSACTION: AtomicU64 = AtomicU64::new(0);

/// How many connections came back to a pool of this process in a transaction, and were closed.
pub fn closed_in_transaction() -> u64 {
    CLOSED_IN_TRANSACTION.load(Ordering::Relaxed)
}

/// Whether a connection may be used by somebody else. Outside of a transaction each statement is one of its own and begins
/// with it.
async fn is_outside_transactions(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    // Unprepared, or the transaction would begin with its first message and not with its statement.
    let is_outside = match connection.fetch_one("SELECT now() = statement_timestamp()").await {
        Ok(row) => row.try_get(0)?,
        // In a failed transaction nothing is answered.
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("25P02") => false,
        Err(error) => return Err(error),
    };
    if !is_outside {
        let count = CLOSED_IN_TRANSACTION.fetch_add(1, Ordering::Relaxed) + 1;
        tracing::error!(count, "a connection came back in a transaction, and is closed");
    }
    Ok(is_outside)
}

/// Brings the schema up to date, and gives the service's roles, where there are any, what they need. On a connection of its own:
/// what migrations create without naming a schema belongs into `public`, the list of those that have run above all, and they may
/// take their time.
///
/// # Errors
/// The database cannot be reached, or holds a schema of a newer version; its role does not own the schema.
pub async fn migrate(options: &PgConnectOptions) -> anyhow::Result<()> {
    let connecting = tokio::time::timeout(ACQUIRE_TIMEOUT, session::begin(options));
    let mut connection = connecting
        .await
        .map_err(|_| sqlx::Error::PoolTimedOut)
        .and_then(|begun| begun)
        .context("the database cannot be reached")?;
    sqlx::raw_sql("SET search_path = public; SET statement_timeout = 0").execute(&mut connection).await?;
    MIGRATIONS.run(&mut connection).await.context("the database could not be brought up to date")?;
    sqlx::raw_sql(GRANTS)
        .execute(&mut connection)
        .await
        .context("the service's roles could not be given their rights")?;
    connection.close().await.ok();
    Ok(())
}

/// The schema is not as this version needs it, and somebody else has to bring it up to date.
#[derive(Debug, thiserror::Error)]
#[error(
    "the schema of the database is not up to date, and its owner is another role: `workroom migrate` with OWNER_URL"
)]
struct SchemaBehind;

const HAS_SCHEMA: &str = "SELECT to_regclass('public.events') IS NOT NULL";

/// How long to wait for a database that is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Until it is there: a service comes up with its database, in whatever order.
    Endless,
    /// As long as it is slow or starting, at most this long. What is not there at all is told at once: somebody waits.
    Brief(Duration),
}

impl Patience {
    /// That of a command that somebody has typed.
    pub const COMMAND: Self = Self::Brief(Duration::from_secs(10));
}

/// One way to the database.
#[derive(Clone, Debug)]
struct Way {
    options: PgConnectOptions,
    /// The setting that says so.
    setting: &'static str,
    /// Whether it was set at all.
    given: bool,
}

/// The database of this deployment, and the ways to it.
#[derive(Clone, Debug)]
pub struct Database {
    queries: Way,
    direct: Option<Way>,
    owner: Option<Way>,
}

/// Why a database cannot be used now.
enum Fault {
    /// Another try may find it.
    Slow(String),
    /// Nothing answers there. It may be away, or the setting may be wrong.
    Nobody(String),
    /// Somebody has to change something.
    Final(String),
}

impl Database {
    /// The database that is configured; asks it nothing yet.
    ///
    /// # Errors
    /// A setting that is not a URL of Postgres.
    pub fn of(config: &Config) -> anyhow::Result<Self> {
        let given = config.connections.database_url != Config::default().connections.database_url;
        let queries = Way { options: options(&config.connections.database_url)?, setting: "DATABASE_URL", given };
        let way = |url: Option<&str>, setting: &'static str| {
            let url = url.filter(|url| !url.trim().is_empty());
            url.map(|url| anyhow::Ok(Way { options: parse(url, setting)?, setting, given: true })).transpose()
        };
        let direct = way(config.connections.direct_url.as_deref(), "DIRECT_URL")?;
        let owner = way(config.connections.owner_url.as_deref(), "OWNER_URL")?;
        Ok(Self { queries, direct, owner })
    }

    /// The database for a command that somebody has typed: ready, and with the service's schema in it.
    ///
    /// # Errors
    /// As [`Database::ready`]; somebody else's database.
    pub async fn for_command(config: &Config) -> anyhow::Result<Self> {
        let database = Self::of(config)?;
        database.ready(Patience::COMMAND).await?;
        let has_schema: bool = database
            .patiently(Patience::COMMAND, async || {
                let mut connection = session::begin(database.direct()).await?;
                Ok(sqlx::query_scalar(HAS_SCHEMA).fetch_one(&mut connection).await?)
            })
            .await?;
        database.direct_way().insist_on_schema(has_schema)?;
        Ok(database)
    }

    /// As [`Database::for_command`], for a command that can do with one that only reads: `DATABASE_URL` may lead to a standby. The
    /// other ways are not looked at.
    ///
    /// # Errors
    /// As [`Database::for_command`].
    pub async fn for_reading(config: &Config) -> anyhow::Result<Self> {
        let database = Self::of(config)?;
        let way = &database.queries;
        let mut connection = database
            .wait(Patience::COMMAND, async || way.probe_reads().await.map(|(connection, _)| connection))
            .await?;
        let has_schema: bool = sqlx::query_scalar(HAS_SCHEMA).fetch_one(&mut connection).await?;
        connection.close().await.ok();
        way.insist_on_schema(has_schema)?;
        Ok(database)
    }

    /// How to connect for queries.
    pub fn options(&self) -> &PgConnectOptions {
        &self.queries.options
    }

    /// How to connect for what belongs to one session.
    pub fn direct(&self) -> &PgConnectOptions {
        &self.direct_way().options
    }

    /// How to connect as whoever owns the schema.
    pub fn owner(&self) -> &PgConnectOptions {
        self.owner.as_ref().map_or(self.direct(), |way| &way.options)
    }

    /// Brings the schema up to date, where this process may: as the role of `OWNER_URL`, or as its own if that owns the schema.
    ///
    /// # Errors
    /// As [`migrate`]. The schema is not up to date, and belongs to another role: then another try may find it so.
    pub async fn bring_up_to_date(&self) -> anyhow::Result<()> {
        if self.owner.is_some() {
            return migrate(self.owner()).await;
        }
        let mut connection = session::begin(self.direct()).await?;
        let owns_schema: bool = sqlx::query_scalar(
            "SELECT CASE WHEN to_regclass('public._sqlx_migrations') IS NULL
                 THEN has_schema_privilege('public', 'CREATE') AND has_database_privilege(current_database(), 'CREATE')
                 ELSE pg_has_role((SELECT relowner FROM pg_class WHERE oid = to_regclass('public._sqlx_migrations')), 'USAGE')
             END",
        )
        .fetch_one(&mut connection)
        .await?;
        if owns_schema {
            connection.close().await.ok();
            return migrate(self.direct()).await;
        }
        // Rights are given when all migrations have run.
        let may_look = "SELECT has_table_privilege(to_regclass('public._sqlx_migrations'), 'SELECT') IS TRUE";
        let may_look: bool = sqlx::query_scalar(may_look).fetch_one(&mut connection).await?;
        anyhow::ensure!(may_look, SchemaBehind);
        // One that has begun and not come to its end counts as none.
        let done: Vec<i64> = sqlx::query_scalar("SELECT version FROM public._sqlx_migrations WHERE success")
            .fetch_all(&mut connection)
            .await?;
        connection.close().await.ok();
        if let Some(newer) = done.iter().find(|version| !MIGRATIONS.version_exists(**version)) {
            anyhow::bail!("the database holds a schema of a newer version: this one knows no migration {newer}");
        }
        let is_up_to_date = MIGRATIONS.iter().all(|migration| done.contains(&migration.version));
        anyhow::ensure!(is_up_to_date, SchemaBehind);
        Ok(())
    }

    /// Says loudly when the service's role may do anything at all.
    pub async fn warn_of_power(&self, patience: Patience) -> anyhow::Result<()> {
        let role: Option<String> = self
            .patiently(patience, async || {
                let mut connection = session::begin(self.options()).await?;
                let powerful = "SELECT current_user::text WHERE current_setting('is_superuser') = 'on'
                                   OR pg_has_role(current_user, 'pg_execute_server_program', 'USAGE')";
                let role = sqlx::query_scalar(powerful).fetch_optional(&mut connection).await?;
                connection.close().await.ok();
                Ok(role)
            })
            .await?;
        if let Some(role) = role {
            tracing::warn!(
                role,
                "THE SERVICE'S DATABASE ROLE MAY RUN PROGRAMS ON THE DATABASE'S HOST: whoever finds a way to have a statement \
                 run has that host; use a role that is no superuser (docs/operations.md, \"Roles in Postgres\")"
            );
        }
        Ok(())
    }

    fn direct_way(&self) -> &Way {
        self.direct.as_ref().unwrap_or(&self.queries)
    }

    /// Connections that queries share.
    pub fn pool(&self, connections: u32) -> PgPool {
        pool(self.queries.options.clone(), connections)
    }

    /// Connections that queries share, each of which finds out before it is used whether the database is still the one that this
    /// process remembers. After a crash none is handed out before the views show again what they showed before, as
    /// [`Positions::admit`] tells. Only for a database with a schema.
    pub fn pool_watched(&self, connections: u32, watch: &IncarnationWatch, positions: &Positions) -> PgPool {
        let (watch, positions) = (watch.clone(), positions.clone());
        pool_options(connections)
            .after_connect(move |connection, _| {
                let (watch, positions) = (watch.clone(), positions.clone());
                Box::pin(async move {
                    session::prepare(connection).await?;
                    watch.verify(connection).await?;
                    positions.admit(connection).await
                })
            })
            .connect_lazy_with(self.queries.options.clone())
    }

    /// Waits until the database can be used as the service does: each way leads to a server that takes writes, keeps
    /// sessions apart and protects the log, and both lead to one database.
    ///
    /// # Errors
    /// One sentence that names the setting and where it points, never the password.
    pub async fn ready(&self, patience: Patience) -> anyhow::Result<()> {
        self.wait(patience, async || self.probe().await).await
    }

    /// Does what takes the database, again if it is away: nothing but another try helps, and `work` is done whole or not
    /// at all.
    ///
    /// # Errors
    /// What `work` fails with, unless it is the absence of the database, for which see [`Patience`].
    pub async fn patiently<T>(
        &self,
        patience: Patience,
        work: impl AsyncFn() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let failure = std::cell::RefCell::new(None);
        let done = self
            .wait(patience, async || match work().await {
                Ok(done) => Ok(done),
                Err(error) => {
                    if error.is::<SchemaBehind>() {
                        return Err(Fault::Slow(format!("{error:#}")));
                    }
                    let away = error.chain().find_map(|cause| cause.downcast_ref::<sqlx::Error>());
                    match away.map(|error| self.queries.fault(error)) {
                        Some(fault @ (Fault::Slow(_) | Fault::Nobody(_))) => Err(fault),
                        Some(Fault::Final(_)) | None => {
                            let sentence = format!("{error:#}");
                            failure.replace(Some(error));
                            Err(Fault::Final(sentence))
                        }
                    }
                }
            })
            .await;
        done.map_err(|error| failure.take().unwrap_or(error))
    }

    /// Tries until it works, or there is no point in trying further.
    async fn wait<T>(&self, patience: Patience, attempt: impl AsyncFn() -> Result<T, Fault>) -> anyhow::Result<T> {
        let began = Instant::now();
        let mut said: Option<Instant> = None;
        let mut backoff = Backoff::new(Duration::from_millis(50), LONGEST_PAUSE);
        loop {
            let reason = match attempt().await {
                Ok(done) => {
                    if said.is_some() {
                        tracing::info!(seconds = began.elapsed().as_secs(), "Postgres is there");
                    }
                    return Ok(done);
                }
                Err(Fault::Final(reason)) => anyhow::bail!(reason),
                Err(Fault::Nobody(reason)) if patience != Patience::Endless => anyhow::bail!(reason),
                Err(Fault::Slow(reason) | Fault::Nobody(reason)) => reason,
            };
            let pause = backoff.pause();
            match patience {
                Patience::Brief(limit) if began.elapsed() + pause >= limit => anyhow::bail!(reason),
                Patience::Brief(_) => {}
                Patience::Endless => {
                    let seconds = began.elapsed().as_secs();
                    if said.is_none() {
                        tracing::warn!(reason, "waiting for Postgres");
                    } else if said.is_some_and(|said| said.elapsed() >= SAY_SO) {
                        tracing::warn!(reason, seconds, "still waiting for Postgres");
                    }
                    if said.is_none_or(|said| said.elapsed() >= SAY_SO) {
                        said = Some(Instant::now());
                    }
                }
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn probe(&self) -> Result<(), Fault> {
        let mut direct = self.direct_way().probe().await?;
        for way in self.direct.as_ref().map(|_| &self.queries).into_iter().chain(&self.owner) {
            let mut other = way.probe().await?;
            self.probe_same(&mut direct, way, &mut other).await?;
            other.close().await.ok();
        }
        direct.close().await.ok();
        Ok(())
    }

    /// A lock that is taken one way is seen the other way: it is one database.
    async fn probe_same(&self, direct: &mut PgConnection, way: &Way, other: &mut PgConnection) -> Result<(), Fault> {
        let number = i32::from_ne_bytes(uuid::Uuid::now_v7().as_bytes()[12..].try_into().unwrap_or_default());
        let seen = async {
            sqlx::query("SELECT pg_advisory_lock(7770009, $1)").bind(number).execute(&mut *direct).await?;
            sqlx::query_scalar::<_, bool>(
                "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = 7770009
                     AND objid = ($1::bigint & 4294967295)::oid
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))",
            )
            .bind(i64::from(number))
            .fetch_one(&mut *other)
            .await
        };
        let first = self.direct_way();
        if in_time(first, seen).await? {
            return Ok(());
        }
        Err(Fault::Final(format!(
            "{} ({}) and {} ({}) lead to different databases",
            first.setting,
            first.place(),
            way.setting,
            way.place()
        )))
    }
}

impl Way {
    /// Where it leads, without user and password.
    fn place(&self) -> String {
        let (host, port) = (self.options.get_host(), self.options.get_port());
        match self.options.get_socket() {
            Some(socket) => format!("{}, port {port}", socket.display()),
            None if host.starts_with('/') => format!("{host}, port {port}"),
            None if host.contains(':') => format!("[{}]:{port}", host.trim_matches(['[', ']'])),
            None => format!("{host}:{port}"),
        }
    }

    /// Where it leads and who says so, as words for a sentence.
    fn named(&self) -> String {
        let (place, setting) = (self.place(), self.setting);
        if self.given {
            format!("at {place} ({setting})")
        } else {
            format!("at {place} (the default: {setting} is not set)")
        }
    }

    /// What an error of the driver means.
    fn fault(&self, error: &sqlx::Error) -> Fault {
        let at = self.named();
        match error {
            sqlx::Error::Io(error) => match tls::meaning(&error.to_string()) {
                Some(reason) => Fault::Final(format!("no TLS with Postgres {at}: {reason} ({error})")),
                None => Fault::Nobody(format!("Postgres cannot be reached {at}: {error}")),
            },
            sqlx::Error::Tls(error) => {
                let said = describe(error.as_ref());
                let reason = tls::meaning(&said).map_or(said, str::to_owned);
                Fault::Final(format!("no TLS with Postgres {at}: {reason}"))
            }
            sqlx::Error::PoolTimedOut => Fault::Slow(format!("Postgres does not answer {at}")),
            sqlx::Error::Database(answer) => {
                let code = answer.code().unwrap_or_default();
                let message = answer.message();
                // pgbouncer says with one code that its server is away, and that it will never take this client.
                let hopeless = ["unsupported startup parameter", "no such", "not allowed", "auth"];
                let away = ["57P", "53", "08"].iter().any(|class| code.starts_with(class))
                    && !(code == "08P01" && hopeless.iter().any(|words| message.contains(words)));
                let sentence = format!("Postgres {at} answers: {message}");
                if away { Fault::Slow(sentence) } else { Fault::Final(sentence) }
            }
            error => Fault::Final(format!("what answers {at} does not speak as Postgres does: {}", describe(error))),
        }
    }

    /// Insists that the service's schema is there.
    fn insist_on_schema(&self, has_schema: bool) -> anyhow::Result<()> {
        anyhow::ensure!(
            has_schema,
            "the database {} holds no Workroom: is it the right one? `workroom migrate` would make one there",
            self.named()
        );
        Ok(())
    }

    /// Opens a session that has been found to be one, of a server that takes writes.
    async fn probe(&self) -> Result<PgConnection, Fault> {
        match self.probe_reads().await? {
            (connection, false) => Ok(connection),
            (_, true) => Err(Fault::Slow(format!("Postgres {} is a standby and only reads", self.named()))),
        }
    }

    /// Opens a session that has been found to be one, and tells whether its server is a standby.
    async fn probe_reads(&self) -> Result<(PgConnection, bool), Fault> {
        let at = self.named();
        // As they come: settings must not stay behind in a pooler that shares sessions.
        let mut one = in_time(self, self.options.connect()).await?;
        let mut other = in_time(self, self.options.connect()).await?;
        if !in_time(self, are_apart(&mut one, &mut other)).await? {
            return Err(Fault::Final(format!(
                "what answers {at} is a connection pooler that gives every transaction another session (pgbouncer: \
                 pool_mode = transaction): point {} at Postgres itself, or at a pool that keeps sessions (pool_mode = \
                 session)",
                self.setting
            )));
        }
        other.close().await.ok();
        in_time(self, session::prepare(&mut one)).await?;
        let facts = sqlx::raw_sql(
            "SELECT pg_is_in_recovery()::text AS standby, current_setting('session_replication_role') AS triggers",
        );
        let facts = in_time(self, facts.fetch_one(&mut one)).await?;
        let fact = |name| facts.try_get::<String, _>(name).map_err(|error| self.fault(&error));
        let is_standby = fact("standby")? == "true";
        if fact("triggers")? != "origin" {
            return Err(Fault::Final(format!(
                "the database {at} sets session_replication_role, which switches off what protects the log: reset it"
            )));
        }
        Ok((one, is_standby))
    }
}

/// Whether two connections are two sessions, each of which remembers what it was told while the other is at work. A
/// pooler that deals out sessions by the transaction gives the second what the first has just put back, or the first
/// something else while the second keeps it.
async fn are_apart(one: &mut PgConnection, other: &mut PgConnection) -> Result<bool, sqlx::Error> {
    const WHO: &str = "SELECT pg_backend_pid()::text || ' ' || coalesce(current_setting('workroom.session', true), '')";
    async fn who(connection: &mut PgConnection) -> Result<String, sqlx::Error> {
        sqlx::raw_sql(WHO).fetch_one(connection).await?.try_get(0)
    }
    for trial in 0..SESSION_TRIALS {
        let mark = format!("SELECT set_config('workroom.session', 'trial-{trial}', false)");
        sqlx::raw_sql(&mark).execute(&mut *one).await?;
        let before = who(one).await?;
        sqlx::raw_sql("BEGIN").execute(&mut *other).await?;
        let others = who(other).await?;
        let after = who(one).await?;
        sqlx::raw_sql("ROLLBACK").execute(&mut *other).await?;
        let pid = |who: &str| who.split(' ').next().map(str::to_owned);
        if before != after || !after.ends_with(&format!(" trial-{trial}")) || pid(&before) == pid(&others) {
            return Ok(false);
        }
        std::mem::swap(one, other);
    }
    Ok(true)
}

/// Waits for the database, but not longer than a connection may take.
async fn in_time<T>(way: &Way, asked: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, Fault> {
    match tokio::time::timeout(ACQUIRE_TIMEOUT, asked).await {
        Ok(answered) => answered.map_err(|error| way.fault(&error)),
        Err(_) => Err(way.fault(&sqlx::Error::PoolTimedOut)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(url: &str, given: bool) -> Way {
        Way { options: options(url).unwrap(), setting: "DATABASE_URL", given }
    }

    #[test]
    fn a_way_is_named_without_its_password() {
        let named = way("postgres://ada:swordfish@db.example:6000/x", true).named();
        assert_eq!(named, "at db.example:6000 (DATABASE_URL)");
        assert!(way("postgres://ada@db/x", false).named().ends_with("DATABASE_URL is not set)"));
        assert_eq!(way("postgres://ada@[::1]:7/x", true).place(), "[::1]:7");
    }

    #[test]
    fn what_a_url_says_of_tls_is_what_it_gets() {
        let refused = |query: &str, words: &str| {
            let error = format!("{:#}", options(&format!("postgres://ada:swordfish@db/x?{query}")).unwrap_err());
            let fits = error.contains("DATABASE_URL") && error.contains(words) && !error.contains("swordfish");
            assert!(fits, "{query}: {error}");
        };
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["db".to_owned()]).unwrap();
        let (ca, key) = (folder.path().join("ca.pem"), folder.path().join("key.pem"));
        std::fs::write(&ca, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let (ca, key) = (ca.display(), key.display());
        options(&format!("postgres://db/x?sslmode=verify-full&sslrootcert={ca}&sslcert={ca}&sslkey={key}")).unwrap();
        refused("sslmode=verify-full&sslrootcert=/nowhere/ca.pem", "/nowhere/ca.pem cannot be read");
        refused(&format!("sslmode=verify-full&sslrootcert={key}"), "no certificate");
        // The driver would verify nothing, without a word.
        for mode in ["", "sslmode=require&", "sslmode=prefer&", "sslmode=disable&"] {
            refused(&format!("{mode}sslrootcert={ca}"), "verify-full");
        }
        refused("sslmode=verify-full&sslcrl=/x", "sslcrl is not known");
        refused("sslMode=verify-full", "sslMode is not known");
        refused(&format!("sslcert={ca}&sslkey={ca}"), "no private key");
        refused(&format!("sslcert={ca}"), "belong together");
    }

    #[test]
    fn what_is_no_url_of_postgres_is_refused() {
        for url in ["", "swordfish", "mysql://ada:swordfish@db/x", "postgres://ada:swordfish@db:port/x"] {
            let error = format!("{:#}", options(url).unwrap_err());
            assert!(error.contains("DATABASE_URL is not a Postgres URL") && !error.contains("swordfish"), "{error}");
        }
    }
}
