//! One socket, one task: reads, writes, timers and subscriptions in one loop.

mod close;
mod dispatch;
mod messages;
mod origin;
mod outbox;
mod subscribe;
mod subscription;
mod timers;
mod token_bucket;
mod transport;
pub(crate) mod upgrade;

use std::{future::Future, pin::Pin, sync::Arc, task::Poll, time::Duration};

use futures::{SinkExt, StreamExt, stream::FuturesUnordered};
use tokio::{
    sync::Notify,
    time::{Instant, Sleep, sleep, sleep_until, timeout},
};
use tokio_tungstenite::tungstenite::{Error, Message};
use uuid::Uuid;

use crate::{
    identity::{Caller, Watch},
    live::{
        Live,
        feed::{
            EndReason, FeedId,
            frames::{Frame, MessageId, Reply},
            pages::{Page, PageKey, Reading, read},
        },
        socket::{
            close::Close,
            outbox::{Io, Outbox},
            subscribe::{Admitted, Refused},
            subscription::{Step, Subscription},
            timers::{Due, Timers},
            token_bucket::TokenBucket,
            transport::WebSocket,
        },
        socket_quota::SocketPermit,
    },
};

/// Turns of all subscriptions before the loop looks at the rest of the world.
const TURNS: usize = 4;
/// How long the peer may take to hang up after its close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A subscription that is being looked into.
pub(in crate::live) struct Pending {
    pub(in crate::live) feed: FeedId,
    pub(in crate::live) number: u64,
    /// The message that asked for it.
    pub(in crate::live) id: Option<MessageId>,
}

/// What came of looking into a subscription, by its number.
pub(in crate::live) type Admission = (u64, Result<Admitted, Refused>);
type Admissions = FuturesUnordered<Pin<Box<dyn Future<Output = Admission> + Send>>>;

/// How a socket ends.
enum End {
    /// We end it.
    Ours(Close),
    /// The peer has ended it.
    Theirs,
}

pub(in crate::live) struct Socket {
    pub(in crate::live) live: Live,
    pub(in crate::live) connection_id: Uuid,
    pub(in crate::live) caller: Option<Caller>,
    /// Tells when what the caller came with ends before its time.
    pub(in crate::live) watch: Option<Watch>,
    /// Counts it as one of the account's sockets.
    pub(in crate::live) permit: Option<SocketPermit>,
    pub(in crate::live) outbox: Outbox,
    pub(in crate::live) timers: Timers,
    pub(in crate::live) subscriptions: Vec<Subscription>,
    /// Subscriptions that are being looked into.
    pub(in crate::live) pending: Vec<Pending>,
    pub(in crate::live) admissions: Admissions,
    pub(in crate::live) next_admission: u64,
    pub(in crate::live) wake: Arc<Notify>,
    pub(in crate::live) messages: TokenBucket,
    pub(in crate::live) errors: TokenBucket,
    peer: WebSocket,
    reading: Option<Reading>,
    /// Whose turn it is, so that no project waits behind another's history.
    turn: usize,
}

impl Socket {
    /// A socket that has just opened, with what its request proved.
    pub(in crate::live) fn new(live: Live, socket: WebSocket, caller: Option<Caller>) -> Self {
        let now = Instant::now();
        let limits = &live.limits;
        Self {
            connection_id: Uuid::now_v7(),
            caller,
            watch: None,
            permit: None,
            outbox: Outbox::default(),
            timers: Timers::new(now, limits),
            subscriptions: Vec::new(),
            pending: Vec::new(),
            admissions: FuturesUnordered::new(),
            next_admission: 0,
            wake: Arc::default(),
            messages: TokenBucket::new(limits.messages_per_second, limits.message_burst, now),
            errors: TokenBucket::new(1, limits.error_burst, now),
            peer: socket,
            reading: None,
            turn: 0,
            live,
        }
    }

    /// Runs until the peer or the gateway ends it.
    pub(in crate::live) async fn run(mut self) {
        let end = match self.caller.map_or(Ok(()), |caller| self.welcome(caller, None)) {
            Ok(()) => self.serve().await,
            Err(close) => End::Ours(close),
        };
        self.subscriptions.clear();
        self.admissions.clear();
        self.reading = None;
        match end {
            End::Ours(close) => {
                tracing::debug!(connection_id = %self.connection_id, code = close.code(), "a socket is closed");
                self.finish(close).await;
            }
            End::Theirs => {
                // The answer to the peer's close frame goes out with the next read.
                let _ = timeout(CLOSE_TIMEOUT, async { while let Some(Ok(_)) = self.peer.next().await {} }).await;
            }
        }
    }

