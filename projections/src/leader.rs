//! Elections: of any number of processes one does a thing at a time, and others take over when it dies or stands still.
//!
//! A session advisory lock makes the leader. It lasts as long as the leader's session, so that a death frees it at once, and
//! what the leader writes through that same session can be written by nobody else. But a process that stands still (stopped,
//! swapped out, its machine suspended) keeps its session. So leaders prove that they live: a task of each process, on a
//! connection of its own, which no long transaction blocks, says so several times a second for all that the process leads. A
//! candidate that has seen no sign of life for [`SILENCE`], by the database's clock, ends the silent one's session: its lock
//! and its open transaction are gone, and when it goes on it finds its connection closed.
//!
//! To be deposed is harmless, so that a busy machine may err; and it is rare, since the candidate must have asked several
//! times: a database that itself stood still makes nobody look silent for so long.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sqlx::{PgConnection, postgres::PgConnectOptions};
use time::OffsetDateTime;
use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};
use uuid::Uuid;

/// How often a leader says that it lives.
const BEAT: Duration = Duration::from_millis(100);
/// A leader that has said nothing for so long is deposed.
const SILENCE: Duration = Duration::from_millis(400);
/// How often a candidate tries.
const INTERVAL: Duration = Duration::from_millis(100);
/// The same while the leader seems silent.
const CLOSE_INTERVAL: Duration = Duration::from_millis(20);
/// How often a candidate must have found the same sign of life, and no newer one.
const LOOKS: u32 = 3;
/// How long a session may need to end.
const ENDING: Duration = Duration::from_millis(5);
/// A leader that has not come round for so long is stuck: it is no longer said to live.
const STUCK: Duration = Duration::from_secs(30);
/// How long the database may take over anything.
const PATIENCE: Duration = Duration::from_secs(5);

/// Takes the lock if it is free, and tells who has it if not. In one statement: whoever has the lock has said so.
const STAND: &str = "
    WITH lock AS MATERIALIZED (SELECT pg_try_advisory_lock(7770002, hashtext($1)) AS won),
         won AS (
             INSERT INTO leaders (name, holder, backend_pid, backend_start, beat_at)
             SELECT $1, $2, pg_backend_pid(), $4, clock_timestamp() FROM lock WHERE lock.won
             ON CONFLICT (name) DO UPDATE
                 SET (holder, backend_pid, backend_start, beat_at) =
                     (excluded.holder, excluded.backend_pid, excluded.backend_start, excluded.beat_at)
             RETURNING name)
    SELECT lock.won, EXISTS (SELECT FROM won), l.beat_at,
           COALESCE(l.beat_at < clock_timestamp() - make_interval(secs => $3), false)
    FROM lock LEFT JOIN leaders l ON l.name = $1";

/// Ends the session of the leader that was seen to be silent, if it still is, and if it is the one that has the lock.
const DEPOSE: &str = "
    SELECT pg_terminate_backend(a.pid)
    FROM leaders l
    JOIN pg_stat_activity a ON (a.pid, a.backend_start) = (l.backend_pid, l.backend_start)
    JOIN pg_locks k ON k.pid = a.pid AND k.locktype = 'advisory' AND k.granted AND k.objsubid = 2
        AND k.classid = 7770002 AND k.objid = hashtext($1)::oid AND k.database = a.datid
    WHERE l.name = $1 AND l.beat_at = $2 AND a.datname = current_database() AND a.pid <> pg_backend_pid()";

const SAY: &str = "
    UPDATE leaders l SET beat_at = clock_timestamp() FROM unnest($1::text[], $2::uuid[]) AS mine (name, holder)
    WHERE l.name = mine.name AND l.holder = mine.holder RETURNING l.holder";

/// What this process leads.
#[derive(Default)]
struct Terms {
    held: Mutex<BTreeMap<Uuid, Held>>,
}

struct Held {
    name: &'static str,
    came_round: Instant,
    is_over: Arc<AtomicBool>,
}

impl Terms {
    fn held(&self) -> std::sync::MutexGuard<'_, BTreeMap<Uuid, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be said to live: names and holders.
    fn living(&self) -> (Vec<&'static str>, Vec<Uuid>) {
        let held = self.held();
        held.iter().filter(|(_, held)| held.came_round.elapsed() < STUCK).map(|(id, held)| (held.name, *id)).unzip()
    }
}

/// Where the processes of one database elect leaders. One a process; cheap to clone.
#[derive(Clone)]
pub struct Election {
    terms: Arc<Terms>,
    beating: watch::Receiver<bool>,
    _heart: Arc<Heart>,
}

/// The task that beats; it ends with the last [`Election`].
struct Heart(AbortHandle);

