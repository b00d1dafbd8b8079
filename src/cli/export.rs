//! `workroom audit export`

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::PathBuf,
};

use anyhow::Context as _;
use clap::Args;
use sqlx::PgPool;
use uuid::Uuid;
use workroom_domain::{
    Decide,
    actor::{Actor, SystemActor},
    ids::{OrganizationId, ProjectId},
    organization::Organization,
    project::Project,
};
use workroom_projections::progress::Progress;

use super::output;
use crate::{
    application::{
        App, Context, Error,
        audit::{AuditedFeed, RecordExport},
        codes::OUTCOME_UNKNOWN,
    },
    audit::export::{Asked, Export, Gzip, Scope, Sink},
    config::Config,
    database::Database,
    event_store::{AppendLimits, EventLog},
    log_tree::Trees,
};

/// Bytes of a file that are written at a time.
const BUFFER: usize = 1024 * 1024;

/// What to export.
#[derive(Args)]
pub struct ExportArgs {
    /// The history of this project.
    #[arg(long, value_name = "ID", group = "scope")]
    project: Option<Uuid>,
    /// The history of this organization, with those of all its projects.
    #[arg(long, value_name = "ID", group = "scope")]
    organization: Option<Uuid>,
    /// The whole log. The same as to name nothing.
    #[arg(long, group = "scope")]
    #[allow(dead_code, reason = "the same as to name nothing")]
    all: bool,
    /// Write to this file; without it, to the standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Only what is behind this position, to go on where another export ended.
    #[arg(long, value_name = "POSITION", default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..))]
    after: i64,
    /// Pack it.
    #[arg(long)]
    gzip: bool,
    /// Have it prove that the log of this size, of which there is an older checkpoint, is the beginning of what it is now.
    #[arg(long, value_name = "SIZE", value_parser = clap::value_parser!(u64).range(1..))]
    consistency_from: Option<u64>,
    /// Do not note in the log that it was exported: for a standby, a copy by logical replication, or a role that only reads. Nobody
    /// can see it there then.
    #[arg(long)]
    unnoted: bool,
}

/// Exports it. Before the first byte is written, the log says that it was exported, in the name of the operator.
///
/// # Errors
/// There is no such export; it cannot be noted; the log cannot be read, or nothing can be written.
pub async fn run(args: ExportArgs) -> anyhow::Result<()> {
    let config = Config::load()?;
    let database = Database::for_reading(&config).await?;
    let pool = database.pool(4);
    if !args.unnoted {
        insist_on_notes(&pool).await?;
    }
    let trees = Trees::new(pool.clone());
    let (scope, feed) = match (args.project, args.organization) {
        (Some(id), _) => (Scope::Project(id), AuditedFeed::Project(ProjectId(id))),
        (None, Some(id)) => (Scope::Organization(id), AuditedFeed::Organization(OrganizationId(id))),
        (None, None) => (Scope::All(true), AuditedFeed::Log(trees.log_id().await?)),
    };
    insist_on_scope(&pool, scope).await?;
    let asked = Asked { scope, after: args.after, consistency_from: args.consistency_from };
    let export = Export::prepare(&pool, &trees, &asked).await.with_context(|| format!("no export of {scope}"))?;
    let (after, until) = (export.after(), export.until());
    let progress = move |reached: i64| output::progress("export", reached - after, until - after);
    let file = args.output.map(Part::create).transpose()?;
    if !args.unnoted {
        let noted = note(&pool, &config, &RecordExport { feed, after, until }).await;
        if let (Err(_), Some(file)) = (&noted, &file) {
            // It is empty: if it stays, nothing is wrong but a name.
            let _ = std::fs::remove_file(&file.part);
        }
        noted.map_err(|error| {
            let why = why_not_noted(&error);
            error.context(format!("no export of {scope}: {why}"))
        })?;
    }
    let Some(Part { path, part, file }) = file else {
        return write(export, Output(BufWriter::with_capacity(BUFFER, io::stdout())), args.gzip, &progress).await;
    };
    let kept = file.try_clone()?;
    write(export, Output(BufWriter::with_capacity(BUFFER, file)), args.gzip, &progress)
        .await
        .with_context(|| format!("{} is not whole", part.display()))?;
    kept.sync_all()?;
    std::fs::rename(&part, &path).with_context(|| format!("{} cannot be written", path.display()))
}

