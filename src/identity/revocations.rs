//! Credentials that ended before their time, known to every instance within a second.
//!
//! An access token is checked without a query, so each instance keeps the ids of the sessions that ended while a token
//! of theirs may still be about. Whoever ends one commits its id, remembers it, and tells the others over NATS. A table
//! read twice a second tells those who did not hear; while NATS is away it is read more often. So NATS makes it fast, and
//! the database makes it true. What is published is believed without asking the database, so it is [sealed](crate::messaging::seal).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::{Duration, Instant},
};

use async_nats::{HeaderMap, Message};
use futures::StreamExt;
use sqlx::PgPool;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use super::access_token::MAX_LIFETIME;
use crate::{
    application::{Change, Error},
    messaging::{Messaging, header, seal::Seal},
};

const SUBJECT: &str = "workroom.credentials.ended";
/// How often the table is read while NATS delivers, and while it does not.
const INTERVAL: Duration = Duration::from_millis(500);
const INTERVAL_ALONE: Duration = Duration::from_millis(250);
/// How long an id is remembered: longer than any access token holds.
const RETENTION: Duration = Duration::from_secs(MAX_LIFETIME.as_secs() + 600);
/// How long the table keeps an id: longer than anybody remembers it.
pub const KEPT: Duration = Duration::from_secs(2 * RETENTION.as_secs());
/// What may have committed late, and so lies behind what was already read.
const OVERLAP: Duration = Duration::from_mins(1);
/// Ids in one message.
const MESSAGE: usize = 1000;

/// What ended before its time. Cheap to clone.
#[derive(Clone)]
pub struct Revocations {
    inner: Arc<Inner>,
}

struct Inner {
    ended: RwLock<HashMap<Uuid, Instant>>,
    watched: Mutex<Watched>,
    published: mpsc::UnboundedSender<Vec<Uuid>>,
    to_publish: tokio::sync::Mutex<mpsc::UnboundedReceiver<Vec<Uuid>>>,
}

/// Called when something that is watched has ended.
pub type OnEnd = Arc<dyn Fn() + Send + Sync>;

#[derive(Default)]
struct Watched {
    watchers: HashMap<Uuid, HashMap<u64, OnEnd>>,
    next: u64,
}

/// Notes, with the events that end them, what ended.
///
/// # Errors
/// Ids that JSON cannot hold, which there are none.
pub(super) fn record(ids: &[Uuid]) -> Result<Change, Error> {
    Change::new(
        "INSERT INTO ended_credentials (id) SELECT v::uuid FROM jsonb_array_elements_text($1) v ON CONFLICT DO NOTHING",
        &ids,
    )
}

impl Revocations {
    /// Reads what has ended lately.
    pub async fn open(pool: &PgPool) -> Result<Self, sqlx::Error> {
        let (published, to_publish) = mpsc::unbounded_channel();
        let inner = Inner {
            ended: RwLock::default(),
            watched: Mutex::default(),
            published,
            to_publish: tokio::sync::Mutex::new(to_publish),
        };
        let revocations = Self { inner: Arc::new(inner) };
        revocations.read(pool, RETENTION).await?;
        Ok(revocations)
    }

    /// Whether a credential has ended.
    pub fn has_ended(&self, id: Uuid) -> bool {
        self.inner.ended.read().unwrap_or_else(PoisonError::into_inner).contains_key(&id)
    }

    /// Notes here, and tells everywhere, what was committed to have ended.
    pub fn end(&self, ids: &[Uuid]) {
        if ids.is_empty() {
            return;
        }
        self.note(ids);
        // Nobody listens after shutdown.
        let _ = self.inner.published.send(ids.to_vec());
    }

    /// Watches what a proof rests on, for as long as the watch is kept.
    pub fn watch(&self, ids: &[Uuid], ended: &OnEnd) -> Watch {
        let number = {
            let mut watched = self.watched();
            watched.next += 1;
            let number = watched.next;
            for id in ids {
                watched.watchers.entry(*id).or_default().insert(number, Arc::clone(ended));
            }
            number
        };
        let watch = Watch { revocations: self.clone(), ids: ids.into(), number };
        // It may have ended between its check and now.
        if watch.has_ended() {
            ended();
        }
        watch
    }

