//! A job that waits or runs.

use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::{
    ids::{AccountId, OrganizationId, ProjectId, WebhookId},
    job::{Key, Request, Work},
};
use workroom_projections::jobs::OpenJob;

use super::{
    fair::{Owner, Rank, Share},
    gates::Gate,
    rules::Subject,
};
use crate::{application::jobs::key_of, jobs::pool::Pool};

// What the views show was found by the same.
pub(super) use workroom_projections::jobs::{Due, Moment};

/// A job that waits or runs.
pub(super) struct Entry {
    pub(super) owner: Owner,
    pub(super) subject: Subject,
    /// What it has to pass before it starts.
    pub(super) gates: Box<[Gate]>,
    pub(super) pool: Pool,
    pub(super) priority: u8,
    /// The latest attempt.
    pub(super) attempt: u32,
    pub(super) due_at: OffsetDateTime,
    /// How often in a row its worker was lost.
    pub(super) losses: u32,
    pub(super) state: State,
}

/// How far the next attempt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It waits for its time.
    Due,
    /// It waits for a slot.
    Ready,
    /// It waits for others like it.
    Held { at: Gate },
    /// It is on its way to the queue, or in it.
    HandedOut,
    /// A worker has it.
    Running { worker_id: Uuid },
}

impl From<Due> for State {
    /// What it waits for.
    fn from(due: Due) -> Self {
        match due {
            Due::Since(_) => Self::Ready,
            Due::At(_) => Self::Due,
        }
    }
}

impl Entry {
    /// Where it stands among those of its owner.
    pub(super) fn rank(&self, job_id: Uuid) -> Rank {
        (self.priority, self.due_at, job_id)
    }

    /// As the views show it, and when it is due.
    pub(super) fn load(job: &OpenJob) -> (Self, Due) {
        let due_at = job.due_at.unwrap_or(OffsetDateTime::UNIX_EPOCH);
        // Nobody's clock decides about a job that was to be done at once.
        let is_due = job.run_at.is_none() && job.attempt == 0;
        let subject = Subject {
            organization_id: job.organization_id.map(OrganizationId),
            project_id: job.project_id.map(ProjectId),
            account_id: AccountId(job.submitted_by),
            job_type: job.job_type.as_str().into(),
            key: job.key.as_deref().map(Into::into),
        };
        let share = Share::new(job.fairness_key.as_deref());
        let entry = Self {
            pool: Pool::of(&job.job_type),
            priority: u8::try_from(job.priority).unwrap_or(u8::MAX),
            attempt: u32::try_from(job.attempt).unwrap_or_default(),
            ..Self::new(subject, share, job.webhook_id)
        };
        (entry, if is_due { Due::Since(due_at) } else { Due::At(due_at) })
    }

    /// As the log tells it.
    pub(super) fn of(request: &Request, attempt: u32) -> Self {
        let subject = Subject {
            organization_id: request.organization_id,
            project_id: request.project_id,
            account_id: request.submitted_by,
            job_type: request.work.job_type().into(),
            key: request.key.as_ref().map(Key::as_str).map(Into::into),
        };
        let share = Share::new(request.fairness_key.as_ref().map(Key::as_str));
        let webhook_id = match &request.work {
            Work::WebhookDelivery { webhook_id, .. } => Some(WebhookId::uuid(*webhook_id)),
            _ => None,
        };
        Self {
            pool: Pool::of(request.work.job_type()),
            priority: request.priority.number(),
            attempt,
            ..Self::new(subject, share, webhook_id)
        }
    }

    fn new(subject: Subject, share: Share, webhook_id: Option<Uuid>) -> Self {
        Self {
            owner: Owner { tenant: subject.tenant(), share },
            gates: gates(&subject, webhook_id),
            subject,
            pool: Pool::Service,
            priority: u8::MAX,
            attempt: 0,
            due_at: OffsetDateTime::UNIX_EPOCH,
            losses: 0,
            state: State::Due,
        }
    }
}

/// What a job has to pass before it starts, but for rules. Deliveries of a webhook take nothing from the limits of
/// people's jobs.
fn gates(subject: &Subject, webhook_id: Option<Uuid>) -> Box<[Gate]> {
    if let Some(webhook_id) = webhook_id {
        return Box::new([Gate::Webhook(webhook_id)]);
    }
    let (project_id, account_id) = (subject.project_id, subject.account_id);
    let key = subject.key.as_deref().map(|key| Gate::Key(key_of(&subject.job_type, project_id, account_id, key)));
    let tenant = Gate::Tenant(subject.tenant());
    let project = project_id.map(ProjectId::uuid).map(Gate::Project);
    key.into_iter().chain([tenant]).chain(project).chain([Gate::Account(account_id.uuid())]).collect()
}
