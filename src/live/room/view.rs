//! What a connection has seen of a room.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use uuid::Uuid;

use super::state::kind;
use crate::live::signal::{Signal, reason};

/// A connection that looks at a room, as the room knows it.
pub(super) struct Viewer {
    signal: Arc<Signal>,
    /// Whether something has changed since it looked last.
    is_ready: AtomicBool,
    /// The kinds of changes that it wants to see.
    wants: u8,
}

impl Viewer {
    pub(super) fn new(signal: Arc<Signal>, (wants_people, wants_cursors): (bool, bool)) -> Self {
        let people = if wants_people { kind::PEOPLE } else { 0 };
        let cursors = if wants_cursors { kind::CURSORS } else { 0 };
        Self { signal, is_ready: AtomicBool::new(true), wants: people | cursors | kind::SAID }
    }

    /// Something of these kinds has changed.
    pub(super) fn wake(&self, kinds: u8) {
        if kinds & self.wants == 0 {
            return;
        }
        self.is_ready.store(true, Ordering::SeqCst);
        self.signal.raise(reason::ROOM);
    }
}

/// What a connection has seen of a room, and what it wants to see.
pub(super) struct View {
    pub(super) viewer: Arc<Viewer>,
    pub(super) connection_id: Uuid,
    pub(super) wants_people: bool,
    pub(super) wants_cursors: bool,
    /// The version up to which it was shown what changed.
    pub(super) seen: u64,
    /// The last version at which it had seen all that there was.
    pub(super) drained: u64,
    /// Whether it is to be shown everybody before any change.
    pub(super) needs_everybody: bool,
}

impl View {
    pub(super) fn new(
        viewer: Arc<Viewer>,
        connection_id: Uuid,
        (wants_people, wants_cursors): (bool, bool),
        version: u64,
    ) -> Self {
        let needs_everybody = wants_people || wants_cursors;
        Self { viewer, connection_id, wants_people, wants_cursors, seen: version, drained: version, needs_everybody }
    }

    /// Whether something has changed since the last call.
    pub(super) fn take_ready(&self) -> bool {
        self.viewer.is_ready.swap(false, Ordering::SeqCst)
    }

    /// There is more to see than was taken.
    pub(super) fn set_ready(&self) {
        self.viewer.is_ready.store(true, Ordering::SeqCst);
    }
}
