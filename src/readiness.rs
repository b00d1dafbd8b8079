//! What the service needs, and whether it has it.
//!
//! What follows the log (views, relay) is watched from outside, by the checkpoints that it stores: so every process can name what
//! stands still, whichever process leads it, and whatever the reason.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::FutureExt;
use sqlx::PgPool;
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use workroom_projections::{GROUPS, log, progress::Progress};

use crate::{
    background::Statuses,
    database,
    http::{Need, Readiness, Report},
    log_tree::{self, Lag, TreeStatus},
    messaging::Messaging,
    notify,
    relay::{RelayConfig, RelayStatus},
};

const PATIENCE: Duration = Duration::from_secs(2);
/// A follower that is behind and has not moved for so long is stuck.
const STUCK: Duration = Duration::from_secs(5);
/// How long a mail may be overdue while none leaves.
const MAIL_OVERDUE: Duration = Duration::from_mins(2);

/// An event that is not signed after so long is told of.
const UNSIGNED: Duration = Duration::from_secs(10);

type Check = (&'static str, Need);

/// What is asked how the service is.
#[derive(Clone)]
pub struct Probe {
    pub pool: PgPool,
    pub messaging: Messaging,
    /// How far the views are.
    pub progress: Progress,
    /// What follows the log.
    pub followers: Followers,
    /// This process' relay, if it has one.
    pub relay: Option<watch::Receiver<RelayStatus>>,
    /// The log tree of this process, if it may lead it.
    pub tree: Option<watch::Receiver<TreeStatus>>,
    /// Whether this process may read how far the log tree is.
    pub tells_of_tree: bool,
    /// Whether this process may know if mails leave.
    pub tells_of_mails: bool,
    /// On a worker: its sandbox, or why there is none.
    pub sandbox: Option<Result<String, String>>,
    /// How background tasks do.
    pub background: Statuses,
}

/// Asks each need in turn.
pub fn probe(probe: Probe) -> Readiness {
    Arc::new(move || {
        let Probe {
            pool,
            messaging,
            progress,
            followers,
            relay,
            tree,
            tells_of_tree,
            tells_of_mails,
            sandbox,
            background,
        } = probe.clone();
        async move {
            let status = relay.map(|status| status.borrow().clone());
            let mails = async { if tells_of_mails { mails(&pool).await } else { None } };
            let tree = tree.map(|status| status.borrow().clone());
            let tree = async { if tells_of_tree { log_tree(&pool, tree.as_ref()).await } else { None } };
            let (postgres, projections, mails, tree) =
                tokio::join!(postgres(&pool), projections(&pool, &progress, &followers), mails, tree);
            let mut checks: Vec<Check> = vec![
                ("postgres", postgres.into()),
                ("nats", nats(&messaging).into()),
                ("projections", projections.into()),
                ("relay", relay_check(status.as_ref(), &followers).into()),
            ];
            if let Some(tree) = tree {
                checks.push(("log_tree", tree));
            }
            if let Some(mails) = mails {
                checks.push(("mails", mails));
            }
            if let Some(sandbox) = sandbox {
                // Everything but running code works without one, so its absence is told but takes nobody out of service.
                let sandbox = sandbox.map(Need::Met);
                let refused = |reason| Need::Impaired(format!("code is refused: {reason}"));
                checks.push(("sandbox", sandbox.unwrap_or_else(refused)));
            }
            Report { needs: checks, background: background.all() }
        }
        .boxed()
    })
}

async fn postgres(pool: &PgPool) -> Result<String, String> {
    match timeout(PATIENCE, log::head(pool)).await {
        Ok(Ok(head)) => Ok(match database::closed_in_transaction() {
            0 => format!("log at position {head}"),
            count => format!("log at position {head}; {count} connections came back in a transaction and were closed"),
        }),
        Ok(Err(error)) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "Postgres is not ready");
            Err("Postgres cannot be reached".to_owned())
        }
        Err(_) => Err("Postgres does not answer".to_owned()),
    }
}

fn nats(messaging: &Messaging) -> Result<String, String> {
    if messaging.is_connected() { Ok("connected".to_owned()) } else { Err("NATS cannot be reached".to_owned()) }
}