    async fn serve(&mut self) -> End {
        let wake = self.wake.clone();
        let (hub_stops, shutdown) = (self.live.hub.stopped().clone(), self.live.shutdown.clone());
        let timer = sleep_until(self.timers.next());
        tokio::pin!(timer);
        loop {
            if let Err(close) = self.review() {
                return End::Ours(close);
            }
            rearm(timer.as_mut(), self.timers.next());
            let Self { outbox, peer, admissions, reading, watch, .. } = self;
            let step = tokio::select! {
                () = hub_stops.cancelled() => return End::Ours(Close::Restarting),
                () = shutdown.cancelled() => return End::Ours(Close::Restarting),
                () = ended(watch.as_ref()) => return End::Ours(Close::SessionEnded),
                io = std::future::poll_fn(|context| outbox.poll(peer, context)) => match io {
                    Io::Drained => Ok(()),
                    Io::Read(message) => self.receive(message).await,
                    Io::Closed => return End::Theirs,
                    Io::Failed(error) => return failure(&error),
                },
                Some(admission) = admissions.next(), if !admissions.is_empty() => {
                    self.admitted(admission);
                    Ok(())
                }
                page = read(reading) => {
                    self.supply(&page);
                    Ok(())
                }
                () = wake.notified() => Ok(()),
                () = timer.as_mut() => self.on_time(),
            };
            if let Err(end) = step {
                return end.map_or(End::Theirs, End::Ours);
            }
        }
    }

    /// `Err`: the socket ends; by the peer, without a code.
    async fn receive(&mut self, message: Message) -> Result<(), Option<Close>> {
        let now = Instant::now();
        self.timers.received(now, &self.live.limits);
        if let Message::Close(_) = message {
            return Err(None);
        }
        if !self.messages.take(now) {
            return Err(Some(Close::TooManyMessages));
        }
        match message {
            Message::Text(text) => self.dispatch(&text).await.map_err(Some),
            Message::Binary(_) => self.reject("binary frames are not part of the protocol", None).map_err(Some),
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => Ok(()),
        }
    }

    fn on_time(&mut self) -> Result<(), Option<Close>> {
        let now = Instant::now();
        while let Some(due) = self.timers.due(now, &self.live.limits) {
            match due {
                Due::NoSignIn => return Err(Some(Close::NoSignIn)),
                Due::Silent => return Err(Some(Close::Silent)),
                Due::GraceOver => return Err(Some(Close::TokenExpired)),
                Due::Expired => self.error("token_expiring", "the access token has expired; send refresh", None, None),
                Due::Ping => self.outbox.control(Message::Ping(axum::body::Bytes::new())),
                Due::Look => {}
            }
        }
        Ok(())
    }

    /// After every step: who has lost access, who is too slow, and what there is to send.
    fn review(&mut self) -> Result<(), Close> {
        self.end_revoked()?;
        let now = Instant::now();
        if self.outbox.control_len() > self.live.limits.control_frames {
            return Err(Close::TooSlow);
        }
        if let Some(since) = self.outbox.blocked_since() {
            let limits = &self.live.limits;
            let blocked = now - since;
            let is_stalled = |one: &Subscription| one.is_overtaken() && blocked >= limits.stall;
            // Whoever is in the middle of history has had no chance to keep up, but holds a page of it.
            let is_stuck = |one: &Subscription| one.is_catching_up() && blocked >= limits.slow_grace;
            if self.subscriptions.iter().any(|one| is_stalled(one) || is_stuck(one))
                || blocked >= 2 * limits.ping_interval
            {
                return Err(Close::TooSlow);
            }
            let steps = [limits.stall, limits.slow_grace, 2 * limits.ping_interval];
            self.timers.look_at(steps.into_iter().filter(|step| *step > blocked).min().map(|step| since + step));
            return Ok(());
        }
        self.timers.look_at(None);
        if self.outbox.wants_more() { self.refill(now) } else { Ok(()) }
    }

    fn end_revoked(&mut self) -> Result<(), Close> {
        while let Some(one) = self.subscriptions.iter().find(|one| one.is_revoked()) {
            self.end(one.feed_id(), EndReason::Revoked)?;
        }
        for one in &mut self.subscriptions {
            if let Some(role) = one.new_role() {
                let feed = one.feed_id();
                self.outbox.control(Message::Text(Frame::Role { feed, role }.text()));
            }
        }
        Ok(())
    }

