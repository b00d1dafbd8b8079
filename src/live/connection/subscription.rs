//! A connection's place in a feed: one for each feed, whatever it subscribes to there.
//!
//! The cursor moves by one. What follows it comes from the feed's ring, or, where the ring has lost it, from pages of
//! history; the two cannot disagree, since both number the same log. A resume, a hole and a peer that was overtaken are
//! therefore one case.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use uuid::Uuid;

use crate::live::{
    connection::lanes::Lanes,
    feed::{
        EndReason, Feed, FeedId,
        closes::Closes,
        frames::Frame,
        pages::Page,
        rights::{Change, Follower},
        ring::{Entry, Lost},
    },
    subscriber::Registration,
    transport::Place,
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
pub(in crate::live) enum Step {
    /// Nothing to send until woken.
    Idle,
    /// Something was put out; there may be more.
    More,
    /// What comes next must be read from Postgres: the page behind this place.
    NeedsPage(i64),
    Ended(EndReason),
    /// The peer is too slow.
    TooSlow,
    /// A place is missing, which law 4 rules out.
    Hole,
}

/// Why a portion was not put out, or not whole.
enum Interrupted {
    /// The feed has begun anew, in this generation.
    Restarted(u32),
    /// The ring has lost what is next.
    Lost,
    By(Step),
}

/// What a subscription starts from.
pub(in crate::live) struct Start {
    /// The registration with the feed.
    pub(in crate::live) registration: Registration,
    /// The last event that the client has.
    pub(in crate::live) cursor: i64,
    /// The feed's head when it began.
    pub(in crate::live) head: i64,
    /// The history that the cursor is a place in.
    pub(in crate::live) epoch: Uuid,
    /// The feed's generation when it was registered.
    pub(in crate::live) generation: u32,
    /// Whether the client wants events.
    pub(in crate::live) events: bool,
    /// Entries in a full page of history.
    pub(in crate::live) page_size: i64,
    /// What the account may do.
    pub(in crate::live) follower: Follower,
}

/// How far the client is in the feed.
struct Progress {
    feed: FeedId,
    epoch: Uuid,
    /// The last event that was put out.
    cursor: i64,
    /// The place behind which it gets events.
    started: i64,
    /// Whether it gets events.
    events: bool,
    /// Workspaces and files that were met at their end.
    closed: Vec<Closes>,
}

impl Progress {
    fn place(&self) -> Place {
        Place { feed: self.feed, epoch: self.epoch, seq: self.cursor }
    }

    /// Puts out entries, each the next.
    fn put<'a>(&mut self, entries: impl Iterator<Item = &'a Entry>, lanes: &mut Lanes) -> Result<(), Step> {
        for entry in entries {
            if entry.seq <= self.cursor {
                continue;
            }
            if entry.seq != self.cursor + 1 {
                return Err(Step::Hole);
            }
            if entry.change == Some(Change::Closed) {
                return Err(Step::Ended(EndReason::Deleted));
            }
            self.cursor = entry.seq;
            self.closed.extend(entry.closes);
            if self.events && entry.seq > self.started {
                lanes.event(entry.frame.clone(), self.place());
            }
        }
        Ok(())
    }
}

/// A connection's place in a feed.
pub(in crate::live) struct Subscription {
    registration: Registration,
    progress: Progress,
    phase: Phase,
    page: Option<Arc<Page>>,
    /// Where the last page ended. Kept without the page: a request may be put off while another feed's page is read.
    page_ended: i64,
    /// Since when it waits for a page: that is not the peer's fault.
    waits_since: Option<Instant>,
    /// Entries in a full page.
    page_size: i64,
    generation: u32,
    /// The head that the client was told last.
    told_head: i64,
    follower: Follower,
    /// Whether the last turn left something to do.
    has_more: bool,
}

impl Subscription {
    pub(in crate::live) fn new(start: Start) -> Self {
        Self {
            progress: Progress {
                feed: start.registration.feed().id,
                epoch: start.epoch,
                cursor: start.cursor,
                started: start.cursor,
                events: start.events,
                closed: Vec::new(),
            },
            phase: Phase::CatchingUp { target: start.head },
            page: None,
            page_ended: 0,
            waits_since: None,
            page_size: start.page_size,
            generation: start.generation,
            told_head: start.head,
            follower: start.follower,
            has_more: true,
            registration: start.registration,
        }
    }

    /// Which feed.
    pub(in crate::live) fn feed_id(&self) -> FeedId {
        self.registration.feed().id
    }

    /// The last event that was put out.
    pub(in crate::live) fn cursor(&self) -> i64 {
        self.progress.cursor
    }

