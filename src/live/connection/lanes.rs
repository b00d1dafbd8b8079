//! What waits to be sent to one client, in lanes, whatever it is sent over.
//!
//! *Control* frames go first: answers must not wait behind history. *Durable* frames keep their order; frames that tell
//! of it (`subscribed`, `caught_up`, `head`, `reset`) travel among them, or a client would read "caught up" before the
//! events it speaks of. The lane is filled from the subscriptions' cursors only when it is empty, so it holds a few
//! portions a subscription at most. *Ephemeral* frames (presence, cursors, messages) go when nothing durable waits, and are taken from
//! their rooms only then: whatever has been overtaken meanwhile was never taken.

use std::{
    collections::VecDeque,
    task::{Context, Poll, ready},
};

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::live::{
    connection::close::Close,
    feed::FeedId,
    room::RoomId,
    transport::{Failure, Incoming, Item, Place, Transport},
};

/// Capacity that an empty lane keeps for what comes next, until the next ping.
const KEPT: usize = 64;

/// What happened on the way to a client, or from it.
pub(in crate::live) enum Io {
    /// Something came from the client.
    Received(Incoming),
    /// Everything that waited is sent.
    Drained,
    /// The transport failed.
    Failed(Failure),
}

struct Durable {
    feed: FeedId,
    frame: Utf8Bytes,
    place: Option<Place>,
    is_event: bool,
}

/// What waits to be sent to one client.
#[derive(Default)]
pub(in crate::live) struct Lanes {
    control: VecDeque<Item>,
    durable: VecDeque<Durable>,
    ephemeral: VecDeque<(RoomId, Utf8Bytes)>,
    is_unflushed: bool,
    blocked_since: Option<Instant>,
}

impl Lanes {
    /// Puts a frame into the control lane.
    pub(in crate::live) fn control(&mut self, frame: Utf8Bytes) {
        self.control.push_back(Item::Frame(frame, None));
    }

    /// Asks the client whether it is there.
    pub(in crate::live) fn ping(&mut self) {
        self.shrink_to(0);
        self.control.push_back(Item::Ping);
    }

    /// Puts the end behind what is in the control lane, and withdraws all the rest.
    pub(in crate::live) fn close(&mut self, close: Close) {
        self.durable = VecDeque::new();
        self.ephemeral = VecDeque::new();
        self.control.push_back(Item::Close(close));
    }

    /// Puts a frame of a feed into the durable lane. With it the client is at `place`.
    pub(in crate::live) fn durable(&mut self, feed: FeedId, frame: Utf8Bytes, place: Option<Place>) {
        self.durable.push_back(Durable { feed, frame, place, is_event: false });
    }

    /// Puts an event into the durable lane.
    pub(in crate::live) fn event(&mut self, frame: Utf8Bytes, place: Place) {
        self.durable.push_back(Durable { feed: place.feed, frame, place: Some(place), is_event: true });
    }

    /// Whether anything durable waits of a feed.
    pub(in crate::live) fn has_durable(&self, feed: FeedId) -> bool {
        self.durable.iter().any(|one| one.feed == feed)
    }

    /// Withdraws the events that wait of a feed.
    pub(in crate::live) fn withdraw_events(&mut self, feed: FeedId) {
        self.durable.retain(|one| one.feed != feed || !one.is_event);
    }

    /// Puts a frame of a room into the ephemeral lane.
    pub(in crate::live) fn ephemeral(&mut self, room: RoomId, frame: Utf8Bytes) {
        self.ephemeral.push_back((room, frame));
    }

    /// Withdraws what waits of a feed and its rooms: nothing of it may follow.
    pub(in crate::live) fn withdraw(&mut self, feed: FeedId) {
        self.durable.retain(|one| one.feed != feed);
        self.ephemeral.retain(|(room, _)| FeedId::Project(room.project_id) != feed);
    }

    /// Withdraws what waits of a room.
    pub(in crate::live) fn withdraw_room(&mut self, room: RoomId) {
        self.ephemeral.retain(|(of, _)| *of != room);
    }

    /// Frames in the control lane.
    pub(in crate::live) fn control_len(&self) -> usize {
        self.control.len()
    }

    /// Whether the durable lane takes another portion.
    pub(in crate::live) fn wants_durable(&self) -> bool {
        self.durable.is_empty() && self.blocked_since.is_none()
    }

    /// Whether the ephemeral lane takes another portion.
    pub(in crate::live) fn wants_ephemeral(&self) -> bool {
        self.wants_durable() && self.ephemeral.is_empty()
    }

    /// Since when the client has taken nothing.
    pub(in crate::live) fn blocked_since(&self) -> Option<Instant> {
        self.blocked_since
    }

    fn next(&mut self) -> Option<Item> {
        let durable = || self.durable.pop_front().map(|one| Item::Frame(one.frame, one.place));
        let item = self.control.pop_front().or_else(durable);
        item.or_else(|| self.ephemeral.pop_front().map(|(_, frame)| Item::Frame(frame, None)))
    }

    fn shrink_to(&mut self, capacity: usize) {
        self.control.shrink_to(capacity);
        self.durable.shrink_to(capacity);
        self.ephemeral.shrink_to(capacity);
    }

    fn is_empty(&self) -> bool {
        self.control.is_empty() && self.durable.is_empty() && self.ephemeral.is_empty()
    }

