//! How far each group's views are, and waiting for them (law 5: a reply means visible).
//!
//! Views commit without waiting for the disk, so after a crash of the database they go back, and the runner makes up for it. All
//! that is known of how far they are therefore holds within one [`Incarnation`] of the server: with another, everything is
//! unknown until it is told or read anew, whoever waits goes on waiting, and no pooled connection is handed out before the
//! views show again what the log held when they went back ([`Positions::admit`]): nobody is ever told less than they were before.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sqlx::{PgConnection, PgExecutor, PgPool};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout_at},
};

use crate::{GROUPS, incarnation::Incarnation, log};

/// How long a waiter trusts its doorbells before it asks the database.
const PATIENCE: Duration = Duration::from_millis(30);
/// How long connections wait after a crash until the views are back. Then reads may show less than before: the views may be
/// behind for a reason that waiting does not mend.
const RECOVERY: Duration = Duration::from_secs(3);
const RECOVERY_LOOKS: Duration = Duration::from_millis(5);

/// What this process knows of how far each group is: from its own runners, from the messages of other processes', from the
/// database. Cheap to clone.
#[derive(Clone)]
pub struct Positions {
    inner: Arc<Inner>,
}

struct Inner {
    groups: BTreeMap<&'static str, watch::Sender<i64>>,
    state: Mutex<State>,
    /// Held by the one who looks whether the views are back.
    admitting: tokio::sync::Mutex<()>,
}

/// What the positions hold for.
#[derive(Default)]
struct State {
    incarnation: Option<Incarnation>,
    /// Counts how often everything became unknown.
    generation: u64,
    /// Whether the views may be behind what they have shown before.
    is_recovering: bool,
}

impl Default for Positions {
    fn default() -> Self {
        let groups = GROUPS.into_iter().map(|name| (name, watch::channel(0).0)).collect();
        Self { inner: Arc::new(Inner { groups, state: Mutex::default(), admitting: tokio::sync::Mutex::default() }) }
    }
}

impl Positions {
    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note that in this incarnation a group's views show everything up to `position`. What is told of another incarnation
    /// than the one that this process knows is not believed.
    pub fn advance(&self, group: &str, incarnation: &Incarnation, position: i64) {
        let state = self.state();
        if state.incarnation.as_ref() != Some(incarnation) {
            return;
        }
        if let Some(sender) = self.inner.groups.get(group) {
            sender.send_if_modified(|known| {
                let ahead = position > *known;
                *known = position.max(*known);
                ahead
            });
        }
    }

    /// Takes note of what the server itself said it was. If that is news, everything else that is known becomes unknown.
    pub fn observe(&self, incarnation: &Incarnation) {
        let mut state = self.state();
        if state.incarnation.as_ref() == Some(incarnation) {
            return;
        }
        if state.incarnation.is_some() {
            tracing::warn!(%incarnation, "the database has come back from a crash, or is another one: the views may have gone back");
            state.is_recovering = true;
        }
        self.forget(&mut state);
        state.incarnation = Some(incarnation.clone());
    }

    /// Makes unknown all that is known: the views may have gone back.
    pub fn reset(&self) {
        let mut state = self.state();
        state.is_recovering |= state.incarnation.is_some();
        self.forget(&mut state);
        state.incarnation = None;
    }

    fn forget(&self, state: &mut State) {
        state.generation += 1;
        for sender in self.inner.groups.values() {
            sender.send_replace(0);
        }
    }

    fn generation(&self) -> u64 {
        self.state().generation
    }

    fn is_recovering(&self) -> bool {
        self.state().is_recovering
    }

    fn recovered(&self, incarnation: &Incarnation) {
        let mut state = self.state();
        if state.incarnation.as_ref() == Some(incarnation) {
            state.is_recovering = false;
        }
    }

    /// To be called with each new connection that views are read through, before it is used. Where the server has changed since
    /// the last one, waits until the views show what the log holds, for three seconds at most. So whoever reads through an old
    /// connection gets an error, and whoever reads through a new one sees at least what anybody saw before.
    pub async fn admit(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let incarnation = Incarnation::of(&mut *connection).await?;
        self.observe(&incarnation);
        if !self.is_recovering() {
            return Ok(());
        }
        let _turn = self.inner.admitting.lock().await;
        let deadline = Instant::now() + RECOVERY;
        let head = log::head(&mut *connection).await?;
        while self.is_recovering() {
            let stored = Checkpoints::read(&mut *connection).await?;
            self.learn(&stored);
            if GROUPS.iter().all(|group| stored.is_halted(group) || stored.position(group) >= head) {
                self.recovered(&incarnation);
            } else if Instant::now() >= deadline {
                tracing::warn!(head, "the views do not come back: reads may show less than before");
                self.recovered(&incarnation);
            } else {
                sleep(RECOVERY_LOOKS).await;
            }
        }
        Ok(())
    }

    fn learn(&self, stored: &Checkpoints) {
        self.observe(&stored.incarnation);
        for (group, at, _) in &stored.groups {
            self.advance(group, &stored.incarnation, *at);
        }
    }
}

/// How far each group is, and waiting for it. Cheap to clone.
#[derive(Clone)]
pub struct Progress {
    positions: Positions,
    halts: Arc<Mutex<BTreeMap<&'static str, String>>>,
    asking: Arc<tokio::sync::Mutex<()>>,
    pool: PgPool,
}

impl std::ops::Deref for Progress {
    type Target = Positions;

    fn deref(&self) -> &Positions {
        &self.positions
    }
}

