//! A feed as this process follows it: the ring, the seats, and how far Postgres says it is.

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

use super::{
    limits::HubConfig,
    ring::{Entry, Offered, Ring},
    seat::Seat,
};

/// A feed as this process follows it.
pub(super) struct Feed {
    /// Which.
    pub(super) id: ProjectId,
    /// Rings when the feed's task has something to look at.
    pub(super) bell: Notify,
    ring: RwLock<Ring>,
    seats: Mutex<HashMap<u64, Arc<Seat>>>,
    next_seat: AtomicI64,
    head: AtomicI64,
    announcement: AtomicU32,
    open: watch::Sender<bool>,
}

impl Feed {
    /// A feed that nobody follows yet.
    pub(super) fn new(id: ProjectId) -> Self {
        Self {
            id,
            bell: Notify::new(),
            ring: RwLock::new(Ring::new(0)),
            seats: Mutex::default(),
            next_seat: AtomicI64::new(0),
            head: AtomicI64::new(0),
            announcement: AtomicU32::new(0),
            open: watch::channel(false).0,
        }
    }

    /// The ring, for reading.
    pub(super) fn ring(&self) -> RwLockReadGuard<'_, Ring> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring_mut(&self) -> RwLockWriteGuard<'_, Ring> {
        self.ring.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn seats(&self) -> MutexGuard<'_, HashMap<u64, Arc<Seat>>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a seat.
    pub(super) fn sit(&self, seat: Arc<Seat>) -> u64 {
        let number = self.next_seat.fetch_add(1, Ordering::Relaxed).unsigned_abs();
        self.seats().insert(number, seat);
        self.bell.notify_one();
        number
    }

    /// Leaves a seat.
    pub(super) fn leave(&self, number: u64) {
        let mut seats = self.seats();
        seats.remove(&number);
        if seats.is_empty() {
            seats.shrink_to_fit();
            self.bell.notify_one();
        }
    }

    /// Whether nobody sits here.
    pub(super) fn is_deserted(&self) -> bool {
        self.seats().is_empty()
    }

    /// The seats whose subscriptions were authorized.
    pub(super) fn admitted(&self) -> Vec<Arc<Seat>> {
        self.seats().values().filter(|seat| seat.is_admitted()).cloned().collect()
    }

    /// Begins to carry events behind `head`; those who wait for it may go on.
    pub(super) fn open(&self, head: i64) {
        *self.ring_mut() = Ring::new(head);
        self.head.fetch_max(head, Ordering::SeqCst);
        self.open.send_replace(true);
    }

    /// Waits until it carries events.
    pub(super) async fn opened(&self) {
        // The sender lives as long as `self`.
        let _ = self.open.subscribe().wait_for(|open| *open).await;
    }

    /// Offers events in order, and stops at the first that comes too early.
    ///
    /// Who may no longer watch because of an event is told before anybody can see it or a later one.
    pub(super) fn offer(&self, entries: impl IntoIterator<Item = Entry>, config: &HubConfig) -> Offered {
        let now = Instant::now();
        let mut outcome = Offered::Old;
        let mut is_news = false;
        for entry in entries {
            if let Some(loss) = entry.loss {
                for seat in self.seats().values() {
                    seat.lose(loss);
                }
            }
            match self.ring_mut().offer(entry, now, config) {
                Offered::Taken => {
                    is_news = true;
                    outcome = Offered::Taken;
                }
                Offered::Old => {}
                Offered::Early => {
                    outcome = Offered::Early;
                    break;
                }
            }
        }
        if is_news {
            self.wake_all();
        }
        outcome
    }

    fn wake_all(&self) {
        for seat in self.seats().values() {
            seat.wake();
        }
    }

    /// How far Postgres says the feed is.
    pub(super) fn head(&self) -> i64 {
        self.head.load(Ordering::SeqCst)
    }

    /// Takes note of how far Postgres says the feed is. Returns whether the ring is behind it.
    pub(super) fn expect(&self, head: i64) -> bool {
        self.head.fetch_max(head, Ordering::SeqCst);
        let behind = self.is_behind();
        if behind {
            self.bell.notify_one();
        }
        behind
    }

    /// Whether Postgres has events that the ring has not had.
    pub(super) fn is_behind(&self) -> bool {
        *self.open.borrow() && self.head() > self.ring().last()
    }

    /// Lets go of old frames.
    pub(super) fn expire(&self, config: &HubConfig) {
        self.ring_mut().expire(Instant::now(), config.ring_age);
    }

    /// Begins anew in another history: every subscription is reset to `head`.
    pub(super) fn restart(&self, head: i64) {
        self.head.store(head, Ordering::SeqCst);
        self.ring_mut().restart(head);
        self.wake_all();
    }

    /// Lets every socket tell its client the head, and the feed's task see whether NATS is back.
    pub(super) fn announce(&self) {
        self.announcement.fetch_add(1, Ordering::Relaxed);
        self.bell.notify_one();
        self.wake_all();
    }

    /// Counts announcements.
    pub(super) fn announcement(&self) -> u32 {
        self.announcement.load(Ordering::Relaxed)
    }
}
