//! Who is here: the people of each process, and the picture that all of them together make.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;
use uuid::Uuid;
use workroom_domain::ids::AccountId;

use super::wire::{News, Person};

/// Bytes of people in one message.
const PART_BYTES: usize = 256 * 1024;
/// Bytes that a person takes in a message, without the state.
const PERSON_BYTES: usize = 160;

/// How somebody leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Departure {
    /// They said so.
    AtOnce,
    /// Their connection ended: they may be back in a moment.
    Held,
}

/// Somebody who is connected to this process.
struct Local {
    connections: HashSet<Uuid>,
    /// When they are gone, if no connection comes back.
    leaves_at: Option<Instant>,
    since: i64,
    state: Option<Arc<str>>,
    state_at: i64,
}

impl Local {
    fn person(&self, account_id: AccountId) -> Person {
        Person {
            account_id,
            // Whoever may be back in a moment is still shown.
            connections: self.connections.len().max(1),
            since: self.since,
            state: self.state.clone(),
            state_at: self.state_at,
        }
    }
}

/// The people of another process, as it told last.
struct Slice {
    version: u64,
    people: HashMap<AccountId, Person>,
    /// What has come of a whole slice: its version, the next part, the people.
    parts: Option<(u64, u32, HashMap<AccountId, Person>)>,
    heard_at: Instant,
    asked_at: Option<Instant>,
}

/// What a message of another process changed.
pub(super) enum Heard {
    /// The picture of these accounts may be another now.
    Changed(Vec<AccountId>),
    /// Something was missed: everybody must be asked for.
    Missed,
}

/// The people of a room, by process.
pub(super) struct People {
    local: HashMap<AccountId, Local>,
    version: u64,
    /// What changed here, by version; of each account the latest.
    changes: BTreeMap<u64, AccountId>,
    changed: HashMap<AccountId, u64>,
    told: u64,
    /// Who may be back in a moment, and when they are gone; the next one first.
    departures: VecDeque<(Instant, AccountId)>,
    slices: HashMap<Uuid, Slice>,
}

impl People {
    pub(super) fn new() -> Self {
        Self {
            local: HashMap::new(),
            version: 0,
            changes: BTreeMap::new(),
            changed: HashMap::new(),
            told: 0,
            departures: VecDeque::new(),
            slices: HashMap::new(),
        }
    }

    fn note(&mut self, account_id: AccountId) {
        self.version += 1;
        if let Some(before) = self.changed.insert(account_id, self.version) {
            self.changes.remove(&before);
        }
        self.changes.insert(self.version, account_id);
    }

    /// A connection of an account is here.
    pub(super) fn join(&mut self, account_id: AccountId, connection_id: Uuid, wall: i64) {
        let is_new = !self.local.contains_key(&account_id);
        let local = self.local.entry(account_id).or_insert_with(|| Local {
            connections: HashSet::new(),
            leaves_at: None,
            since: wall,
            state: None,
            state_at: 0,
        });
        let before = local.connections.len().max(1);
        local.connections.insert(connection_id);
        local.leaves_at = None;
        if is_new || local.connections.len() != before {
            self.note(account_id);
        }
    }

    /// A connection of an account is here no more.
    pub(super) fn leave(&mut self, account_id: AccountId, connection_id: Uuid, leaves_at: Option<Instant>) {
        let Some(local) = self.local.get_mut(&account_id) else { return };
        if !local.connections.remove(&connection_id) {
            return;
        }
        if !local.connections.is_empty() {
            return self.note(account_id);
        }
        if let Some(at) = leaves_at {
            local.leaves_at = leaves_at;
            self.departures.push_back((at, account_id));
        } else {
            self.local.remove(&account_id);
            self.note(account_id);
        }
    }

    /// What an account shows the others. `false`: it is not here.
    pub(super) fn set_state(&mut self, account_id: AccountId, state: Arc<str>, wall: i64) -> bool {
        let Some(local) = self.local.get_mut(&account_id) else { return false };
        local.state_at = wall.max(local.state_at + 1);
        local.state = Some(state);
        self.note(account_id);
        true
    }

