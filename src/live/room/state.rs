//! A room: what it knows, and what changed when. It keeps no clock, and knows no connection but by name.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{Arc, OnceLock},
    time::Duration,
};

use serde_json::value::RawValue;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use uuid::Uuid;
use workroom_domain::ids::AccountId;

use super::{
    RoomId,
    cursors::Cursors,
    messages::{Messages, Said},
    people::{Departure, Heard, People},
    view::View,
    wire::{Cursor, CustomMessage, MovedCursor, News, Person, Telling, Within},
};
use crate::live::feed::frames::{Frame, Member};

/// How often a process says which version of its people others should have.
const BEAT: Duration = Duration::from_secs(5);
/// A process that was not heard of for so long is gone.
const SILENCE: Duration = Duration::from_secs(12);
/// How long whoever has come waits for others' people.
const ASKING: Duration = Duration::from_millis(100);
/// The pause between two times that everybody is told, or asked for.
const EVERYBODY_PAUSE: Duration = Duration::from_millis(500);
/// How long changes of people are gathered before others are told.
const GATHERING: Duration = Duration::from_millis(10);
/// The pause between two times that an account's state is shown.
const STATE_PAUSE: Duration = Duration::from_millis(100);
/// How long it is known that somebody has left, or points nowhere any more.
const TOMBSTONE: Duration = Duration::from_mins(1);

/// Most of what is known to be over.
const TOMBSTONES: usize = 4096;

/// What may have changed, as bits.
pub(super) mod kind {
    /// Who is here.
    pub(in crate::live::room) const PEOPLE: u8 = 1;
    /// Where somebody points.
    pub(in crate::live::room) const CURSORS: u8 = 2;
    /// Something was said.
    pub(in crate::live::room) const SAID: u8 = 4;
}

/// What a room may.
#[derive(Clone, Debug)]
pub struct RoomLimits {
    /// How long somebody whose connection ended is still shown.
    pub leave_grace: Duration,
    /// The time between two frames of cursors.
    pub cursor_interval: Duration,
}

/// What changed, by version.
pub(super) enum Item {
    /// Somebody is here, or shows another state.
    Here(AccountId),
    /// Somebody has left who was here since that version.
    Left(AccountId, u64),
    /// A connection's cursor has moved.
    Moved(Uuid),
    /// Something was said.
    Said(Said),
}

/// Somebody as everybody is shown them.
struct Present {
    person: Person,
    /// The version in which they came.
    joined: u64,
    /// The version in which they were shown last, and when.
    version: u64,
    at: Instant,
    joined_frame: OnceLock<Utf8Bytes>,
    updated_frame: OnceLock<Utf8Bytes>,
}

/// What a room knows.
pub(super) struct State {
    id: RoomId,
    /// What this process is known by to the others in this room.
    gateway: Uuid,
    limits: RoomLimits,
    /// Counts what is shown.
    version: u64,
    /// The kinds of what was shown lately.
    news: u8,
    changes: BTreeMap<u64, Item>,
    present: HashMap<AccountId, Present>,
    people: People,
    cursors: Cursors,
    /// How often cursors have moved here.
    moves: u64,
    messages: Messages,
    /// Accounts whose state is shown later, and when.
    late: BTreeSet<AccountId>,
    late_at: Option<Instant>,
    /// What is known to be over, for a while.
    tombstones: VecDeque<(Instant, u64)>,
    /// Whoever has seen less has missed that somebody left.
    floor: u64,
    /// The frame with everybody, and the version of the picture that it shows.
    everybody: Option<(u64, Utf8Bytes)>,
    picture: u64,
    asking_until: Option<Instant>,
    asks: Vec<Option<Uuid>>,
    is_asked: bool,
    may_tell_everybody_at: Instant,
    tell_changes_at: Option<Instant>,
    beat_at: Instant,
    /// Messages that others are to be told, and their bytes.
    said: Vec<CustomMessage>,
    has_told: bool,
}

