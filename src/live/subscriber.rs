//! A socket as a feed knows it: how the feed reaches it, and what the feed's rights say of it.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use workroom_domain::ids::AccountId;

use crate::live::{
    feed::{
        EndReason, Feed,
        rights::{Access, Follower},
    },
    signal::{Signal, reason},
};

/// What a feed knows of one subscription.
pub(in crate::live) struct Subscriber {
    /// Whose.
    pub(in crate::live) account: AccountId,
    signal: Arc<Signal>,
    /// Whether the feed has something that the connection has not looked at.
    ready: AtomicBool,
    /// The change of rights that must be looked into before anything is sent; 0: none.
    suspended_by: AtomicU64,
    admitted: AtomicBool,
    revoked: AtomicBool,
    deleted: AtomicBool,
    follower: Mutex<Follower>,
}

impl Subscriber {
    /// For a subscription that is not admitted yet.
    pub(in crate::live) fn new(account: AccountId, signal: Arc<Signal>) -> Self {
        Self {
            account,
            signal,
            ready: AtomicBool::new(true),
            suspended_by: AtomicU64::new(0),
            admitted: AtomicBool::new(false),
            revoked: AtomicBool::new(false),
            deleted: AtomicBool::new(false),
            follower: Mutex::default(),
        }
    }

    /// Holds back what follows until the rights after this change are known.
    pub(in crate::live) fn suspend(&self, change: u64) {
        self.suspended_by.fetch_max(change, Ordering::SeqCst);
    }

    /// Lets it go on, if nothing has happened since this change.
    pub(in crate::live) fn resume(&self, change: u64) {
        let resumed =
            self.suspended_by.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |by| (by <= change).then_some(0));
        if resumed.is_ok_and(|by| by > 0) {
            self.wake();
        }
    }

    /// Whether nothing may follow before the rights are known.
    pub(in crate::live) fn is_suspended(&self) -> bool {
        self.suspended_by.load(Ordering::SeqCst) > 0
    }

    /// From now on the feed's rights decide whether it goes on. Before that, whoever looks into it does.
    pub(in crate::live) fn admit(&self) {
        self.admitted.store(true, Ordering::SeqCst);
    }

    /// Ends it, if it was admitted.
    pub(in crate::live) fn end(&self, why: EndReason) {
        if !self.admitted.load(Ordering::SeqCst) {
            return;
        }
        match why {
            EndReason::Revoked => self.revoked.store(true, Ordering::SeqCst),
            EndReason::Deleted => self.deleted.store(true, Ordering::SeqCst),
        }
        self.ready.store(true, Ordering::SeqCst);
        self.signal.raise(reason::RIGHTS | reason::FEED);
    }

    /// Whether the account has lost the right.
    pub(in crate::live) fn is_revoked(&self) -> bool {
        self.revoked.load(Ordering::SeqCst)
    }

    /// Whether there is nothing left to follow.
    pub(in crate::live) fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::SeqCst)
    }

    /// What the account may do.
    pub(in crate::live) fn follower(&self) -> Follower {
        *self.follower.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets what the account may do.
    pub(in crate::live) fn set_follower(&self, follower: Follower) {
        let before = std::mem::replace(&mut *self.follower.lock().unwrap_or_else(PoisonError::into_inner), follower);
        if before != follower {
            self.signal.raise(reason::RIGHTS);
        }
    }

    /// Something may have come.
    pub(in crate::live) fn wake(&self) {
        self.ready.store(true, Ordering::SeqCst);
        self.signal.raise(reason::FEED);
    }

    /// Whether something may have come since the last call.
    pub(in crate::live) fn take_ready(&self) -> bool {
        self.ready.swap(false, Ordering::SeqCst)
    }
}

/// A subscriber's registration with a feed; ended when dropped.
pub(in crate::live) struct Registration {
    feed: Arc<Feed>,
    subscriber: Arc<Subscriber>,
    number: u64,
}

impl Registration {
    pub(in crate::live) fn new(feed: Arc<Feed>, subscriber: Arc<Subscriber>, number: u64) -> Self {
        Self { feed, subscriber, number }
    }

    /// The feed.
    pub(in crate::live) fn feed(&self) -> &Feed {
        &self.feed
    }

    /// Admits the subscriber, if its account may follow the feed: see [`Feed::admit`].
    pub(in crate::live) fn admit(&self) -> Option<Access> {
        self.feed.admit(&self.subscriber)
    }

    /// The subscriber.
    pub(in crate::live) fn subscriber(&self) -> &Subscriber {
        &self.subscriber
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.feed.unregister(self.number);
    }
}
