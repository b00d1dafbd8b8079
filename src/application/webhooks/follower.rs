//! Follows the log for what webhooks send: each event of a project becomes a delivery to each of its webhooks that
//! takes it.
//!
//! It goes no further than the views have come, so that it finds the webhooks there as they were made before the event.
//! What is done may be done twice: a delivery has the id that its event and its webhook give it, and an attempt is
//! counted by its place in the log. What happened before a webhook was created, or enabled, is never sent; what
//! happened before it was disabled, or its filter changed, may be judged by what holds since.
//!
//! A webhook with too many open deliveries falls behind (`backlog`): it has a place in the log of its own until it is
//! as far as the follower again. Open deliveries are counted in the views; so the follower waits, before it goes on,
//! until they show what it has asked for itself.

use std::{slice, time::Duration};

use futures::{TryStreamExt, stream};
use sqlx_macros::FromRow;
use tokio::sync::watch;
use uuid::Uuid;
use workroom_domain::{ids::ProjectId, refusal::Kind};
use workroom_projections::log;

use super::{
    backlog::{self, Backlog, HeldBack, OpenLimit},
    deliver::NewDelivery,
    due::{self, DueRow},
    endpoint,
    failures::EndedAttempt,
};
use crate::{
    application::{App, Error, reactor, views},
    background::{Acted, Batch, Follower, Stretch},
};

/// Its row in `reactor_checkpoints`.
const CHECKPOINT: &str = "webhooks";
/// How long others keep away from a follower that is at work, or stands still. Two at once do no harm.
const LEASE: Duration = Duration::from_secs(5);
/// Positions of the log that are looked at at a time.
const STRETCH: i64 = 5_000;
/// Deliveries that are asked for at a time.
const BATCH: i64 = 1_000;
/// Events whose deliveries are asked for at once: they are committed together.
const AT_ONCE: usize = 64;

/// Follows the log for webhooks. Any number may: one at a time does the work.
pub struct WebhookFollower {
    app: App,
    holder: Uuid,
    limit: OpenLimit,
    /// What it has asked for is in the log up to here.
    asked_to: i64,
    /// The last webhook behind the others that it has looked at: they take turns.
    last_behind: Uuid,
    views: [Option<watch::Receiver<i64>>; 2],
}

impl WebhookFollower {
    /// A follower of this process; a webhook has `open` deliveries open at most, or as many as there are where that is
    /// 0.
    pub fn new(app: App, open: u32) -> Self {
        let views = [views::WORKSPACE, views::JOBS].map(|group| app.progress().watch(group));
        let (holder, limit) = (Uuid::now_v7(), OpenLimit::new(open));
        Self { app, holder, limit, asked_to: 0, last_behind: Uuid::nil(), views }
    }

    /// Asks for the deliveries that follow from one event. One that can never be asked for must not keep the others
    /// waiting; whatever else goes wrong is tried again.
    async fn request(&self, cause: Uuid, due: Vec<NewDelivery>) -> Result<(), Error> {
        match self.app.request_deliveries(cause, &due).await {
            Err(error) if is_for_ever(&error) => {}
            requested => return requested,
        }
        for delivery in &due {
            match self.app.request_deliveries(cause, slice::from_ref(delivery)).await {
                Err(error) if is_for_ever(&error) => {
                    let NewDelivery { position, webhook_id, .. } = delivery;
                    tracing::error!(
                        error = &error as &dyn std::error::Error, position, %webhook_id,
                        "a webhook does not send an event"
                    );
                }
                requested => requested?,
            }
        }
        Ok(())
    }

    async fn request_all(&self, due: &[DueRow]) -> Result<(), Error> {
        let by_event: Vec<_> = due
            .chunk_by(|one, next| one.cause == next.cause)
            .map(|rows| Ok::<_, Error>((rows[0].cause, rows.iter().map(NewDelivery::from).collect::<Vec<_>>())))
            .collect();
        stream::iter(by_event).try_for_each_concurrent(AT_ONCE, |(cause, due)| self.request(cause, due)).await
    }

    async fn follow(&self, found: &Found) -> Result<(), Error> {
        let pool = self.app.pool();
        endpoint::delete_of_projects(pool, &found.deleted).await?;
        self.request_all(&found.due).await?;
        // Not before: what is behind is passed over from then on.
        backlog::note(pool, &found.held_back).await?;
        for backlog in &found.backlogs {
            self.request_all(&backlog.due).await?;
            backlog::advance(pool, backlog).await?;
        }
        self.app.count_ended_attempts(&found.ended).await
    }
}

/// Whether the log refuses a delivery, and will each time.
fn is_for_ever(error: &Error) -> bool {
    match error.kind() {
        Kind::Malformed | Kind::Unauthenticated | Kind::Forbidden | Kind::NotFound | Kind::Invalid | Kind::Field => {
            true
        }
        Kind::Conflict | Kind::Stale | Kind::Throttled | Kind::Unavailable | Kind::Failure => false,
    }
}

/// What there is to be done at a time.
pub struct Found {
    due: Vec<DueRow>,
    held_back: Vec<HeldBack>,
    backlogs: Vec<Backlog>,
    ended: Vec<EndedAttempt>,
    deleted: Vec<ProjectId>,
}

/// The lease is in the row. Webhooks that are as far as the follower when it moves are not behind any more.
#[derive(Default)]
pub struct Claim {
    caught_up: Vec<Uuid>,
}

/// Where the follower stands.
#[derive(FromRow)]
struct Checkpoint {
    position: i64,
    /// Whether another was at it before.
    is_taken_over: bool,
}

impl Follower for WebhookFollower {
    type Claim = Claim;
    type Item = Found;

