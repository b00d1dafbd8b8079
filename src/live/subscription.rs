//! One subscription of one socket: a cursor into a feed.
//!
//! The cursor moves by one. What follows it comes from the feed's ring, or, where the ring has lost it, from pages of
//! history; the two cannot disagree, since both number the same log. A resume, a hole and a peer that was overtaken are
//! therefore one case.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;
use uuid::Uuid;
use workroom_domain::ids::{AccountId, ProjectId};

use super::{
    feed::Feed,
    frames::Frame,
    membership::Cut,
    outbox::Outbox,
    ring::{Entry, Pulled},
    seat::Seated,
};

/// Entries that are taken from the ring at a time.
const PORTION: usize = 64;

/// How far a subscription is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Sending history up to `target`.
    CatchingUp { target: i64 },
    /// Sending what comes.
    Live,
    /// Was live, and the ring has moved past it.
    Overtaken { since: Instant },
}

/// What a turn of a subscription came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing to send until woken.
    Idle,
    /// Something was put out; there may be more.
    More,
    /// What comes next must be read from Postgres.
    NeedsPage,
    /// Over.
    Ended(Cut),
    /// The peer is too slow.
    TooSlow,
    /// A place is missing, which law 4 rules out.
    Hole,
}

/// What a subscription starts from.
pub(super) struct Start {
    /// The seat at the feed.
    pub(super) seated: Seated,
    /// The membership's sequence that allowed it.
    pub(super) authorized: i64,
    /// The last event that the client has.
    pub(super) cursor: i64,
    /// The feed's head when it began.
    pub(super) head: i64,
    /// The feed's generation when the seat was taken.
    pub(super) generation: u32,
    /// Whether the client wants events.
    pub(super) events: bool,
}

/// One subscription of one socket.
pub(super) struct Subscription {
    seated: Seated,
    authorized: i64,
    account: AccountId,
    cursor: i64,
    phase: Phase,
    page: VecDeque<Entry>,
    generation: u32,
    announced: u32,
    events: bool,
}

impl Subscription {
    /// Begins.
    pub(super) fn new(start: Start) -> Self {
        Self {
            account: start.seated.seat().account,
            authorized: start.authorized,
            cursor: start.cursor,
            phase: Phase::CatchingUp { target: start.head },
            page: VecDeque::new(),
            generation: start.generation,
            announced: start.seated.feed().announcement(),
            events: start.events,
            seated: start.seated,
        }
    }

    /// The project, which is the feed.
    pub(super) fn project_id(&self) -> ProjectId {
        self.seated.feed().id
    }

    /// The last event that was put out.
    pub(super) fn cursor(&self) -> i64 {
        self.cursor
    }

    /// Changes when the feed begins anew.
    pub(super) fn generation(&self) -> u32 {
        self.generation
    }

    /// Whether the account has lost the right: nothing may follow, whatever waits.
    pub(super) fn is_revoked(&self) -> bool {
        self.seated.seat().is_revoked(self.authorized)
    }

    /// Whether the feed's ring has moved past it. In the middle of history that is no fault of the peer's.
    pub(super) fn is_overtaken(&self) -> bool {
        !matches!(self.phase, Phase::CatchingUp { .. }) && self.seated.feed().ring().has_lost(self.cursor)
    }

    /// Takes in a page of history that was read behind `after`.
    pub(super) fn supply(&mut self, after: i64, generation: u32, entries: Vec<Entry>) {
        if after == self.cursor && generation == self.generation && self.page.is_empty() {
            self.page = entries.into();
        }
    }

    /// Puts out the next portion. `epoch` is the current history, for a reset.
    pub(super) fn advance(&mut self, now: Instant, slow_grace: Duration, epoch: Uuid, outbox: &mut Outbox) -> Turn {
        if self.is_revoked() {
            return Turn::Ended(Cut::Revoked);
        }
        let generation = self.feed().ring().generation();
        if generation != self.generation {
            self.restart(generation, epoch, outbox);
            return Turn::More;
        }
        let portion = match self.next_portion(now, slow_grace) {
            Ok(portion) => portion,
            Err(turn) => return turn,
        };
        let is_empty = portion.is_empty();
        for entry in portion {
            if let Some(turn) = self.put(entry, outbox) {
                return turn;
            }
        }
        let caught_up = self.settle(outbox);
        let announced = is_empty && self.announce(outbox);
        if !is_empty || caught_up || announced {
            return Turn::More;
        }
        let is_over = self.seated.seat().is_deleted() && self.cursor >= self.feed().head();
        if is_over { Turn::Ended(Cut::Deleted) } else { Turn::Idle }
    }

    fn feed(&self) -> &Feed {
        self.seated.feed()
    }

    /// Entries behind the cursor; none when there are none yet.
    fn next_portion(&mut self, now: Instant, slow_grace: Duration) -> Result<Vec<Entry>, Turn> {
        if !self.page.is_empty() {
            let portion = self.page.len().min(PORTION);
            let entries = self.page.drain(..portion).collect();
            if self.page.is_empty() {
                self.page = VecDeque::new();
            }
            return Ok(entries);
        }
        let mut entries = Vec::new();
        let pulled = self.feed().ring().pull(self.cursor, PORTION, &mut entries);
        match (pulled, self.phase) {
            (Pulled::Nothing, Phase::Overtaken { .. }) => self.phase = Phase::Live,
            (Pulled::Some | Pulled::Nothing, _) => {}
            (Pulled::Lost, Phase::Live) => {
                self.phase = Phase::Overtaken { since: now };
                return Err(Turn::NeedsPage);
            }
            (Pulled::Lost, Phase::Overtaken { since }) if now - since > slow_grace => return Err(Turn::TooSlow),
            (Pulled::Lost, _) => return Err(Turn::NeedsPage),
        }
        Ok(entries)
    }

    fn put(&mut self, entry: Entry, outbox: &mut Outbox) -> Option<Turn> {
        if entry.seq <= self.cursor {
            return None;
        }
        if entry.seq != self.cursor + 1 {
            return Some(Turn::Hole);
        }
        // A page of history can be ahead of the feed's task, and so of the seat's flag.
        if let Some(cut) = entry.loss.and_then(|loss| loss.cuts(self.account, self.authorized)) {
            return Some(Turn::Ended(cut));
        }
        self.cursor = entry.seq;
        if self.events {
            outbox.durable(self.project_id(), entry.frame);
        }
        None
    }

    fn settle(&mut self, outbox: &mut Outbox) -> bool {
        let Phase::CatchingUp { target } = self.phase else { return false };
        if self.cursor < target {
            return false;
        }
        self.phase = Phase::Live;
        outbox.durable(self.project_id(), Frame::CaughtUp { project_id: self.project_id(), seq: self.cursor }.text());
        true
    }

    fn announce(&mut self, outbox: &mut Outbox) -> bool {
        let announcement = self.feed().announcement();
        if announcement == self.announced || self.phase != Phase::Live {
            return false;
        }
        self.announced = announcement;
        let seq = self.feed().head().max(self.cursor);
        outbox.durable(self.project_id(), Frame::Head { project_id: self.project_id(), seq }.text());
        true
    }

    /// Another history: what the client has is worth nothing, and the membership is counted anew.
    fn restart(&mut self, generation: u32, epoch: Uuid, outbox: &mut Outbox) {
        let head = self.feed().head();
        self.generation = generation;
        self.cursor = head;
        self.authorized = 0;
        self.phase = Phase::Live;
        self.page = VecDeque::new();
        outbox.durable(self.project_id(), Frame::Reset { project_id: self.project_id(), epoch, head }.text());
    }
}