    /// Lets go of whoever has not come back.
    pub(super) fn depart(&mut self, now: Instant) -> Vec<AccountId> {
        let mut gone = Vec::new();
        while let Some((at, account_id)) = self.departures.front().copied()
            && at <= now
        {
            self.departures.pop_front();
            if self.local.get(&account_id).is_some_and(|local| local.leaves_at == Some(at)) {
                self.local.remove(&account_id);
                self.note(account_id);
                gone.push(account_id);
            }
        }
        gone
    }

    /// When the next of those who may come back is gone.
    pub(super) fn next_departure(&self) -> Option<Instant> {
        self.departures.front().map(|(at, _)| *at)
    }

    /// Whether nobody is connected to this process, or may be back in a moment.
    pub(super) fn is_empty_here(&self) -> bool {
        self.local.is_empty()
    }

    /// How many connections are here, those that may come back among them.
    #[cfg(test)]
    pub(super) fn count_here(&self) -> usize {
        self.local.values().map(|local| local.connections.len().max(1)).sum()
    }

    /// Whether others should be told of something.
    pub(super) fn has_news(&self) -> bool {
        self.told < self.version
    }

    /// The version of the people here.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// What changed here since it was told last.
    pub(super) fn tell_changes(&mut self) -> Vec<News> {
        let mut news = Vec::new();
        let (mut from, mut people, mut bytes) = (self.told, Vec::new(), 0);
        for (version, account_id) in self.changes.range(self.told + 1..) {
            let person = self.person_here(*account_id);
            bytes += person.state.as_ref().map_or(0, |state| state.len()) + PERSON_BYTES;
            people.push(person);
            if bytes >= PART_BYTES {
                news.push(News::People { from, version: *version, people: std::mem::take(&mut people) });
                (from, bytes) = (*version, 0);
            }
        }
        if from < self.version {
            news.push(News::People { from, version: self.version, people });
        }
        self.told = self.version;
        self.forget_changes();
        news
    }

    fn forget_changes(&mut self) {
        self.changes.clear();
        self.changed.clear();
    }

    /// Everybody here.
    pub(super) fn tell_everybody(&self) -> Vec<News> {
        let version = self.version;
        let mut parts = vec![Vec::new()];
        let mut bytes = 0;
        for (account_id, local) in &self.local {
            let person = local.person(*account_id);
            let size = person.state.as_ref().map_or(0, |state| state.len()) + PERSON_BYTES;
            if bytes + size > PART_BYTES && bytes > 0 {
                parts.push(Vec::new());
                bytes = 0;
            }
            bytes += size;
            if let Some(part) = parts.last_mut() {
                part.push(person);
            }
        }
        let last = parts.len() - 1;
        let everybody = |(part, people)| News::Everybody {
            version,
            part: u32::try_from(part).unwrap_or(u32::MAX),
            is_last: part == last,
            people,
        };
        parts.into_iter().enumerate().map(everybody).collect()
    }

    fn person_here(&self, account_id: AccountId) -> Person {
        match self.local.get(&account_id) {
            Some(local) => local.person(account_id),
            None => Person { account_id, connections: 0, since: 0, state: None, state_at: 0 },
        }
    }

    fn slice(&mut self, gateway: Uuid, now: Instant) -> &mut Slice {
        let slice = self.slices.entry(gateway).or_insert_with(|| Slice {
            version: 0,
            people: HashMap::new(),
            parts: None,
            heard_at: now,
            asked_at: None,
        });
        slice.heard_at = now;
        slice
    }

    /// Another process tells what changed there.
    pub(super) fn hear_changes(
        &mut self,
        gateway: Uuid,
        (from, version): (u64, u64),
        people: Vec<Person>,
        now: Instant,
    ) -> Heard {
        let slice = self.slice(gateway, now);
        if version <= slice.version {
            return Heard::Changed(Vec::new());
        }
        if from != slice.version {
            return Heard::Missed;
        }
        slice.version = version;
        let changed = people.iter().map(|person| person.account_id).collect();
        for person in people {
            if person.connections == 0 {
                slice.people.remove(&person.account_id);
            } else {
                slice.people.insert(person.account_id, person);
            }
        }
        Heard::Changed(changed)
    }

