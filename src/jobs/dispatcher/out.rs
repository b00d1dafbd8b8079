//! What was handed out, and whether the queue still has it.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use async_nats::jetstream::{context::PublishError, publish::PublishAck};
use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use time::OffsetDateTime;
use tokio::time::Instant;
use uuid::Uuid;
use workroom_domain::{
    actor::{Actor, SystemActor},
    ids::JobId,
};

use super::book::Book;
use crate::{
    application::{App, Context, jobs::GrantKey},
    jobs::{
        JobMessage, Pool,
        queue::{Queue, QueueError},
    },
};

/// What has not been started after so long is looked for.
const OVERDUE: Duration = Duration::from_secs(3);
/// How many are looked for at a time.
const LOOKS: usize = 64;

/// How long an attempt waits whose key the log has given to another.
const PAUSE: Duration = Duration::from_millis(100);

/// What became of an attempt that was handed out.
#[derive(Clone, Copy, Debug)]
pub(super) enum Handed {
    /// The queue has it, with this sequence.
    Queued(u64),
    /// The queue does not have it.
    NotQueued,
    /// Its key is another's.
    HasNoKey,
}

fn acknowledged(message: JobMessage, ack: Result<PublishAck, PublishError>) -> Handed {
    match ack {
        Ok(ack) => Handed::Queued(ack.sequence),
        Err(error) => {
            tracing::debug!(error = &error as &dyn std::error::Error, job_id = %message.job_id, "a job was not queued");
            Handed::NotQueued
        }
    }
}

/// What was handed out and is not known to be started.
#[derive(Default)]
pub(super) struct Out {
    under_way: FuturesUnordered<BoxFuture<'static, (JobMessage, Handed)>>,
    queued: HashMap<Uuid, Queued>,
    /// In the order in which they were handed out; some are started by now.
    order: VecDeque<(Instant, JobMessage)>,
    made_at: Option<OffsetDateTime>,
}

struct Queued {
    message: JobMessage,
    sequence: u64,
}

impl Out {
    /// Hands an attempt out.
    pub(super) async fn publish(&mut self, queue: &Queue, pool: Pool, message: JobMessage) -> Result<(), QueueError> {
        let ack = queue.publish(pool, message).await?;
        self.under_way.push(Box::pin(async move { (message, acknowledged(message, ack.await)) }));
        Ok(())
    }

    /// Hands an attempt out, once the log has given it its key.
    pub(super) fn publish_with_key(&mut self, app: App, queue: Queue, pool: Pool, message: JobMessage) {
        self.under_way.push(Box::pin(async move {
            let context = Context::new(Actor::System(SystemActor::Dispatcher), Uuid::now_v7());
            let grant = GrantKey { job_id: JobId(message.job_id), attempt: message.attempt };
            if let Err(error) = app.grant_key(&context, &grant).await {
                tracing::debug!(%error, job_id = %message.job_id, "a job's key is not to be had");
                return (message, Handed::HasNoKey);
            }
            match queue.publish(pool, message).await {
                Ok(ack) => (message, acknowledged(message, ack.await)),
                Err(error) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "the queue is not available");
                    (message, Handed::NotQueued)
                }
            }
        }));
    }

    /// Waits until it is known of one more what became of it; `true` when the queue has not taken it.
    pub(super) async fn answered(&mut self, book: &mut Book) -> bool {
        let Some((message, handed)) = self.under_way.next().await else { return std::future::pending().await };
        match handed {
            Handed::Queued(sequence) => {
                self.queued.insert(message.job_id, Queued { message, sequence });
                self.order.push_back((Instant::now(), message));
            }
            Handed::NotQueued => {
                book.give_back(message);
                return true;
            }
            Handed::HasNoKey => book.put_off(message, PAUSE),
        }
        false
    }

    /// The queue is this one: what another had is lost.
    pub(super) fn attach(&mut self, queue: &Queue, book: &mut Book) {
        if self.made_at.replace(queue.made_at()) == Some(queue.made_at()) {
            return;
        }
        self.order.clear();
        for (_, lost) in self.queued.drain() {
            book.give_back(lost.message);
        }
    }

    /// Looks for what should have been started by now.
    pub(super) async fn look(&mut self, queue: &Queue, book: &mut Book) -> Result<u32, QueueError> {
        let (mut lost, mut looks) = (0, 0);
        while let Some((at, message)) = self.order.front().copied()
            && looks < LOOKS
        {
            let is_current = self.queued.get(&message.job_id).is_some_and(|queued| queued.message == message);
            if !is_current || !book.is_handed_out(message) {
                self.order.pop_front();
                if is_current {
                    self.queued.remove(&message.job_id);
                }
                continue;
            }
            if at.elapsed() < OVERDUE {
                break;
            }
            let Some(sequence) = self.queued.get(&message.job_id).map(|queued| queued.sequence) else { continue };
            looks += 1;
            // Should the queue not answer, it is asked again.
            let is_held = queue.holds(sequence).await?;
            self.order.pop_front();
            if is_held {
                self.order.push_back((Instant::now(), message));
            } else {
                tracing::debug!(job_id = %message.job_id, attempt = message.attempt, "the queue has lost a job");
                self.queued.remove(&message.job_id);
                book.give_back(message);
                lost += 1;
            }
        }
        Ok(lost)
    }
}
