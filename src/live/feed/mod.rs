//! A feed as this process follows it: the ring, the subscribers, and how far Postgres says it is.

pub(super) mod follow;
pub(super) mod frames;
pub(super) mod heads;
pub(super) mod pages;
pub(super) mod revocation;
pub(super) mod ring;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
};

use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use workroom_domain::ids::ProjectId;

use crate::live::{
    feed::ring::{Entry, Offered, Ring},
    limits::HubConfig,
    subscriber::Subscriber,
};

/// A feed as this process follows it.
pub(in crate::live) struct Feed {
    pub(in crate::live) id: ProjectId,
    /// Rings when the feed's task has something to look at.
    pub(in crate::live) bell: Notify,
    ring: RwLock<Ring>,
    subscribers: Mutex<HashMap<u64, Arc<Subscriber>>>,
    next_subscriber: AtomicI64,
    head: AtomicI64,
    announcement: AtomicU32,
    open: watch::Sender<bool>,
}

impl Feed {
    /// A feed that nobody follows yet.
    pub(in crate::live) fn new(id: ProjectId) -> Self {
        Self {
            id,
            bell: Notify::new(),
            ring: RwLock::new(Ring::new(0)),
            subscribers: Mutex::default(),
            next_subscriber: AtomicI64::new(0),
            head: AtomicI64::new(0),
            announcement: AtomicU32::new(0),
            open: watch::channel(false).0,
        }
    }

    /// The ring, for reading.
    pub(in crate::live) fn ring(&self) -> RwLockReadGuard<'_, Ring> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring_mut(&self) -> RwLockWriteGuard<'_, Ring> {
        self.ring.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn subscribers(&self) -> MutexGuard<'_, HashMap<u64, Arc<Subscriber>>> {
        self.subscribers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a subscriber.
    pub(in crate::live) fn register(&self, subscriber: Arc<Subscriber>) -> u64 {
        let number = self.next_subscriber.fetch_add(1, Ordering::Relaxed).unsigned_abs();
        self.subscribers().insert(number, subscriber);
        self.bell.notify_one();
        number
    }

    /// Removes a subscriber.
    pub(in crate::live) fn unregister(&self, number: u64) {
        let mut subscribers = self.subscribers();
        subscribers.remove(&number);
        if subscribers.is_empty() {
            subscribers.shrink_to_fit();
            self.bell.notify_one();
        }
    }

    /// Whether there is no subscriber.
    pub(in crate::live) fn is_deserted(&self) -> bool {
        self.subscribers().is_empty()
    }

    /// The subscribers whose subscriptions were authorized.
    pub(in crate::live) fn admitted(&self) -> Vec<Arc<Subscriber>> {
        self.subscribers().values().filter(|subscriber| subscriber.is_admitted()).cloned().collect()
    }

    /// Begins to carry events behind `head`; those who wait for it may go on.
    pub(in crate::live) fn open(&self, head: i64) {
        *self.ring_mut() = Ring::new(head);
        self.head.fetch_max(head, Ordering::SeqCst);
        self.open.send_replace(true);
    }

    /// Whether it carries events.
    pub(in crate::live) fn is_open(&self) -> bool {
        *self.open.borrow()
    }

    /// Waits until it carries events.
    pub(in crate::live) async fn opened(&self) {
        // The sender lives as long as `self`.
        let _ = self.open.subscribe().wait_for(|open| *open).await;
    }

    /// Offers events in order; what comes before its predecessors is kept for a moment.
    ///
    /// Who may no longer watch because of an event is told before anybody can see it or a later one.
    pub(in crate::live) fn offer(&self, entries: impl IntoIterator<Item = Entry>, config: &HubConfig) -> Offered {
        self.offer_while(entries, config, || true)
    }

    /// As [`Feed::offer`], as long as `is_current` says that they are of the history that the feed follows. Asked under the
    /// ring's lock: [`Feed::restart`] comes after what it tells of.
    pub(in crate::live) fn offer_while(
        &self,
        entries: impl IntoIterator<Item = Entry>,
        config: &HubConfig,
        is_current: impl Fn() -> bool,
    ) -> Offered {
        let now = Instant::now();
        let mut outcome = Offered::Old;
        let mut is_news = false;
        for entry in entries {
            if let Some(revocation) = entry.revocation {
                for subscriber in self.subscribers().values() {
                    subscriber.revoke(revocation);
                }
            }
            let mut ring = self.ring_mut();
            if !is_current() {
                break;
            }
            match ring.offer(entry, now, config) {
                Offered::Taken => {
                    is_news = true;
                    outcome = Offered::Taken;
                }
                Offered::Old => {}
                Offered::Early => outcome = Offered::Early,
            }
        }
        if is_news {
            self.wake_all();
        }
        if outcome == Offered::Early {
            self.bell.notify_one();
        }
        outcome
    }

    fn wake_all(&self) {
        for subscriber in self.subscribers().values() {
            subscriber.wake();
        }
    }

    /// How far Postgres says the feed is.
    pub(in crate::live) fn head(&self) -> i64 {
        self.head.load(Ordering::SeqCst)
    }

    /// Takes note of how far Postgres says the feed is. Returns whether the ring is behind it.
    pub(in crate::live) fn expect(&self, head: i64) -> bool {
        self.head.fetch_max(head, Ordering::SeqCst);
        let behind = self.is_behind();
        if behind {
            self.bell.notify_one();
        }
        behind
    }

    /// Whether Postgres has events that the ring has not had.
    pub(in crate::live) fn is_behind(&self) -> bool {
        self.is_open() && self.head() > self.ring().last()
    }

    /// Lets go of old frames.
    pub(in crate::live) fn expire(&self, config: &HubConfig) {
        self.ring_mut().expire(Instant::now(), config.ring_age);
    }

    /// Begins anew in another history: every subscription is reset to `head`.
    pub(in crate::live) fn restart(&self, head: i64) {
        self.head.store(head, Ordering::SeqCst);
        self.ring_mut().restart(head);
        self.wake_all();
    }

    /// Lets every socket tell its client the head, and the feed's task see whether NATS is back.
    pub(in crate::live) fn announce(&self) {
        self.announcement.fetch_add(1, Ordering::Relaxed);
        self.bell.notify_one();
        self.wake_all();
    }

    /// How many times [`announce`](Self::announce) was called.
    pub(in crate::live) fn announcement(&self) -> u32 {
        self.announcement.load(Ordering::Relaxed)
    }
}