    /// Changes when the feed begins anew.
    pub(in crate::live) fn generation(&self) -> u32 {
        self.generation
    }

    /// Changes when something of the feed is redacted.
    pub(in crate::live) fn redactions(&self) -> u32 {
        self.registration.feed().ring().redactions()
    }

    /// Whether the account has lost the right: nothing may follow, whatever waits.
    pub(in crate::live) fn is_revoked(&self) -> bool {
        self.registration.subscriber().is_revoked()
    }

    /// Where the client is.
    pub(in crate::live) fn place(&self) -> Place {
        self.progress.place()
    }

    /// Whether the client gets events.
    pub(in crate::live) fn sends_events(&self) -> bool {
        self.progress.events
    }

    /// No more events: nobody wants them.
    pub(in crate::live) fn stop_events(&mut self) {
        self.progress.events = false;
    }

    /// What the account may do.
    pub(in crate::live) fn follower(&self) -> Follower {
        self.registration.subscriber().follower()
    }

    /// Whether what the account may do is in doubt for a moment, or it may do nothing any more.
    pub(in crate::live) fn is_in_doubt(&self) -> bool {
        self.registration.subscriber().is_suspended() || self.is_revoked()
    }

    /// The place behind which it has sent everything.
    pub(in crate::live) fn started(&self) -> i64 {
        self.progress.started
    }

    /// Sends events, too: those behind `after`, and says so when it has come to `head`.
    pub(in crate::live) fn start_events(&mut self, after: i64, head: i64) {
        self.progress.events = true;
        self.progress.started = after;
        self.progress.cursor = self.progress.cursor.min(after);
        self.page = None;
        self.page_ended = 0;
        self.waits_since = None;
        self.phase = Phase::CatchingUp { target: head };
        self.has_more = true;
    }

