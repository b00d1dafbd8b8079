//! The rooms of this process.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use time::OffsetDateTime;
use tokio::{sync::Notify, time::Instant};
use tokio_tungstenite::tungstenite::Utf8Bytes;
use uuid::Uuid;
use workroom_domain::ids::{AccountId, ProjectId};

use super::{
    RoomId,
    people::Departure,
    state::{RoomLimits, State},
    view::{View, Viewer},
    visit::Visit,
    wire::{Cursor, CustomMessage, Telling},
};
use crate::live::signal::Signal;

/// A room of this process. A change wakes all who look at it.
pub(super) struct Room {
    pub(super) id: RoomId,
    state: Mutex<State>,
    viewers: Mutex<HashMap<Uuid, Arc<Viewer>>>,
    keeper: Arc<Keeper>,
}

/// When which room has something to do.
#[derive(Default)]
struct Keeper {
    due: Mutex<BTreeSet<(Instant, RoomId)>>,
    bell: Notify,
}

impl Room {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn viewers(&self) -> MutexGuard<'_, HashMap<Uuid, Arc<Viewer>>> {
        self.viewers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the room, wakes whoever is to see it, and has done in time what follows from it.
    fn change<T>(&self, now: Instant, change: impl FnOnce(&mut State) -> T) -> T {
        let (outcome, news, due) = {
            let mut state = self.state();
            let outcome = change(&mut state);
            (outcome, state.take_news(), state.next_due(now))
        };
        if news != 0 {
            for viewer in self.viewers().values() {
                viewer.wake(news);
            }
        }
        if let Some(due) = due {
            self.keeper.schedule(due, self.id);
        }
        outcome
    }

    /// A connection of an account is here, for all to see.
    pub(super) fn join(&self, account_id: AccountId, connection_id: Uuid, wall: OffsetDateTime) {
        let now = Instant::now();
        self.change(now, |state| state.join(account_id, connection_id, now, wall));
    }

    /// A connection of an account is here no more.
    pub(super) fn leave(&self, account_id: AccountId, connection_id: Uuid, departure: Departure) {
        let now = Instant::now();
        self.change(now, |state| state.leave(account_id, connection_id, departure, now));
    }

    /// What an account shows the others, as JSON.
    pub(super) fn set_state(&self, account_id: AccountId, state: Arc<str>, wall: OffsetDateTime) {
        let now = Instant::now();
        self.change(now, |room| room.set_state(account_id, state, now, wall));
    }

    /// A connection points somewhere.
    pub(super) fn point(&self, account_id: AccountId, connection_id: Uuid, cursor: Cursor) {
        let now = Instant::now();
        self.change(now, |state| state.point(account_id, connection_id, cursor, now));
    }

    /// Somebody says something.
    pub(super) fn publish(&self, message: CustomMessage) {
        let now = Instant::now();
        self.change(now, |state| state.publish(message, now));
    }

    /// Puts out what a view has not seen, up to `limit` frames of changes; returns whether there is more.
    pub(super) fn pull(&self, view: &mut View, limit: usize, put: impl FnMut(Utf8Bytes)) -> bool {
        self.state().pull(view, limit, put)
    }

    /// A connection looks at it no more.
    pub(super) fn close(&self, connection_id: Uuid) {
        self.viewers().remove(&connection_id);
        self.keeper.schedule(Instant::now(), self.id);
    }
}

impl Keeper {
    fn schedule(&self, at: Instant, room: RoomId) {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = due.first().is_none_or(|(first, _)| at < *first);
        due.insert((at, room));
        drop(due);
        if is_first {
            self.bell.notify_one();
        }
    }
}

/// The rooms of this process.
pub(in crate::live) struct Rooms {
    limits: RoomLimits,
    rooms: Mutex<HashMap<RoomId, Arc<Room>>>,
    keeper: Arc<Keeper>,
}

impl Rooms {
    /// No rooms yet.
    pub(in crate::live) fn new(limits: RoomLimits) -> Self {
        Self { limits, rooms: Mutex::default(), keeper: Arc::default() }
    }

    fn map(&self) -> MutexGuard<'_, HashMap<RoomId, Arc<Room>>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A room, for a connection that looks at it; made if it is not there. `wants`: whether it wants to see people, and cursors.
    /// `others`: whether there are other processes.
    pub(in crate::live) fn open(
        &self,
        id: RoomId,
        (account_id, connection_id, signal): (AccountId, Uuid, Arc<Signal>),
        wants: (bool, bool),
        others: bool,
    ) -> Visit {
        let now = Instant::now();
        let mut rooms = self.map();
        let room = rooms.entry(id).or_insert_with(|| {
            let state = State::new(id, self.limits.clone(), others, now);
            let keeper = Arc::clone(&self.keeper);
            Arc::new(Room { id, state: Mutex::new(state), viewers: Mutex::default(), keeper })
        });
        let version = room.state().version();
        let viewer = Arc::new(Viewer::new(signal, wants));
        room.viewers().insert(connection_id, Arc::clone(&viewer));
        self.keeper.schedule(now, id);
        let view = View::new(viewer, connection_id, wants, version);
        Visit::new(Arc::clone(room), view, account_id, connection_id)
    }

    /// A room that somebody looks at.
    pub(super) fn find(&self, id: RoomId) -> Option<Arc<Room>> {
        self.map().get(&id).cloned()
    }

    /// Another process tells something of a room of that project.
    pub(in crate::live) fn hear(&self, project_id: ProjectId, payload: &[u8]) {
        let telling = match serde_json::from_slice::<Telling>(payload) {
            Ok(telling) => telling,
            // Of a newer version, perhaps.
            Err(error) => return tracing::warn!(%error, "what another process tells of a room cannot be read"),
        };
        if let Some(room) = self.find(telling.within.room(project_id)) {
            let now = Instant::now();
            room.change(now, |state| state.hear(telling, now));
        }
    }

    /// Waits until a room has something to do.
    pub(super) async fn next_due(&self) -> RoomId {
        loop {
            let rung = self.keeper.bell.notified();
            let first = {
                let mut due = self.keeper.due.lock().unwrap_or_else(PoisonError::into_inner);
                match due.first().copied() {
                    Some((at, room)) if at <= Instant::now() => {
                        due.pop_first();
                        // What was planned for later is planned anew.
                        return room;
                    }
                    first => first.map(|(at, _)| at),
                }
            };
            match first {
                Some(at) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(at) => {}
                        () = rung => {}
                    }
                }
                None => rung.await,
            }
        }
    }

    /// Does what is due in a room; returns what others are to be told. A room that nobody needs is gone.
    pub(super) fn tick(&self, id: RoomId, others: bool) -> Vec<Telling> {
        let Some(room) = self.find(id) else { return Vec::new() };
        let now = Instant::now();
        let mut tellings = room.change(now, |state| state.tick(others, now));
        let mut rooms = self.map();
        let is_over = room.viewers().is_empty() && room.state().is_over();
        if is_over {
            rooms.remove(&id);
            tellings.extend(room.state().end(false).filter(|_| others));
        }
        tellings
    }

    /// The end of all rooms: what others are to be told. The people here may be back in a moment, elsewhere.
    pub(super) fn end(&self) -> Vec<(RoomId, Telling)> {
        let rooms = std::mem::take(&mut *self.map());
        rooms.into_iter().filter_map(|(id, room)| room.state().end(true).map(|telling| (id, telling))).collect()
    }
}
