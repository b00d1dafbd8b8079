//! One client, one task: what it says, what it is sent, timers, subscriptions and rooms in one loop, whatever the transport.
//!
//! The task sleeps on one waker. Whoever has something for it raises a bit of its [`Signal`], and a mark at what is ready: so a wake
//! costs what has come, and not what could have.

pub(in crate::live) mod close;
mod dispatch;
mod lanes;
mod messages;
mod said;
mod subscribe;
mod subscription;
mod timers;
pub(in crate::live) mod token_bucket;

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::{FutureExt, StreamExt, stream::FuturesUnordered};
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout};
use uuid::Uuid;

use crate::{
    backoff::share,
    identity::{Caller, Watch},
    live::{
        Live,
        connection::{
            close::Close,
            lanes::{Io, Lanes},
            subscription::{Step, Subscription},
            timers::{Due, Timers},
            token_bucket::TokenBucket,
        },
        feed::{
            EndReason, FeedId,
            frames::{Frame, MessageId, Reply, Topic},
            pages::{Page, PageKey, Reading},
        },
        history_permits::HistoryPermit,
        hub::Connected,
        output::OutputView,
        room::Visit,
        signal::{Signal, reason},
        socket_quota::SocketPermit,
        transport::{Failure, Incoming, Transport},
    },
};

pub(in crate::live) use messages::Since;
pub(in crate::live) use subscribe::{Admitted, Refused, Wanted, admit};

/// Turns of all subscriptions before the loop looks at the rest of the world.
const TURNS: usize = 4;
/// Frames that are taken from a room at a time.
const ROOM_PORTION: usize = 64;
/// How long the peer may take to hang up after its close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A subscription that is being looked into.
pub(in crate::live) struct Pending {
    pub(in crate::live) topic: Topic,
    pub(in crate::live) number: u64,
    /// The message that asked for it.
    pub(in crate::live) id: Option<MessageId>,
    /// Whether its workspace or file was deleted meanwhile.
    pub(in crate::live) is_over: bool,
}

/// What came of looking into a subscription, by its number.
pub(in crate::live) type Admission = (u64, Result<Admitted, Refused>);
/// A page of history that waits for a permit to be sent.
type WaitingPage = Pin<Box<dyn Future<Output = (HistoryPermit, Arc<Page>)> + Send>>;
type Admissions = FuturesUnordered<Pin<Box<dyn Future<Output = Admission> + Send>>>;

/// Something that the client has subscribed to.
pub(in crate::live) struct Joined {
    pub(in crate::live) topic: Topic,
    /// Whether it wants events by this.
    pub(in crate::live) events: bool,
    /// The stay in the room, if it has one.
    pub(in crate::live) visit: Option<Visit>,
    /// What it has seen of what jobs print, if it wants that.
    pub(in crate::live) output: Option<OutputView>,
}

/// How a connection ends.
enum End {
    /// We end it.
    Ours(Close),
    /// The peer has ended it.
    Theirs,
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Broken(close) => Self::Ours(close),
            Failure::Gone => Self::Theirs,
        }
    }
}

/// Why the loop goes on.
enum Woken {
    By(u32),
    Io(Io),
    Admission(Admission),
    Page(Arc<Page>),
    Permit(HistoryPermit, Arc<Page>),
    OnTime,
}