    /// The account's role, if it has become another.
    pub(in crate::live) fn new_role(&mut self) -> Option<&'static str> {
        let follower = self.follower();
        let before = std::mem::replace(&mut self.follower, follower);
        follower.role.filter(|_| before.role != follower.role)
    }

    /// Whether there may be something to do.
    pub(in crate::live) fn take_ready(&mut self) -> bool {
        let is_ready = self.registration.subscriber().take_ready();
        is_ready || self.has_more
    }

    /// It may go on where it had to wait for others of the same connection.
    pub(in crate::live) fn look_again(&mut self) {
        self.has_more = true;
    }

    /// The workspaces and files that were met at their end since the last call.
    pub(in crate::live) fn take_closed(&mut self) -> Vec<Closes> {
        std::mem::take(&mut self.progress.closed)
    }

    /// Whether the feed's ring has moved past it. In the middle of history that is no fault of the peer's.
    pub(in crate::live) fn is_overtaken(&self) -> bool {
        !self.is_catching_up() && self.registration.feed().ring().has_lost(self.progress.cursor)
    }

    /// Whether it is in the middle of history.
    pub(in crate::live) fn is_catching_up(&self) -> bool {
        matches!(self.phase, Phase::CatchingUp { .. })
    }

    /// Takes in a page of history.
    pub(in crate::live) fn supply(&mut self, page: &Arc<Page>) {
        self.has_more = true;
        if let Some(waited) = self.waits_since.take()
            && let Phase::Overtaken { since } = &mut self.phase
        {
            *since += waited.elapsed();
        }
        if page.key.generation == self.generation && page.key.after <= self.progress.cursor && !page.entries.is_empty()
        {
            self.page = Some(Arc::clone(page));
        }
    }

    /// Where the next page begins: behind the one before, where that has ended, or where all pages begin.
    fn next_page(&mut self) -> i64 {
        if let Some(page) = self.page.take() {
            self.page_ended = page.last();
        }
        let (ended, cursor) = (self.page_ended, self.progress.cursor);
        let is_near = ended <= cursor && ended > cursor - self.page_size;
        if is_near { ended } else { cursor - cursor % self.page_size }
    }

    /// Puts out the next portion. `epoch` tells the current history, for a reset.
    pub(in crate::live) fn advance(
        &mut self,
        now: Instant,
        slow_grace: Duration,
        epoch: impl Fn() -> Uuid,
        lanes: &mut Lanes,
    ) -> Step {
        let step = self.step(now, slow_grace, epoch, lanes);
        self.has_more = step == Step::More;
        step
    }

    fn step(&mut self, now: Instant, slow_grace: Duration, epoch: impl Fn() -> Uuid, lanes: &mut Lanes) -> Step {
        if self.registration.subscriber().is_suspended() {
            return Step::Idle;
        }
        // In this order: whoever sets the rights marks it revoked before it is resumed.
        if self.is_revoked() {
            return Step::Ended(EndReason::Revoked);
        }
        let before = self.progress.cursor;
        match self.put_portion(now, slow_grace, lanes) {
            Ok(()) => {}
            Err(Interrupted::Restarted(generation)) => {
                self.restart(generation, epoch(), lanes);
                return Step::More;
            }
            Err(Interrupted::Lost) => {
                self.waits_since.get_or_insert(now);
                return Step::NeedsPage(self.next_page());
            }
            Err(Interrupted::By(step)) => return step,
        }
        let caught_up = self.settle(lanes);
        if self.progress.cursor > before || caught_up {
            return Step::More;
        }
        let is_over = self.registration.subscriber().is_deleted() && self.progress.cursor >= self.feed().head();
        if is_over { Step::Ended(EndReason::Deleted) } else { Step::Idle }
    }

    fn feed(&self) -> &Feed {
        self.registration.feed()
    }

    /// Puts out what is behind the cursor; nothing when there is nothing yet.
    fn put_portion(&mut self, now: Instant, slow_grace: Duration, lanes: &mut Lanes) -> Result<(), Interrupted> {
        let Self { registration, progress, page, phase, generation, waits_since, .. } = self;
        let ring = registration.feed().ring();
        // Under the lock: who may lose the right by an entry was suspended before the entry was appended.
        let subscriber = registration.subscriber();
        if subscriber.is_suspended() || subscriber.is_revoked() {
            return Err(Interrupted::By(Step::Idle));
        }
        if ring.generation() != *generation {
            return Err(Interrupted::Restarted(ring.generation()));
        }
        // What was redacted since a page was read may be in it.
        if page.as_deref().is_some_and(|page| page.key.redactions != ring.redactions()) {
            *page = None;
        }
        let (cursor, last) = (progress.cursor, ring.last());
        // A page can be ahead of the feed: what that has not had yet may take the right to see what follows.
        if let Some(page) = page.as_deref().filter(|page| page.last() > cursor && cursor < last) {
            drop(ring);
            let sent = page.entries.partition_point(|entry| entry.seq <= cursor);
            let shown = page.entries[sent..].iter().take_while(|entry| entry.seq <= last);
            return progress.put(shown.take(PORTION), lanes).map_err(Interrupted::By);
        }
        match (ring.behind(cursor), *phase) {
            (Ok(entries), _) => {
                progress.put(entries.take(PORTION), lanes).map_err(Interrupted::By)?;
                if cursor >= last && matches!(phase, Phase::Overtaken { .. }) {
                    *phase = Phase::Live;
                }
                *page = None;
                *waits_since = None;
                Ok(())
            }
            (Err(Lost), Phase::Overtaken { since }) if waits_since.is_none() && now - since > slow_grace => {
                Err(Interrupted::By(Step::TooSlow))
            }
            (Err(Lost), Phase::Live) => {
                *phase = Phase::Overtaken { since: now };
                Err(Interrupted::Lost)
            }
            (Err(Lost), _) => Err(Interrupted::Lost),
        }
    }

    fn settle(&mut self, lanes: &mut Lanes) -> bool {
        let Phase::CatchingUp { target } = self.phase else { return false };
        if self.progress.cursor < target {
            return false;
        }
        self.phase = Phase::Live;
        self.tell_caught_up(lanes);
        true
    }

    /// Says that history is done, if it is.
    pub(in crate::live) fn tell_caught_up(&self, lanes: &mut Lanes) {
        if !self.is_catching_up() {
            let frame = Frame::CaughtUp { feed: self.feed_id(), seq: self.progress.cursor }.text();
            lanes.durable(self.feed_id(), frame, None);
        }
    }

    /// Says how far the feed is, if it has moved since that was said last.
    pub(in crate::live) fn announce(&mut self, lanes: &mut Lanes) {
        let head = self.feed().furthest().max(self.progress.cursor);
        let may_tell = self.phase == Phase::Live && !self.is_in_doubt();
        if may_tell && head > self.told_head {
            self.told_head = head;
            lanes.durable(self.feed_id(), Frame::Head { feed: self.feed_id(), seq: head }.text(), None);
        }
    }

    /// Another history: what the client has is worth nothing, and so is its place.
    fn restart(&mut self, generation: u32, epoch: Uuid, lanes: &mut Lanes) {
        let head = self.feed().head();
        self.generation = generation;
        self.progress.epoch = epoch;
        self.progress.cursor = head;
        self.progress.started = head;
        self.told_head = head;
        self.phase = Phase::Live;
        self.page = None;
        self.page_ended = 0;
        self.waits_since = None;
        lanes.durable(self.feed_id(), Frame::Reset { feed: self.feed_id(), epoch, head }.text(), Some(self.place()));
    }
}