impl Progress {
    /// Nothing known yet, over a pool whose connections are not kept back after a crash.
    pub fn new(pool: PgPool) -> Self {
        Self::of(Positions::default(), pool)
    }

    /// What `positions` know, which the connections of `pool` are admitted by.
    pub fn of(positions: Positions, pool: PgPool) -> Self {
        Self { positions, halts: Arc::default(), asking: Arc::default(), pool }
    }

    /// Tells whenever what this process knows of a group changes.
    pub fn watch(&self, group: &str) -> Option<watch::Receiver<i64>> {
        self.inner.groups.get(group).map(watch::Sender::subscribe)
    }

    /// The position of each group.
    pub fn positions(&self) -> Vec<(&'static str, i64)> {
        self.inner.groups.iter().map(|(name, sender)| (*name, *sender.borrow())).collect()
    }

    pub(crate) fn halted(&self, group: &'static str, reason: String) {
        self.halts.lock().unwrap_or_else(PoisonError::into_inner).insert(group, reason);
    }

    pub(crate) fn resumed(&self, group: &'static str) {
        self.halts.lock().unwrap_or_else(PoisonError::into_inner).remove(group);
    }

    /// The groups that this process has halted, and why.
    pub fn halts(&self) -> Vec<(&'static str, String)> {
        let halts = self.halts.lock().unwrap_or_else(PoisonError::into_inner);
        halts.iter().map(|(name, reason)| (*name, reason.clone())).collect()
    }

    /// Waits until every group's views show everything up to `position`; `false` when the deadline came first, or when a
    /// group has halted: nobody knows for how long, and one group's trouble must not slow commands of another down.
    pub async fn reached(&self, position: i64, deadline: Instant) -> bool {
        loop {
            let generation = self.generation();
            let mut all = true;
            for (name, sender) in &self.inner.groups {
                all &= self.group_reached(name, sender, position, deadline).await;
            }
            // While one group was waited for, what was known of another may have become void.
            if self.generation() == generation {
                return all;
            }
            if Instant::now() >= deadline {
                return false;
            }
        }
    }

    async fn group_reached(&self, name: &str, sender: &watch::Sender<i64>, position: i64, deadline: Instant) -> bool {
        let mut group = sender.subscribe();
        loop {
            let patience = deadline.min(Instant::now() + PATIENCE);
            if timeout_at(patience, group.wait_for(|known| *known >= position)).await.is_ok() {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            // The doorbell may be broken (another process leads, and NATS is away): ask, one waiter at a time.
            if let Ok(_turn) = self.asking.try_lock()
                && let Ok(Ok(stored)) = timeout_at(deadline, Checkpoints::read(&self.pool)).await
            {
                self.learn(&stored);
                if stored.is_halted(name) && stored.position(name) < position {
                    return false;
                }
            }
        }
    }
}

/// What the database says of how far the groups are.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    /// What it holds for.
    pub incarnation: Incarnation,
    /// The position of each group that has one, and whether the group has halted.
    pub groups: Vec<(String, i64, bool)>,
}

impl Checkpoints {
    /// Asks the database.
    pub async fn read(executor: impl PgExecutor<'_>) -> Result<Self, sqlx::Error> {
        let rows: Vec<(String, Option<String>, Option<i64>, bool)> = sqlx::query_as(
            "SELECT i.name, c.projection_group, c.position, c.halted_at IS NOT NULL
             FROM view_incarnation() AS i (name) LEFT JOIN projection_checkpoints c ON true",
        )
        .fetch_all(executor)
        .await?;
        let incarnation = rows.first().map(|row| row.0.as_str().into()).ok_or(sqlx::Error::RowNotFound)?;
        let groups = rows.into_iter().filter_map(|(_, group, at, halted)| Some((group?, at?, halted))).collect();
        Ok(Self { incarnation, groups })
    }

    /// How far a group is; 0 for one that has never begun.
    pub fn position(&self, group: &str) -> i64 {
        self.groups.iter().find(|(name, ..)| name == group).map_or(0, |(_, at, _)| *at)
    }

    /// Whether a group has halted.
    pub fn is_halted(&self, group: &str) -> bool {
        self.groups.iter().any(|(name, _, halted)| name == group && *halted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(positions: &Positions) -> i64 {
        *positions.inner.groups[GROUPS[0]].borrow()
    }

    #[test]
    fn what_is_known_holds_within_one_incarnation() {
        let (first, second): (Incarnation, Incarnation) = ("first".into(), "second".into());
        let positions = Positions::default();
        positions.advance(GROUPS[0], &first, 3);
        assert_eq!(known(&positions), 0, "nobody knows which incarnation this is");
        positions.observe(&first);
        positions.advance(GROUPS[0], &first, 7);
        positions.advance(GROUPS[0], &first, 5);
        positions.observe(&first);
        assert_eq!(known(&positions), 7);
        assert!(!positions.is_recovering());

        positions.observe(&second);
        assert_eq!(known(&positions), 0);
        assert!(positions.is_recovering());
        positions.advance(GROUPS[0], &first, 8);
        assert_eq!(known(&positions), 0, "a late message of the one before");
        positions.advance(GROUPS[0], &second, 6);
        assert_eq!(known(&positions), 6);
        positions.recovered(&first);
        assert!(positions.is_recovering());
        positions.recovered(&second);
        assert!(!positions.is_recovering());

        positions.reset();
        positions.advance(GROUPS[0], &second, 6);
        assert_eq!(known(&positions), 0);
        assert!(positions.is_recovering());
    }
}