/// One client.
pub(in crate::live) struct Connection {
    pub(in crate::live) live: Live,
    pub(in crate::live) connection_id: Uuid,
    pub(in crate::live) caller: Option<Caller>,
    /// Tells when what the caller came with ends before its time.
    pub(in crate::live) watch: Option<Watch>,
    /// Counts it as one of the account's sockets.
    pub(in crate::live) permit: Option<SocketPermit>,
    /// Counts it as one that nobody has signed in to.
    pub(in crate::live) anonymous: Option<Box<[SocketPermit; 2]>>,
    pub(in crate::live) lanes: Lanes,
    pub(in crate::live) timers: Timers,
    /// Places in feeds, one for each.
    pub(in crate::live) subscriptions: Vec<Subscription>,
    /// What was subscribed to.
    pub(in crate::live) joined: Vec<Joined>,
    /// Subscriptions that are being looked into.
    pub(in crate::live) pending: Vec<Pending>,
    pub(in crate::live) admissions: Admissions,
    pub(in crate::live) next_admission: u64,
    pub(in crate::live) signal: Arc<Signal>,
    pub(in crate::live) messages: TokenBucket,
    pub(in crate::live) ephemeral: TokenBucket,
    pub(in crate::live) published: TokenBucket,
    pub(in crate::live) errors: TokenBucket,
    /// Nothing is read before that.
    pub(in crate::live) reads_at: Option<Instant>,
    transport: Box<dyn Transport>,
    reading: Option<Reading>,
    /// What it has read, until it may send it.
    waiting_page: Option<WaitingPage>,
    /// Held while it sends history.
    sends_history: Option<HistoryPermit>,
    /// Whose turn it is, so that no project waits behind another's history.
    turn: usize,
    /// Why it was woken, as far as it has not been looked into.
    reasons: u32,
    /// Whether something may be ready in a feed, and in a room.
    feeds_ready: bool,
    rooms_ready: bool,
    /// Whether the peer answers, as far as is known.
    is_awake: bool,
    _connected: Connected,
}

impl Connection {
    /// A connection that has just opened, with what its request proved, and with what wakes it. In a box: a future that owns it would
    /// hold room for it in each of its parts.
    pub(in crate::live) fn new(
        live: Live,
        transport: Box<dyn Transport>,
        caller: Option<Caller>,
        signal: Arc<Signal>,
    ) -> Box<Self> {
        let now = Instant::now();
        let limits = &live.limits;
        let connection_id = Uuid::now_v7();
        Box::new(Self {
            connection_id,
            caller,
            watch: None,
            permit: None,
            anonymous: None,
            lanes: Lanes::default(),
            timers: Timers::new(now, limits, !transport.is_one_way()),
            subscriptions: Vec::new(),
            joined: Vec::new(),
            pending: Vec::new(),
            admissions: FuturesUnordered::new(),
            next_admission: 0,
            messages: TokenBucket::new(limits.messages_per_second, limits.message_burst, now),
            ephemeral: TokenBucket::new(limits.ephemeral_per_second, limits.ephemeral_burst, now),
            published: TokenBucket::new(
                limits.published_per_second,
                limits.published_per_second.saturating_mul(2),
                now,
            ),
            errors: TokenBucket::new(1, limits.error_burst, now),
            reads_at: None,
            transport,
            reading: None,
            waiting_page: None,
            sends_history: None,
            turn: 0,
            reasons: 0,
            feeds_ready: false,
            rooms_ready: false,
            is_awake: true,
            _connected: live.hub.connect(connection_id, &signal),
            signal,
            live,
        })
    }

    /// Counts it with these permits until somebody has signed in.
    pub(in crate::live) fn until_signed_in(
        mut self: Box<Self>,
        anonymous: Option<Box<[SocketPermit; 2]>>,
    ) -> Box<Self> {
        self.anonymous = anonymous;
        self
    }

    /// Runs until the peer or the gateway ends it.
    pub(in crate::live) async fn run(mut self: Box<Self>) {
        let end = match self.caller.map_or(Ok(()), |caller| self.welcome(caller, None)) {
            Ok(()) => self.serve().await,
            Err(close) => End::Ours(close),
        };
        self.joined.clear();
        self.subscriptions.clear();
        self.admissions.clear();
        self.reading = None;
        self.waiting_page = None;
        self.sends_history = None;
        match end {
            End::Ours(close) => {
                tracing::debug!(connection_id = %self.connection_id, code = close.code(), "a connection is closed");
                // Boxed, as whatever is awaited seldom: each idle connection would have room for it.
                Box::pin(self.finish(close)).await;
            }
            End::Theirs => {
                let end = poll_fn(|context| self.transport.poll_end(context));
                let _ = Box::pin(timeout(CLOSE_TIMEOUT, end)).await;
            }
        }
    }

