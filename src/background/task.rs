//! What a background task is.

use std::{sync::Arc, time::Duration};

use serde::Serialize;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use workroom_projections::leader::Term;

/// Work that is done again and again: after a period, and earlier when something wakes it.
///
/// The driver activates it once at a time. Its name, its period, whether it is led and how it stops stand in the
/// [registry](super::registry), where all tasks can be seen together.
pub trait Task: Send + 'static {
    /// Does what there is to do, and tells what that was. It may be done twice: after an error, a panic, or the death of the
    /// process it is done again.
    ///
    /// # Errors
    /// Whatever keeps it from being done. The driver logs and counts it, and tries again after a pause.
    fn activate(&mut self, context: &Context) -> impl Future<Output = anyhow::Result<Activation>> + Send;

    /// Returns when the task should be activated before its period has passed.
    ///
    /// The future may be dropped at any point, and must lose no wake by that: what rings while the task is at work has to be
    /// found when this is called the next time, as with a permit of [`Notify`](tokio::sync::Notify) or a version of a
    /// [`watch`](tokio::sync::watch). Without it only the period counts.
    fn woken(&mut self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }

    /// Gives back what others wait for, such as a lease; called once, when the process stops in order.
    fn wind_down(&mut self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// What an activation goes by.
#[derive(Clone, Default)]
pub struct Context {
    /// Cancelled when the task should come to its end.
    pub shutdown: CancellationToken,
    pub(super) term: Option<Arc<Term>>,
}

impl Context {
    /// Whether to go on: the process is not stopping and, where the task is led, this process still leads. To be asked
    /// between the steps of a long activation.
    pub fn may_go_on(&self) -> bool {
        !self.shutdown.is_cancelled() && self.term.as_ref().is_none_or(|term| term.goes_on())
    }
}

/// What an activation did, and when to come again.
#[derive(Clone, Debug, PartialEq)]
pub struct Activation {
    /// What it did, for people.
    pub detail: Value,
    /// When to be activated next.
    pub next: Next,
}

/// When a task is activated next, if nothing wakes it before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// After its period.
    AfterPeriod,
    /// At once: there is more to do.
    AtOnce,
    /// After so long; the period is the most.
    In(Duration),
}

impl Activation {
    /// There was nothing to do.
    pub fn idle() -> Self {
        Self { detail: Value::Null, next: Next::AfterPeriod }
    }

    /// What was done. What JSON cannot hold is left out.
    pub fn did(detail: impl Serialize) -> Self {
        Self { detail: serde_json::to_value(detail).unwrap_or_default(), next: Next::AfterPeriod }
    }

    /// The same, and when to come again.
    #[must_use]
    pub fn then(self, next: Next) -> Self {
        Self { next, ..self }
    }
}

/// A task without a doorbell and without a state: calls `work` at each activation.
pub fn each<W, F>(work: W) -> impl Task
where
    W: FnMut() -> F + Send + 'static,
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    Each(work)
}

struct Each<W>(W);

impl<W, F> Task for Each<W>
where
    W: FnMut() -> F + Send + 'static,
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    fn activate(&mut self, _: &Context) -> impl Future<Output = anyhow::Result<Activation>> + Send {
        let done = (self.0)();
        async move { done.await.map(|()| Activation::idle()) }
    }
}
