//! A socket's seat at a feed: how the feed reaches it, and the flag that membership events flip.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, Ordering},
};

use tokio::sync::Notify;
use workroom_domain::ids::AccountId;

use super::{
    feed::Feed,
    membership::{Cut, Loss},
};

/// What a feed knows of one subscription.
pub(super) struct Seat {
    /// Whose.
    pub(super) account: AccountId,
    wake: Arc<Notify>,
    revoked_at: AtomicI64,
    deleted: AtomicBool,
    admitted: AtomicBool,
}

/// Later than any event of a membership.
const NOW: i64 = i64::MAX;

impl Seat {
    /// For a subscription that is not authorized yet.
    pub(super) fn new(account: AccountId, wake: Arc<Notify>) -> Self {
        Self {
            account,
            wake,
            revoked_at: AtomicI64::new(0),
            deleted: AtomicBool::new(false),
            admitted: AtomicBool::new(false),
        }
    }

    /// Takes note of a loss, if it concerns this seat.
    pub(super) fn lose(&self, loss: Loss) {
        // The end of the project is no secret: it is met in its place, behind the events that led to it.
        if loss.account == Some(self.account) {
            self.revoked_at.fetch_max(loss.sequence, Ordering::SeqCst);
            self.wake.notify_one();
        }
    }

    /// Ends it, whatever the membership's sequence: the database says so.
    pub(super) fn end(&self, cut: Cut) {
        match cut {
            Cut::Revoked => self.revoked_at.store(NOW, Ordering::SeqCst),
            Cut::Deleted => self.deleted.store(true, Ordering::SeqCst),
        }
        self.wake.notify_one();
    }

    /// Whether a subscription that was authorized by the membership as of `authorized` was revoked since.
    pub(super) fn is_revoked(&self, authorized: i64) -> bool {
        self.revoked_at.load(Ordering::SeqCst) > authorized
    }

    /// Whether the database says that there is nothing left to watch.
    pub(super) fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::SeqCst)
    }

    /// From now on the database is asked whether it still may be there.
    pub(super) fn admit(&self) {
        self.admitted.store(true, Ordering::SeqCst);
    }

    /// Whether it was authorized.
    pub(super) fn is_admitted(&self) -> bool {
        self.admitted.load(Ordering::SeqCst)
    }

    /// Something may have come.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }
}

/// A seat taken; left when dropped.
pub(super) struct Seated {
    feed: Arc<Feed>,
    seat: Arc<Seat>,
    number: u64,
}

impl Seated {
    pub(super) fn new(feed: Arc<Feed>, seat: Arc<Seat>, number: u64) -> Self {
        Self { feed, seat, number }
    }

    /// The feed.
    pub(super) fn feed(&self) -> &Feed {
        &self.feed
    }

    /// The seat.
    pub(super) fn seat(&self) -> &Seat {
        &self.seat
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        self.feed.leave(self.number);
    }
}
