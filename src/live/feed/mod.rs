//! A feed as this process follows it: the ring, the subscribers, who may follow it, and how far Postgres says it is.

pub(super) mod closes;
pub(super) mod follow;
pub(super) mod frames;
mod gathering;
pub(super) mod heads;
mod id;
pub(super) mod pages;
pub(super) mod rights;
pub(super) mod ring;

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep_until},
};

pub(in crate::live) use id::FeedId;

use crate::live::{
    feed::{
        gathering::{Gathering, Wake},
        rights::{Access, Change, Rights},
        ring::{Entry, Offered, Ring},
    },
    limits::HubConfig,
    subscriber::Subscriber,
};

/// Why a subscription ends without its client's asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::live) enum EndReason {
    /// The account may no longer follow the feed.
    Revoked,
    /// There is nothing left to follow.
    Deleted,
}

impl EndReason {
    /// The reason that the client is given.
    pub(in crate::live) fn as_str(self, feed: FeedId) -> &'static str {
        match (self, feed) {
            (Self::Revoked, _) => "access_revoked",
            (Self::Deleted, FeedId::Project(_)) => "project_deleted",
            (Self::Deleted, FeedId::Organization(_)) => "organization_deleted",
            (Self::Deleted, FeedId::Account(_)) => "account_deleted",
        }
    }
}

/// The rights that were read last, and after how many changes.
#[derive(Clone, Default)]
struct Known {
    rights: Option<Rights>,
    after: u64,
}

/// A feed as this process follows it.
pub(in crate::live) struct Feed {
    /// Which.
    pub(in crate::live) id: FeedId,
    /// Rings when the feed's task has something to look at.
    pub(in crate::live) bell: Notify,
    ring: RwLock<Ring>,
    gathering: Mutex<Gathering>,
    /// Rings when subscribers are to be woken later.
    gathered: Notify,
    subscribers: Mutex<HashMap<u64, Arc<Subscriber>>>,
    next_subscriber: AtomicI64,
    head: AtomicI64,
    open: watch::Sender<bool>,
    /// Counts what may have changed the rights. The first is that they were never read.
    changes: AtomicU64,
    known: watch::Sender<Known>,
    /// Feeds whose rights this one's events change.
    dependents: Mutex<Vec<Weak<Feed>>>,
}

