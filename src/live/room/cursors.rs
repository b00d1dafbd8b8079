//! Where people point: of each connection the latest place, and no more frames than a room can use.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::Duration,
};

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use uuid::Uuid;
use workroom_domain::ids::AccountId;

use super::wire::{Cursor, MovedCursor};

/// A connection's cursor.
pub(super) struct Shown {
    gateway: Uuid,
    account_id: AccountId,
    cursor: Cursor,
    /// The frame that tells of it.
    pub(super) frame: Utf8Bytes,
    /// The version of the room in which it was shown.
    pub(super) version: Option<u64>,
    is_queued: bool,
}

impl Shown {
    /// Whether it points anywhere.
    pub(super) fn is_shown(&self) -> bool {
        self.cursor.is_shown()
    }
}

/// The cursors of a room.
pub(super) struct Cursors {
    shown: HashMap<Uuid, Shown>,
    /// Those that have moved, in the order in which it is their turn.
    queue: VecDeque<Uuid>,
    next_turn: Instant,
    interval: Duration,
    /// Cursors of this process that others have not been told of.
    untold: HashSet<Uuid>,
    next_telling: Instant,
}

impl Cursors {
    /// No cursors; one is shown each `interval` at most.
    pub(super) fn new(interval: Duration, now: Instant) -> Self {
        Self {
            shown: HashMap::new(),
            queue: VecDeque::new(),
            next_turn: now,
            interval,
            untold: HashSet::new(),
            next_telling: now,
        }
    }

    /// A cursor has moved. `frame` tells of it.
    pub(super) fn moved(&mut self, gateway: Uuid, moved: MovedCursor, frame: Utf8Bytes, is_ours: bool) {
        let MovedCursor { account_id, connection_id, cursor } = moved;
        if is_ours {
            self.untold.insert(connection_id);
        }
        let shown = self.shown.entry(connection_id).or_insert_with(|| Shown {
            gateway,
            account_id,
            cursor: Cursor::default(),
            frame: frame.clone(),
            version: None,
            is_queued: false,
        });
        shown.cursor = cursor;
        shown.frame = frame;
        if !shown.is_queued {
            shown.is_queued = true;
            self.queue.push_back(connection_id);
        }
    }

    /// Whose cursor a connection's is, if it has one.
    pub(super) fn owner(&self, connection_id: Uuid) -> Option<AccountId> {
        self.shown.get(&connection_id).map(|shown| shown.account_id)
    }

    /// The connections of a process that have a cursor.
    pub(super) fn of_gateway(&self, gateway: Uuid) -> Vec<Uuid> {
        self.shown.iter().filter(|(_, shown)| shown.gateway == gateway).map(|(connection, _)| *connection).collect()
    }

    /// The cursor whose turn it is.
    pub(super) fn take_turn(&mut self, now: Instant) -> Option<Uuid> {
        if now < self.next_turn {
            return None;
        }
        let connection_id = self.queue.pop_front()?;
        self.next_turn = now + self.interval;
        if let Some(shown) = self.shown.get_mut(&connection_id) {
            shown.is_queued = false;
        }
        Some(connection_id)
    }

    /// When it is the next one's turn.
    pub(super) fn next_turn(&self) -> Option<Instant> {
        (!self.queue.is_empty()).then_some(self.next_turn)
    }

    /// A cursor.
    pub(super) fn get(&self, connection_id: Uuid) -> Option<&Shown> {
        self.shown.get(&connection_id)
    }

    /// Notes the version in which a cursor is shown; returns the one before.
    pub(super) fn set_version(&mut self, connection_id: Uuid, version: u64) -> Option<u64> {
        self.shown.get_mut(&connection_id).and_then(|shown| shown.version.replace(version))
    }

    /// All cursors that point anywhere, but the connection's own.
    pub(super) fn all(&self, but: Uuid) -> impl Iterator<Item = &Utf8Bytes> {
        let is_shown = move |(connection_id, shown): &(&Uuid, &Shown)| **connection_id != but && shown.is_shown();
        self.shown.iter().filter(is_shown).map(|(_, shown)| &shown.frame)
    }

    /// Lets go of a cursor that points nowhere.
    pub(super) fn forget(&mut self, connection_id: Uuid) {
        if self.shown.get(&connection_id).is_some_and(|shown| !shown.is_shown() && !shown.is_queued) {
            self.shown.remove(&connection_id);
        }
    }

    /// When others are to be told of cursors here.
    pub(super) fn next_telling(&self) -> Option<Instant> {
        (!self.untold.is_empty()).then_some(self.next_telling)
    }

    /// What others are to be told now.
    pub(super) fn tell(&mut self, now: Instant) -> Vec<MovedCursor> {
        if self.untold.is_empty() || now < self.next_telling {
            return Vec::new();
        }
        self.next_telling = now + self.interval;
        let untold = std::mem::take(&mut self.untold);
        let moved = |connection_id| {
            let shown = self.shown.get(&connection_id)?;
            Some(MovedCursor { account_id: shown.account_id, connection_id, cursor: shown.cursor.clone() })
        };
        untold.into_iter().filter_map(moved).collect()
    }
}
