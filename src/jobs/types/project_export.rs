//! `project_export`: writes a project's history into files that the job leaves.
//!
//! Each line is an event as webhooks send it. A file is a gzip file of its own, and all of them, one behind the other, are one
//! as well. The history is read by the page, and a file is stored when it is full: memory holds one page and one file. An export
//! ends where the history ended when it began, for one that goes on would keep it at work; and when it is as large as what a
//! job may leave, or the quota of its owner has no room for a file more. Then it says where to go on. If something is
//! redacted in the history meanwhile, it begins anew.

use std::{io::Write, mem, time::Duration};

use flate2::{Compression, write::GzEncoder};
use futures::{FutureExt, future::BoxFuture};
use serde_json::json;
use tokio::{task::spawn_blocking, time::Instant};
use workroom_domain::job::{Outcome, Work};
use workroom_projections::history::{self, EventRow, PublishedEvent};

use super::{Attempt, Broken, Ended, JobType};
use crate::{
    clock::now,
    jobs::{
        sandbox::Artifact,
        webhook::event,
        worker::{Stream, artifacts},
    },
};

/// Events, and bytes of what they say, that are read at a time.
const PAGE: (i64, i64) = (1000, 1024 * 1024);
/// A file of so many bytes is full.
const FULL: usize = 4 * 1024 * 1024;
/// Most bytes of all files: a page less than a program may leave, since whole pages are written.
const MAX_BYTES: usize = 15 * 1024 * 1024;

/// When to begin anew, if something was redacted meanwhile: often, one redaction follows another.
const PAUSE: Duration = Duration::from_secs(10);

/// Writes histories into files.
pub(super) struct ProjectExport;

impl JobType for ProjectExport {
    fn name(&self) -> &'static str {
        "project_export"
    }

    fn run(&self, attempt: Attempt) -> BoxFuture<'_, Result<Ended, Broken>> {
        export(attempt).map(again_if_redacted).boxed()
    }
}

/// What was read before a redaction is not kept. That is no fault of the job, nor of its worker: the next attempt reads
/// what is left.
fn again_if_redacted(ended: Result<Ended, Broken>) -> Result<Ended, Broken> {
    match ended {
        Err(error) if error.downcast_ref::<sqlx::Error>().is_some_and(artifacts::is_redacted_since) => {
            Ok(Ended::Snoozed { until: now() + PAUSE })
        }
        ended => ended,
    }
}

/// The file that is being written.
type File = GzEncoder<Vec<u8>>;

fn new_file() -> File {
    GzEncoder::new(Vec::new(), Compression::default())
}

async fn export(attempt: Attempt) -> Result<Ended, Broken> {
    let Work::ProjectExport { after } = attempt.job.request.work else { return Err("the job exports nothing".into()) };
    let Some(project_id) = attempt.job.request.project_id else {
        attempt.output.write(Stream::Stderr, b"the job belongs to no project\n");
        return Ok(Ended::Hopeless(Outcome::default()));
    };
    let (pool, began) = (attempt.app.pool(), Instant::now());
    let head = history::feed_head(pool, project_id.uuid()).await?;
    let (mut file, mut files, mut stored) = (new_file(), 0, 0);
    let (mut last, mut events) = (after, 0);
    // Where the files that are stored end.
    let mut end_of_stored = (last, events);
    let mut has_room = true;
    while has_room && last < head && stored + file.get_ref().len() < MAX_BYTES {
        if attempt.stop.is_cancelled() {
            return Ok(Ended::Stopped);
        }
        let (limit, bytes) = PAGE;
        let mut page = history::portion(pool, project_id.uuid(), last, limit, bytes).await?;
        page.retain(|row| row.feed_seq <= head);
        let Some(end) = page.last() else { break };
        last = end.feed_seq;
        events += page.len();
        let [done, all] = [last, head].map(|place| u64::try_from(place - after).unwrap_or_default());
        attempt.tell(done, all, &format!("{events} events"));
        file = spawn_blocking(move || written(file, page)).await??;
        if file.get_ref().len() >= FULL {
            if let Some(bytes) = store(&attempt, files + 1, mem::replace(&mut file, new_file())).await? {
                files += 1;
                stored += bytes;
                end_of_stored = (last, events);
            } else {
                has_room = false;
            }
        }
    }
    // Its header comes with the first event.
    if !file.get_ref().is_empty() {
        if store(&attempt, files + 1, file).await?.is_some() {
            files += 1;
        } else {
            has_room = false;
        }
    }
    if !has_room {
        (last, events) = end_of_stored;
    }
    let is_cut = last < head;
    let told = json!({"events": events, "after": after, "last": last, "head": head, "files": files});
    attempt.output.write(Stream::Stdout, format!("{told}\n").as_bytes());
    if is_cut {
        let why = if has_room { "there is more than a job may leave" } else { "there is no room for more" };
        let more = format!("{why}: go on with \"after\": {last}\n");
        attempt.output.write(Stream::Stderr, more.as_bytes());
    }
    let execution_time_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(Ended::Succeeded(Outcome { execution_time_ms, truncated: is_cut, ..Outcome::default() }))
}

/// The file, with the events of a page.
fn written(mut file: File, page: Vec<EventRow>) -> Result<File, Broken> {
    for row in page {
        file.write_all(&event::body(&PublishedEvent::from_row(row))?)?;
        file.write_all(b"\n")?;
    }
    Ok(file)
}

/// Ends a file and keeps it; how many bytes it has, or none where there was no room for it.
async fn store(attempt: &Attempt, number: u32, file: File) -> Result<Option<usize>, Broken> {
    let content = spawn_blocking(move || file.finish()).await??;
    let bytes = content.len();
    let artifact = Artifact { path: format!("events-{number:04}.ndjson.gz"), content: content.into() };
    let dropped = artifacts::store(attempt, &[artifact]).await?;
    Ok((dropped == 0).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use std::{borrow::Cow, error::Error, fmt};

    use sqlx::error::{DatabaseError, ErrorKind};

    use super::*;

    /// An error of the database, with its SQLSTATE.
    #[derive(Debug)]
    struct Refused(&'static str);

    impl fmt::Display for Refused {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Refused {}

    impl DatabaseError for Refused {
        fn message(&self) -> &str {
            self.0
        }

        fn code(&self) -> Option<Cow<'_, str>> {
            Some(Cow::Borrowed(self.0))
        }

        fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn Error + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn Error + Send + Sync + 'static> {
            self
        }

        fn kind(&self) -> ErrorKind {
            ErrorKind::Other
        }
    }

    #[test]
    fn an_export_begins_anew_when_something_was_redacted_and_fails_for_other_reasons() {
        let ended = |code| again_if_redacted(Err(sqlx::Error::Database(Box::new(Refused(code))).into()));
        assert!(matches!(ended("WR003"), Ok(Ended::Snoozed { until }) if until > now()));
        assert!(ended("53100").is_err());
        assert!(again_if_redacted(Err("the job exports nothing".into())).is_err());
    }
}
