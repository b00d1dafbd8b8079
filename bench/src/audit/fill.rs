//! A log as a service would have written it: projects whose descriptions, tasks and comments change.

use anyhow::Context;
use futures::{TryStreamExt, stream};
use sqlx::PgPool;
use uuid::Uuid;
use workroom::{
    database,
    event_store::{AppendLimits, AppendRequest, EventLog, Expected, NewEvent, StreamAppend, serialize_events},
};
use workroom_domain::{
    actor::Actor,
    change::Change,
    comment::CommentEvent,
    ids::{AccountId, ProjectId, TaskId},
    metadata::Metadata,
    project::{Priority, ProjectChanges, ProjectEvent},
    task::{TaskChanges, TaskEvent, TaskFields, TaskStatus, TaskType},
    text::{Name, Prose},
};

/// Events in one append: 60 changes of the project, 4 new tasks that change 9 times, 40 tasks that change 8 times, 20
/// comments that are edited 3 times.
const BATCH: i64 = 500;
const OF_THE_PROJECT: usize = 60;
const NEW_TASKS: usize = 4;
const NEW_CHANGES: usize = 9;
const OLD_TASKS: usize = 40;
const OLD_CHANGES: usize = 8;
const COMMENTS: usize = 20;
const EDITS: usize = 3;

/// Appends that are on their way at once.
const AT_ONCE: usize = 4;

/// A project that the log tells of.
pub struct Project {
    pub id: Uuid,
    owner: AccountId,
    sequence: i64,
    description: Prose,
    tasks: Vec<Task>,
    count: u64,
}

struct Task {
    id: Uuid,
    sequence: i64,
    description: Prose,
}

/// Writes so many events: a tenth of them of the first project, the others of all others alike.
///
/// # Errors
/// The log takes no more.
pub async fn fill(database_url: &str, ids: &[Uuid], events: i64) -> anyhow::Result<Vec<Project>> {
    let pool = database::pool(database::options(database_url)?, 4);
    let owner = owner(&pool, ids.first().context("no project")?).await?;
    let log = EventLog::open(pool.clone(), AppendLimits::default()).await?;
    let others = i64::try_from(ids.len().saturating_sub(1).max(1))?;
    let (all, large) = (events / BATCH, events / BATCH / 10);
    let plans = ids.iter().zip(0..).map(|(id, place)| {
        let (each, left) = ((all - large) / others, (all - large) % others);
        let batches = if place == 0 { large } else { each + i64::from(place <= left) };
        let project =
            Project { id: *id, owner, sequence: 1, description: Prose::default(), tasks: Vec::new(), count: 0 };
        anyhow::Ok((project, batches))
    });
    let filled = stream::iter(plans.collect::<Vec<_>>()).map_ok(|(mut project, batches)| {
        let log = log.clone();
        async move {
            for _ in 0..batches {
                let streams = project.batch()?;
                log.append(AppendRequest { streams, ..AppendRequest::default() })
                    .await
                    .context("the log could not be filled")?;
            }
            anyhow::Ok(project)
        }
    });
    // In their order: the first stays the large one.
    let projects: Vec<Project> = filled.try_buffered(AT_ONCE).try_collect().await?;
    pool.close().await;
    Ok(projects)
}

/// Who has created a project, and so owns it.
async fn owner(pool: &PgPool, project: &Uuid) -> anyhow::Result<AccountId> {
    let actor: String = sqlx::query_scalar(
        "SELECT metadata->>'actor' FROM events WHERE aggregate_type = 'project' AND aggregate_id = $1 LIMIT 1",
    )
    .bind(project.to_string())
    .fetch_one(pool)
    .await?;
    actor.parse::<Actor>().ok().and_then(Actor::account).context("nobody has created the project")
}

