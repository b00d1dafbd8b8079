//! What becomes of an append, for those who have built on it before it is committed.
//!
//! A command may be decided on the state that another leaves which is still on its way to the log. It then depends on the
//! other: if that one does not commit, neither does this one, and both are decided anew.

use std::sync::Arc;

use tokio::sync::watch;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// On its way.
    NotYet,
    /// In the log.
    Committed,
    /// Not in the log, or nobody knows.
    Failed,
}

/// What becomes of one append. Cheap to clone; clones are the same.
#[derive(Clone, Debug)]
pub struct Settlement {
    state: Arc<watch::Sender<Settled>>,
}

impl Settlement {
    pub(super) fn new() -> Self {
        Self { state: Arc::new(watch::channel(Settled::NotYet).0) }
    }

    pub(super) fn state(&self) -> Settled {
        *self.state.borrow()
    }

    /// The first word counts.
    pub(super) fn settle(&self, outcome: Settled) {
        self.state.send_if_modified(|state| {
            let first = *state == Settled::NotYet;
            if first {
                *state = outcome;
            }
            first
        });
    }

    /// Waits until it is known; whether it was committed.
    pub async fn committed(&self) -> bool {
        let mut state = self.state.subscribe();
        let settled = state.wait_for(|state| *state != Settled::NotYet).await;
        settled.is_ok_and(|state| *state == Settled::Committed)
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.state, &other.state)
    }
}
