//! Follows the log for what people are told of tasks by mail: that one was assigned to them, and that one is due.
//!
//! The mails of a stretch of the log are added in the transaction that moves the checkpoint: none is forgotten, and the
//! reasons keep any from being added twice. A reminder waits in the outbox for its time; should the task be done, moved or
//! given to somebody else by then, it is dropped, for a changed date or assignee has a mail of its own. When nobody was
//! there to add one in time, it comes late; how late is too late is a setting.

use std::{collections::BTreeMap, time::Duration};

use sqlx::{Acquire, PgConnection};
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use workroom_domain::{
    Decide,
    event::DomainEventKind,
    ids::AccountId,
    task::{Task, TaskEvent},
};
use workroom_projections::{
    log::{LogError, LogReader, Recorded},
    session,
};

use super::outbox::{self, MailKind};
use crate::application::App;

/// How often the log is looked at when nobody says that it has grown.
const INTERVAL: Duration = Duration::from_millis(500);
const BATCH: i64 = 1000;
/// The pause between two looks.
const GATHERING: Duration = Duration::from_millis(100);
/// The group whose views tell what a task says.
const VIEWS: &str = "workspace";

/// Why a stretch of the log was not read.
#[derive(Debug, thiserror::Error)]
enum FollowError {
    /// The log itself.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The database.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Follows the log until told to stop; no reminder comes later than `latest` after it was due. Any number may run: one
/// at a time does the work.
pub async fn follow(app: App, latest: Duration, shutdown: CancellationToken) {
    let mut reader = LogReader::new(vec![Task::TYPE]).with_recent(app.log().recent());
    let mut views = app.progress().watch(VIEWS);
    // A session of its own: transactions begin on no connection that others use after it.
    let mut connection = None;
    loop {
        let passed = match connection.take() {
            Some(connection) => Ok(connection),
            None => connect(&app, &mut reader).await.map_err(FollowError::from),
        };
        let passed = match passed {
            Ok(own) => pass(connection.insert(own), &reader, latest).await,
            Err(error) => Err(error),
        };
        if passed.is_err() {
            connection = None;
        }
        match passed {
            Ok(true) if !shutdown.is_cancelled() => continue,
            Ok(_) => {}
            // What cannot be read does not mend itself: nobody is told of anything any more.
            Err(FollowError::Log(error)) if error.position().is_some() => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the log does not read: no mails about tasks"
                );
            }
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "the log cannot be followed for mails");
            }
        }
        // Not once for each command: what comes within a moment is seen together.
        tokio::time::sleep(GATHERING).await;
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            () = grown(&mut views) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

async fn connect(app: &App, reader: &mut LogReader) -> Result<PgConnection, sqlx::Error> {
    let mut connection = session::begin(&app.pool().connect_options()).await?;
    reader.attach(&mut connection).await?;
    Ok(connection)
}

async fn grown(views: &mut Option<watch::Receiver<i64>>) {
    let is_known = match views {
        Some(views) => views.changed().await.is_ok(),
        None => false,
    };
    if !is_known {
        std::future::pending::<()>().await;
    }
}

/// Reads a stretch of the log; `true` when there is more.
async fn pass(connection: &mut PgConnection, reader: &LogReader, latest: Duration) -> Result<bool, FollowError> {
    #[allow(clippy::disallowed_methods, reason = "on a session of its own")]
    let mut transaction = connection.begin().await?;
    let Some(Passed { read, added }) = pass_within(&mut transaction, reader, latest).await? else {
        // At once, not with the next statement: another process' follower may be waiting for its turn.
        transaction.rollback().await?;
        return Ok(false);
    };
    transaction.commit().await?;
    if added > 0 {
        outbox::wake();
    }
    Ok(i64::try_from(read).unwrap_or(BATCH) == BATCH)
}

/// What a pass did.
struct Passed {
    read: usize,
    added: u64,
}