impl Feed {
    /// A feed that nobody follows yet.
    pub(in crate::live) fn new(id: FeedId) -> Self {
        Self {
            id,
            bell: Notify::new(),
            ring: RwLock::new(Ring::new(0)),
            gathering: Mutex::default(),
            gathered: Notify::new(),
            subscribers: Mutex::default(),
            next_subscriber: AtomicI64::new(0),
            head: AtomicI64::new(0),
            open: watch::channel(false).0,
            changes: AtomicU64::new(1),
            known: watch::Sender::default(),
            dependents: Mutex::default(),
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

    fn dependents(&self) -> MutexGuard<'_, Vec<Weak<Feed>>> {
        self.dependents.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Whether there is no subscriber, and no feed that depends on it.
    pub(in crate::live) fn is_deserted(&self) -> bool {
        self.subscribers().is_empty() && self.dependents().iter().all(|feed| feed.strong_count() == 0)
    }

    /// Tells another feed of what changes this one's rights, as long as that is followed.
    pub(in crate::live) fn add_dependent(&self, dependent: &Arc<Feed>) {
        let mut dependents = self.dependents();
        dependents.retain(|feed| feed.strong_count() > 0);
        dependents.push(Arc::downgrade(dependent));
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

    /// Takes note that the rights have changed: those who may have lost theirs are suspended until they are read again.
    pub(in crate::live) fn change_rights(&self, change: Change) {
        let number = self.changes.fetch_add(1, Ordering::SeqCst) + 1;
        let concerned = match change {
            // The end of a feed is no secret: it is met in its place, behind the events that led to it.
            Change::Given | Change::Closed => None,
            Change::Taken(account) => Some(Some(account)),
            Change::Unknown => Some(None),
        };
        if let Some(account) = concerned {
            let subscribers = self.subscribers();
            let concerned = subscribers.values().filter(|one| account.is_none_or(|account| one.account == account));
            concerned.for_each(|one| one.suspend(number));
        }
        self.bell.notify_one();
        let dependents: Vec<_> = self.dependents().iter().filter_map(Weak::upgrade).collect();
        for dependent in dependents {
            dependent.change_rights(change);
        }
    }

    /// The number of the latest change, if the rights were not read since.
    pub(in crate::live) fn unread_change(&self) -> Option<u64> {
        let latest = self.changes.load(Ordering::SeqCst);
        (self.known.borrow().after < latest).then_some(latest)
    }

    /// Takes rights that were read after this change: subscriptions go on, in another role perhaps, or end.
    pub(in crate::live) fn set_rights(&self, rights: &Rights, after: u64) {
        self.known.send_replace(Known { rights: Some(rights.clone()), after });
        for subscriber in self.subscribers().values() {
            match rights.of(subscriber.account) {
                Access::Follower(follower) => subscriber.set_follower(follower),
                Access::Forbidden | Access::Hidden => subscriber.end(EndReason::Revoked),
                Access::Closed => subscriber.end(EndReason::Deleted),
            }
            subscriber.resume(after);
        }
    }

    /// Admits a registered subscriber whose account may follow the feed. `None`: the rights are in doubt; whatever the answer but
    /// [`Access::Follower`], the registration is of no use any more.
    pub(in crate::live) fn admit(&self, subscriber: &Subscriber) -> Option<Access> {
        subscriber.admit();
        let known = self.known.borrow();
        let rights = known.rights.as_ref()?;
        let access = rights.of(subscriber.account);
        if let Access::Follower(follower) = access {
            subscriber.set_follower(follower);
        }
        // After the registration, and after the look: whatever changes later finds the subscriber.
        (known.after == self.changes.load(Ordering::SeqCst)).then_some(access)
    }

    /// Waits until the rights are known as they are after all changes so far.
    pub(in crate::live) async fn rights_known(&self) {
        let latest = self.changes.load(Ordering::SeqCst);
        let _ = self.known.subscribe().wait_for(|known| known.after >= latest).await;
    }

    /// Offers events in order; what comes before its predecessors is kept for a moment.
    ///
    /// Who may have lost the right to follow the feed because of an event is suspended before anybody can see it or a later one.
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
            if let Some(change) = entry.change
                && entry.seq > self.ring().last()
            {
                self.change_rights(change);
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
            self.announce(now);
        }
        if outcome == Offered::Early {
            self.bell.notify_one();
        }
        outcome
    }

    fn gathering(&self) -> MutexGuard<'_, Gathering> {
        self.gathering.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the subscribers for something that has come, at once or soon.
    fn announce(&self, now: Instant) {
        let subscribers = self.subscribers();
        match self.gathering().news(now, subscribers.len()) {
            Wake::Now => subscribers.values().for_each(|one| one.wake()),
            Wake::At(_) => self.gathered.notify_one(),
            Wake::Due => {}
        }
    }

    /// Wakes the subscribers whenever that was put off, for ever.
    pub(in crate::live) async fn wake_later(&self) -> Infallible {
        loop {
            self.gathered.notified().await;
            let due = self.gathering().due();
            if let Some(due) = due {
                sleep_until(due).await;
                self.gathering().wake(Instant::now());
                self.wake_all();
            }
        }
    }

    fn wake_all(&self) {
        self.subscribers().values().for_each(|one| one.wake());
    }

    /// How far Postgres says the feed is.
    pub(in crate::live) fn head(&self) -> i64 {
        self.head.load(Ordering::SeqCst)
    }

    /// How far the feed is known to be, by Postgres or by what has come.
    pub(in crate::live) fn furthest(&self) -> i64 {
        self.head().max(self.ring().last())
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

    /// Lets go of old frames, and has the feed's task see whether NATS is back.
    pub(in crate::live) fn expire(&self, config: &HubConfig) {
        self.ring_mut().expire(Instant::now(), config.ring_age);
        self.bell.notify_one();
    }

    /// Begins anew in another history: every subscription is reset to `head`, and the rights are another history's, too.
    pub(in crate::live) fn restart(&self, head: i64) {
        self.change_rights(Change::Unknown);
        self.head.store(head, Ordering::SeqCst);
        self.ring_mut().restart(head);
        self.wake_all();
    }
}