    async fn serve(&mut self) -> End {
        let timer = sleep_until(self.timers.next());
        tokio::pin!(timer);
        loop {
            if let Err(close) = self.review() {
                return End::Ours(close);
            }
            rearm(timer.as_mut(), self.timers.next());
            let step = match poll_fn(|context| self.poll(timer.as_mut(), context)).await {
                Woken::By(reasons) => self.on_signal(reasons).map_err(End::Ours),
                Woken::Io(Io::Drained) => Ok(()),
                Woken::Io(Io::Received(incoming)) => self.receive(incoming).await,
                Woken::Io(Io::Failed(failure)) => Err(failure.into()),
                Woken::Admission(admission) => {
                    self.admitted(admission);
                    Ok(())
                }
                Woken::Page(page) => {
                    let permit = self.live.hub.history_permits().next();
                    self.waiting_page = Some(Box::pin(async move { (permit.await, page) }));
                    Ok(())
                }
                Woken::Permit(permit, page) => {
                    self.sends_history = Some(permit);
                    self.supply(&page);
                    Ok(())
                }
                Woken::OnTime => self.on_time().map_err(End::Ours),
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    fn poll(&mut self, timer: Pin<&mut Sleep>, context: &mut Context<'_>) -> Poll<Woken> {
        while let Poll::Ready(reasons) = self.signal.poll(context) {
            self.reasons |= reasons;
        }
        // What has come can wait as long as something is on its way; nothing else can, and neither can a peer that takes nothing.
        let is_urgent = self.reasons & !(reason::FEED | reason::ROOM) != 0;
        let is_stalled = self.lanes.blocked_since().is_some_and(|since| since.elapsed() >= self.live.limits.stall);
        if is_urgent || (self.reasons != 0 && (is_stalled || self.lanes.wants_ephemeral())) {
            return Poll::Ready(Woken::By(std::mem::take(&mut self.reasons)));
        }
        let reads = self.reads_at.is_none();
        if let Poll::Ready(io) = self.lanes.poll(self.transport.as_mut(), reads, context) {
            return Poll::Ready(Woken::Io(io));
        }
        if self.lanes.blocked_since().is_some() && !self.timers.is_looking() {
            // Just now it has begun to take nothing.
            return Poll::Ready(Woken::By(0));
        }
        if self.feeds_ready && self.lanes.wants_durable() {
            // The last turns put nothing out, and there is more.
            return Poll::Ready(Woken::By(0));
        }
        if !self.admissions.is_empty()
            && let Poll::Ready(Some(admission)) = self.admissions.poll_next_unpin(context)
        {
            return Poll::Ready(Woken::Admission(admission));
        }
        if let Some(reading) = &mut self.reading
            && let Poll::Ready(page) = reading.poll_unpin(context)
        {
            self.reading = None;
            return Poll::Ready(Woken::Page(page));
        }
        if let Some(waiting) = &mut self.waiting_page
            && let Poll::Ready((permit, page)) = waiting.poll_unpin(context)
        {
            self.waiting_page = None;
            return Poll::Ready(Woken::Permit(permit, page));
        }
        timer.poll(context).map(|()| Woken::OnTime)
    }

    fn on_signal(&mut self, reasons: u32) -> Result<(), Close> {
        if reasons & reason::CREDENTIAL != 0 && self.watch.as_ref().is_some_and(Watch::has_ended) {
            return Err(Close::SessionEnded);
        }
        if reasons & reason::STOP != 0 {
            // A few may come back at once.
            let jitter = self.live.limits.restart_jitter.min(Duration::from_millis(self.live.hub.sockets() as u64));
            let jitter = jitter.mul_f64(share());
            self.timers.restart_at(Instant::now() + jitter);
        }
        if reasons & reason::RIGHTS != 0 {
            self.review_rights()?;
        }
        self.feeds_ready |= reasons & (reason::FEED | reason::RIGHTS) != 0;
        self.rooms_ready |= reasons & reason::ROOM != 0;
        Ok(())
    }

    async fn receive(&mut self, incoming: Incoming) -> Result<(), End> {
        if matches!(incoming, Incoming::Gone) {
            return Err(End::Theirs);
        }
        self.timers.received(Instant::now(), &self.live.limits);
        if !self.is_awake {
            self.set_awake(true);
        }
        // What a message asks for can take time, and others wait for the permit.
        self.sends_history = None;
        match incoming {
            Incoming::Text(text) => Box::pin(self.dispatch(&text)).await,
            Incoming::Binary => {
                self.count().and_then(|()| self.reject("binary frames are not part of the protocol", None))
            }
            Incoming::Alive | Incoming::Gone => Ok(()),
        }
        .map_err(End::Ours)
    }

    fn on_time(&mut self) -> Result<(), Close> {
        let now = Instant::now();
        while let Some(due) = self.timers.due(now, &self.live.limits) {
            match due {
                Due::Restart => return Err(Close::Restarting),
                Due::NoSignIn => return Err(Close::NoSignIn),
                Due::Silent => return Err(Close::Silent),
                Due::GraceOver => return Err(Close::TokenExpired),
                Due::Expired => self.error("token_expiring", "the access token has expired; send refresh", None, None),
                Due::Absent => self.set_awake(false),
                Due::Ping => {
                    self.lanes.ping();
                    self.subscriptions.iter_mut().for_each(|one| one.announce(&mut self.lanes));
                }
                Due::Look | Due::GoOn => {}
            }
        }
        if self.reads_at.is_some_and(|at| at <= now) {
            self.reads_at = None;
        }
        Ok(())
    }

    /// After every step: who is too slow, and what there is to send.
    fn review(&mut self) -> Result<(), Close> {
        if self.lanes.control_len() > self.live.limits.control_frames {
            return Err(Close::TooSlow);
        }
        if let Some(since) = self.lanes.blocked_since() {
            self.sends_history = None;
            return self.review_blocked(since);
        }
        self.timers.look_at(None);
        if self.feeds_ready && self.lanes.wants_durable() {
            self.refill(Instant::now())?;
        }
        if self.lanes.wants_durable() {
            self.sends_history = None;
        }
        if self.rooms_ready && self.lanes.wants_ephemeral() {
            self.refill_from_rooms();
        }
        if self.transport.is_one_way() && self.joined.is_empty() && self.lanes.wants_durable() {
            // Nobody can subscribe to anything else here.
            return Err(Close::AccessRevoked);
        }
        Ok(())
    }

    /// The peer takes nothing: whether it has for too long.
    fn review_blocked(&mut self, since: Instant) -> Result<(), Close> {
        let limits = &self.live.limits;
        let blocked = Instant::now() - since;
        let is_stalled = |one: &Subscription| one.is_overtaken() && blocked >= limits.stall;
        // Whoever is in the middle of history has had no chance to keep up, but holds a page of it.
        let is_stuck = |one: &Subscription| one.is_catching_up() && blocked >= limits.slow_grace;
        if self.subscriptions.iter().any(|one| is_stalled(one) || is_stuck(one)) || blocked >= 2 * limits.ping_interval
        {
            return Err(Close::TooSlow);
        }
        let steps = [limits.stall, limits.slow_grace, 2 * limits.ping_interval];
        self.timers.look_at(steps.into_iter().filter(|step| *step > blocked).min().map(|step| since + step));
        Ok(())
    }

    /// Ends what the account has lost the right to, and tells of its roles.
    fn review_rights(&mut self) -> Result<(), Close> {
        while let Some(one) = self.subscriptions.iter().find(|one| one.is_revoked()) {
            self.end(one.feed_id(), EndReason::Revoked)?;
        }
        for one in &mut self.subscriptions {
            if let Some(role) = one.new_role() {
                self.lanes.control(Frame::Role { feed: one.feed_id(), role }.text());
            }
        }
        Ok(())
    }

    fn end(&mut self, feed: FeedId, why: EndReason) -> Result<(), Close> {
        let reason = why.as_str(feed);
        match why {
            EndReason::Revoked => {
                self.drop_feed(feed, reason);
                if self.subscriptions.is_empty() && self.pending.is_empty() {
                    return Err(Close::AccessRevoked);
                }
            }
            // No secret: the events that led to it are still sent, and this behind them.
            EndReason::Deleted => {
                self.subscriptions.retain(|one| one.feed_id() != feed);
                for topic in self.leave_all(|topic| topic.feed == feed) {
                    let frame = Frame::Unsubscribed { topic, reason, reply: Reply::default() };
                    self.lanes.durable(feed, frame.text(), None);
                }
            }
        }
        Ok(())
    }

    /// Ends all that was subscribed to of a feed at once, whatever waits.
    pub(in crate::live) fn drop_feed(&mut self, feed: FeedId, reason: &str) {
        self.subscriptions.retain(|one| one.feed_id() != feed);
        self.lanes.withdraw(feed);
        for topic in self.leave_all(|topic| topic.feed == feed) {
            self.say(&Frame::Unsubscribed { topic, reason, reply: Reply::default() });
        }
    }

    /// Leaves what is meant, with its rooms; returns what it was.
    fn leave_all(&mut self, is_meant: impl Fn(Topic) -> bool) -> Vec<Topic> {
        let (left, stays): (Vec<_>, _) = self.joined.drain(..).partition(|one| is_meant(one.topic));
        self.joined = stays;
        left.into_iter().map(|joined| self.leave(joined)).collect()
    }

    /// Leaves what was joined, for good.
    pub(in crate::live) fn leave(&mut self, joined: Joined) -> Topic {
        if let Some(visit) = joined.visit {
            self.lanes.withdraw_room(visit.id());
            visit.end();
        }
        joined.topic
    }

    /// Whether the peer answers: to the others, one that does not is not here.
    fn set_awake(&mut self, is_awake: bool) {
        self.is_awake = is_awake;
        self.joined.iter_mut().filter_map(|one| one.visit.as_mut()).for_each(|visit| visit.set_awake(is_awake));
    }

    /// Lets each subscription put out what it has, in turns.
    fn refill(&mut self, now: Instant) -> Result<(), Close> {
        let hub = self.live.hub.clone();
        let grace = self.live.limits.slow_grace;
        for _ in 0..TURNS {
            let mut has_more = false;
            let mut ended = Vec::new();
            let count = self.subscriptions.len();
            for offset in 0..count {
                let Some(one) = self.subscriptions.get_mut((self.turn + offset) % count) else { break };
                if !one.take_ready() {
                    continue;
                }
                match one.advance(now, grace, || hub.epoch(), &mut self.lanes) {
                    Step::Idle => {}
                    Step::More => has_more = true,
                    Step::NeedsPage(after) => {
                        if self.reading.is_none() && self.waiting_page.is_none() {
                            let key = PageKey {
                                feed: one.feed_id(),
                                epoch: hub.epoch(),
                                generation: one.generation(),
                                redactions: one.redactions(),
                                after,
                            };
                            self.reading = Some(hub.pages().get(&hub, key));
                        }
                    }
                    Step::Ended(why) => ended.push((one.feed_id(), why)),
                    Step::TooSlow => return Err(Close::TooSlow),
                    Step::Hole => {
                        tracing::error!(feed_id = %one.feed_id().uuid(), after = one.cursor(), "a feed has a hole");
                        return Err(Close::Internal);
                    }
                }
            }
            self.turn = self.turn.wrapping_add(1);
            self.end_closed_rooms();
            ended.into_iter().try_for_each(|(feed, why)| self.end(feed, why))?;
            self.feeds_ready = has_more;
            if !has_more {
                break;
            }
        }
        Ok(())
    }

    /// Ends what was subscribed to of workspaces and files that were deleted.
    fn end_closed_rooms(&mut self) {
        let closed: Vec<_> = self.subscriptions.iter_mut().flat_map(Subscription::take_closed).collect();
        for closed in closed {
            let is_meant = |topic: Topic| closed.ends(topic);
            for pending in self.pending.iter_mut().filter(|pending| is_meant(pending.topic)) {
                pending.is_over = true;
            }
            for topic in self.leave_all(is_meant) {
                let frame = Frame::Unsubscribed { topic, reason: closed.reason(), reply: Reply::default() };
                self.lanes.durable(topic.feed, frame.text(), None);
                self.review_events(topic.feed);
            }
        }
    }

    /// Whether events of a feed are still wanted, and its subscription at all.
    pub(in crate::live) fn review_events(&mut self, feed: FeedId) {
        let mut of_feed = self.joined.iter().filter(|one| one.topic.feed == feed).peekable();
        if of_feed.peek().is_none() {
            self.subscriptions.retain(|one| one.feed_id() != feed);
        } else if !of_feed.any(|one| one.events)
            && let Some(one) = self.subscriptions.iter_mut().find(|one| one.feed_id() == feed)
        {
            one.stop_events();
        }
    }

    /// Leaves the queue for history. A permit that reaches a task which awaits something else would hold up all others.
    pub(in crate::live) fn leave_history_queue(&mut self) {
        if self.waiting_page.take().is_some() {
            self.subscriptions.iter_mut().for_each(Subscription::look_again);
            self.feeds_ready = true;
        }
    }

    fn refill_from_rooms(&mut self) {
        let (lanes, subscriptions) = (&mut self.lanes, &self.subscriptions);
        self.rooms_ready = false;
        for joined in &mut self.joined {
            let Some(visit) = &mut joined.visit else { continue };
            let feed = joined.topic.feed;
            if subscriptions.iter().any(|one| one.feed_id() == feed && one.is_in_doubt()) {
                // Looked at again when the rights are known.
                self.rooms_ready = true;
                continue;
            }
            let id = visit.id();
            self.rooms_ready |= visit.pull(ROOM_PORTION, |frame| lanes.ephemeral(id, frame));
            if let Some(output) = &mut joined.output {
                self.rooms_ready |= output.pull(|frame| lanes.ephemeral(id, frame));
            }
        }
    }

    fn supply(&mut self, page: &Arc<Page>) {
        self.feeds_ready = true;
        for one in &mut self.subscriptions {
            if one.feed_id() == page.key.feed {
                one.supply(page);
            } else {
                // Others that need a page have waited for their turn.
                one.look_again();
            }
        }
    }

    /// Sends what is on the control lane, then the close frame, and waits for the peer's.
    async fn finish(mut self: Box<Self>, close: Close) {
        let (stops, limits) = (self.live.hub.stopped().clone(), self.live.limits.clone());
        let over = async {
            tokio::select! {
                () = sleep(limits.close_grace) => {}
                () = async { stops.cancelled().await; sleep(limits.shutdown_grace).await } => {}
                () = sleep(limits.shutdown_grace), if close == Close::Restarting => {}
            }
        };
        self.lanes.close(close);
        let Self { mut lanes, mut transport, .. } = *self;
        let closing = async {
            let sent = poll_fn(|context| {
                if let Poll::Ready(sent) = lanes.poll_send(transport.as_mut(), context) {
                    return Poll::Ready(sent);
                }
                // What the peer still says is of no interest, but must not keep it from reading. Once it has gone, nothing is read
                // again, nor sent.
                loop {
                    match transport.poll_receive(context) {
                        Poll::Ready(Ok(Incoming::Text(_) | Incoming::Binary | Incoming::Alive)) => {}
                        Poll::Ready(Ok(Incoming::Gone) | Err(_)) => return Poll::Ready(Err(Failure::Gone)),
                        Poll::Pending => return Poll::Pending,
                    }
                }
            });
            if sent.await.is_ok() {
                poll_fn(|context| transport.poll_end(context)).await;
            }
        };
        tokio::select! {
            () = closing => {}
            () = over => {}
        }
    }
}

fn rearm(timer: Pin<&mut Sleep>, at: Instant) {
    if timer.deadline() != at {
        timer.reset(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_future<Argument, Fut: Future>(_: impl Fn(Argument) -> Fut) -> usize {
        size_of::<Fut>()
    }

    /// Thousands of connections are idle: what is awaited seldom must not take room in each of them.
    #[test]
    fn an_idle_connection_is_small() {
        assert!(size_of::<Connection>() <= 1024, "{}", size_of::<Connection>());
        assert!(size_of_future(Connection::run) <= 512, "{}", size_of_future(Connection::run));
    }
}
