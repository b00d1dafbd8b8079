//! Redaction: what somebody wrote in an event is taken out of the log and of everything that has a copy of it, and an event says so.
//!
//! | file | |
//! |---|---|
//! | [`target`] | the event that is to be redacted, and what will remain of it |
//! | [`redact`] | the command: by what right, and the event that says so |
//! | [`streams`] | which event each text of an aggregate is from |
//! | [`jobs`] | a job is over before it is redacted |
//! | [`tables`] | what goes beside the log in the same append |
//! | [`orders`] | redactions that are too many for a request, worked off in the background |
//! | [`statistics`] | the planner's samples of texts, made anew |
//! | [`purge`] | order the redaction of a deleted project |
//!
//! Views, caches, the copy in JetStream and the live gateway follow the event `PayloadRedacted`, as they follow every other.

pub mod codes;
mod jobs;
mod orders;
mod purge;
mod redact;
mod statistics;
mod streams;
mod tables;
mod target;

use std::time::Duration;

use sqlx::PgPool;
use tokio::time::{Instant, sleep};
use uuid::Uuid;
use workroom_domain::{redaction::PAYLOAD_REDACTED, text::Name};

use self::{redact::RedactEvents, target::Target};
use super::{Answer, App, Command, Context, Done, Error, IdempotencyKey, Rendered, Unit, codes::VIEWS_BEHIND};

pub use orders::Redactions;
pub(crate) use orders::order_for_account;
pub use redact::Authority;
pub use statistics::Statistics;
pub(super) use streams::Streams;
pub use target::Place;

super::error::from_refusals!(workroom_domain::redaction::RedactionRefusal);

/// How long a redaction waits for the leaf of its event.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often it looks: another process may make it.
const LOOKING: Duration = Duration::from_millis(50);

/// An event was redacted.
#[derive(Clone, Copy, Debug)]
pub struct Redacted {
    /// The log position of the event that says so.
    pub position: i64,
    /// Whether every read model shows it.
    pub visible: bool,
    /// Whether it was done before, under the same key.
    pub replayed: bool,
}

impl App {
    /// Redacts an event, once for each key.
    ///
    /// # Errors
    /// The caller has no right to; there is no such event, nothing in it to redact, or it was redacted before;
    /// `Kind::Unavailable` when it is so new that it has no leaf yet; as [`App::create`] for the key.
    pub async fn redact(
        &self,
        context: &Context,
        authority: Authority,
        place: Place,
        reason: &Name,
        key: Option<IdempotencyKey>,
    ) -> Result<Redacted, Error> {
        let target = Target::find(self.pool(), place).await?;
        let targets = target.as_slice();
        self.have_leaves(context, authority, targets).await?;
        let command = RedactEvents::new(authority, targets, reason, &self.redacted);
        // The receipt keeps no more than the position: all that is replied is read there.
        let kept = |(): &()| Ok(Rendered { status: 201, headers: Vec::new(), body: "{}".to_owned() });
        let answer = self.create_with_tables(context, &command, &command, key, kept).await?;
        let Answer { position, visible, replayed, .. } = answer;
        Ok(Redacted { position, visible, replayed })
    }

    /// Redacts events of one aggregate, all or none.
    async fn redact_all(
        &self,
        context: &Context,
        authority: Authority,
        targets: &[Target],
        reason: &Name,
    ) -> Result<Done<()>, Error> {
        self.have_leaves(context, authority, targets).await?;
        let command = RedactEvents::new(authority, targets, reason, &self.redacted);
        self.run_with_tables(context, &command, &command).await
    }

    /// Waits until the log tree has all of these that can be redacted. Whoever may not redact them is told so at once: who has to wait
    /// knows that there is such an event.
    async fn have_leaves(&self, context: &Context, authority: Authority, targets: &[Target]) -> Result<(), Error> {
        let Some(last) = targets.last().filter(|target| target.remains.is_some()) else { return Ok(()) };
        if self.has_leaf(last.position).await? {
            return Ok(());
        }
        self.run_unseen(context, &AskForRight(authority)).await?;
        let began = Instant::now();
        while !self.has_leaf(last.position).await? {
            if began.elapsed() >= PATIENCE {
                return Err(Error::later(VIEWS_BEHIND, Duration::from_secs(1)));
            }
            sleep(LOOKING).await;
        }
        Ok(())
    }

    /// Whether the log tree has an event.
    async fn has_leaf(&self, position: i64) -> Result<bool, Error> {
        Ok(self.trees().size().await? >= position.unsigned_abs())
    }
}

/// Ask for the right to redact, and do no more. Whoever then redacts asks again, and the append is guarded by that.
struct AskForRight(Authority);

impl Command for AskForRight {
    type Reply = ();

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<(), Error> {
        self.0.check(unit).await
    }
}

/// Whether any event of an aggregate was redacted. Its stream is read from the end: whoever asks has found that something is gone.
///
/// # Errors
/// The database's.
pub async fn has_redactions(pool: &PgPool, aggregate_type: &str, aggregate_id: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT count(*) > 0 FROM (
             SELECT FROM events e WHERE e.aggregate_type = $1 AND e.aggregate_id = $2 AND e.event_type = $3
             ORDER BY e.sequence DESC LIMIT 1) AS redacted",
    )
    .bind(aggregate_type)
    .bind(aggregate_id.to_string())
    .bind(PAYLOAD_REDACTED)
    .fetch_one(pool)
    .await
}