impl State {
    /// An empty room. `others`: whether there are other processes to ask.
    pub(super) fn new(id: RoomId, limits: RoomLimits, others: bool, now: Instant) -> Self {
        Self {
            id,
            // A room that is made again counts its versions anew.
            gateway: Uuid::new_v4(),
            version: 0,
            news: 0,
            changes: BTreeMap::new(),
            present: HashMap::new(),
            people: People::new(),
            cursors: Cursors::new(limits.cursor_interval, now),
            moves: 0,
            limits,
            messages: Messages::default(),
            late: BTreeSet::new(),
            late_at: None,
            tombstones: VecDeque::new(),
            floor: 0,
            everybody: None,
            picture: 0,
            asking_until: others.then_some(now + ASKING),
            asks: if others { vec![None] } else { Vec::new() },
            is_asked: false,
            may_tell_everybody_at: now,
            tell_changes_at: None,
            beat_at: now + BEAT,
            said: Vec::new(),
            has_told: false,
        }
    }

    /// Counts what is shown.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    fn show(&mut self, item: Item) -> u64 {
        self.news |= match item {
            Item::Here(_) | Item::Left(..) => kind::PEOPLE,
            Item::Moved(_) => kind::CURSORS,
            Item::Said(_) => kind::SAID,
        };
        self.version += 1;
        self.changes.insert(self.version, item);
        self.version
    }

    /// A connection of an account is here.
    pub(super) fn join(&mut self, account_id: AccountId, connection_id: Uuid, now: Instant, wall: OffsetDateTime) {
        self.people.join(account_id, connection_id, milliseconds(wall));
        self.refresh(account_id, now);
        self.tell_soon(now);
    }

    /// A connection of an account is here no more.
    pub(super) fn leave(&mut self, account_id: AccountId, connection_id: Uuid, departure: Departure, now: Instant) {
        let leaves_at = match departure {
            Departure::AtOnce => None,
            Departure::Held => Some(now + self.limits.leave_grace),
        };
        self.people.leave(account_id, connection_id, leaves_at);
        if self.cursors.owner(connection_id).is_some() {
            self.point(account_id, connection_id, Cursor::default(), now);
        }
        self.refresh(account_id, now);
        self.tell_soon(now);
    }

    /// What an account shows the others, as JSON.
    pub(super) fn set_state(&mut self, account_id: AccountId, state: Arc<str>, now: Instant, wall: OffsetDateTime) {
        if self.people.set_state(account_id, state, milliseconds(wall)) {
            self.refresh(account_id, now);
            self.tell_soon(now);
        }
    }

    /// A connection of this process points somewhere.
    pub(super) fn point(&mut self, account_id: AccountId, connection_id: Uuid, cursor: Cursor, now: Instant) {
        // One count for all, which never begins anew.
        self.moves += 1;
        self.moved(self.gateway, MovedCursor { account_id, connection_id, moves: self.moves, cursor }, now);
    }

    fn moved(&mut self, gateway: Uuid, moved: MovedCursor, now: Instant) {
        let frame = self.cursor_frame(moved.account_id, moved.connection_id, &moved.cursor);
        self.cursors.moved(gateway, moved, frame, gateway == self.gateway);
        self.show_cursors(now);
    }

    fn cursor_frame(&self, user_id: AccountId, connection_id: Uuid, cursor: &Cursor) -> Utf8Bytes {
        let document = self.id.file_id.map(|_| true);
        Frame::Cursor { room: self.id, document, user_id, connection_id, cursor }.text()
    }

    fn show_cursors(&mut self, now: Instant) {
        while let Some(connection_id) = self.cursors.take_turn(now) {
            let version = self.show(Item::Moved(connection_id));
            if let Some(before) = self.cursors.set_version(connection_id, version) {
                self.changes.remove(&before);
            }
            if self.cursors.get(connection_id).is_some_and(|cursor| !cursor.is_shown()) {
                self.tombstones.push_back((now, version));
            }
        }
    }

    /// Somebody at this process says something.
    pub(super) fn publish(&mut self, message: CustomMessage, now: Instant) {
        self.say(&message, now);
        self.said.push(message);
    }

    fn say(&mut self, message: &CustomMessage, now: Instant) {
        let frame = Frame::Message {
            room: self.id,
            name: &message.name,
            from: message.from,
            connection_id: message.connection_id,
            data: &message.data,
        };
        let frame = frame.text();
        let bytes = frame.len();
        let version = self.show(Item::Said(Said { frame, by: message.connection_id }));
        for dropped in self.messages.keep(version, bytes, now) {
            self.changes.remove(&dropped);
        }
    }

    /// Shows an account as it is over all processes, if that has changed.
    fn refresh(&mut self, account_id: AccountId, now: Instant) {
        let together = self.people.together(account_id);
        match (together, self.present.get(&account_id)) {
            (None, None) => {}
            (None, Some(present)) => {
                let (version, joined) = (present.version, present.joined);
                self.changes.remove(&version);
                self.present.remove(&account_id);
                let version = self.show(Item::Left(account_id, joined));
                self.tombstones.push_back((now, version));
                self.picture = version;
            }
            (Some(person), Some(present)) if present.person == person => {}
            (Some(person), Some(present))
                if present.person.connections == person.connections && now < present.at + STATE_PAUSE =>
            {
                let at = present.at + STATE_PAUSE;
                self.late.insert(account_id);
                self.late_at = Some(self.late_at.map_or(at, |late_at| late_at.min(at)));
            }
            (Some(person), present) => {
                let (joined, before) = present.map(|present| (present.joined, present.version)).unzip();
                if let Some(before) = before {
                    self.changes.remove(&before);
                }
                let version = self.show(Item::Here(account_id));
                let (joined_frame, updated_frame) = (OnceLock::new(), OnceLock::new());
                let joined = joined.unwrap_or(version);
                let present = Present { person, joined, version, at: now, joined_frame, updated_frame };
                self.present.insert(account_id, present);
                self.picture = version;
            }
        }
    }

    fn refresh_all(&mut self, accounts: Vec<AccountId>, now: Instant) {
        for account_id in accounts {
            self.refresh(account_id, now);
        }
    }

    fn tell_soon(&mut self, now: Instant) {
        if self.people.has_news() {
            self.tell_changes_at.get_or_insert(now + GATHERING);
        }
    }

    /// Another process tells something.
    pub(super) fn hear(&mut self, telling: Telling, now: Instant) {
        let gateway = telling.gateway;
        if gateway == self.gateway {
            return;
        }
        // Of everybody who tells anything it is known how long ago that was: whoever is silent is gone, with all that is theirs.
        self.people.heard(gateway, now);
        let heard = match telling.news {
            News::People { from, version, people } => self.people.hear_changes(gateway, (from, version), people, now),
            News::Everybody { version, part, is_last, people } => {
                self.people.hear_everybody(gateway, (version, part, is_last), people, now)
            }
            News::Beat { version, cursors } => match self.hear_cursors(gateway, &cursors, now) {
                Heard::Missed => Heard::Missed,
                Heard::Changed(_) => self.people.hear_beat(gateway, version, now),
            },
            News::Ask { of } => {
                self.is_asked |= of.is_none_or(|of| of == self.gateway) && (of.is_some() || self.has_told);
                Heard::Changed(Vec::new())
            }
            News::Gone { held: false } => return self.forget(gateway, now),
            News::Gone { held: true } => return self.people.silence(gateway, SILENCE, self.limits.leave_grace, now),
            News::Cursors { cursors } => {
                for moved in cursors {
                    self.moved(gateway, moved, now);
                }
                Heard::Changed(Vec::new())
            }
            News::Message(message) => {
                self.say(&message, now);
                Heard::Changed(Vec::new())
            }
        };
        match heard {
            Heard::Changed(accounts) => self.refresh_all(accounts, now),
            Heard::Missed => {
                if self.people.asks(gateway, now, EVERYBODY_PAUSE) {
                    self.asks.push(Some(gateway));
                }
            }
        }
    }

    /// Compares a process' cursors with what is known of them.
    fn hear_cursors(&mut self, gateway: Uuid, cursors: &[(Uuid, u64)], now: Instant) -> Heard {
        let told: HashMap<_, _> = cursors.iter().copied().collect();
        for connection_id in self.cursors.of_gateway(gateway) {
            if !told.contains_key(&connection_id) {
                self.hide_cursor(connection_id, now);
            }
        }
        let is_known = |(connection_id, moves): &(Uuid, u64)| self.cursors.moves(gateway, *connection_id) >= *moves;
        if cursors.iter().all(is_known) { Heard::Changed(Vec::new()) } else { Heard::Missed }
    }

    fn hide_cursor(&mut self, connection_id: Uuid, now: Instant) {
        let is_shown = self.cursors.get(connection_id).is_some_and(super::cursors::Shown::is_shown);
        if let Some(user_id) = self.cursors.owner(connection_id).filter(|_| is_shown) {
            let frame = self.cursor_frame(user_id, connection_id, &Cursor::default());
            self.cursors.hide(connection_id, frame);
            self.show_cursors(now);
        }
    }

    fn forget(&mut self, gateway: Uuid, now: Instant) {
        let accounts = self.people.forget(gateway);
        self.refresh_all(accounts, now);
        for connection_id in self.cursors.of_gateway(gateway) {
            self.hide_cursor(connection_id, now);
        }
    }

    /// Does what is due; returns what others are to be told, if there are `others`.
    pub(super) fn tick(&mut self, others: bool, now: Instant) -> Vec<Telling> {
        let gone = self.people.depart(now);
        self.refresh_all(gone, now);
        self.tell_soon(now);
        for gateway in self.people.silent(now, SILENCE) {
            self.forget(gateway, now);
        }
        if self.late_at.is_some_and(|at| at <= now) {
            self.late_at = None;
            let late = std::mem::take(&mut self.late);
            self.refresh_all(late.into_iter().collect(), now);
        }
        self.show_cursors(now);
        self.expire(now);
        if self.asking_until.is_some_and(|until| until <= now) {
            self.asking_until = None;
            self.news |= kind::PEOPLE | kind::CURSORS;
        }
        let news = self.tell(now);
        if others { news.into_iter().map(|news| self.telling(news)).collect() } else { Vec::new() }
    }

    fn telling(&self, news: News) -> Telling {
        Telling { gateway: self.gateway, within: Within::of(self.id), news }
    }

    /// What kinds of things have changed since the last call.
    pub(super) fn take_news(&mut self) -> u8 {
        std::mem::take(&mut self.news)
    }

    fn expire(&mut self, now: Instant) {
        for version in self.messages.expire(now) {
            self.changes.remove(&version);
        }
        while let Some((at, version)) = self.tombstones.front().copied()
            && (now - at >= TOMBSTONE || self.tombstones.len() > TOMBSTONES)
        {
            self.tombstones.pop_front();
            match self.changes.get(&version) {
                Some(Item::Left(..)) => {
                    self.changes.remove(&version);
                    self.floor = version;
                }
                Some(Item::Moved(connection_id)) => {
                    let connection_id = *connection_id;
                    self.changes.remove(&version);
                    self.cursors.forget(connection_id);
                }
                // Somebody is here again, or points somewhere again.
                Some(Item::Here(_) | Item::Said(_)) | None => {}
            }
        }
    }

    fn tell(&mut self, now: Instant) -> Vec<News> {
        let mut news: Vec<News> = std::mem::take(&mut self.asks).into_iter().map(|of| News::Ask { of }).collect();
        if self.tell_changes_at.is_some_and(|at| at <= now) {
            self.tell_changes_at = None;
            news.extend(self.people.tell_changes());
            self.has_told = true;
        }
        if self.is_asked && self.may_tell_everybody_at <= now {
            self.is_asked = false;
            self.may_tell_everybody_at = now + EVERYBODY_PAUSE;
            // What has changed since is told first, so that nobody takes it twice.
            news.extend(self.people.tell_changes());
            news.extend(self.people.tell_everybody());
            news.extend(self.cursors.tell_all(self.gateway).into_iter().map(|cursors| News::Cursors { cursors }));
            self.has_told = true;
        }
        let is_beat = self.beat_at <= now;
        if is_beat {
            // Before the beat that names their version.
            news.extend(self.people.tell_changes());
        }
        // Before the beat that counts them.
        let cursors = if is_beat { self.cursors.tell_untold() } else { self.cursors.tell(now) };
        self.has_told |= !cursors.is_empty();
        news.extend(cursors.into_iter().map(|cursors| News::Cursors { cursors }));
        if is_beat {
            self.beat_at = now + BEAT;
            if self.has_told {
                let cursors = self.cursors.beat(self.gateway);
                news.push(News::Beat { version: self.people.version(), cursors });
            }
        }
        news.extend(self.said.drain(..).map(News::Message));
        news
    }

    /// Tells others that nobody is here any more, if they were told that somebody is. `held`: they may be back in a moment.
    pub(super) fn end(&mut self, held: bool) -> Option<Telling> {
        std::mem::take(&mut self.has_told).then(|| self.telling(News::Gone { held }))
    }

    /// Whether there is nothing to keep it for, once no connection looks at it.
    pub(super) fn is_over(&self) -> bool {
        self.people.is_empty_here() && !self.people.has_news() && self.said.is_empty()
    }

    /// When something is due.
    pub(super) fn next_due(&self, now: Instant) -> Option<Instant> {
        let is_urgent = !self.asks.is_empty() || !self.said.is_empty();
        [
            is_urgent.then_some(now),
            self.people.next_departure(),
            self.people.next_silence(SILENCE),
            self.late_at,
            self.cursors.next_turn(),
            self.cursors.next_telling(),
            self.messages.next_expiry(),
            self.tombstones.front().map(|(at, _)| *at + TOMBSTONE),
            self.asking_until,
            self.tell_changes_at,
            self.is_asked.then_some(self.may_tell_everybody_at),
            (self.has_told || !self.people.is_empty_here()).then_some(self.beat_at),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Puts out what lies behind what a view has seen, up to `limit` frames of changes; returns whether there is more.
    pub(super) fn pull(&mut self, view: &mut View, limit: usize, mut put: impl FnMut(Utf8Bytes)) -> bool {
        view.needs_everybody |= view.wants_people && view.seen < self.floor;
        let mut count = 0;
        for (version, item) in self.changes.range(view.seen + 1..) {
            if count == limit {
                return true;
            }
            if let Some(frame) = self.frame_for(view, item) {
                put(frame);
                count += 1;
            }
            view.seen = *version;
        }
        view.seen = self.version;
        view.drained = self.version;
        if view.needs_everybody && self.asking_until.is_none() {
            view.needs_everybody = false;
            if view.wants_people {
                put(self.everybody());
            }
            if view.wants_cursors {
                self.cursors.all(view.connection_id).cloned().for_each(put);
            }
        }
        false
    }

    fn frame_for(&self, view: &View, item: &Item) -> Option<Utf8Bytes> {
        match item {
            Item::Said(said) => (said.by != Some(view.connection_id)).then(|| said.frame.clone()),
            // All of it comes with everybody.
            _ if view.needs_everybody => None,
            Item::Here(account_id) if view.wants_people => {
                let present = self.present.get(account_id)?;
                let is_new = present.joined > view.drained;
                let frame = if is_new { &present.joined_frame } else { &present.updated_frame };
                let write = || {
                    let (room, member) = (self.id, Member::of(&present.person));
                    let frame = if is_new {
                        Frame::PresenceJoined { room, member }
                    } else {
                        Frame::PresenceUpdated { room, member }
                    };
                    frame.text()
                };
                Some(frame.get_or_init(write).clone())
            }
            Item::Left(account_id, joined) if view.wants_people && *joined <= view.seen => {
                Some(Frame::PresenceLeft { room: self.id, user_id: *account_id }.text())
            }
            Item::Moved(connection_id) if view.wants_cursors && *connection_id != view.connection_id => {
                self.cursors.get(*connection_id).map(|cursor| cursor.frame.clone())
            }
            Item::Here(_) | Item::Left(..) | Item::Moved(_) => None,
        }
    }

    /// The frame with everybody, written once for all who come while nothing changes.
    fn everybody(&mut self) -> Utf8Bytes {
        if let Some((picture, frame)) = &self.everybody
            && *picture == self.picture
        {
            return frame.clone();
        }
        let members = self.present.values().map(|present| Member::of(&present.person)).collect();
        let frame = Frame::PresenceState { room: self.id, members }.text();
        self.everybody = Some((self.picture, frame.clone()));
        frame
    }
}

fn milliseconds(wall: OffsetDateTime) -> i64 {
    i64::try_from(wall.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

impl Member {
    fn of(person: &Person) -> Self {
        let since = OffsetDateTime::from_unix_timestamp_nanos(i128::from(person.since) * 1_000_000);
        let since = since.ok().and_then(|since| since.format(&Rfc3339).ok()).unwrap_or_default();
        let state = person.state.as_ref().and_then(|state| RawValue::from_string(state.to_string()).ok());
        Self { user_id: person.account_id, connections: person.connections, since, state }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use workroom_domain::ids::{FileId, ProjectId, WorkspaceId};

    use super::*;

    const GRACE: Duration = Duration::from_millis(50);

    fn room(now: Instant) -> State {
        let id = RoomId { project_id: ProjectId(Uuid::nil()), workspace_id: None, file_id: None };
        State::new(id, RoomLimits { leave_grace: GRACE, cursor_interval: Duration::from_millis(50) }, true, now)
    }

    fn account(number: u8) -> AccountId {
        AccountId(Uuid::from_u128(u128::from(number) + 1))
    }

    fn connection(process: usize, number: u8) -> Uuid {
        Uuid::from_u128((process as u128 + 1) * 1000 + u128::from(number))
    }

    /// What everybody is shown of a room: people with their connections and states, and cursors.
    type Picture = (BTreeMap<String, (usize, Option<String>)>, BTreeMap<Uuid, String>);

    fn picture(room: &State) -> Picture {
        let people = room.present.iter().map(|(account_id, present)| {
            let state = present.person.state.as_ref().map(ToString::to_string);
            (account_id.to_string(), (present.person.connections, state))
        });
        let cursors = room.cursors.everything().filter(|(_, shown)| shown.is_shown());
        (people.collect(), cursors.map(|(id, shown)| (id, shown.frame.as_str().to_owned())).collect())
    }

    #[test]
    fn a_cursor_in_a_files_own_room_names_the_file_once() {
        let now = Instant::now();
        let [project, workspace, file] = [1, 2, 3].map(Uuid::from_u128);
        let (workspace_id, file_id) = (Some(WorkspaceId(workspace)), Some(FileId(file)));
        let mut room = room(now);
        room.id = RoomId { project_id: ProjectId(project), workspace_id, file_id };
        let (account, connection) = (account(0), connection(0, 0));
        room.point(account, connection, Cursor { line: Some(7), ..Cursor::default() }, now);
        let place = format!(r#""project_id":"{project}","workspace_id":"{workspace}","file_id":"{file}""#);
        let whose = format!(r#""user_id":"{account}","connection_id":"{connection}""#);
        let frame = format!(r#"{{"type":"cursor",{place},"document":true,{whose},"line":7}}"#);
        assert_eq!(picture(&room).1, BTreeMap::from([(connection, frame)]));
    }

    #[derive(Clone, Debug)]
    enum Act {
        Join(u8),
        Leave(u8, bool),
        Show(u8, u8),
        Point(u8, u8),
        /// Nothing, for so many milliseconds.
        Pass(u16),
        /// Nobody hears of it for longer than others wait.
        CutOff,
        /// The process is another one from now on.
        Restart,
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            (0..4_u8).prop_map(Act::Join),
            (0..4_u8, any::<bool>()).prop_map(|(number, held)| Act::Leave(number, held)),
            (0..4_u8, any::<u8>()).prop_map(|(number, state)| Act::Show(number, state)),
            (0..4_u8, any::<u8>()).prop_map(|(number, x)| Act::Point(number, x)),
            (1..400_u16).prop_map(Act::Pass),
            Just(Act::Restart),
            Just(Act::CutOff),
        ]
    }

    fn perform(rooms: &mut [State], process: usize, act: &Act, now: Instant) {
        let wall = OffsetDateTime::UNIX_EPOCH;
        let room = &mut rooms[process];
        let of = |number: u8| (account(number), connection(process, number));
        match *act {
            Act::Join(number) => room.join(of(number).0, of(number).1, now, wall),
            Act::Leave(number, held) => {
                let departure = if held { Departure::Held } else { Departure::AtOnce };
                room.leave(of(number).0, of(number).1, departure, now);
            }
            Act::Show(number, state) => room.set_state(of(number).0, state.to_string().into(), now, wall),
            Act::Point(number, x) => {
                let cursor = Cursor { x: Some(x.into()), ..Cursor::default() };
                room.point(of(number).0, of(number).1, cursor, now);
            }
            Act::Pass(_) | Act::CutOff => {}
            Act::Restart => rooms[process] = super::tests::room(now),
        }
    }

    /// Lets everything that is due happen, and tells the others what `is_lost` does not lose.
    fn settle(rooms: &mut [State], now: Instant, mut is_lost: impl FnMut() -> bool) {
        for process in 0..rooms.len() {
            for telling in rooms[process].tick(true, now) {
                for (other, room) in rooms.iter_mut().enumerate() {
                    if other != process && !is_lost() {
                        let telling = serde_json::to_string(&telling).expect("JSON");
                        room.hear(serde_json::from_str(&telling).expect("the same"), now);
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_is_lost_on_the_way_everybody_comes_to_the_same_picture(
            acts in proptest::collection::vec((0..3_usize, act(), any::<u16>()), 0..60),
        ) {
            let mut now = Instant::now();
            let mut rooms = [room(now), room(now), room(now)];
            for (process, act, luck) in &acts {
                perform(&mut rooms, *process, act, now);
                if matches!(act, Act::CutOff) {
                    for _ in 0..130 {
                        now += Duration::from_millis(100);
                        settle(&mut rooms, now, || true);
                    }
                }
                now += Duration::from_millis(if let Act::Pass(pause) = act { u64::from(*pause) } else { 7 });
                let mut luck = *luck;
                settle(&mut rooms, now, || {
                    luck = luck.rotate_left(3).wrapping_mul(31).wrapping_add(7);
                    luck % 3 == 0
                });
            }
            // Nothing is lost any more: two beats, what is asked for after each, and the silence of those who restarted.
            for _ in 0..2000 {
                now += Duration::from_millis(10);
                settle(&mut rooms, now, || false);
            }
            let pictures = rooms.each_ref().map(picture);
            prop_assert_eq!(&pictures[0], &pictures[1]);
            prop_assert_eq!(&pictures[0], &pictures[2]);
            let here: usize = rooms.iter().map(|room| room.people.count_here()).sum();
            let shown: usize = pictures[0].0.values().map(|(connections, _)| connections).sum();
            prop_assert_eq!(here, shown, "nobody is a ghost, and nobody is missing");
        }

        #[test]
        fn a_view_that_follows_the_changes_has_the_picture_of_one_that_comes_last(
            acts in proptest::collection::vec((act(), 0..3_usize), 0..60),
        ) {
            let mut now = Instant::now();
            let mut rooms = [room(now)];
            let view = |room: &State| {
                let viewer = Arc::new(super::super::view::Viewer::new(Arc::default(), (true, false)));
                View::new(viewer, Uuid::nil(), (true, false), room.version())
            };
            let mut follower = view(&rooms[0]);
            let mut followed: BTreeMap<String, serde_json::Value> = BTreeMap::new();
            let follow = |room: &mut State, view: &mut View, limit: usize, known: &mut BTreeMap<_, _>| {
                room.pull(view, limit, |frame| take(known, &frame))
            };
            for (act, pull) in &acts {
                if !matches!(act, Act::Restart) {
                    perform(&mut rooms, 0, act, now);
                }
                now += Duration::from_millis(if let Act::Pass(pause) = act { u64::from(*pause) } else { 7 });
                rooms[0].tick(false, now);
                if *pull > 0 {
                    follow(&mut rooms[0], &mut follower, *pull, &mut followed);
                }
            }
            now += Duration::from_secs(1);
            rooms[0].tick(false, now);
            while follow(&mut rooms[0], &mut follower, 1, &mut followed) {}
            let mut last = view(&rooms[0]);
            let mut known = BTreeMap::new();
            follow(&mut rooms[0], &mut last, 1, &mut known);
            prop_assert_eq!(followed, known);
        }
    }

    /// What a client makes of a frame.
    fn take(known: &mut BTreeMap<String, serde_json::Value>, frame: &str) {
        let mut frame: serde_json::Value = serde_json::from_str(frame).expect("JSON");
        let user = |member: &serde_json::Value| member["user_id"].as_str().expect("an account").to_owned();
        match frame["type"].as_str().expect("a type") {
            "presence.state" => {
                let members = frame["members"].as_array().expect("members");
                *known = members.iter().map(|member| (user(member), member.clone())).collect();
            }
            "presence.joined" | "presence.updated" => {
                let user = user(&frame);
                let fields = frame.as_object_mut().expect("fields");
                fields.retain(|name, _| !["type", "project_id"].contains(&name.as_str()));
                known.insert(user, frame);
            }
            "presence.left" => drop(known.remove(&user(&frame))),
            other => panic!("{other}"),
        }
    }
}
