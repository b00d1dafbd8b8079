//! The loop that runs a command: decide, append, and again when the ground has moved.

use std::{
    future::Future,
    hash::{BuildHasher, RandomState},
    sync::LazyLock,
    time::Duration,
};

use tokio::sync::MutexGuard;
use uuid::Uuid;

use super::{
    App, Context, Error, Unit,
    jobs::KeptRoom,
    tables::{NoTables, TableChange},
    unit::Memory,
};
use crate::event_store::{AppendError, Enqueued, Receipt};

/// How often a command is decided anew before its caller is told that others keep changing the resource. Each
/// conflict means that somebody else got through, so this is far beyond what real contention needs.
const MAX_ATTEMPTS: u32 = 200;
/// After so many attempts in a row, wait a little, at random, to break step with the others.
const EAGER_ATTEMPTS: u32 = 8;

/// Something that may be asked of the application.
pub trait Command: Sync {
    /// What the caller is told.
    type Reply: Send;

    /// The aggregate that the command writes and others are likely to write at the same time. Commands of one process
    /// on one such aggregate are decided one after the other, each on the state that the one before it leaves, instead of
    /// racing; they are committed together.
    fn lock_key(&self) -> Option<Uuid> {
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

/// What an attempt came to.
enum Attempt {
    /// Decided, and on its way to the log.
    Sent { enqueued: Enqueued, memory: Memory, room: KeptRoom },
    /// Decided, with nothing to append.
    Unchanged,
    /// What was read has changed: decide again.
    Moved,
}

/// What became of an attempt that was decided.
enum Ended {
    /// It stands, at this position.
    At(i64),
    /// It was answered before, under the same key.
    Before,
    /// Others came first: decide again.
    Again,
}

static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

impl App {
    /// Carries a command out.
    ///
    /// # Errors
    /// See [`Error`]. Nothing was committed, but for `Kind::Unavailable` that says so.
    pub async fn run<C: Command>(&self, context: &Context, command: &C) -> Result<Done<C::Reply>, Error> {
        match self.run_with(context, command, &NoTables, |_| Ok(None)).await? {
            Ran::Now(done) => Ok(done),
            Ran::Before => Err(Error::failure("a command without a receipt met one")),
        }
    }

    /// Carries a command out together with a change of tables outside the log.
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
        tables: &impl TableChange,
        receipt: impl Fn(&C::Reply) -> Result<Option<Receipt>, Error> + Sync,
    ) -> Result<Ran<C::Reply>, Error> {
        let Some((reply, position)) = self.commit(context, command, tables, &receipt).await? else {
            return Ok(Ran::Before);
        };
        let visible = self.visible(position).await;
        Ok(Ran::Now(Done { reply, position, visible }))
    }

    /// Carries a command out, and does not wait until the views show it: for the service's own, and for what no view shows.
    ///
    /// # Errors
    /// As [`App::run`].
    pub(crate) async fn run_unseen<C: Command>(&self, context: &Context, command: &C) -> Result<C::Reply, Error> {
        self.run_unseen_with_tables(context, command, &NoTables).await
    }

    /// As [`App::run_unseen`], together with a change of tables outside the log.
    ///
    /// # Errors
    /// As [`App::run`].
    pub(crate) async fn run_unseen_with_tables<C: Command, T: TableChange>(
        &self,
        context: &Context,
        command: &C,
        tables: &T,
    ) -> Result<C::Reply, Error> {
        match self.commit(context, command, tables, &|_| Ok(None)).await? {
            Some((reply, _)) => Ok(reply),
            None => Err(Error::failure("a command without a receipt met one")),
        }
    }

    /// `None`: the command was answered before, under the same key.
    async fn commit<C: Command>(
        &self,
        context: &Context,
        command: &C,
        tables: &impl TableChange,
        receipt: &(impl Fn(&C::Reply) -> Result<Option<Receipt>, Error> + Sync),
    ) -> Result<Option<(C::Reply, i64)>, Error> {
        for attempt in 0..MAX_ATTEMPTS {
            self.pause_before(attempt, context).await;
            let command_lock = match command.lock_key() {
                Some(id) => Some(self.command_lock(id).lock().await),
                None => None,
            };
            let mut unit = Unit::new(&self.log, &self.pool, context, self.email_proof);
            let decided = match unit.admit_actor().await {
                Ok(()) => command.decide(&mut unit).await,
                Err(refusal) => Err(refusal),
            };
            let (reply, decided) = match decided {
                Ok(reply) => {
                    let receipt = if unit.is_empty() { None } else { receipt(&reply)? };
                    (Some(reply), Ok(receipt))
                }
                Err(refusal) => (None, Err(refusal)),
            };
            match (self.conclude(unit, decided, tables, command_lock).await?, reply) {
                (Ended::At(position), Some(reply)) => return Ok(Some((reply, position))),
                (Ended::Before, _) => return Ok(None),
                (Ended::At(_) | Ended::Again, _) => {}
            }
        }
        Err(AppendError::Conflict.into())
    }

    /// Breaks step with others after so many attempts.
    async fn pause_before(&self, attempt: u32, context: &Context) {
        if attempt >= EAGER_ATTEMPTS {
            let jitter = HASHER.hash_one((context.correlation_id, attempt)) % 5000;
            tokio::time::sleep(Duration::from_micros(jitter)).await;
        }
    }

    /// Appends what was decided, or believes the refusal, or finds that neither holds any more.
    async fn conclude(
        &self,
        unit: Unit<'_>,
        decided: Result<Option<Receipt>, Error>,
        tables: &dyn TableChange,
        command_lock: Option<MutexGuard<'_, ()>>,
    ) -> Result<Ended, Error> {
        match self.attempt(unit, decided, tables).await? {
            Attempt::Sent { enqueued, memory, room } => {
                // The next command may build on this one, unless it changes tables: nobody is shown what they may refuse.
                let _command_lock = command_lock.filter(|_| !tables.is_empty());
                let appended = enqueued.committed().await;
                if !matches!(appended, Ok(_) | Err(AppendError::OutcomeUnknown)) {
                    room.give_back();
                }
                match appended {
                    Ok(appended) => {
                        memory.keep(&self.log);
                        Ok(Ended::At(appended.position))
                    }
                    Err(AppendError::Conflict) => {
                        memory.evict(&self.log);
                        Ok(Ended::Again)
                    }
                    Err(AppendError::ReceiptExists) => Ok(Ended::Before),
                    Err(error) => Err(tables.refusal(error)),
                }
            }
            // What was read may be newer than this process has heard of: the log itself says how far it is.
            Attempt::Unchanged => Ok(Ended::At(workroom_projections::log::head(&self.pool).await?)),
            Attempt::Moved => Ok(Ended::Again),
        }
    }

    async fn attempt(
        &self,
        unit: Unit<'_>,
        decided: Result<Option<Receipt>, Error>,
        tables: &dyn TableChange,
    ) -> Result<Attempt, Error> {
        let receipt = match decided {
            Ok(receipt) => receipt,
            Err(refusal) if refusal.depends_on_state() && !unit.is_current().await? => {
                unit.evict();
                return Ok(Attempt::Moved);
            }
            Err(refusal) => return Err(refusal),
        };
        if unit.is_empty() {
            // Nothing to append means nothing that guards it: look whether what was read still holds.
            if unit.is_current().await? {
                return Ok(Attempt::Unchanged);
            }
            unit.evict();
            return Ok(Attempt::Moved);
        }
        let (mut request, memory, room) = unit.into_append(receipt);
        request.tables = tables.statements()?;
        let enqueued = self.log.enqueue(request)?;
        if tables.is_empty() {
            memory.keep_uncommitted(&self.log, &enqueued.settlement);
        }
        Ok(Attempt::Sent { enqueued, memory, room: room.keep() })
    }

    fn command_lock(&self, id: Uuid) -> &tokio::sync::Mutex<()> {
        let hash = HASHER.hash_one(id);
        let command_locks = u64::try_from(self.command_locks.len()).unwrap_or(1);
        &self.command_locks[usize::try_from(hash % command_locks).unwrap_or_default()]
    }
}