    /// Another process tells of everybody there, or of a part.
    pub(super) fn hear_everybody(
        &mut self,
        gateway: Uuid,
        (version, part, is_last): (u64, u32, bool),
        people: Vec<Person>,
        now: Instant,
    ) -> Heard {
        let slice = self.slice(gateway, now);
        if part == 0 {
            slice.parts = Some((version, 0, HashMap::new()));
        }
        let Some((of, next, all)) = &mut slice.parts else { return Heard::Changed(Vec::new()) };
        if (*of, *next) != (version, part) {
            // A part was lost. The next beat tells.
            slice.parts = None;
            return Heard::Changed(Vec::new());
        }
        *next += 1;
        all.extend(people.into_iter().map(|person| (person.account_id, person)));
        if !is_last {
            return Heard::Changed(Vec::new());
        }
        let all = std::mem::take(all);
        slice.parts = None;
        slice.version = version;
        let before = std::mem::replace(&mut slice.people, all);
        let changed: HashSet<_> = before.into_keys().chain(slice.people.keys().copied()).collect();
        Heard::Changed(changed.into_iter().collect())
    }

    /// Another process says which version of its people others should have.
    pub(super) fn hear_beat(&mut self, gateway: Uuid, version: u64, now: Instant) -> Heard {
        if self.slice(gateway, now).version == version { Heard::Changed(Vec::new()) } else { Heard::Missed }
    }

    /// Whether a process is to be asked now for everybody there: not more often than each `pause`.
    pub(super) fn asks(&mut self, gateway: Uuid, now: Instant, pause: Duration) -> bool {
        let Some(slice) = self.slices.get_mut(&gateway) else { return false };
        let asks = slice.asked_at.is_none_or(|asked_at| now - asked_at >= pause);
        if asks {
            slice.asked_at = Some(now);
        }
        asks
    }

    /// Another process was heard of.
    pub(super) fn heard(&mut self, gateway: Uuid, now: Instant) {
        self.slice(gateway, now);
    }

    /// A process is gone; its people are, too, when it has been silent for `silence`, which is in `left` from now.
    pub(super) fn silence(&mut self, gateway: Uuid, silence: Duration, left: Duration, now: Instant) {
        if let (Some(slice), Some(at)) = (self.slices.get_mut(&gateway), (now + left).checked_sub(silence)) {
            slice.heard_at = at;
        }
    }

    /// A process is gone, and its people with it.
    pub(super) fn forget(&mut self, gateway: Uuid) -> Vec<AccountId> {
        self.slices.remove(&gateway).map(|slice| slice.people.into_keys().collect()).unwrap_or_default()
    }

    /// The processes that were not heard of for so long.
    pub(super) fn silent(&self, now: Instant, silence: Duration) -> Vec<Uuid> {
        let is_silent = |(_, slice): &(&Uuid, &Slice)| now - slice.heard_at >= silence;
        self.slices.iter().filter(is_silent).map(|(gateway, _)| *gateway).collect()
    }

    /// When the next of the other processes has been silent for so long.
    pub(super) fn next_silence(&self, silence: Duration) -> Option<Instant> {
        self.slices.values().map(|slice| slice.heard_at + silence).min()
    }

    /// How an account is here, over all processes.
    pub(super) fn together(&self, account_id: AccountId) -> Option<Person> {
        let here = self.local.get(&account_id).map(|local| local.person(account_id));
        let elsewhere = self.slices.values().filter_map(|slice| slice.people.get(&account_id).cloned());
        here.into_iter().chain(elsewhere).reduce(|one, other| {
            // The same everywhere, also where two were shown at the same moment.
            let is_later = (other.state_at, &other.state) > (one.state_at, &one.state);
            let later = if is_later { &other } else { &one };
            Person {
                account_id,
                connections: one.connections + other.connections,
                since: one.since.min(other.since),
                state: later.state.clone(),
                state_at: later.state_at,
            }
        })
    }
}
