//! `webhook_delivery`: sends an event to the address of a webhook.
//!
//! It may be sent more than once: the service cannot know whether an answer that did not come was given. Whoever
//! receives it tells a repetition by `webhook-id`, which is the event's id each time.

use std::time::Duration;

use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use tokio::{sync::OnceCell, time::Instant};
use uuid::Uuid;
use workroom_domain::{
    actor::{Actor, SystemActor},
    ids::WebhookId,
    job::{Outcome, Work},
    webhook::DisableReason,
};
use workroom_projections::history::{self, PublishedEvent};

use super::{Attempt, Broken, Ended, JobType};
use crate::{
    application::{
        Context, Error,
        webhooks::{DisableWebhook, Response, SecretKey, Target},
    },
    backoff,
    clock::now,
    jobs::webhook::{Answer, Client, Destinations, Message, NotSent, Verdict, event},
};

/// The pauses before another attempt, in seconds: about a day in all.
const PAUSES: [u64; 11] = [2, 15, 60, 300, 900, 1800, 3600, 7200, 14_400, 21_600, 36_000];
/// How often a delivery may be put off before that counts as a failure: the address asks to come again later, or the
/// service could not use its network.
const MAX_SNOOZES: u32 = 24;
/// The longest pause after the service could not use its network.
const LONGEST_OUTAGE_PAUSE: Duration = Duration::from_mins(30);

/// Sends events to the addresses of webhooks.
pub(super) struct WebhookDelivery {
    destinations: Destinations,
    tools: OnceCell<Tools>,
}

/// What deliveries are made with.
struct Tools {
    client: Client,
    key: SecretKey,
}

/// A delivery that can be made.
struct Delivery {
    webhook_id: WebhookId,
    url: String,
    message: Message,
}

/// What there is to be done about a job.
enum Plan {
    Deliver(Delivery),
    /// The webhook or the event is gone, or nothing is to be sent any more: the webhook is disabled, or acts for somebody who may not
    /// manage it any more.
    Nothing,
}

impl JobType for WebhookDelivery {
    fn name(&self) -> &'static str {
        "webhook_delivery"
    }

    fn run(&self, attempt: Attempt) -> BoxFuture<'_, Result<Ended, Broken>> {
        self.deliver(attempt).boxed()
    }

    fn pause_after(&self, failures: u32) -> Duration {
        pause(failures)
    }
}

/// The pause after the first of so many more.
fn pause(before: u32) -> Duration {
    let place = usize::try_from(before).unwrap_or(usize::MAX).min(PAUSES.len() - 1);
    // A quarter less or more, so that what failed together does not come back together.
    Duration::from_secs(PAUSES[place]).mul_f64(0.75 + backoff::share() / 2.0)
}

impl WebhookDelivery {
    pub(super) fn new(destinations: Destinations) -> Self {
        Self { destinations, tools: OnceCell::new() }
    }

    /// What deliveries are made with; made with the first one.
    async fn tools(&self, attempt: &Attempt) -> Result<&Tools, Broken> {
        self.tools
            .get_or_try_init(|| async {
                let client = Client::new(self.destinations.clone())?;
                Ok::<_, Broken>(Tools { client, key: SecretKey::open(attempt.app.pool()).await? })
            })
            .await
    }

    async fn deliver(&self, attempt: Attempt) -> Result<Ended, Broken> {
        let tools = self.tools(&attempt).await?;
        let Plan::Deliver(delivery) = plan(&attempt, &tools.key).await? else {
            return Ok(Ended::Hopeless(Outcome::default()));
        };
        let began = Instant::now();
        let sent = tokio::select! {
            sent = tools.client.send(&delivery.url, &delivery.message) => sent,
            () = attempt.stop.cancelled() => return Ok(Ended::Stopped),
        };
        let execution_time_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let outcome = Outcome { execution_time_ms, ..Outcome::default() };
        let response = Response {
            delivery_id: attempt.job_id,
            webhook_id: delivery.webhook_id,
            attempt: attempt.job.attempt,
            status: sent.ok().map(|answer| answer.status),
            failure: sent.err().map(NotSent::as_str),
        };
        // A note is not the delivery: what was sent was sent.
        if let Err(error) = response.note(attempt.app.pool()).await {
            let job_id = attempt.job_id;
            tracing::warn!(error = &error as &dyn std::error::Error, %job_id, "how a delivery ended was not noted");
        }
        ended(&attempt, delivery.webhook_id, sent, outcome).await
    }
}

