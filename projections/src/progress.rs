//! How far each group's views are, and waiting for them (law 5: a reply means visible).

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sqlx::PgPool;
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use crate::GROUPS;

/// How long a waiter trusts its doorbells before it asks the database.
const PATIENCE: Duration = Duration::from_millis(30);

/// How far each group is, as this process knows it: from its own runner, or from the messages of another process'.
#[derive(Clone)]
pub struct Progress {
    groups: Arc<BTreeMap<&'static str, watch::Sender<i64>>>,
    halts: Arc<Mutex<BTreeMap<&'static str, String>>>,
    asking: Arc<tokio::sync::Mutex<()>>,
    pool: PgPool,
}

impl Progress {
    /// Nothing known yet.
    pub fn new(pool: PgPool) -> Self {
        let groups = GROUPS.into_iter().map(|name| (name, watch::channel(0).0)).collect();
        Self { groups: Arc::new(groups), halts: Arc::default(), asking: Arc::default(), pool }
    }

    /// Takes note that a group's views show everything up to `position`.
    pub fn advance(&self, group: &str, position: i64) {
        if let Some(sender) = self.groups.get(group) {
            sender.send_if_modified(|known| {
                let ahead = position > *known;
                *known = position.max(*known);
                ahead
            });
        }
    }

    /// Tells whenever this process learns that a group has moved on.
    pub fn watch(&self, group: &str) -> Option<watch::Receiver<i64>> {
        self.groups.get(group).map(watch::Sender::subscribe)
    }

    /// The position of each group.
    pub fn positions(&self) -> Vec<(&'static str, i64)> {
        self.groups.iter().map(|(name, sender)| (*name, *sender.borrow())).collect()
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
        let mut all = true;
        for (name, sender) in self.groups.iter() {
            all &= self.group_reached(name, sender, position, deadline).await;
        }
        all
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
                && let Ok(stored) = checkpoints(&self.pool).await
            {
                let halted = stored.iter().any(|(group, at, halted)| group == name && *halted && *at < position);
                for (group, at, _) in stored {
                    self.advance(&group, at);
                }
                if halted {
                    return false;
                }
            }
        }
    }
}

/// The stored checkpoint of each group that has one, and whether the group has halted.
///
/// # Errors
/// The database's.
pub async fn checkpoints(pool: &PgPool) -> Result<Vec<(String, i64, bool)>, sqlx::Error> {
    sqlx::query_as("SELECT projection_group, position, halted_at IS NOT NULL FROM projection_checkpoints")
        .fetch_all(pool)
        .await
}