    async fn claim(&mut self) -> anyhow::Result<Option<(Claim, Stretch)>> {
        let pool = self.app.pool();
        let reached = views::reached(pool, &[views::WORKSPACE]).await?;
        let checkpoint: Option<Checkpoint> = sqlx::query_as(
            "WITH before AS (SELECT holder FROM reactor_checkpoints WHERE reactor = $1)
             UPDATE reactor_checkpoints c SET holder = $2, leased_until = now() + make_interval(secs => $3)
             FROM before
             WHERE c.reactor = $1 AND (c.holder = $2 OR c.leased_until IS NULL OR c.leased_until < now())
               AND (c.position < $4 OR EXISTS (SELECT FROM webhook_endpoints WHERE behind_at IS NOT NULL))
             RETURNING c.position, before.holder IS DISTINCT FROM $2 AS is_taken_over",
        )
        .bind(CHECKPOINT)
        .bind(self.holder)
        .bind(LEASE.as_secs_f64())
        .bind(reached)
        .fetch_optional(pool)
        .await?;
        let Some(Checkpoint { position: after, is_taken_over }) = checkpoint else { return Ok(None) };
        if is_taken_over {
            // What the other has asked for counts, too.
            self.asked_to = log::head(pool).await?;
        }
        if views::reached(pool, &[views::JOBS]).await? < self.asked_to {
            // A log that was restored may end before.
            self.asked_to = self.asked_to.min(log::head(pool).await?);
            return Ok(None);
        }
        let until = reached.min(after + STRETCH).max(after);
        Ok(Some((Claim::default(), Stretch { after, until })))
    }

    async fn read(&mut self, _: &mut Claim, Stretch { after, until }: Stretch) -> anyhow::Result<Batch<Found>> {
        let last_behind = &mut self.last_behind;
        let pool = self.app.pool();
        let is_whole = until < after + STRETCH;
        if !endpoint::is_any(pool).await? {
            return Ok(Batch { items: Vec::new(), to: until, is_more: !is_whole });
        }
        let mut due = due::due(pool, Stretch { after, until }, BATCH, None).await?;
        let is_all = i64::try_from(due.len()).unwrap_or(BATCH) < BATCH;
        let to = match due.last() {
            // There may be more of the last event; a project has far fewer webhooks than this reads at a time.
            Some(last) if !is_all => last.position - 1,
            _ => until,
        };
        due.retain(|row| row.position <= to);
        let held_back = backlog::hold_back(pool, &mut due, self.limit).await?;
        let backlogs = backlog::next(pool, to, (STRETCH, BATCH), self.limit, last_behind).await?;
        let stretch = Stretch { after, until: to };
        let ended = due::ended(pool, stretch).await?;
        let deleted = due::deleted(pool, stretch).await?;
        let is_more = to < until || !is_whole || backlogs.iter().any(|backlog| backlog.to < to && !backlog.is_full);
        Ok(Batch { items: vec![Found { due, held_back, backlogs, ended, deleted }], to, is_more })
    }

    async fn act(&mut self, claim: &mut Claim, batch: &Batch<Found>) -> anyhow::Result<Acted> {
        for found in &batch.items {
            let followed = self.follow(found).await;
            if !(found.due.is_empty() && found.backlogs.is_empty()) {
                self.asked_to = self.asked_to.max(*self.app.log().head().borrow());
            }
            if let Err(error) = followed {
                return Ok(Acted { to: None, failure: Some(error.into()) });
            }
            let caught_up = found.backlogs.iter().filter(|backlog| backlog.to >= batch.to);
            claim.caught_up.extend(caught_up.map(|backlog| backlog.webhook_id));
        }
        Ok(Acted { to: Some(batch.to), failure: None })
    }

    async fn advance(&mut self, claim: Claim, from: i64, to: i64) -> anyhow::Result<()> {
        sqlx::query(
            "WITH moved AS (
                 UPDATE reactor_checkpoints SET position = $4 WHERE reactor = $1 AND holder = $2 AND position = $3
                 RETURNING reactor
             )
             UPDATE webhook_endpoints SET behind_at = NULL WHERE id = ANY ($5) AND EXISTS (SELECT FROM moved)",
        )
        .bind(CHECKPOINT)
        .bind(self.holder)
        .bind(from)
        .bind(to)
        .bind(claim.caught_up)
        .execute(self.app.pool())
        .await?;
        Ok(())
    }

    async fn woken(&mut self) {
        let moves = self.views.iter_mut().flatten().map(|views| Box::pin(views.changed()));
        let moves: Vec<_> = moves.collect();
        if moves.is_empty() {
            std::future::pending::<()>().await;
        }
        let (first, ..) = futures::future::select_all(moves).await;
        if first.is_err() {
            std::future::pending::<()>().await;
        }
    }

    async fn wind_down(&mut self) {
        reactor::release(self.app.pool(), CHECKPOINT, self.holder).await;
    }
}

#[cfg(test)]
mod tests {
    use workroom_domain::refusal::{CONTENDED, NOT_FOUND};

    use super::*;
    use crate::application::codes::{DATABASE_AWAY, VIEWS_BEHIND};

    #[test]
    fn only_what_the_log_refuses_each_time_is_passed_over() {
        let later = |code| Error::later(code, Duration::from_secs(1));
        let passing = [
            later(DATABASE_AWAY),
            later(VIEWS_BEHIND),
            Error::refused(CONTENDED, "others came first"),
            Error::Overtaken,
            Error::failure("a bug, or a disk that is full"),
        ];
        assert!(passing.iter().all(|error| !is_for_ever(error)), "{passing:?}");
        assert!(is_for_ever(&Error::from(NOT_FOUND)));
        assert!(is_for_ever(&Error::invalid("/webhook_id", NOT_FOUND, "is none")));
    }
}
