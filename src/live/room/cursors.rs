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

/// Bytes of cursors in one message, and those that one takes beside its frame.
const PART_BYTES: usize = 256 * 1024;
const CURSOR_BYTES: usize = 64;

/// A connection's cursor.
pub(super) struct Shown {
    gateway: Uuid,
    account_id: AccountId,
    cursor: Cursor,
    /// How often it has moved.
    moves: u64,
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

    /// How often a connection's cursor has moved, as a process told. Another one counts anew.
    pub(super) fn moves(&self, gateway: Uuid, connection_id: Uuid) -> u64 {
        self.shown.get(&connection_id).filter(|shown| shown.gateway == gateway).map_or(0, |shown| shown.moves)
    }

    /// A cursor has moved. `frame` tells of it. What is known already changes nothing.
    pub(super) fn moved(&mut self, gateway: Uuid, moved: MovedCursor, frame: Utf8Bytes, is_ours: bool) {
        let MovedCursor { account_id, connection_id, moves, cursor } = moved;
        if moves <= self.moves(gateway, connection_id) {
            return;
        }
        if is_ours {
            self.untold.insert(connection_id);
        }
        let shown = self.shown.entry(connection_id).or_insert_with(|| Shown {
            gateway,
            account_id,
            cursor: Cursor::default(),
            moves: 0,
            frame: frame.clone(),
            version: None,
            is_queued: false,
        });
        (shown.gateway, shown.cursor, shown.moves, shown.frame) = (gateway, cursor, moves, frame);
        if !shown.is_queued {
            shown.is_queued = true;
            self.queue.push_back(connection_id);
        }
    }

    /// Every cursor.
    #[cfg(test)]
    pub(super) fn everything(&self) -> impl Iterator<Item = (Uuid, &Shown)> {
        self.shown.iter().map(|(connection_id, shown)| (*connection_id, shown))
    }

    /// Hides a cursor for a process that is silent, or does not name it any more. What that process tells of it next is news.
    pub(super) fn hide(&mut self, connection_id: Uuid, frame: Utf8Bytes) {
        let Some(shown) = self.shown.get_mut(&connection_id) else { return };
        (shown.cursor, shown.moves, shown.frame) = (Cursor::default(), 0, frame);
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

    /// What others are to be told now, in parts.
    pub(super) fn tell(&mut self, now: Instant) -> Vec<Vec<MovedCursor>> {
        if self.untold.is_empty() || now < self.next_telling {
            return Vec::new();
        }
        self.next_telling = now + self.interval;
        let untold = std::mem::take(&mut self.untold);
        self.parts(untold.into_iter())
    }

    /// Whatever was not told yet, in parts.
    pub(super) fn tell_untold(&mut self) -> Vec<Vec<MovedCursor>> {
        let untold = std::mem::take(&mut self.untold);
        self.parts(untold.into_iter())
    }

    /// All cursors of a process, and whatever of them was not told yet, in parts.
    pub(super) fn tell_all(&mut self, gateway: Uuid) -> Vec<Vec<MovedCursor>> {
        let mut all = std::mem::take(&mut self.untold);
        all.extend(self.of_gateway(gateway));
        self.parts(all.into_iter())
    }

    /// How often each of a process' cursors has moved that point anywhere. Whatever of them was not told yet must be told before.
    pub(super) fn beat(&self, gateway: Uuid) -> Vec<(Uuid, u64)> {
        let is_theirs = |(_, shown): &(&Uuid, &Shown)| shown.gateway == gateway && shown.is_shown();
        self.shown.iter().filter(is_theirs).map(|(connection_id, shown)| (*connection_id, shown.moves)).collect()
    }

    fn parts(&self, connections: impl Iterator<Item = Uuid>) -> Vec<Vec<MovedCursor>> {
        let mut parts = Vec::new();
        let (mut part, mut bytes) = (Vec::new(), 0);
        for connection_id in connections {
            let Some(shown) = self.shown.get(&connection_id) else { continue };
            let Shown { account_id, moves, cursor, frame, .. } = shown;
            bytes += frame.len() + CURSOR_BYTES;
            part.push(MovedCursor { account_id: *account_id, connection_id, moves: *moves, cursor: cursor.clone() });
            if bytes >= PART_BYTES {
                parts.push(std::mem::take(&mut part));
                bytes = 0;
            }
        }
        if !part.is_empty() {
            parts.push(part);
        }
        parts
    }
}