impl Project {
    /// What happens next in it, an aggregate after the other.
    fn batch(&mut self) -> anyhow::Result<Vec<StreamAppend>> {
        let metadata = Metadata {
            actor: Actor::Account(self.owner),
            occurred_at: workroom::clock::now(),
            correlation_id: Uuid::now_v7(),
            causation_id: None,
            trace_id: None,
        };
        let mut streams = Vec::new();
        let old = self.tasks.len().min(OLD_TASKS);
        for _ in 0..old {
            // The one that has waited longest.
            let mut task = self.tasks.remove(0);
            let changes = (0..OLD_CHANGES).map(|_| self.change(&mut task)).collect::<anyhow::Result<Vec<_>>>()?;
            streams.push(self.stream("task", task.id, task.sequence, serialize_events(&changes, &metadata)?));
            task.sequence += i64::try_from(changes.len())?;
            self.tasks.push(task);
        }
        for _ in 0..NEW_TASKS {
            let mut task = Task { id: Uuid::now_v7(), sequence: 0, description: self.text()? };
            let mut events = vec![self.created(&task)?];
            for _ in 0..NEW_CHANGES {
                events.push(self.change(&mut task)?);
            }
            streams.push(self.stream("task", task.id, 0, serialize_events(&events, &metadata)?));
            task.sequence = i64::try_from(events.len())?;
            self.tasks.push(task);
        }
        for place in 0..COMMENTS {
            let task_id = TaskId(self.tasks.get(place % self.tasks.len()).context("no task")?.id);
            let mut body = self.text()?;
            let (project_id, author_id) = (ProjectId(self.id), self.owner);
            let mut events = vec![CommentEvent::CommentPosted { project_id, task_id, author_id, body: body.clone() }];
            for _ in 0..EDITS {
                let to = self.text()?;
                let from = std::mem::replace(&mut body, to.clone());
                events.push(CommentEvent::CommentEdited { task_id, body: Change { from, to } });
            }
            streams.push(self.stream("comment", Uuid::now_v7(), 0, serialize_events(&events, &metadata)?));
        }
        // As long as there are few tasks, the project itself changes more often.
        let changes = OF_THE_PROJECT + (OLD_TASKS - old) * OLD_CHANGES;
        let mut events = Vec::with_capacity(changes);
        for _ in 0..changes {
            let to = self.text()?;
            let from = std::mem::replace(&mut self.description, to.clone());
            let description = Some(Change { from, to });
            events.push(ProjectEvent::ProjectUpdated { changes: ProjectChanges { description, ..Default::default() } });
        }
        streams.push(self.stream("project", self.id, self.sequence, serialize_events(&events, &metadata)?));
        self.sequence += i64::try_from(events.len())?;
        Ok(streams)
    }

    fn stream(
        &self,
        aggregate_type: &'static str,
        aggregate_id: Uuid,
        sequence: i64,
        events: Vec<NewEvent>,
    ) -> StreamAppend {
        let expected = Expected { aggregate_type, aggregate_id, sequence };
        StreamAppend { expected, feed_id: self.id, events }
    }

    fn created(&self, task: &Task) -> anyhow::Result<TaskEvent> {
        let fields = TaskFields {
            title: Name::parse(&format!("Task {}", self.count))?,
            description: task.description.clone(),
            assignee_id: Some(self.owner),
            status: TaskStatus::Todo,
            task_type: TaskType::Feature,
            priority: Priority::High,
            due_at: None,
        };
        Ok(TaskEvent::TaskCreated { project_id: ProjectId(self.id), fields })
    }

    fn change(&mut self, task: &mut Task) -> anyhow::Result<TaskEvent> {
        let to = self.text()?;
        let from = std::mem::replace(&mut task.description, to.clone());
        let description = Some(Change { from, to });
        Ok(TaskEvent::TaskUpdated { changes: TaskChanges { description, ..Default::default() } })
    }

    /// A text that nothing else has.
    fn text(&mut self) -> anyhow::Result<Prose> {
        self.count += 1;
        Ok(Prose::parse(&format!("What is to be done, as it was put the {}th time.", self.count))?)
    }
}