async fn pass_within(
    transaction: &mut PgConnection,
    reader: &LogReader,
    latest: Duration,
) -> Result<Option<Passed>, FollowError> {
    // Another process' follower passes over what this one is about; not for long, should this one stand still.
    sqlx::query("SET LOCAL idle_in_transaction_session_timeout = '1500ms'").execute(&mut *transaction).await?;
    let after: Option<i64> = sqlx::query_scalar("SELECT position FROM notifier_checkpoint FOR UPDATE SKIP LOCKED")
        .fetch_optional(&mut *transaction)
        .await?;
    let Some(after) = after else { return Ok(None) };
    // No further than the views are: they tell what a task says.
    let until: Option<i64> =
        sqlx::query_scalar("SELECT position FROM projection_checkpoints WHERE projection_group = $1")
            .bind(VIEWS)
            .fetch_optional(&mut *transaction)
            .await?;
    let entries = reader.read(&mut *transaction, after, until.unwrap_or_default(), BATCH).await?;
    let Some(last) = entries.last().map(|entry| entry.position) else { return Ok(None) };
    let read = entries.len();
    let events: Vec<Recorded> = entries.into_iter().filter_map(|entry| entry.recorded).collect();
    let added = tell_assignees(&events, transaction).await? + remind(&events, latest, transaction).await?;
    sqlx::query("UPDATE notifier_checkpoint SET position = $1").bind(last).execute(&mut *transaction).await?;
    Ok(Some(Passed { read, added }))
}

/// Whom an event gives a task to.
fn assigned(event: &DomainEventKind) -> Option<AccountId> {
    match event {
        DomainEventKind::Task(TaskEvent::TaskCreated { fields, .. }) => fields.assignee_id,
        DomainEventKind::Task(TaskEvent::TaskUpdated { changes }) => changes.assignee_id.as_ref()?.to,
        _ => None,
    }
}

async fn tell_assignees(events: &[Recorded], connection: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let told: Vec<_> =
        events.iter().filter_map(|recorded| assigned(&recorded.event).map(|assignee| (recorded, assignee))).collect();
    if told.is_empty() {
        return Ok(0);
    }
    let kind = MailKind::TaskAssigned.as_str();
    let added = sqlx::query(
        "INSERT INTO mails (id, account_id, kind, about, reason, due_at, expires_at)
         SELECT gen_random_uuid(), a.id, $4, n.task_id, $4 || ':' || n.event_id, now(), now() + interval '1 day'
         FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS n (event_id, task_id, assignee_id)
         JOIN accounts a ON a.id = n.assignee_id
         ON CONFLICT (reason) DO NOTHING",
    )
    .bind(told.iter().map(|(recorded, _)| recorded.event_id).collect::<Vec<_>>())
    .bind(told.iter().map(|(recorded, _)| recorded.aggregate_id).collect::<Vec<_>>())
    .bind(told.iter().map(|(_, assignee)| Uuid::from(*assignee)).collect::<Vec<_>>())
    .bind(kind)
    .execute(connection)
    .await?;
    Ok(added.rows_affected())
}

/// When each task was last given its date and assignee by these events, or was first touched where none did that.
fn settled(events: &[Recorded]) -> BTreeMap<Uuid, OffsetDateTime> {
    let mut settled = BTreeMap::new();
    for recorded in events {
        let settles = match &recorded.event {
            DomainEventKind::Task(TaskEvent::TaskCreated { .. }) => true,
            DomainEventKind::Task(TaskEvent::TaskUpdated { changes }) => {
                changes.due_at.is_some() || changes.assignee_id.is_some()
            }
            _ => false,
        };
        let at = settled.entry(recorded.aggregate_id).or_insert(recorded.recorded_at);
        if settles {
            *at = recorded.recorded_at;
        }
    }
    settled
}

/// Adds a reminder for each task that an event may have given a date or an assignee. What was due long before that is
/// not due: it was written down late. What has become due since is, however late this comes, up to `latest`.
async fn remind(events: &[Recorded], latest: Duration, connection: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let (tasks, moments): (Vec<Uuid>, Vec<OffsetDateTime>) = settled(events).into_iter().unzip();
    let added = sqlx::query(
        "INSERT INTO mails (id, account_id, kind, about, reason, due_at, expires_at)
         SELECT gen_random_uuid(), a.id, $3, t.id,
                $3 || ':' || t.id || ':' || a.id || ':' || (extract(epoch FROM t.due_at) * 1000000)::bigint,
                t.due_at, t.due_at + make_interval(secs => $4)
         FROM unnest($1::uuid[], $2::timestamptz[]) AS n (task_id, settled_at)
         JOIN tasks t ON t.id = n.task_id JOIN accounts a ON a.id = t.assignee_id
         WHERE t.due_at > n.settled_at - interval '5 minutes' AND t.status <> 'done'
           AND t.due_at + make_interval(secs => $4) > now()
         ON CONFLICT (reason) DO NOTHING",
    )
    .bind(tasks)
    .bind(moments)
    .bind(MailKind::TaskDue.as_str())
    .bind(latest.as_secs_f64())
    .execute(connection)
    .await?;
    Ok(added.rows_affected())
}
