//! Which server, and which history, this process' memory of the log belongs to.
//!
//! A database can fail over to an older copy, or crash and come back, while the service goes on. Whatever a process remembers (states
//! of aggregates, heads, how far views are) may then be of a future that is lost. So all of it belongs to one *incarnation*: the
//! server process and its timeline, and the log's epoch. Every connection is asked for both when it is made, each append names them, and when
//! they have changed everything remembered is dropped before anything else is done.
//!
//! Where the log no longer holds an event that this process has seen, history was lost: that begins another epoch, which
//! tells all others, and clients.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sqlx::{PgConnection, PgPool, Row};
use tokio::sync::watch;
use uuid::Uuid;

/// How often the server is asked who it is, when no connection breaks.
const INTERVAL: Duration = Duration::from_secs(1);

/// A server and the history that it holds, as this process knows them.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Incarnation {
    /// The server process and its timeline; empty while none is known.
    pub server: String,
    /// The log's epoch.
    pub epoch: Uuid,
    /// Counts the incarnations that this process has known. 0: none yet.
    pub generation: u64,
}

type Hook = Box<dyn Fn(&Incarnation, i64) + Send + Sync>;

/// Knows the incarnation, and finds out when it changes. Cheap to clone.
#[derive(Clone)]
pub struct IncarnationWatch {
    inner: Arc<Inner>,
}

struct Inner {
    current: watch::Sender<Arc<Incarnation>>,
    hooks: Mutex<Vec<Hook>>,
    /// The last event that this process is sure to have seen.
    seen: Mutex<Option<(i64, Uuid)>>,
    /// The furthest position that this process has announced of.
    announced: Mutex<i64>,
    changing: tokio::sync::Mutex<()>,
}

impl Default for IncarnationWatch {
    fn default() -> Self {
        let inner = Inner {
            current: watch::channel(Arc::default()).0,
            hooks: Mutex::default(),
            seen: Mutex::default(),
            announced: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a server says of itself.
struct Asked {
    server: String,
    epoch: Uuid,
    head: i64,
    head_id: Option<Uuid>,
}

async fn ask(connection: &mut PgConnection) -> Result<Asked, sqlx::Error> {
    let row = sqlx::query(
        "SELECT server_incarnation() AS server, l.epoch, h.position, h.event_id
         FROM log_epoch l LEFT JOIN LATERAL
              (SELECT position, event_id FROM events ORDER BY position DESC LIMIT 1) h ON true",
    )
    .fetch_one(connection)
    .await?;
    Ok(Asked {
        server: row.try_get("server")?,
        epoch: row.try_get("epoch")?,
        head: row.try_get::<Option<i64>, _>("position")?.unwrap_or_default(),
        head_id: row.try_get("event_id")?,
    })
}

impl IncarnationWatch {
    /// The incarnation that this process' memory belongs to.
    pub fn current(&self) -> Arc<Incarnation> {
        Arc::clone(&self.inner.current.borrow())
    }

    /// Counts the incarnations that this process has known.
    pub fn generation(&self) -> u64 {
        self.inner.current.borrow().generation
    }

    /// Tells of every change, after the hooks were called.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Incarnation>> {
        self.inner.current.subscribe()
    }

    /// Calls this with each new incarnation and the head of its log, before anybody acts in it: to drop what was remembered of
    /// the one before.
    pub fn on_change(&self, hook: impl Fn(&Incarnation, i64) + Send + Sync + 'static) {
        lock(&self.inner.hooks).push(Box::new(hook));
    }

    /// Notes an event that this process has seen in the log.
    pub(super) fn saw(&self, position: i64, event_id: Uuid) {
        let mut seen = lock(&self.inner.seen);
        if seen.is_none_or(|(known, _)| known < position) {
            *seen = Some((position, event_id));
        }
    }

    /// Notes that the log was said to reach to a position.
    pub(super) fn observe(&self, position: i64) {
        let mut announced = lock(&self.inner.announced);
        *announced = position.max(*announced);
    }

    /// Asks the server at the other end who it is, and drops what was remembered if it is another one, or another history.
    pub async fn verify(&self, connection: &mut PgConnection) -> Result<Arc<Incarnation>, sqlx::Error> {
        let asked = ask(connection).await?;
        let known = self.current();
        if known.generation > 0 && asked.server == known.server && asked.epoch == known.epoch {
            if let Some(id) = asked.head_id {
                self.saw(asked.head, id);
            }
            return Ok(known);
        }
        self.change(connection).await
    }

    async fn change(&self, connection: &mut PgConnection) -> Result<Arc<Incarnation>, sqlx::Error> {
        let _one = self.inner.changing.lock().await;
        loop {
            // Remembered before the question: what is announced of meanwhile may be younger than the answer.
            let (announced, seen) = (*lock(&self.inner.announced), *lock(&self.inner.seen));
            let asked = ask(connection).await?;
            let known = self.current();
            if known.generation > 0 && asked.server == known.server && asked.epoch == known.epoch {
                return Ok(known);
            }
            let may_have_lost = known.generation > 0 && asked.epoch == known.epoch;
            if may_have_lost && (asked.head < announced || !holds(connection, seen).await?) {
                tracing::error!(
                    epoch = %known.epoch,
                    head = asked.head,
                    "THE LOG WAS RESTORED TO AN EARLIER STATE: events that were seen are gone; a new epoch begins"
                );
                begin_epoch(connection, known.epoch).await?;
                continue;
            }
            if known.generation > 0 {
                tracing::warn!(server = asked.server, epoch = %asked.epoch, "the database is another server or history");
            }
            let next =
                Arc::new(Incarnation { server: asked.server, epoch: asked.epoch, generation: known.generation + 1 });
            *lock(&self.inner.seen) = asked.head_id.map(|id| (asked.head, id));
            *lock(&self.inner.announced) = asked.head;
            for hook in lock(&self.inner.hooks).iter() {
                hook(&next, asked.head);
            }
            self.inner.current.send_replace(Arc::clone(&next));
            return Ok(next);
        }
    }

    /// Asks now and then, until the task is aborted: so that a change is noticed where nobody else asks.
    pub async fn run(self, pool: PgPool) {
        loop {
            tokio::time::sleep(INTERVAL).await;
            let asked = async { self.verify(&mut *pool.acquire().await?).await };
            if let Err(error) = asked.await {
                tracing::debug!(error = &error as &dyn std::error::Error, "the server cannot be asked who it is");
            }
        }
    }
}

/// Whether an event is where it was seen.
async fn holds(connection: &mut PgConnection, seen: Option<(i64, Uuid)>) -> Result<bool, sqlx::Error> {
    let Some((position, event_id)) = seen else { return Ok(true) };
    let there: Option<Uuid> = sqlx::query_scalar("SELECT event_id FROM events WHERE position = $1")
        .bind(position)
        .fetch_optional(connection)
        .await?;
    Ok(there == Some(event_id))
}

/// Begins another epoch of the log, unless somebody else has: `was` is the epoch to end.
pub async fn begin_epoch(connection: &mut PgConnection, was: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE log_epoch SET epoch = gen_random_uuid(), started_at = now() WHERE epoch = $1")
        .bind(was)
        .execute(connection)
        .await
        .map(drop)
}