/// What follows from an answer, or from none.
async fn ended(
    attempt: &Attempt,
    webhook_id: WebhookId,
    sent: Result<Answer, NotSent>,
    outcome: Outcome,
) -> Result<Ended, Broken> {
    Ok(match sent.map(|answer| answer.verdict()) {
        Ok(Verdict::Delivered) => Ended::Succeeded(outcome),
        Ok(Verdict::Later(wait)) if attempt.job.uncounted < MAX_SNOOZES => Ended::Snoozed { until: now() + wait },
        Ok(Verdict::Gone) => {
            // First the webhook: whoever dies in between finds it gone again.
            let context = Context::new(Actor::System(SystemActor::Worker), Uuid::now_v7());
            let disable = DisableWebhook { webhook_id, reason: DisableReason::Gone };
            attempt.app.run(&context, &disable).await?;
            Ended::Hopeless(outcome)
        }
        // No fault of the address: it counts for nothing.
        Err(NotSent::NoNetwork) if attempt.job.uncounted < MAX_SNOOZES => {
            Ended::Snoozed { until: now() + pause(attempt.job.uncounted).min(LONGEST_OUTAGE_PAUSE) }
        }
        // An address that does not read will not read the next time.
        Err(NotSent::Address) => Ended::Hopeless(outcome),
        Ok(Verdict::Later(_) | Verdict::Failed) | Err(_) => Ended::Failed(outcome),
    })
}

/// What there is to be done, by the webhook as it is now.
async fn plan(attempt: &Attempt, key: &SecretKey) -> Result<Plan, Broken> {
    let Work::WebhookDelivery { webhook_id, event_id, position } = attempt.job.request.work else {
        return Err("the job delivers nothing".into());
    };
    let pool = attempt.app.pool();
    let Some(target) = Target::find(pool, webhook_id).await?.filter(|target| target.may_send) else {
        return Ok(Plan::Nothing);
    };
    let found = history::log_since(pool, position - 1, 1).await?;
    let Some(row) = found.into_iter().find(|row| row.event_id == event_id) else { return Ok(Plan::Nothing) };
    let body = Bytes::from(event::body(&PublishedEvent::from_row(row))?);
    let secrets: Result<Vec<_>, Error> =
        target.secrets.iter().map(|secret| key.open_sealed(webhook_id, secret)).collect();
    let message = Message { id: event_id, body, secrets: secrets? };
    Ok(Plan::Deliver(Delivery { webhook_id, url: target.url, message }))
}

#[cfg(test)]
mod tests {
    use workroom_domain::job::MaxAttempts;

    use super::*;

    #[test]
    fn the_pauses_come_to_about_a_day() {
        let delivery = WebhookDelivery::new(Destinations::default());
        let mut total = Duration::ZERO;
        for (failures, seconds) in (0_u32..).zip(PAUSES) {
            let (pause, middle) = (delivery.pause_after(failures), Duration::from_secs(seconds));
            assert!((middle.mul_f64(0.75)..=middle.mul_f64(1.25)).contains(&pause), "{failures}: {pause:?}");
            total += pause;
        }
        assert!((Duration::from_hours(17)..Duration::from_hours(31)).contains(&total), "{total:?}");
        assert!(delivery.pause_after(MaxAttempts::LIMIT) <= Duration::from_hours(13));
    }
}
