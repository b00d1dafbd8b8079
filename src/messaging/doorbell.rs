//! Doorbells between processes: how far the log is, and how far each group of views.
//!
//! Both only shorten a wait. Runners and relay have timers, and waiting replies ask the database; so messages may be
//! lost, doubled or late, and only the newest position is ever worth sending. Subjects carry the log's epoch, so that
//! several deployments can share a server, and so that positions of a lost future are never believed. Positions of views carry
//! the incarnation of the server that they hold for, since a crash takes views back. A process that is alone rings for nobody
//! ([`peers`](super::peers)).
//!
//! Positions are believed, so they are [sealed](super::seal). A process that only runs jobs has no key to that: it [rings](Ringer)
//! without a word, and whoever hears it asks the database how far the log is.

use std::{
    collections::BTreeMap,
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_nats::{Message, PublishError, SubscribeError};
use futures::{FutureExt, StreamExt, future::join_all};
use tokio::{sync::watch, time::Instant};
use uuid::Uuid;
use workroom_projections::{GROUPS, incarnation::Incarnation, progress::Progress, runner::Announce};

use super::{
    Messaging,
    peers::{HELLO, Peers},
    seal::Seal,
};
use crate::event_store::EventLog;

/// How often the newest position is told again: to those who have just come, or have just come back.
const REPEAT: Duration = Duration::from_secs(2);
const RETRY: Duration = Duration::from_millis(500);
/// The least time between two questions that rings without a word lead to.
const ASKING: Duration = Duration::from_millis(2);

/// How far a group is, and in which incarnation.
type Place = (Incarnation, i64);

/// Rings for other processes what happens here, and hears what happens there. Cheap to clone.
#[derive(Clone)]
pub struct Doorbell {
    messaging: Messaging,
    seal: Seal,
    epoch: watch::Receiver<Uuid>,
    log: EventLog,
    progress: Progress,
    groups: Arc<BTreeMap<&'static str, watch::Sender<Option<Place>>>>,
    /// The furthest head that another process has told: no need to tell it again.
    received: Arc<AtomicI64>,
    /// The furthest head that this process has told, to know its own echo by.
    sent: Arc<AtomicI64>,
    peers: Arc<Peers>,
}

impl Doorbell {
    /// A doorbell of the history that `epoch` names (see [`follow`](super::epoch::follow)).
    pub fn new(
        messaging: Messaging,
        seal: Seal,
        epoch: watch::Receiver<Uuid>,
        log: EventLog,
        progress: Progress,
    ) -> Self {
        let groups = GROUPS.into_iter().map(|name| (name, watch::channel(None).0)).collect();
        Self {
            messaging,
            seal,
            epoch,
            log,
            progress,
            groups: Arc::new(groups),
            received: Arc::default(),
            sent: Arc::default(),
            peers: Arc::new(Peers::new(Instant::now())),
        }
    }

    /// What is known of other processes.
    pub fn peers(&self) -> Arc<Peers> {
        Arc::clone(&self.peers)
    }

    /// What a projection runner calls when its group has moved. Never blocks; only the newest position goes out.
    pub fn announce(&self) -> Announce {
        let groups = Arc::clone(&self.groups);
        Arc::new(move |group, incarnation, position| {
            let place = Some((incarnation.clone(), position));
            if let Some(sender) = groups.get(group) {
                sender.send_if_modified(|known| {
                    let moved = *known != place;
                    *known = place;
                    moved
                });
            }
        })
    }

    /// Rings and listens until the task is aborted.
    pub async fn run(self) {
        let mut epoch = self.epoch.clone();
        loop {
            let current = *epoch.borrow_and_update();
            self.received.store(0, Ordering::Relaxed);
            self.sent.store(0, Ordering::Relaxed);
            tokio::select! {
                failure = self.serve(current) => {
                    tracing::debug!(error = &failure as &dyn std::error::Error, "the doorbell is out of order");
                    tokio::time::sleep(RETRY).await;
                }
                () = moved(&mut epoch) => {}
            }
        }
    }

    async fn serve(&self, epoch: Uuid) -> SubscribeError {
        let head = format!("workroom.{epoch}.head");
        let progress = format!("workroom.{epoch}.progress.");
        let hello = format!("workroom.{epoch}.hello");
        let ring = async {
            let log = self.publish_head(&head);
            let groups = self.groups.iter().map(|(name, sender)| {
                let places = sender.subscribe();
                self.publish(format!("{progress}{name}"), places, |place| {
                    place.as_ref().map(|(incarnation, position)| format!("{position} {incarnation}"))
                })
            });
            tokio::join!(self.greet(&hello), log, join_all(groups));
        };
        tokio::select! {
            failure = self.listen(&head, &progress, &hello, ring_subject(epoch)) => failure,
            () = ring => pending().await,
        }
    }

    /// Says hello to other processes, now and then.
    async fn greet(&self, subject: &str) {
        let mut state = self.messaging.state();
        loop {
            let connected = state.borrow_and_update().connected;
            if connected && self.tell(subject, self.peers.hello()).await.is_err() {
                return;
            }
            tokio::select! {
                // What was said in between was not heard.
                () = moved(&mut state) => self.peers.expect(Instant::now()),
                () = tokio::time::sleep(HELLO) => {}
            }
        }
    }

    /// Publishes the head of the log, when others have not told it.
    async fn publish_head(&self, subject: &str) {
        self.publish(subject.to_owned(), self.log.head(), |position| {
            let is_news = *position > 0 && *position > self.received.load(Ordering::Relaxed);
            is_news.then(|| {
                self.sent.fetch_max(*position, Ordering::Relaxed);
                position.to_string()
            })
        })
        .await;
    }

    /// Publishes what there is to tell of the newest position whenever there is a newer one, and again now and then.
    async fn publish<T>(
        &self,
        subject: String,
        mut positions: watch::Receiver<T>,
        tell: impl Fn(&T) -> Option<String>,
    ) {
        let (mut state, mut coming) = (self.messaging.state(), self.peers.coming());
        let mut sent = None;
        loop {
            // Without a connection it would lie in a queue until it is worthless.
            let is_connected = state.borrow_and_update().connected;
            coming.mark_unchanged();
            let text = {
                let newest = positions.borrow_and_update();
                if is_connected && self.peers.are_there(Instant::now()) { tell(&newest) } else { None }
            };
            if text.is_some() && text != sent {
                if self.tell(&subject, text.clone().unwrap_or_default()).await.is_err() {
                    return;
                }
                sent = text;
            }
            tokio::select! {
                () = moved(&mut positions) => {}
                () = moved(&mut state) => sent = None,
                () = moved(&mut coming) => sent = None,
                () = tokio::time::sleep(REPEAT) => sent = None,
            }
        }
    }

    /// Publishes a sealed message.
    async fn tell(&self, subject: &str, text: String) -> Result<(), PublishError> {
        let headers = self.seal.headers(subject, text.as_bytes());
        self.messaging.client().publish_with_headers(subject.to_owned(), headers, text.into()).await
    }

    async fn listen(&self, head: &str, progress: &str, hello: &str, ring: String) -> SubscribeError {
        let subscribed = async {
            let client = self.messaging.client();
            tokio::try_join!(
                client.subscribe(head.to_owned()),
                client.subscribe(format!("{progress}*")),
                client.subscribe(hello.to_owned()),
                client.subscribe(ring)
            )
        };
        let (heads, groups, hellos, mut rings) = match subscribed.await {
            Ok(subscriptions) => subscriptions,
            Err(error) => return error,
        };
        let heads = heads.for_each(|message| {
            if let Some(position) = position(&message).filter(|_| self.is_sealed(&message)) {
                if position > self.sent.load(Ordering::Relaxed) {
                    self.received.fetch_max(position, Ordering::Relaxed);
                }
                self.log.announce(position);
            }
            std::future::ready(())
        });
        let groups = groups.for_each(|message| {
            if let (Some(group), Some((incarnation, position))) =
                (message.subject.strip_prefix(progress), place(&message))
                && self.is_sealed(&message)
            {
                self.progress.advance(group, &incarnation, position);
            }
            std::future::ready(())
        });
        let hellos = hellos.for_each(|message| {
            if self.is_sealed(&message) {
                self.peers.received(&message.payload, Instant::now());
            }
            std::future::ready(())
        });
        let rings = async {
            while rings.next().await.is_some() {
                // However many have rung meanwhile, one question answers all.
                while rings.next().now_or_never().flatten().is_some() {}
                match self.log.look().await {
                    Ok(()) => tokio::time::sleep(ASKING).await,
                    Err(error) => {
                        tracing::debug!(error = &error as &dyn std::error::Error, "the head cannot be asked for");
                        tokio::time::sleep(RETRY).await;
                    }
                }
            }
        };
        // async-nats subscribes again by itself after each reconnect; the streams end with the client.
        tokio::join!(heads, groups, hellos, rings);
        pending().await
    }

    /// Whether a process of this deployment has sealed this message.
    fn is_sealed(&self, message: &Message) -> bool {
        let is_sealed = self.seal.holds(message);
        if !is_sealed {
            tracing::warn!("a message that is not this deployment's own told of a position: ignored");
        }
        is_sealed
    }
}

/// Where a process rings that has nothing to seal with.
fn ring_subject(epoch: Uuid) -> String {
    format!("workroom.{epoch}.ring")
}

/// Rings for other processes without a word when this one has written to the log. Cheap to clone.
#[derive(Clone)]
pub struct Ringer {
    messaging: Messaging,
    epoch: watch::Receiver<Uuid>,
    head: watch::Receiver<i64>,
}

impl Ringer {
    /// A ringer that follows what this process knows of the log.
    pub fn new(messaging: Messaging, epoch: watch::Receiver<Uuid>, head: watch::Receiver<i64>) -> Self {
        Self { messaging, epoch, head }
    }

    /// Rings until the task is aborted.
    pub async fn run(mut self) {
        loop {
            moved(&mut self.head).await;
            // Without a connection it would lie in a queue until it is worthless.
            if self.messaging.is_connected() {
                let subject = ring_subject(*self.epoch.borrow());
                if let Err(error) = self.messaging.client().publish(subject, "".into()).await {
                    tracing::debug!(error = &error as &dyn std::error::Error, "the doorbell is out of order");
                }
            }
        }
    }
}

/// The position that a message tells.
fn position(message: &Message) -> Option<i64> {
    std::str::from_utf8(&message.payload).ok()?.parse().ok()
}

/// The position that a message tells, and the incarnation that it holds for.
fn place(message: &Message) -> Option<Place> {
    let (position, incarnation) = std::str::from_utf8(&message.payload).ok()?.split_once(' ')?;
    Some((incarnation.into(), position.parse().ok()?))
}

/// Waits for a change; for ever once there can be none.
async fn moved<T>(receiver: &mut watch::Receiver<T>) {
    if receiver.changed().await.is_err() {
        pending::<()>().await;
    }
}
