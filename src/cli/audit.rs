//! `workroom audit …`

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand};
use workroom_proofs::note::Verifier;

use super::{export, output, redact};
use crate::{
    audit::{
        self,
        access::Violation,
        verify::{self, Failure, Options, Report},
    },
    config::Config,
    database::Database,
};

/// The exit code for a file that could not be read to its end.
const UNREADABLE: u8 = 2;
/// Bytes of a file that are read at a time.
const BUFFER: usize = 1024 * 1024;

/// What to prove.
#[derive(Subcommand)]
pub enum AuditCommand {
    /// That every event's actor held the right to cause it, at its position: of the whole log, or of an export.
    Access {
        /// An export; without it, the log is read. `-` is the standard input.
        file: Option<PathBuf>,
        /// A key of the log that you have from elsewhere; without one, the keys in the file are taken. The first one has to have
        /// signed the file.
        #[arg(long = "key", value_name = "VKEY", requires = "file")]
        keys: Vec<Verifier>,
    },
    /// Write history to a file that proves itself to whoever has the key: to `workroom audit verify`, for example. The log says
    /// that it was exported.
    Export(export::ExportArgs),
    /// Verify an export. This needs neither settings nor a database.
    Verify(VerifyArgs),
    /// Take what somebody wrote in an event out of the log, for good. That it happened stays, and so do all proofs.
    Redact(redact::RedactArgs),
}

/// What to verify, and against what.
#[derive(Args)]
pub struct VerifyArgs {
    /// The export, packed or not; `-` is the standard input.
    file: PathBuf,
    /// A key of the log that you have from elsewhere, as `workroom log-keys list` prints it. The first one has to have signed the
    /// file. Further ones are retired keys, and count for the older checkpoint alone: after a rotation, give the current key first and
    /// the retired one after it. Without one, the keys in the file are taken.
    #[arg(long = "key", value_name = "VKEY")]
    keys: Vec<Verifier>,
    /// An older checkpoint of the log that you have kept: the file must go on from it.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
}

/// Does it, or shows where it fails.
///
/// # Errors
/// The log cannot be read, or nothing can be written.
pub async fn run(command: AuditCommand) -> anyhow::Result<ExitCode> {
    match command {
        AuditCommand::Access { file: None, .. } => access().await,
        AuditCommand::Access { file: Some(file), keys } => access_of_file(&file, keys),
        AuditCommand::Export(args) => export::run(args).await.map(|()| ExitCode::SUCCESS),
        AuditCommand::Verify(args) => verify_file(&args),
        AuditCommand::Redact(args) => redact::run(args).await.map(|()| ExitCode::SUCCESS),
    }
}

async fn access() -> anyhow::Result<ExitCode> {
    let config = Config::load()?;
    let database = Database::for_command(&config).await?;
    let pool = database.pool(2);
    let head = workroom_projections::log::head(&pool).await?;
    let report = audit::access::audit(&pool, &|done| output::progress("audit", done, head)).await?;
    tell_violations(report.events.unsigned_abs(), report.projects, &report.violations)
}

fn tell_violations(events: u64, projects: usize, violations: &[Violation]) -> anyhow::Result<ExitCode> {
    for Violation { position, event_type, actor, reason } in violations {
        output::line(&format!("position {position}: {event_type} by {actor}: {reason}"))?;
    }
    output::line(&format!("{events} events, {projects} projects, {} violations", violations.len()))?;
    Ok(if violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn access_of_file(file: &Path, keys: Vec<Verifier>) -> anyhow::Result<ExitCode> {
    let input = match open(file) {
        Ok(input) => input,
        Err(error) => return tell_failure(&Failure::Unreadable(error)),
    };
    match verify::access(input, &Options { keys, older: None }) {
        Ok((report, _)) if !report.judged => {
            output::line(&format!(
                "the file begins behind position {}: who was allowed to what follows from what was before, which is not in it",
                report.after
            ))?;
            Ok(ExitCode::FAILURE)
        }
        Ok((report, violations)) => {
            if report.unjudged > 0 {
                output::line(&format!(
                    "{} events cannot be judged: taken out, or unknown to this version",
                    report.unjudged
                ))?;
            }
            tell_keys(&report)?;
            tell_violations(report.events, report.projects, &violations)
        }
        Err(failure) => tell_failure(&failure),
    }
}

fn verify_file(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let older = match args.checkpoint.as_deref().map(std::fs::read_to_string).transpose() {
        Ok(older) => older,
        Err(error) => {
            output::line(&format!("NOT VERIFIED: the checkpoint could not be read: {error}"))?;
            return Ok(UNREADABLE.into());
        }
    };
    let input = match open(&args.file) {
        Ok(input) => input,
        Err(error) => return tell_failure(&Failure::Unreadable(error)),
    };
    match verify::verify(input, &Options { keys: args.keys.clone(), older }) {
        Ok(report) => tell(&report).map(|()| ExitCode::SUCCESS),
        Err(failure) => tell_failure(&failure),
    }
}

fn tell_failure(failure: &Failure) -> anyhow::Result<ExitCode> {
    output::line(&format!("NOT VERIFIED: {failure}"))?;
    Ok(match failure {
        Failure::Unreadable(_) => UNREADABLE.into(),
        Failure::Refuted { .. } => ExitCode::FAILURE,
    })
}

const OWN_KEYS: &str =
    "the keys are the file's own: give --key with one that you have from elsewhere to know who signed it";

const RETIRED: &str = "a retired key, which may be stolen, cannot be told from the current one without --key";

fn tell(report: &Report) -> anyhow::Result<()> {
    let Report { log_id, scope, after, events, context, size, root, .. } = report;
    output::line(&format!(
        "VERIFIED: {scope}, {events} events, of these {context} of other feeds that tell who was who"
    ))?;
    output::line(&format!("log {log_id}, positions {} to {size}, root {root}", after + 1))?;
    if let Some(older) = report.older {
        output::line(&format!("it goes on from the older checkpoint, of {older} events"))?;
    }
    if *events == 0 {
        output::line("there are no events in it")?;
    }
    if report.redacted > 0 {
        output::line(&format!(
            "{} payloads were redacted; the file tells by whom, and what is left of them is what was left then",
            report.redacted
        ))?;
    }
    match (report.judged, report.unjudged) {
        (true, 0) => output::line("every actor was allowed to do what it did")?,
        (true, some) => output::line(&format!(
            "every actor was allowed to do what it did, but for {some} events that cannot be judged: they are unknown to this version"
        ))?,
        (false, _) => output::line("it begins in the middle: who was allowed to do what is not judged")?,
    }
    tell_keys(report)
}

/// Who signed it, and how that is known.
fn tell_keys(report: &Report) -> anyhow::Result<()> {
    output::line(&format!("signed by the key {}", report.signed_by))?;
    if report.own_keys {
        output::line(OWN_KEYS)?;
    }
    if report.own_keys && report.older.is_some() {
        output::line(RETIRED)?;
    }
    Ok(())
}

fn open(file: &Path) -> io::Result<BufReader<Box<dyn Read>>> {
    let input: Box<dyn Read> = if file == Path::new("-") { Box::new(io::stdin()) } else { Box::new(File::open(file)?) };
    Ok(BufReader::with_capacity(BUFFER, input))
}
