//! A socket as a feed knows it: how the feed reaches it, and the flag that events of a membership set.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, Ordering},
};

use tokio::sync::Notify;
use workroom_domain::ids::AccountId;

use crate::live::feed::{
    Feed,
    revocation::{EndReason, Revocation},
};

/// What a feed knows of one subscription.
pub(in crate::live) struct Subscriber {
    pub(in crate::live) account: AccountId,
    wake: Arc<Notify>,
    revoked_at: AtomicI64,
    deleted: AtomicBool,
    admitted: AtomicBool,
}

/// Later than any event of a membership.
const NOW: i64 = i64::MAX;

impl Subscriber {
    /// For a subscription that is not authorized yet.
    pub(in crate::live) fn new(account: AccountId, wake: Arc<Notify>) -> Self {
        Self {
            account,
            wake,
            revoked_at: AtomicI64::new(0),
            deleted: AtomicBool::new(false),
            admitted: AtomicBool::new(false),
        }
    }

    /// Takes note of a revocation, if it is of this account.
    pub(in crate::live) fn revoke(&self, revocation: Revocation) {
        // The end of the project is no secret: it is met in its place, behind the events that led to it.
        if revocation.account == Some(self.account) {
            self.revoked_at.fetch_max(revocation.sequence, Ordering::SeqCst);
            self.wake.notify_one();
        }
    }

    /// Ends it, whatever the membership's sequence: the database says so.
    pub(in crate::live) fn end(&self, why: EndReason) {
        match why {
            EndReason::Revoked => self.revoked_at.store(NOW, Ordering::SeqCst),
            EndReason::Deleted => self.deleted.store(true, Ordering::SeqCst),
        }
        self.wake.notify_one();
    }

    /// Whether a subscription that was authorized by the membership as of `authorized` was revoked since.
    pub(in crate::live) fn is_revoked(&self, authorized: i64) -> bool {
        self.revoked_at.load(Ordering::SeqCst) > authorized
    }

    /// Whether the database says that there is nothing left to watch.
    pub(in crate::live) fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::SeqCst)
    }

    /// From now on the database is asked whether it still may be there.
    pub(in crate::live) fn admit(&self) {
        self.admitted.store(true, Ordering::SeqCst);
    }

    /// Whether it was authorized.
    pub(in crate::live) fn is_admitted(&self) -> bool {
        self.admitted.load(Ordering::SeqCst)
    }

    /// Something may have come.
    pub(in crate::live) fn wake(&self) {
        self.wake.notify_one();
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

    pub(in crate::live) fn feed(&self) -> &Feed {
        &self.feed
    }

    pub(in crate::live) fn subscriber(&self) -> &Subscriber {
        &self.subscriber
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.feed.unregister(self.number);
    }
}
