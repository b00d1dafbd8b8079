//! A connection's stay in a room; it ends when it is dropped, however the connection ends.

use std::sync::Arc;

use tokio_tungstenite::tungstenite::Utf8Bytes;
use uuid::Uuid;
use workroom_domain::ids::AccountId;

use super::{Cursor, CustomMessage, Departure, Room, RoomId, View};
use crate::clock::now;

/// A connection's stay in a room.
pub(in crate::live) struct Visit {
    room: Arc<Room>,
    view: View,
    account_id: AccountId,
    connection_id: Uuid,
    /// Whether the others are shown that the account is here.
    is_shown: bool,
    /// Whether its peer answers, as far as is known.
    is_awake: bool,
    /// What it shows, for when its peer answers again.
    state: Option<Arc<str>>,
    cursor: Option<Cursor>,
    departure: Departure,
}

impl Visit {
    pub(super) fn new(room: Arc<Room>, view: View, account_id: AccountId, connection_id: Uuid) -> Self {
        let departure = Departure::Held;
        Self {
            room,
            view,
            account_id,
            connection_id,
            is_shown: false,
            is_awake: true,
            state: None,
            cursor: None,
            departure,
        }
    }

    /// Which room.
    pub(in crate::live) fn id(&self) -> RoomId {
        self.room.id
    }

    /// Shows the others that the account is here.
    pub(in crate::live) fn show(&mut self) {
        if !std::mem::replace(&mut self.is_shown, true) {
            self.room.join(self.account_id, self.connection_id, now());
        }
    }

    /// Whether the peer answers: one that does not is not here, and shows what it showed when it does again.
    pub(in crate::live) fn set_awake(&mut self, is_awake: bool) {
        let was_awake = std::mem::replace(&mut self.is_awake, is_awake);
        if was_awake && !is_awake {
            self.room.leave(self.account_id, self.connection_id, Departure::AtOnce);
        }
        if is_awake && !was_awake {
            if self.is_shown {
                self.room.join(self.account_id, self.connection_id, now());
            }
            if let Some(state) = self.state.clone() {
                self.room.set_state(self.account_id, state, now());
            }
            if let Some(cursor) = self.cursor.clone() {
                self.room.point(self.account_id, self.connection_id, cursor);
            }
        }
    }

    /// What the account shows the others, as JSON. From then on it is here.
    pub(in crate::live) fn set_state(&mut self, state: &str) {
        self.show();
        let state: Arc<str> = state.into();
        self.state = Some(Arc::clone(&state));
        self.room.set_state(self.account_id, state, now());
    }

    /// Points somewhere.
    pub(in crate::live) fn point(&mut self, cursor: Cursor) {
        self.cursor = Some(cursor.clone());
        self.room.point(self.account_id, self.connection_id, cursor);
    }

    /// Says something.
    pub(in crate::live) fn publish(&self, message: CustomMessage) {
        self.room.publish(message);
    }

    /// Puts out what was not seen yet, up to `limit` frames of changes; returns whether there is more.
    pub(in crate::live) fn pull(&mut self, limit: usize, put: impl FnMut(Utf8Bytes)) -> bool {
        if !self.view.take_ready() {
            return false;
        }
        let has_more = self.room.pull(&mut self.view, limit, put);
        if has_more {
            self.view.set_ready();
        }
        has_more
    }

    /// Ends it for good: nobody needs to wait whether the connection comes back.
    pub(in crate::live) fn end(mut self) {
        self.departure = Departure::AtOnce;
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.room.leave(self.account_id, self.connection_id, self.departure);
        self.room.close(self.connection_id);
    }
}