impl Drop for Heart {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Leadership, from the election until this is dropped, or another is elected.
pub struct Term {
    id: Uuid,
    terms: Arc<Terms>,
    is_over: Arc<AtomicBool>,
}

impl Term {
    /// Says that the leader is at work, not stuck; to be called each time that it comes round. `false` once another leads.
    pub fn goes_on(&self) -> bool {
        if let Some(held) = self.terms.held().get_mut(&self.id) {
            held.came_round = Instant::now();
        }
        !self.is_over.load(Ordering::Relaxed)
    }
}

impl Drop for Term {
    fn drop(&mut self) {
        self.terms.held().remove(&self.id);
    }
}

impl Election {
    /// Starts the task that says what this process leads, on a connection made with `options`.
    pub fn start(options: PgConnectOptions) -> Self {
        let terms = Arc::<Terms>::default();
        let (sender, beating) = watch::channel(false);
        let heart = tokio::spawn(beat(options, Arc::clone(&terms), sender));
        Self { terms, beating, _heart: Arc::new(Heart(heart.abort_handle())) }
    }

    /// Waits until the session behind `connection` leads `name`; deposes whoever does and stands still. The session leads as
    /// long as it lasts: what it commits, no other leader has overtaken. Close it with the term.
    ///
    /// # Errors
    /// The database's; the connection is of no further use then.
    pub async fn win(&self, connection: &mut PgConnection, name: &'static str) -> Result<Term, sqlx::Error> {
        let id = Uuid::now_v7();
        let mut beating = self.beating.clone();
        let mut seen: (Option<OffsetDateTime>, u32) = (None, 0);
        let mut deposed = None;
        let session = sqlx::query_scalar("SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()");
        let began: OffsetDateTime = in_time(session.fetch_one(&mut *connection)).await?;
        loop {
            // Who cannot say that it lives would be deposed at once.
            if beating.wait_for(|beating| *beating).await.is_err() {
                std::future::pending::<()>().await;
            }
            let asked = sqlx::query_as(STAND).bind(name).bind(id).bind(SILENCE.as_secs_f64()).bind(began);
            let (locked, won, beat_at, is_silent): (bool, bool, Option<OffsetDateTime>, bool) =
                in_time(asked.fetch_one(&mut *connection)).await?;
            if locked && won {
                let is_over = Arc::<AtomicBool>::default();
                let held = Held { name, came_round: Instant::now(), is_over: Arc::clone(&is_over) };
                self.terms.held().insert(id, held);
                return Ok(Term { id, terms: Arc::clone(&self.terms), is_over });
            }
            seen = if seen.0 == beat_at { (beat_at, seen.1 + 1) } else { (beat_at, 1) };
            if let Some(beat_at) = beat_at
                && is_silent
                && seen.1 >= LOOKS
            {
                let asked = sqlx::query_scalar(DEPOSE).bind(name).bind(beat_at);
                match in_time(asked.fetch_all(&mut *connection)).await {
                    Ok(ended) if ended.contains(&true) => {
                        if deposed != Some(beat_at) {
                            tracing::warn!(name, last_sign = %beat_at, "a leader stands still: it is deposed");
                            deposed = Some(beat_at);
                        }
                        sleep(ENDING).await;
                        continue;
                    }
                    Ok(_) => {}
                    // It may be another role's session.
                    Err(error @ sqlx::Error::Database(_)) => {
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            name,
                            "a leader stands still and cannot be deposed"
                        );
                        sleep(SILENCE).await;
                    }
                    Err(error) => return Err(error),
                }
            }
            sleep(if seen.1 >= LOOKS { CLOSE_INTERVAL } else { INTERVAL }).await;
        }
    }
}

/// An answer of the database, in time.
async fn in_time<T>(asked: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    match timeout(PATIENCE, asked).await {
        Ok(answer) => answer,
        Err(_) => {
            Err(sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "the database does not answer")))
        }
    }
}

/// Says what this process leads, again and again.
async fn beat(options: PgConnectOptions, terms: Arc<Terms>, beating: watch::Sender<bool>) {
    loop {
        let Err(error) = beat_while_connected(&options, &terms, &beating).await;
        beating.send_replace(false);
        tracing::debug!(error = &error as &dyn std::error::Error, "signs of life cannot be given");
        sleep(INTERVAL).await;
    }
}

async fn beat_while_connected(
    options: &PgConnectOptions,
    terms: &Terms,
    beating: &watch::Sender<bool>,
) -> Result<std::convert::Infallible, sqlx::Error> {
    let mut connection = in_time(crate::session::begin(options)).await?;
    in_time(sqlx::query("SET synchronous_commit = off").execute(&mut connection)).await?;
    let mut ticks = interval(BEAT);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beating.send_replace(true);
    loop {
        ticks.tick().await;
        let (names, holders) = terms.living();
        if names.is_empty() {
            continue;
        }
        let said = sqlx::query_scalar(SAY).bind(names).bind(&holders);
        let known: Vec<Uuid> = in_time(said.fetch_all(&mut connection)).await?;
        let held = terms.held();
        for (id, held) in &*held {
            if holders.contains(id) && !known.contains(id) {
                held.is_over.store(true, Ordering::Relaxed);
            }
        }
    }
}