async fn projections(pool: &PgPool, progress: &Progress, followers: &Followers) -> Result<String, String> {
    let halted = timeout(
        PATIENCE,
        sqlx::query_scalar::<_, String>(
            "SELECT projection_group FROM projection_checkpoints WHERE halted_at IS NOT NULL",
        )
        .fetch_all(pool),
    );
    let mut halts: Vec<String> = progress.halts().into_iter().map(|(group, _)| group.to_owned()).collect();
    if let Ok(Ok(stored)) = halted.await {
        halts.extend(stored);
    }
    halts.sort_unstable();
    halts.dedup();
    let mut wrong = Vec::new();
    if !halts.is_empty() {
        wrong.push(format!("halted: {}", halts.join(", ")));
    }
    let stuck = followers.stuck(Kind::Views);
    wrong.extend(stuck.into_iter().filter(|(group, _)| !halts.contains(group)).map(|(_, text)| text));
    if !wrong.is_empty() {
        return Err(wrong.join(", "));
    }
    let positions = progress.positions().into_iter().map(|(group, position)| format!("{group} at {position}"));
    Ok(positions.collect::<Vec<_>>().join(", "))
}

fn relay_check(status: Option<&RelayStatus>, followers: &Followers) -> Result<String, String> {
    let last_error = status.and_then(|status| status.last_error.as_deref());
    if let (Some(status), Some(error)) = (status, last_error)
        && status.halted
    {
        return Err(format!("halted: {error}"));
    }
    let stuck: Vec<String> = followers.stuck(Kind::Relay).into_iter().map(|(_, text)| text).collect();
    if !stuck.is_empty() {
        let reason = last_error.map(|error| format!(" ({error})")).unwrap_or_default();
        return Err(format!("{}{reason}", stuck.join(", ")));
    }
    match status {
        Some(status) if status.leading => Ok(format!("leading, at position {}", status.position)),
        Some(_) => Ok("standing by".to_owned()),
        None => Ok("another process'".to_owned()),
    }
}

/// Whether the log is signed. That it is not is told, but takes nobody out of service: nothing waits for it.
async fn log_tree(pool: &PgPool, status: Option<&TreeStatus>) -> Option<Need> {
    // Without an answer that is told already.
    let lag = timeout(PATIENCE, log_tree::lag(pool)).await.ok()?.ok()?;
    let error = status.and_then(|status| status.last_error.as_deref());
    if let Some(status) = status.filter(|status| status.halted) {
        return Some(Need::Impaired(format!("halted: {}", status.last_error.as_deref().unwrap_or_default())));
    }
    let behind = lag.head - lag.signed;
    if behind > 0 && lag.waits.is_some_and(|waits| waits > UNSIGNED.as_secs_f64()) {
        let reason = error.map(|error| format!(" ({error})")).unwrap_or_default();
        let Lag { size, head, .. } = lag;
        let text = format!("{behind} events are not signed: the tree is at {size} of {head}{reason}");
        return Some(Need::Impaired(text));
    }
    if let Some(error) = status.and_then(|status| status.folder_error.as_deref()) {
        return Some(Need::Impaired(format!("checkpoints are not written to their folder: {error}")));
    }
    let role = match status {
        Some(status) if status.leading => "leading",
        Some(_) => "standing by",
        None => "another process'",
    };
    let age = lag.age.map(|age| format!(", checkpoint {age:.0} s old")).unwrap_or_default();
    Some(Need::Met(format!("{role}, size {}, {behind} behind{age}", lag.size)))
}

/// Whether mails leave. That they do not is told, but takes nobody out of service: everything else works without.
async fn mails(pool: &PgPool) -> Option<Need> {
    match timeout(PATIENCE, notify::overdue(pool, MAIL_OVERDUE)).await {
        Ok(Ok(None)) => Some(Need::Met("leaving".to_owned())),
        Ok(Ok(Some(overdue))) => {
            let minutes = overdue.waits.as_secs() / 60;
            let tried = if overdue.attempts == 0 { "nobody has tried to send it" } else { "sending fails" };
            Some(Need::Impaired(format!("none leaves: one has been due for {minutes} minutes, and {tried}")))
        }
        // That is told already.
        Ok(Err(_)) | Err(_) => None,
    }
}

/// What follows the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Views,
    Relay,
}

/// How far a follower was found, and since when it has been there while the log is further.
#[derive(Clone, Copy, Debug)]
struct Place {
    position: i64,
    since: Instant,
}

