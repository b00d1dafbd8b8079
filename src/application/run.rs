//! The loop that runs a command: decide, append, and again when the ground has moved.

use std::{
    future::Future,
    hash::{BuildHasher, RandomState},
    sync::LazyLock,
    time::Duration,
};

use uuid::Uuid;

use super::{
    App, Context, Error, Unit,
    tables::{Append, ByTheBatch, TableChange},
};
use crate::event_store::{AppendError, Receipt};

/// How often a command is decided anew before its caller is told that others keep changing the resource. Each
/// conflict means that somebody else got through, so this is far beyond what real contention needs.
const TRIES: u32 = 200;
/// After so many tries in a row, wait a little, at random, to break step with the others.
const EAGER_TRIES: u32 = 8;

/// Something that may be asked of the application.
pub trait Command: Sync {
    /// What the caller is told.
    type Reply: Send;

    /// The aggregate that the command writes and others are likely to write at the same time. Commands of one process
    /// on one such aggregate wait for each other instead of racing.
    fn contended(&self) -> Option<Uuid> {
        None
    }

    /// Reads, asks for the right, decides. May be called several times, always with fresh eyes.
    fn decide(&self, unit: &mut Unit<'_>) -> impl Future<Output = Result<Self::Reply, Error>> + Send;
}

/// A command was carried out.
#[derive(Clone, Debug)]
pub struct Done<R> {
    /// What the caller is told.
    pub reply: R,
    /// The log position of the command's last event; without events, a position that shows the state it found.
    pub position: i64,
    /// Whether every read model shows it.
    pub visible: bool,
}

/// A command was carried out, now or before.
pub(super) enum Ran<R> {
    Now(Done<R>),
    Before,
}

/// What a try came to.
enum Try<R> {
    Committed(R, i64),
    Unchanged(R),
    Moved,
    AnsweredBefore,
}

static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

impl App {
    /// Carries a command out.
    ///
    /// # Errors
    /// See [`Error`]. Nothing was committed, but for [`Error::Busy`] that says so.
    pub async fn run<C: Command>(&self, context: &Context, command: &C) -> Result<Done<C::Reply>, Error> {
        match self.run_with(context, command, &ByTheBatch, |_| Ok(None)).await? {
            Ran::Now(done) => Ok(done),
            Ran::Before => Err(Error::failure("a command without a receipt met one")),
        }
    }

    /// Carries a command out together with a change of tables outside the log.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn run_with_tables<C: Command, T: TableChange>(
        &self,
        context: &Context,
        command: &C,
        tables: &T,
    ) -> Result<Done<C::Reply>, Error> {
        match self.run_with(context, command, tables, |_| Ok(None)).await? {
            Ran::Now(done) => Ok(done),
            Ran::Before => Err(Error::failure("a command without a receipt met one")),
        }
    }

    pub(super) async fn run_with<C: Command>(
        &self,
        context: &Context,
        command: &C,
        append: &impl Append,
        receipt: impl Fn(&C::Reply) -> Result<Option<Receipt>, Error> + Sync,
    ) -> Result<Ran<C::Reply>, Error> {
        let (reply, position) = {
            let _lane = match command.contended() {
                Some(id) => Some(self.lane(id).lock().await),
                None => None,
            };
            match self.commit(context, command, append, &receipt).await? {
                Some(committed) => committed,
                None => return Ok(Ran::Before),
            }
        };
        let visible = self.visible(position).await;
        Ok(Ran::Now(Done { reply, position, visible }))
    }

    /// `None`: the command was answered before, under the same key.
    async fn commit<C: Command>(
        &self,
        context: &Context,
        command: &C,
        append: &impl Append,
        receipt: &(impl Fn(&C::Reply) -> Result<Option<Receipt>, Error> + Sync),
    ) -> Result<Option<(C::Reply, i64)>, Error> {
        for tries in 0..TRIES {
            if tries >= EAGER_TRIES {
                let jitter = HASHER.hash_one((context.correlation_id, tries)) % 5000;
                tokio::time::sleep(Duration::from_micros(jitter)).await;
            }
            match self.try_once(context, command, append, receipt).await? {
                Try::Committed(reply, position) => return Ok(Some((reply, position))),
                Try::Unchanged(reply) => {
                    // What was read may be newer than this process has heard of: the log itself says how far it is.
                    let head = workroom_projections::log::head(&self.pool).await?;
                    return Ok(Some((reply, head)));
                }
                Try::Moved => {}
                Try::AnsweredBefore => return Ok(None),
            }
        }
        Err(AppendError::Conflict.into())
    }

    async fn try_once<C: Command>(
        &self,
        context: &Context,
        command: &C,
        append: &impl Append,
        receipt: &(impl Fn(&C::Reply) -> Result<Option<Receipt>, Error> + Sync),
    ) -> Result<Try<C::Reply>, Error> {
        let mut unit = Unit::new(&self.log, &self.pool, context);
        let decided = match unit.admit_actor().await {
            Ok(()) => command.decide(&mut unit).await,
            Err(refusal) => Err(refusal),
        };
        let reply = match decided {
            Ok(reply) => reply,
            Err(refusal) if refusal.depends_on_state() && !unit.still_stands().await? => {
                unit.forget();
                return Ok(Try::Moved);
            }
            Err(refusal) => return Err(refusal),
        };
        if unit.is_empty() {
            // Nothing to append means nothing that guards it: look whether what was read still stands.
            if unit.still_stands().await? {
                return Ok(Try::Unchanged(reply));
            }
            unit.forget();
            return Ok(Try::Moved);
        }
        let read = unit.aggregates();
        let (request, remember) = unit.into_append(receipt(&reply)?);
        match append.append(self, request).await? {
            Ok(appended) => {
                for remember in remember {
                    remember(&self.log);
                }
                Ok(Try::Committed(reply, appended.position))
            }
            Err(AppendError::Conflict) => {
                for (aggregate_type, id) in read {
                    self.log.forget(aggregate_type, id);
                }
                Ok(Try::Moved)
            }
            Err(AppendError::ReceiptExists) => Ok(Try::AnsweredBefore),
            Err(other) => Err(other.into()),
        }
    }

    fn lane(&self, id: Uuid) -> &tokio::sync::Mutex<()> {
        let hash = HASHER.hash_one(id);
        let lanes = u64::try_from(self.lanes.len()).unwrap_or(1);
        &self.lanes[usize::try_from(hash % lanes).unwrap_or_default()]
    }
}
