//! Proves law 9 by replay: for every event, its actor could act, and held the right to cause it, at its position.
//!
//! The replay keeps nothing but accounts and memberships, folded event by event, and asks the table of roles × actions in between:
//! it shares the table with the service, but none of the code that loads, caches or guards.
//!
//! What the service itself redacts, somebody has ordered: who purged the project, or whoever wrote it and was erased with it. Who wrote it
//! is looked up when its redaction comes, so that nothing has to be remembered of each event.

mod replay;

use sqlx::PgPool;
use uuid::Uuid;
use workroom_domain::{
    actor::{Actor, SystemActor},
    ids::AccountId,
};
use workroom_projections::log::{Entry, LogError, LogReader, Recorded};

pub(in crate::audit) use replay::Replay;

const BATCH: i64 = 5000;

/// An event that its actor had no right to cause.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The event's position in the log.
    pub position: i64,
    /// The event's type, such as `MemberAdded`; empty where its aggregate is unknown.
    pub event_type: String,
    /// The event's actor, as `account:<id>` or `system:<part>`; empty where its aggregate is unknown.
    pub actor: String,
    /// Why it should not have been.
    pub reason: String,
}

impl Violation {
    /// An event that its actor had no right to cause, for this reason.
    pub(in crate::audit) fn of(recorded: &Recorded, reason: String) -> Self {
        Self {
            position: recorded.position,
            event_type: recorded.event.event_type(),
            actor: recorded.metadata.actor.to_string(),
            reason,
        }
    }
}

/// What the audit found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many events were read, which is the position of the last one.
    pub events: i64,
    /// How many projects the log tells of, deleted ones included.
    pub projects: usize,
    /// Events that should not be there.
    pub violations: Vec<Violation>,
}

/// Replays the log from its first event, and judges each.
pub async fn audit(pool: &PgPool, progress: &(dyn Fn(i64) + Send + Sync)) -> Result<Report, LogError> {
    let reader = LogReader::everything();
    let mut replay = Replay::default();
    let mut report = Report::default();
    loop {
        let entries = reader.read(pool, report.events, i64::MAX, BATCH).await?;
        if entries.is_empty() {
            report.projects = replay.projects();
            return Ok(report);
        }
        for (position, author) in authors_of_redacted(pool, &entries).await? {
            replay.tell_author(position, author);
        }
        for entry in entries {
            report.events = entry.position;
            let Some(recorded) = entry.recorded else {
                report.violations.push(Violation {
                    position: entry.position,
                    event_type: String::new(),
                    actor: String::new(),
                    reason: "an event of an unknown aggregate".to_owned(),
                });
                continue;
            };
            if let Err(reason) = replay.check(&recorded) {
                report.violations.push(Violation::of(&recorded, reason));
            }
            replay.fold(&recorded);
        }
        progress(report.events);
    }
}

/// Which accounts caused the events that the service itself redacts in these entries.
async fn authors_of_redacted(pool: &PgPool, entries: &[Entry]) -> Result<Vec<(i64, Actor)>, LogError> {
    let by_service = Actor::System(SystemActor::Reconciler);
    let redactions = entries
        .iter()
        .filter_map(|entry| entry.recorded.as_ref())
        .filter_map(|recorded| recorded.event.redaction().filter(|_| recorded.metadata.actor == by_service));
    let positions: Vec<i64> = redactions.map(|redacted| redacted.position).collect();
    if positions.is_empty() {
        return Ok(Vec::new());
    }
    let authors: Vec<(i64, Uuid)> = sqlx::query_as(
        "SELECT position, substr(metadata->>'actor', 9)::uuid FROM events
         WHERE position = ANY($1) AND starts_with(metadata->>'actor', 'account:')",
    )
    .bind(positions)
    .fetch_all(pool)
    .await?;
    Ok(authors.into_iter().map(|(position, id)| (position, Actor::Account(AccountId(id)))).collect())
}