#[derive(Default)]
struct Seen {
    head: i64,
    places: BTreeMap<(Kind, String), Place>,
}

impl Seen {
    /// Takes note of where everything is now.
    fn note(&mut self, head: i64, found: BTreeMap<(Kind, String), i64>, now: Instant) {
        self.places.retain(|name, _| found.contains_key(name));
        for (name, position) in found {
            let place = self.places.entry(name).or_insert(Place { position, since: now });
            if place.position != position || position >= head {
                *place = Place { position, since: now };
            }
        }
        self.head = head;
    }

    fn stuck(&self, kind: Kind, now: Instant) -> Vec<(String, String)> {
        let stuck = self.places.iter().filter(|((of, _), place)| *of == kind && now - place.since >= STUCK);
        stuck
            .map(|((_, name), Place { position, since })| {
                let seconds = (now - *since).as_secs();
                (name.clone(), format!("stuck: {name} at {position} of {} for {seconds} s", self.head))
            })
            .collect()
    }
}

/// What follows the log, and whether it moves. Cheap to clone.
#[derive(Clone, Default)]
pub struct Followers {
    seen: Arc<Mutex<Seen>>,
}

impl Followers {
    /// Looks where all of them are now.
    ///
    /// # Errors
    /// The database's. Without an answer nothing is known, and time does not count.
    pub async fn look(self, pool: PgPool, relay: RelayConfig) -> anyhow::Result<()> {
        let found = match timeout(PATIENCE, look(&pool, &relay)).await {
            Ok(found) => found.map_err(anyhow::Error::from),
            Err(silence) => Err(silence.into()),
        };
        match found {
            Ok((head, found)) => lock(&self.seen).note(head, found, Instant::now()),
            Err(error) => {
                *lock(&self.seen) = Seen::default();
                return Err(error);
            }
        }
        Ok(())
    }

    fn stuck(&self, kind: Kind) -> Vec<(String, String)> {
        lock(&self.seen).stuck(kind, Instant::now())
    }
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The head of the log, and how far everything is that follows it.
async fn look(pool: &PgPool, relay: &RelayConfig) -> Result<(i64, BTreeMap<(Kind, String), i64>), sqlx::Error> {
    let rows: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT 'views', projection_group, position FROM projection_checkpoints
         UNION ALL SELECT 'relay', stream, position FROM relay_checkpoints
         UNION ALL SELECT 'log', '', COALESCE((SELECT position FROM events ORDER BY position DESC LIMIT 1), 0)",
    )
    .fetch_all(pool)
    .await?;
    let mut head = 0;
    let mut found: BTreeMap<_, _> = GROUPS.iter().map(|group| ((Kind::Views, (*group).to_owned()), 0)).collect();
    found.insert((Kind::Relay, relay.events_stream.clone()), 0);
    for (what, name, position) in rows {
        match what.as_str() {
            "log" => head = position,
            "views" => drop(found.entry((Kind::Views, name)).and_modify(|at| *at = position)),
            _ => drop(found.entry((Kind::Relay, name)).and_modify(|at| *at = position)),
        }
    }
    Ok((head, found))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOKS: Duration = Duration::from_secs(1);

    #[test]
    fn only_what_is_behind_and_does_not_move_is_stuck() {
        let began = Instant::now();
        let at = |position| BTreeMap::from([((Kind::Views, "workspace".to_owned()), position)]);
        let mut seen = Seen::default();
        // At the head for long.
        seen.note(7, at(7), began);
        seen.note(7, at(7), began + STUCK * 2);
        // Behind, but on its way.
        let mut now = began + STUCK * 2;
        for position in 7..20 {
            now += LOOKS;
            seen.note(100, at(position), now);
            assert_eq!(seen.stuck(Kind::Views, now), []);
        }
        assert_eq!(seen.stuck(Kind::Relay, now + STUCK), []);
        let [(name, text)] = &seen.stuck(Kind::Views, now + STUCK)[..] else { panic!("not stuck") };
        assert_eq!((name.as_str(), text.as_str()), ("workspace", "stuck: workspace at 19 of 100 for 5 s"));
        seen.note(100, at(100), now + STUCK);
        assert_eq!(seen.stuck(Kind::Views, now + STUCK), []);
    }
}
