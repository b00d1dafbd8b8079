//! Redactions that are too many for a request: of all that an account wrote, or of a whole feed. An order is a row; one process at a
//! time works it off, portion by portion, and orders take turns. What a portion has of one aggregate is one append; what is done is not
//! done again. So it goes on wherever it was left. An event that cannot be redacted keeps no other waiting, and keeps the order open.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;
use sqlx_macros::FromRow;
use tokio::time::{Duration, Instant};
use uuid::Uuid;
use workroom_domain::{
    Decide,
    actor::{Actor, SystemActor},
    ids::{AccountId, JobId},
    job::{CancelReason, Job},
    refusal::Kind,
    text::Name,
};

use super::{
    redact::Authority,
    target::{Bounds, Portion, Target, of_account, of_feed, redacted_of},
};
use crate::{
    application::{App, Change, Context, Error, jobs::EndJob},
    background::{self, Activation, Next, Task},
};

/// What is looked at between two notes of how far it is.
const PORTION: Bounds = Bounds { stretch: 20_000, events: 500, bytes: 4 * 1024 * 1024 };
/// How long an order is worked at before others have their turn.
const TURN: Duration = Duration::from_secs(20);
/// So often in a row is tried what the database keeps from being done, before it is set aside.
const TRIES: i32 = 10;
/// Most events that are set aside. Beyond them something else is wrong, and the order does not go on.
const MOST_FAILED: usize = 1000;
/// How long others keep away from an order that is at work, in seconds. Two at once would do no harm.
const LEASE_SECONDS: i32 = 60;
/// When what was set aside is tried again, in seconds.
const LATER_SECONDS: i32 = 3600;
/// What is told as the reason when an account is erased with what it wrote.
const ERASED: &str = "the account was erased, with what it had written";

#[derive(Serialize)]
struct ForAccount<'a> {
    account_id: Uuid,
    reason: &'a str,
}

/// Orders that what an account wrote is redacted, together with its erasure.
pub(crate) fn order_for_account(account_id: Uuid) -> Result<Change, Error> {
    Change::new(
        "INSERT INTO redaction_orders (id, account_id, reason)
         SELECT gen_random_uuid(), a.account_id, a.reason FROM jsonb_to_record($1) AS a (account_id uuid, reason text)
         ON CONFLICT DO NOTHING",
        &ForAccount { account_id, reason: ERASED },
    )
}

#[derive(Serialize)]
struct ForFeed<'a> {
    feed_id: Uuid,
    reason: &'a str,
}

/// Orders that a feed is redacted, up to where it is when the order is begun, together with the event that says so.
pub(super) fn order_for_feed(feed_id: Uuid, reason: &str) -> Result<Change, Error> {
    Change::new(
        "INSERT INTO redaction_orders (id, feed_id, reason)
         SELECT gen_random_uuid(), a.feed_id, a.reason FROM jsonb_to_record($1) AS a (feed_id uuid, reason text)
         ON CONFLICT DO NOTHING",
        &ForFeed { feed_id, reason },
    )
}

/// An order, as far as it is worked off.
#[derive(FromRow)]
struct Order {
    id: Uuid,
    account_id: Option<Uuid>,
    feed_id: Option<Uuid>,
    reason: String,
    position: i64,
    until: i64,
    failed: Vec<i64>,
    tries: i32,
    /// The event that says who ordered it.
    cause: Option<Uuid>,
}

/// What came of a turn.
#[derive(Default)]
struct Turn {
    /// Up to here, all is done or set aside.
    reached: i64,
    /// Events that were redacted, or need not be any more.
    done: Vec<i64>,
    redacted: usize,
    /// Events that are set aside.
    failed: Vec<i64>,
    /// Why it went no further.
    failure: Option<Error>,
}

/// Works orders off. Any number of processes may; each order is leased.
pub struct Redactions {
    app: App,
}

impl Redactions {
    /// Over an application.
    pub fn new(app: App) -> Self {
        Self { app }
    }

    /// The order that has waited longest for its turn. How far it goes is settled when it is first looked at: an erased account writes
    /// nothing more, a deleted project gets no more texts.
    async fn take(&self) -> Result<Option<Order>, sqlx::Error> {
        sqlx::query_as(
            "UPDATE redaction_orders o SET leased_until = now() + make_interval(secs => $1), tries = o.tries + 1,
                    until = COALESCE(o.until, (SELECT e.position FROM events e ORDER BY e.position DESC LIMIT 1), 0)
             WHERE o.id = (SELECT f.id FROM redaction_orders f WHERE f.leased_until IS NULL OR f.leased_until <= now()
                           ORDER BY f.leased_until NULLS FIRST, f.ordered_at LIMIT 1 FOR UPDATE SKIP LOCKED)
             RETURNING o.id, o.account_id, o.feed_id, o.reason, o.position, o.until, o.failed, o.tries,
                 (SELECT e.event_id FROM events e
                  WHERE uuid_hash_extended(e.feed_id, hashtextextended(e.event_type, 0)) = uuid_hash_extended(
                            COALESCE(o.feed_id, o.account_id),
                            hashtextextended(CASE WHEN o.feed_id IS NULL THEN 'AccountErased'
                                                  ELSE 'ProjectPurgeOrdered' END, 0))
                  ORDER BY e.feed_seq DESC LIMIT 1) AS cause",
        )
        .bind(f64::from(LEASE_SECONDS))
        .fetch_optional(self.app.pool())
        .await
    }