    /// Sends as much as the client takes (many frames, then one flush), and reads one message, if `reads`.
    pub(in crate::live) fn poll(
        &mut self,
        transport: &mut dyn Transport,
        reads: bool,
        context: &mut Context<'_>,
    ) -> Poll<Io> {
        match self.poll_send(transport, context) {
            Poll::Ready(Ok(true)) => return Poll::Ready(Io::Drained),
            Poll::Ready(Err(failure)) => return Poll::Ready(Io::Failed(failure)),
            Poll::Ready(Ok(false)) => {}
            Poll::Pending => {
                if transport.has_taken() {
                    self.blocked_since = None;
                }
                self.blocked_since.get_or_insert_with(Instant::now);
            }
        }
        if !reads {
            return Poll::Pending;
        }
        Poll::Ready(match ready!(transport.poll_receive(context)) {
            Ok(incoming) => Io::Received(incoming),
            Err(failure) => Io::Failed(failure),
        })
    }

    /// Sends everything. Ready with whether there was anything, or the client had taken nothing before.
    pub(in crate::live) fn poll_send(
        &mut self,
        transport: &mut dyn Transport,
        context: &mut Context<'_>,
    ) -> Poll<Result<bool, Failure>> {
        let was_blocked = self.blocked_since.is_some();
        if was_blocked {
            // A client that takes nothing gets nothing new: that the transport has room is no sign that the client takes it.
            ready!(transport.poll_flush(context))?;
            self.blocked_since = None;
        }
        while !self.is_empty() {
            ready!(transport.poll_ready(context))?;
            if let Some(item) = self.next() {
                self.is_unflushed = true;
                transport.send(item)?;
            }
        }
        self.shrink_to(KEPT);
        if !self.is_unflushed {
            return Poll::Ready(Ok(was_blocked));
        }
        ready!(transport.poll_flush(context))?;
        self.is_unflushed = false;
        self.blocked_since = None;
        Poll::Ready(Ok(true))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;
    use workroom_domain::ids::ProjectId;

    use super::*;

    fn texts(lanes: &mut Lanes) -> Vec<String> {
        let text = |item| match item {
            Item::Frame(text, _) => text.as_str().to_owned(),
            other => format!("{other:?}"),
        };
        std::iter::from_fn(|| lanes.next()).map(text).collect()
    }

    #[test]
    fn control_goes_first_and_what_is_ephemeral_last() {
        let project = |id| ProjectId(Uuid::from_u128(id));
        let (ours, theirs) = (project(1), project(2));
        let room = |project_id| RoomId { project_id, workspace_id: None, file_id: None };
        let fill = || {
            let mut lanes = Lanes::default();
            lanes.ephemeral(room(ours), "5".into());
            lanes.ephemeral(room(theirs), "6".into());
            lanes.durable(FeedId::Project(ours), "2".into(), None);
            lanes.durable(FeedId::Project(theirs), "3".into(), None);
            lanes.control("1".into());
            lanes
        };
        assert_eq!(texts(&mut fill()), ["1", "2", "3", "5", "6"]);
        let mut lanes = fill();
        lanes.withdraw(FeedId::Project(ours));
        assert_eq!(texts(&mut lanes), ["1", "3", "6"]);
        let mut lanes = fill();
        lanes.withdraw_room(room(theirs));
        assert_eq!(texts(&mut lanes), ["1", "2", "3", "5"]);
        let mut lanes = fill();
        lanes.close(Close::Restarting);
        assert_eq!(texts(&mut lanes), ["1", "Close(Restarting)"]);
    }

    /// Has room for everything, and a client that takes nothing, or now and then something.
    #[derive(Default)]
    struct Full {
        given: usize,
        takes_some: bool,
    }

    impl Transport for Full {
        fn poll_receive(&mut self, _: &mut Context<'_>) -> Poll<Result<Incoming, Failure>> {
            Poll::Pending
        }

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
            Poll::Ready(Ok(()))
        }

        fn send(&mut self, _: Item) -> Result<(), Failure> {
            self.given += 1;
            Ok(())
        }

        fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
            Poll::Pending
        }

        fn has_taken(&mut self) -> bool {
            std::mem::take(&mut self.takes_some)
        }

        fn poll_end(&mut self, _: &mut Context<'_>) -> Poll<()> {
            Poll::Ready(())
        }

        fn is_one_way(&self) -> bool {
            false
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_blocked_whatever_it_is_owed() {
        let (mut lanes, mut transport) = (Lanes::default(), Full::default());
        let mut context = Context::from_waker(std::task::Waker::noop());
        lanes.control("an answer".into());
        assert!(lanes.poll(&mut transport, true, &mut context).is_pending());
        let since = lanes.blocked_since().expect("blocked");
        for _ in 0..3 {
            tokio::time::advance(std::time::Duration::from_secs(1)).await;
            lanes.control("another answer".into());
            assert!(lanes.poll(&mut transport, true, &mut context).is_pending());
        }
        assert_eq!(lanes.blocked_since(), Some(since));
        assert_eq!((transport.given, lanes.control_len()), (1, 3), "what waits is counted here");
        transport.takes_some = true;
        assert!(lanes.poll(&mut transport, true, &mut context).is_pending());
        assert_eq!(lanes.blocked_since(), Some(Instant::now()), "it has taken something now");
    }
}
