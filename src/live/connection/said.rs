//! What a client shows the others in a room, where it points, and what it says to them.
//!
//! All of it is ephemeral, and has a budget of its own: whoever sends more is read later, and never closed for it.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    identity::{Caller, Scope},
    live::{
        connection::{
            Connection,
            messages::{PointedCursor, Presence, Publish},
        },
        feed::frames::{MessageId, Topic},
        room::{CustomMessage, RoomId, Visit},
    },
};

/// How long nothing is read from whoever has sent too much.
const PAUSE: Duration = Duration::from_millis(20);

impl Connection {
    /// Counts something ephemeral: whoever sends too much of it is read later.
    pub(in crate::live) fn count_ephemeral(&mut self) {
        let now = Instant::now();
        if !self.ephemeral.take(now) {
            let at = now + PAUSE;
            self.reads_at = Some(at);
            self.timers.go_on_at(at);
        }
    }

    /// The stay in a room, if it was subscribed to and the rights are beyond doubt; else the client is told so.
    fn visit(&mut self, id: RoomId, to: Option<&MessageId>) -> Option<&mut Visit> {
        self.count_ephemeral();
        let topic = Topic::from(id);
        let Some(place) = self.joined.iter().position(|one| one.topic == topic) else {
            self.error("not_subscribed", "subscribe to the room first", Some(topic), to);
            return None;
        };
        if self.subscriptions.iter().any(|one| one.feed_id() == topic.feed && one.is_in_doubt()) {
            self.error("unavailable", "your rights are being looked into; try again", Some(topic), to);
            return None;
        }
        self.joined.get_mut(place)?.visit.as_mut()
    }

    pub(in crate::live) fn show_state(&mut self, presence: &Presence, to: Option<&MessageId>) {
        if let Some(visit) = self.visit(presence.room(), to) {
            visit.set_state(presence.state.get());
        }
    }

    pub(in crate::live) fn point(&mut self, cursor: PointedCursor, to: Option<&MessageId>) {
        let room = cursor.room(|document| self.has_asked_for(document.into()));
        if let Some(visit) = self.visit(room, to) {
            visit.point(cursor.cursor(room));
        }
    }

    pub(in crate::live) fn publish(&mut self, caller: &Caller, publish: Publish, to: Option<&MessageId>) {
        let topic = Topic::from(publish.room());
        if self.visit(publish.room(), to).is_none() {
            return;
        }
        let subscription = self.subscriptions.iter().find(|one| one.feed_id() == topic.feed);
        if !subscription.is_some_and(|one| one.follower().may_publish) || caller.require(Scope::Write).is_err() {
            return self.error("forbidden", "you do not have the right to publish here", Some(topic), to);
        }
        let now = Instant::now();
        let bytes = publish.name.len() + publish.data.get().len();
        if !self.published.take(now) || !self.live.hub.publish_quota().take(caller.account_id, bytes, now) {
            return self.error("too_many_messages", "publish less often, or less at a time", Some(topic), to);
        }
        let (from, connection_id) = (caller.account_id, Some(self.connection_id));
        let message = CustomMessage { name: publish.name, from, connection_id, data: publish.data };
        if let Some(visit) = self.joined.iter().find(|one| one.topic == topic).and_then(|one| one.visit.as_ref()) {
            visit.publish(message);
        }
    }
}