    /// What comes next: events that were not looked at yet; in the end, those that were set aside.
    async fn portion(&self, order: &Order) -> Result<Portion, sqlx::Error> {
        let (pool, range) = (self.app.pool(), (order.position, order.until));
        if order.position >= order.until {
            return Ok(Portion { positions: order.failed.clone(), to: order.until });
        }
        match (order.account_id, order.feed_id) {
            (Some(account_id), _) => of_account(pool, AccountId(account_id), range, PORTION).await,
            (None, Some(feed_id)) => of_feed(pool, feed_id, range, PORTION).await,
            // The table keeps such a row out.
            (None, None) => Ok(Portion { positions: Vec::new(), to: order.until }),
        }
    }

    /// Those of these events that have something to redact, by their aggregates.
    async fn left(&self, positions: &[i64]) -> Result<BTreeMap<(String, Uuid), Vec<Target>>, Error> {
        let redacted = redacted_of(self.app.pool(), positions).await?;
        let mut left = BTreeMap::<_, Vec<Target>>::new();
        for target in Target::all(self.app.pool(), positions).await? {
            if target.remains.is_some() && !redacted.contains(&target.position) {
                left.entry((target.aggregate_type.clone(), target.aggregate_id)).or_default().push(target);
            }
        }
        Ok(left)
    }

    /// Redacts events of one aggregate.
    async fn redact(&self, order: &Order, targets: &[Target]) -> Result<(), Error> {
        let by_service = Context::new(Actor::System(SystemActor::Reconciler), order.id);
        let context = Context { causation_id: order.cause, ..by_service };
        let reason = Name::parse(&order.reason).map_err(Error::failure)?;
        if let Some(job) = targets.first().filter(|target| target.aggregate_type == Job::TYPE) {
            let erased = order.account_id.is_some();
            let reason = if erased { CancelReason::AccountErased } else { CancelReason::ProjectDeleted };
            self.app.run(&context, &EndJob { job_id: JobId(job.aggregate_id), reason }).await?;
        }
        self.app.redact_all(&context, Authority::Service, targets, &reason).await.map(drop)
    }

    /// Works a portion off.
    async fn work(&self, order: &Order, context: &background::Context) -> Result<Turn, Error> {
        let began = Instant::now();
        let Portion { positions, to } = self.portion(order).await?;
        let mut turn = Turn { reached: order.position, ..Turn::default() };
        let left = self.left(&positions).await?;
        let is_left = |position: &i64| left.values().flatten().any(|target| target.position == *position);
        turn.done = positions.iter().filter(|position| !is_left(position)).copied().collect();
        for targets in left.values() {
            if !context.may_go_on() || began.elapsed() > TURN {
                return Ok(turn);
            }
            let its: Vec<i64> = targets.iter().map(|target| target.position).collect();
            match self.redact(order, targets).await {
                Ok(()) => {
                    turn.redacted += its.len();
                    turn.done.extend(its);
                }
                Err(error) if is_passing(&error) && order.tries < TRIES => {
                    turn.failure = Some(error);
                    return Ok(turn);
                }
                // One that cannot be helped must not keep the others waiting; whoever runs the service is told which.
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, positions = ?its, order = %order.id, "an event could not be redacted");
                    turn.failed.extend(its);
                }
            }
        }
        turn.reached = to;
        Ok(turn)
    }

    /// Notes how far an order is. It goes when all of it is done; what was set aside is tried again later.
    async fn note(&self, order: &Order, turn: &Turn) -> Result<(), sqlx::Error> {
        let goes_on = turn.failure.is_none();
        sqlx::query(
            "WITH noted AS (
                 SELECT o.id, GREATEST(o.position, $2) AS position,
                        ARRAY(SELECT DISTINCT f FROM unnest(o.failed || $3::bigint[]) AS f WHERE f <> ALL($4::bigint[])) AS failed
                 FROM redaction_orders o WHERE o.id = $1 FOR UPDATE
             ), gone AS (
                 DELETE FROM redaction_orders o USING noted n
                 WHERE o.id = n.id AND n.position >= o.until AND n.failed = '{}'
                 RETURNING o.id
             )
             UPDATE redaction_orders o
             SET position = n.position, failed = n.failed, tries = CASE WHEN $5 THEN 0 ELSE o.tries END,
                 leased_until = CASE WHEN NOT $5 THEN o.leased_until
                                     WHEN n.position >= o.until THEN now() + make_interval(secs => $6) ELSE now() END
             FROM noted n WHERE o.id = n.id AND NOT EXISTS (SELECT FROM gone)",
        )
        .bind(order.id)
        .bind(turn.reached)
        .bind(&turn.failed)
        .bind(&turn.done)
        .bind(goes_on)
        .bind(f64::from(LATER_SECONDS))
        .execute(self.app.pool())
        .await
        .map(drop)
    }
}

/// Whether the same may succeed a moment later; or somebody redacts the same just now, and the next turn sees which.
fn is_passing(error: &Error) -> bool {
    matches!(error.kind(), Kind::Unavailable | Kind::Conflict)
}

impl Task for Redactions {
    async fn activate(&mut self, context: &background::Context) -> anyhow::Result<Activation> {
        let Some(order) = self.take().await? else { return Ok(Activation::idle()) };
        anyhow::ensure!(
            order.failed.len() <= MOST_FAILED,
            "too many events of the order {} cannot be redacted",
            order.id
        );
        let turn = self.work(&order, context).await?;
        self.note(&order, &turn).await?;
        let Turn { reached, redacted, failure, .. } = turn;
        if let Some(error) = failure {
            return Err(error.into());
        }
        let done = json!({"order": order.id, "position": reached, "redacted": redacted});
        Ok(Activation::did(done).then(Next::AtOnce))
    }
}