/// Insists that a note can be appended to the log of this database.
async fn insist_on_notes(pool: &PgPool) -> anyhow::Result<()> {
    let obstacle: Option<String> = sqlx::query_scalar(
        "SELECT CASE WHEN pg_is_in_recovery() THEN 'the database is a standby'
                     WHEN EXISTS (SELECT FROM pg_subscription_rel WHERE srrelid = 'public.events'::regclass)
                     THEN 'the database is a copy by logical replication, and an event of its own would \
                           part it from its source'
                     WHEN NOT has_table_privilege('public.events', 'INSERT')
                     THEN 'the role ' || current_user::text || ' may not append to it' END",
    )
    .fetch_one(pool)
    .await?;
    match obstacle {
        None => Ok(()),
        Some(obstacle) => anyhow::bail!(
            "the export cannot be noted in the log: {obstacle}; export as the service's role from the database that the \
             service writes to, or with --unnoted: then nobody can see in the log that it was exported"
        ),
    }
}

/// Insists that the log has such a project or organization, deleted or not. Other feeds, as those of accounts, have another form.
async fn insist_on_scope(pool: &PgPool, scope: Scope) -> anyhow::Result<()> {
    let (noun, aggregate_type, id) = match scope {
        Scope::Project(id) => ("project", Project::TYPE, id),
        Scope::Organization(id) => ("organization", Organization::TYPE, id),
        Scope::All(_) => return Ok(()),
    };
    let is_there: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM events WHERE aggregate_type = $1 AND aggregate_id = $2)")
            .bind(aggregate_type)
            .bind(id.to_string())
            .fetch_one(pool)
            .await?;
    anyhow::ensure!(is_there, "no export of {scope}: there is no such {noun}");
    Ok(())
}

/// What is known of a note that did not succeed.
fn why_not_noted(error: &anyhow::Error) -> &'static str {
    match error.downcast_ref::<Error>() {
        Some(error) if error.code().name == OUTCOME_UNKNOWN.name => "it is not certain that it was noted in the log",
        _ => "it cannot be noted in the log",
    }
}

/// Notes that the operator exports it.
async fn note(pool: &PgPool, config: &Config, record: &RecordExport) -> anyhow::Result<()> {
    let log = EventLog::open(pool.clone(), AppendLimits::default()).await?;
    let app = App::new(pool.clone(), log, Progress::new(pool.clone()), config.identity.email_proof());
    let context = Context::new(Actor::System(SystemActor::Operator), Uuid::now_v7());
    app.run_unseen(&context, record).await?;
    Ok(())
}

/// A file that has another name until it is whole.
struct Part {
    path: PathBuf,
    part: PathBuf,
    file: File,
}

impl Part {
    fn create(path: PathBuf) -> anyhow::Result<Self> {
        let mut part = path.clone().into_os_string();
        part.push(".part");
        let part = PathBuf::from(part);
        let file = File::create(&part).with_context(|| format!("{} cannot be written", part.display()))?;
        Ok(Self { path, part, file })
    }
}

async fn write(
    export: Export,
    mut into: Output<impl Write + Send>,
    gzip: bool,
    progress: &(dyn Fn(i64) + Send + Sync),
) -> anyhow::Result<()> {
    if gzip {
        export.write(&mut Gzip::new(&mut into), progress).await?;
    } else {
        export.write(&mut into, progress).await?;
    }
    Ok(())
}

/// A file, or the standard output.
struct Output<W: Write>(BufWriter<W>);

impl<W: Write + Send> Sink for Output<W> {
    async fn take(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        self.0.write_all(&bytes)
    }

    async fn end(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event_store::AppendError;

    #[test]
    fn an_unknown_outcome_is_not_told_as_a_failure() {
        let why = |error: AppendError| why_not_noted(&Error::from(error).into());
        assert_eq!(why(AppendError::OutcomeUnknown), "it is not certain that it was noted in the log");
        assert_eq!(why(AppendError::Unavailable), "it cannot be noted in the log");
        assert_eq!(why_not_noted(&anyhow::anyhow!("no log")), "it cannot be noted in the log");
    }
}
