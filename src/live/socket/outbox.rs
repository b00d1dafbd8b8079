//! What waits to be written to one socket, in lanes.
//!
//! *Control* frames go first: answers must not wait behind history. *Durable* frames keep their order; frames that tell
//! of it (`subscribed`, `caught_up`, `head`, `reset`) travel among them, or a client would read "caught up" before the
//! events it speaks of. The lane is filled from the subscriptions' cursors only when it is empty, so it holds one portion
//! a subscription at most. The *ephemeral* lane of a later issue is a map from key to latest frame, drained when the
//! durable lane is empty.

use std::{
    collections::VecDeque,
    task::{Context, Poll},
};

use futures::{SinkExt, StreamExt};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use crate::live::{feed::FeedId, socket::transport::WebSocket};

/// Capacity that an empty lane keeps.
const KEPT: usize = 4;

/// What happened on the socket.
pub(in crate::live) enum Io {
    /// A message came.
    Read(Message),
    /// Everything that waited is written.
    Drained,
    /// The connection failed.
    Failed(Error),
    /// The connection is closed.
    Closed,
}

/// What waits to be written to one socket.
#[derive(Default)]
pub(in crate::live) struct Outbox {
    control: VecDeque<Message>,
    durable: VecDeque<(FeedId, Utf8Bytes)>,
    is_unflushed: bool,
    blocked_since: Option<Instant>,
}

impl Outbox {
    /// Puts a frame into the control lane.
    pub(in crate::live) fn control(&mut self, message: Message) {
        self.control.push_back(message);
    }

    /// Puts a frame of a feed into the durable lane.
    pub(in crate::live) fn durable(&mut self, feed: FeedId, frame: Utf8Bytes) {
        self.durable.push_back((feed, frame));
    }

    /// Withdraws what waits of a feed: nothing of it may follow.
    pub(in crate::live) fn withdraw(&mut self, feed: FeedId) {
        self.durable.retain(|(of, _)| *of != feed);
    }

    /// Withdraws everything durable.
    pub(in crate::live) fn withdraw_all(&mut self) {
        self.durable = VecDeque::new();
    }

    /// Frames in the control lane.
    pub(in crate::live) fn control_len(&self) -> usize {
        self.control.len()
    }

    /// Whether the durable lane takes another portion.
    pub(in crate::live) fn wants_more(&self) -> bool {
        self.durable.is_empty() && self.blocked_since.is_none()
    }

    /// Since when the peer has taken nothing.
    pub(in crate::live) fn blocked_since(&self) -> Option<Instant> {
        self.blocked_since
    }

    fn next(&mut self) -> Option<Message> {
        self.control.pop_front().or_else(|| self.durable.pop_front().map(|(_, frame)| Message::Text(frame)))
    }

    fn is_empty(&self) -> bool {
        self.control.is_empty() && self.durable.is_empty()
    }

    /// Writes as much as the peer takes (many frames, then one flush), and reads one message.
    pub(in crate::live) fn poll(&mut self, socket: &mut WebSocket, context: &mut Context<'_>) -> Poll<Io> {
        match self.poll_write(socket, context) {
            Poll::Ready(Ok(true)) => return Poll::Ready(Io::Drained),
            Poll::Ready(Err(error)) => return Poll::Ready(Io::Failed(error)),
            Poll::Ready(Ok(false)) => {}
            Poll::Pending => {
                self.blocked_since.get_or_insert_with(Instant::now);
            }
        }
        match socket.poll_next_unpin(context) {
            Poll::Ready(Some(Ok(message))) => Poll::Ready(Io::Read(message)),
            Poll::Ready(Some(Err(error))) => Poll::Ready(Io::Failed(error)),
            Poll::Ready(None) => Poll::Ready(Io::Closed),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Ready with whether anything was written.
    fn poll_write(&mut self, socket: &mut WebSocket, context: &mut Context<'_>) -> Poll<Result<bool, Error>> {
        while !self.is_empty() {
            match socket.poll_ready_unpin(context) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
            if self.blocked_since.is_some() {
                // It has taken something again.
                self.blocked_since = None;
            }
            if let Some(message) = self.next() {
                self.is_unflushed = true;
                if let Err(error) = socket.start_send_unpin(message) {
                    return Poll::Ready(Err(error));
                }
            }
        }
        self.control.shrink_to(KEPT);
        self.durable.shrink_to(KEPT);
        if !self.is_unflushed {
            return Poll::Ready(Ok(false));
        }
        match socket.poll_flush_unpin(context) {
            Poll::Ready(Ok(())) => {
                self.is_unflushed = false;
                self.blocked_since = None;
                Poll::Ready(Ok(true))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;
    use workroom_domain::ids::ProjectId;

    use super::*;

    #[test]
    fn control_goes_first_and_a_feed_can_be_withdrawn() {
        let feed = |id| FeedId::Project(ProjectId(Uuid::from_u128(id)));
        let (ours, theirs) = (feed(1), feed(2));
        let mut outbox = Outbox::default();
        outbox.durable(ours, "1".into());
        outbox.durable(theirs, "2".into());
        outbox.control(Message::Text("3".into()));
        outbox.withdraw(ours);
        let texts: Vec<_> = std::iter::from_fn(|| outbox.next()).collect();
        assert_eq!(texts, [Message::Text("3".into()), Message::Text("2".into())]);
    }
}