    /// Listens, tells and reads until the task is aborted. `epoch` is the log's: what is published holds within it.
    pub async fn run(self, pool: PgPool, messaging: Messaging, seal: Seal, epoch: watch::Receiver<Uuid>) {
        let mut to_publish = self.inner.to_publish.lock().await;
        let tell = async {
            while let Some(ids) = to_publish.recv().await {
                // What lies in a queue until the server is back is published by the table long before.
                if messaging.is_connected() {
                    for ids in ids.chunks(MESSAGE) {
                        let payload: Vec<u8> = ids.iter().flat_map(|id| *id.as_bytes()).collect();
                        let mut headers = HeaderMap::new();
                        headers.insert(header::EPOCH, epoch.borrow().to_string());
                        seal.put(SUBJECT, &mut headers, &payload);
                        let published = messaging.client().publish_with_headers(SUBJECT, headers, payload.into()).await;
                        if let Err(error) = published {
                            tracing::warn!(
                                error = &error as &dyn std::error::Error,
                                "an ended session was not published"
                            );
                        }
                    }
                }
            }
        };
        tokio::join!(tell, self.listen(&messaging, &seal, &epoch), self.follow(&pool, &messaging));
    }

    async fn listen(&self, messaging: &Messaging, seal: &Seal, epoch: &watch::Receiver<Uuid>) {
        loop {
            // async-nats subscribes again by itself after each reconnect.
            match messaging.client().subscribe(SUBJECT).await {
                Ok(mut messages) => {
                    while let Some(message) = messages.next().await {
                        if !is_sealed_in(*epoch.borrow(), &message, seal) {
                            tracing::warn!("a message that is not this deployment's own named ended sessions: ignored");
                            continue;
                        }
                        let ids: Vec<_> =
                            message.payload.chunks_exact(16).filter_map(|id| Uuid::from_slice(id).ok()).collect();
                        self.note(&ids);
                    }
                }
                Err(error) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "ended sessions cannot be heard of");
                }
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    async fn follow(&self, pool: &PgPool, messaging: &Messaging) {
        let mut state = messaging.state();
        let mut read_at = Instant::now();
        loop {
            let pause = if state.borrow_and_update().connected { INTERVAL } else { INTERVAL_ALONE };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                changed = state.changed() => if changed.is_err() { return },
            }
            let began = Instant::now();
            match self.read(pool, read_at.elapsed() + OVERLAP).await {
                Ok(()) => read_at = began,
                Err(error) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "ended sessions cannot be read");
                }
            }
            self.evict();
        }
    }

    async fn read(&self, pool: &PgPool, since: Duration) -> Result<(), sqlx::Error> {
        let ids: Vec<Uuid> =
            sqlx::query_scalar("SELECT id FROM ended_credentials WHERE ended_at > now() - make_interval(secs => $1)")
                .bind(since.min(RETENTION).as_secs_f64())
                .fetch_all(pool)
                .await?;
        self.note(&ids);
        Ok(())
    }

    fn note(&self, ids: &[Uuid]) {
        let fresh: Vec<Uuid> = {
            let known = self.inner.ended.read().unwrap_or_else(PoisonError::into_inner);
            ids.iter().filter(|id| !known.contains_key(id)).copied().collect()
        };
        if fresh.is_empty() {
            return;
        }
        let now = Instant::now();
        self.inner.ended.write().unwrap_or_else(PoisonError::into_inner).extend(fresh.iter().map(|id| (*id, now)));
        let watched = self.watched();
        for watchers in fresh.iter().filter_map(|id| watched.watchers.get(id)) {
            for ended in watchers.values() {
                ended();
            }
        }
    }

    fn evict(&self) {
        let is_old = |at: &Instant| at.elapsed() > RETENTION;
        let any = self.inner.ended.read().unwrap_or_else(PoisonError::into_inner).values().any(is_old);
        if any {
            self.inner.ended.write().unwrap_or_else(PoisonError::into_inner).retain(|_, at| !is_old(at));
        }
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.inner.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a message was published by a process of this deployment, in this epoch.
fn is_sealed_in(epoch: Uuid, message: &Message, seal: &Seal) -> bool {
    let published = message.headers.as_ref().and_then(|headers| headers.get(header::EPOCH));
    published.is_some_and(|published| Uuid::try_parse(published.as_str()) == Ok(epoch)) && seal.holds(message)
}

/// What a proof rests on, under watch.
pub struct Watch {
    revocations: Revocations,
    ids: Box<[Uuid]>,
    number: u64,
}

impl Watch {
    /// Whether any of it has ended.
    pub fn has_ended(&self) -> bool {
        self.ids.iter().any(|id| self.revocations.has_ended(*id))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut watched = self.revocations.watched();
        for id in &self.ids {
            if let Some(watchers) = watched.watchers.get_mut(id) {
                watchers.remove(&self.number);
                if watchers.is_empty() {
                    watched.watchers.remove(id);
                }
            }
        }
    }
}