    fn end(&mut self, feed: FeedId, why: EndReason) -> Result<(), Close> {
        let reason = why.as_str(feed);
        match why {
            EndReason::Revoked => {
                self.drop_subscription(feed, reason, None);
                if self.subscriptions.is_empty() && self.pending.is_empty() {
                    return Err(Close::AccessRevoked);
                }
            }
            // No secret: the events that led to it are still sent, and this behind them.
            EndReason::Deleted => {
                self.subscriptions.retain(|one| one.feed_id() != feed);
                self.outbox.durable(feed, Frame::Unsubscribed { feed, reason, reply: Reply::default() }.text());
            }
        }
        Ok(())
    }

    /// Ends a subscription at once, whatever waits; `false` when there is none.
    pub(in crate::live) fn drop_subscription(&mut self, feed: FeedId, reason: &str, to: Option<&MessageId>) -> bool {
        let before = self.subscriptions.len();
        self.subscriptions.retain(|one| one.feed_id() != feed);
        if self.subscriptions.len() == before {
            return false;
        }
        self.outbox.withdraw(feed);
        self.say(&Frame::Unsubscribed { feed, reason, reply: Reply { to } });
        true
    }

    /// Lets each subscription put out what it has, in turns.
    fn refill(&mut self, now: Instant) -> Result<(), Close> {
        let epoch = self.live.hub.epoch();
        let grace = self.live.limits.slow_grace;
        for _ in 0..TURNS {
            let mut has_more = false;
            let mut ended = Vec::new();
            let count = self.subscriptions.len();
            for offset in 0..count {
                let Some(one) = self.subscriptions.get_mut((self.turn + offset) % count) else { break };
                match one.advance(now, grace, epoch, &mut self.outbox) {
                    Step::Idle => {}
                    Step::More => has_more = true,
                    Step::NeedsPage(after) => {
                        if self.reading.is_none() {
                            let key = PageKey { feed: one.feed_id(), epoch, generation: one.generation(), after };
                            self.reading = Some(self.live.hub.pages().get(&self.live.hub, key));
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
            ended.into_iter().try_for_each(|(feed, why)| self.end(feed, why))?;
            if !has_more {
                break;
            }
        }
        Ok(())
    }

    fn supply(&mut self, page: &Arc<Page>) {
        if let Some(one) = self.subscriptions.iter_mut().find(|one| one.feed_id() == page.key.feed) {
            one.supply(page);
        }
    }

    /// Sends what is on the control lane, then the close frame, and waits for the peer's.
    async fn finish(mut self, close: Close) {
        let (stops, limits) = (self.live.hub.stopped().clone(), self.live.limits.clone());
        let over = async {
            tokio::select! {
                () = sleep(limits.close_grace) => {}
                () = async { stops.cancelled().await; sleep(limits.shutdown_grace).await } => {}
                () = sleep(limits.shutdown_grace), if close == Close::Restarting => {}
            }
        };
        self.outbox.withdraw_all();
        self.outbox.control(close.message());
        let Self { mut outbox, mut peer, .. } = self;
        let closing = async {
            let drained = std::future::poll_fn(|context| match outbox.poll(&mut peer, context) {
                Poll::Ready(Io::Read(_)) => {
                    // What the peer still says is of no interest, but must not end the closing.
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
                Poll::Ready(Io::Drained) => Poll::Ready(true),
                Poll::Ready(Io::Failed(_) | Io::Closed) => Poll::Ready(false),
                Poll::Pending => Poll::Pending,
            });
            if drained.await {
                while let Some(Ok(_)) = peer.next().await {}
                let _ = SinkExt::close(&mut peer).await;
            }
        };
        tokio::select! {
            () = closing => {}
            () = over => {}
        }
    }
}

/// Returns once what is watched has ended.
async fn ended(watch: Option<&Watch>) {
    match watch {
        Some(watch) => watch.ended().await,
        None => std::future::pending().await,
    }
}

fn rearm(timer: Pin<&mut Sleep>, at: Instant) {
    if timer.deadline() != at {
        timer.reset(at);
    }
}

fn failure(error: &Error) -> End {
    tracing::debug!(error = error as &dyn std::error::Error, "a socket failed");
    match error {
        Error::Capacity(_) => End::Ours(Close::TooBig),
        Error::Utf8(_) | Error::Protocol(_) => End::Ours(Close::Malformed),
        error if transport::is_flood(error) => End::Ours(Close::TooManyMessages),
        _ => End::Theirs,
    }
}
