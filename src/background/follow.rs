//! Following the log with a checkpoint: what all do alike who act on each event once it is committed.
//!
//! A follower claims its checkpoint, so that no other process reads the same stretch at the same time; reads what lies behind
//! it; acts; and moves the checkpoint. What it acted on before a crash may come again: acting is idempotent, or goes with the
//! checkpoint in one transaction. The views (whose leader writes through a session of its own) and the relay (whose
//! checkpoint is the stream itself) follow the log in their own ways.

use serde_json::json;

use super::task::{Activation, Context, Next, Task};

/// What follows the log. [`Following`] makes a task of it.
pub trait Follower: Send + 'static {
    /// What keeps others away: a lease, or a transaction that has the checkpoint's row locked.
    type Claim: Send;
    /// What it acts on.
    type Item: Send + Sync;

    /// Takes the checkpoint and tells what there is to read. `None` when others are at it, or there is nothing to do.
    fn claim(&mut self) -> impl Future<Output = anyhow::Result<Option<(Self::Claim, Stretch)>>> + Send;

    /// Reads from a stretch, as much as makes a batch.
    ///
    /// # Errors
    /// The database's; a log that does not read.
    fn read(
        &mut self,
        claim: &mut Self::Claim,
        stretch: Stretch,
    ) -> impl Future<Output = anyhow::Result<Batch<Self::Item>>> + Send;

    /// Acts on a batch.
    ///
    /// # Errors
    /// When nothing of it stands: the checkpoint stays, and the claim is dropped.
    fn act(
        &mut self,
        claim: &mut Self::Claim,
        batch: &Batch<Self::Item>,
    ) -> impl Future<Output = anyhow::Result<Acted>> + Send;

    /// Moves the checkpoint, unless somebody else has it by now, and gives the claim back. `to` may be where it was.
    fn advance(&mut self, claim: Self::Claim, from: i64, to: i64) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Returns when the log may have grown; see [`Task::woken`].
    fn woken(&mut self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }

    /// Gives back what others wait for, such as a lease, when the process stops; see [`Task::wind_down`].
    fn wind_down(&mut self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// A stretch of the log: the positions after one and up to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The checkpoint: this position has been acted on.
    pub after: i64,
    /// No further than this: as far as the views are that it looks things up in.
    pub until: i64,
}

/// What was read.
pub struct Batch<T> {
    /// What is to be acted on, in order.
    pub items: Vec<T>,
    /// The position up to which there is nothing else.
    pub to: i64,
    /// Whether there may be more behind it.
    pub is_more: bool,
}

/// How far a batch was acted on.
pub struct Acted {
    /// The last position that is done with, if there is one.
    pub to: Option<i64>,
    /// Why it went no further.
    pub failure: Option<anyhow::Error>,
}

/// A follower as a task.
pub struct Following<F>(pub F);

impl<F: Follower> Task for Following<F> {
    async fn activate(&mut self, _: &Context) -> anyhow::Result<Activation> {
        let Self(follower) = self;
        let Some((mut claim, stretch)) = follower.claim().await? else { return Ok(Activation::idle()) };
        let batch = follower.read(&mut claim, stretch).await?;
        let Acted { to, failure } = follower.act(&mut claim, &batch).await?;
        let to = to.unwrap_or(stretch.after);
        follower.advance(claim, stretch.after, to).await?;
        if let Some(error) = failure {
            return Err(error);
        }
        let next = if batch.is_more { Next::AtOnce } else { Next::AfterPeriod };
        Ok(Activation::did(json!({"position": to, "acted_on": batch.items.len()})).then(next))
    }

    fn woken(&mut self) -> impl Future<Output = ()> + Send {
        self.0.woken()
    }

    fn wind_down(&mut self) -> impl Future<Output = ()> + Send {
        self.0.wind_down()
    }
}
