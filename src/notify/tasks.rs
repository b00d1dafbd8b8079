//! Follows the log for what people are told of tasks by mail: that one was assigned to them, and that one is due.
//!
//! The mails of a stretch of the log are added in the transaction that moves the checkpoint: none is forgotten, and the
//! reasons keep any from being added twice. A reminder waits in the outbox for its time; should the task be done, moved or
//! given to somebody else by then, it is dropped, for a changed date or assignee has a mail of its own. When nobody was
//! there to add one in time, it comes late; how late is too late is a setting.

use std::{collections::BTreeMap, time::Duration};

use sqlx::PgConnection;
use time::OffsetDateTime;
use tokio::sync::watch;
use uuid::Uuid;
use workroom_domain::{
    Decide,
    event::DomainEventKind,
    ids::AccountId,
    task::{Task, TaskEvent},
};
use workroom_projections::{
    log::{LogReader, Recorded},
    session,
};

use super::outbox::{self, MailKind};
use crate::{
    application::App,
    background::{Acted, Batch, Follower, Stretch},
};

const BATCH: i64 = 1000;
/// The group whose views tell what a task says.
const VIEWS: &str = "workspace";

/// Follows the log for mails about tasks. Any number may run: one at a time does the work.
pub struct TaskMails {
    app: App,
    /// How late a reminder may come.
    latest: Duration,
    reader: LogReader,
    views: Option<watch::Receiver<i64>>,
    /// A session of its own: transactions begin on no connection that others use after it.
    connection: Option<PgConnection>,
}

impl TaskMails {
    /// Follows the log of `app`; no reminder comes later than `latest` after it was due.
    pub fn new(app: App, latest: Duration) -> Self {
        let reader = LogReader::new(vec![Task::TYPE]).with_recent(app.log().recent());
        let views = app.progress().watch(VIEWS);
        Self { app, latest, reader, views, connection: None }
    }

    async fn connect(&mut self) -> Result<PgConnection, sqlx::Error> {
        let mut connection = session::begin(&self.app.pool().connect_options()).await?;
        self.reader.attach(&mut connection).await?;
        Ok(connection)
    }
}

/// A session in a transaction that has the checkpoint locked. Dropped, it rolls back with its session.
pub struct Claim {
    connection: PgConnection,
    added: u64,
}

impl Follower for TaskMails {
    type Claim = Claim;
    type Item = Recorded;

    async fn claim(&mut self) -> anyhow::Result<Option<(Claim, Stretch)>> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        sqlx::query("BEGIN").execute(&mut connection).await?;
        // Another process' follower passes over what this one is about; not for long, should this one stand still.
        sqlx::query("SET LOCAL idle_in_transaction_session_timeout = '1500ms'").execute(&mut connection).await?;
        let after: Option<i64> = sqlx::query_scalar("SELECT position FROM notifier_checkpoint FOR UPDATE SKIP LOCKED")
            .fetch_optional(&mut connection)
            .await?;
        // No further than the views are: they tell what a task says.
        let until: Option<i64> =
            sqlx::query_scalar("SELECT position FROM projection_checkpoints WHERE projection_group = $1")
                .bind(VIEWS)
                .fetch_optional(&mut connection)
                .await?;
        match after {
            Some(after) if until.unwrap_or_default() > after => {
                let stretch = Stretch { after, until: until.unwrap_or_default() };
                Ok(Some((Claim { connection, added: 0 }, stretch)))
            }
            _ => {
                // At once, not with the next statement: another process' follower may be waiting for its turn.
                sqlx::query("ROLLBACK").execute(&mut connection).await?;
                self.connection = Some(connection);
                Ok(None)
            }
        }
    }

    async fn read(&mut self, claim: &mut Claim, stretch: Stretch) -> anyhow::Result<Batch<Recorded>> {
        let Stretch { after, until } = stretch;
        let read = self.reader.read(&mut claim.connection, after, until, BATCH).await;
        let entries = read.map_err(|error| match error.position() {
            // What cannot be read does not mend itself.
            Some(_) => anyhow::Error::new(error).context("the log does not read: nobody is told of tasks by mail"),
            None => error.into(),
        })?;
        let is_more = i64::try_from(entries.len()).unwrap_or(BATCH) == BATCH;
        let to = entries.last().map_or(after, |entry| entry.position);
        Ok(Batch { items: entries.into_iter().filter_map(|entry| entry.recorded).collect(), to, is_more })
    }

    async fn act(&mut self, claim: &mut Claim, batch: &Batch<Recorded>) -> anyhow::Result<Acted> {
        let (events, connection) = (&batch.items, &mut claim.connection);
        claim.added = tell_assignees(events, connection).await? + remind(events, self.latest, connection).await?;
        Ok(Acted { to: Some(batch.to), failure: None })
    }

    async fn advance(&mut self, claim: Claim, _: i64, to: i64) -> anyhow::Result<()> {
        let Claim { mut connection, added } = claim;
        sqlx::query("UPDATE notifier_checkpoint SET position = $1").bind(to).execute(&mut connection).await?;
        sqlx::query("COMMIT").execute(&mut connection).await?;
        self.connection = Some(connection);
        if added > 0 {
            outbox::wake();
        }
        Ok(())
    }

    async fn woken(&mut self) {
        let is_known = match &mut self.views {
            Some(views) => views.changed().await.is_ok(),
            None => false,
        };
        if !is_known {
            std::future::pending::<()>().await;
        }
    }
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
    let due: Vec<_> =
        events.iter().filter_map(|recorded| assigned(&recorded.event).map(|assignee| (recorded, assignee))).collect();
    if due.is_empty() {
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
    .bind(due.iter().map(|(recorded, _)| recorded.event_id).collect::<Vec<_>>())
    .bind(due.iter().map(|(recorded, _)| recorded.aggregate_id).collect::<Vec<_>>())
    .bind(due.iter().map(|(_, assignee)| Uuid::from(*assignee)).collect::<Vec<_>>())
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
