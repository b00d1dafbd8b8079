//! The state of a key of jobs, and its two functions.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::JobKeyEvent;
use crate::{
    Decide,
    aggregate::cqrs_aggregate,
    ids::{AccountId, JobId, ProjectId},
    refusal::{self, Code, Refusal},
};

/// A key of jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobKey {
    feed: Option<Uuid>,
    grant: Option<Grant>,
    /// The latest that has no end.
    claim: Option<Claim>,
    /// The latest that ends by itself.
    unique: Option<Claim>,
}

/// The attempt that may start, or runs, or is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The job.
    pub job_id: JobId,
    /// Its attempt, counted from 1.
    pub attempt: u32,
}

/// The job that others with the key are compared with, if these were submitted in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The job.
    pub job_id: JobId,
    /// Until when it is the only one; without an end, a later one takes its place.
    #[serde(with = "time::serde::rfc3339::option")]
    pub unique_until: Option<OffsetDateTime>,
}

impl JobKey {
    /// The attempt that the key is granted to.
    pub fn grant(&self) -> Option<Grant> {
        self.grant
    }

    /// The job whose place a later one takes.
    pub fn claim(&self) -> Option<Claim> {
        self.claim
    }

    /// The job that is, or was, the only one for a while.
    pub fn unique_claim(&self) -> Option<Claim> {
        self.unique
    }
}

/// What may be asked of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobKeyCommand {
    /// Compare later jobs with this one.
    Claim {
        /// The project whose key it is.
        project_id: Option<ProjectId>,
        /// Who submits the job.
        account_id: AccountId,
        /// The job, and until when it is the only one.
        claim: Claim,
    },
    /// Let an attempt start.
    Grant {
        /// The project whose key it is.
        project_id: Option<ProjectId>,
        /// Who submitted the job.
        account_id: AccountId,
        /// The attempt.
        grant: Grant,
        /// Whether the attempt that has the key is over.
        is_free: bool,
    },
}

/// Another attempt has the key, and is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("another job with this key runs")]
pub struct JobKeyRefusal;

impl Refusal for JobKeyRefusal {
    fn code(&self) -> &'static Code {
        // Nobody but the dispatcher meets it.
        refusal::CONTENDED
    }
}

impl Decide for JobKey {
    const TYPE: &'static str = "job_key";
    const SHAPE: u32 = 2;
    type Command = JobKeyCommand;
    type Event = JobKeyEvent;
    type Refusal = JobKeyRefusal;

    fn decide(&self, command: JobKeyCommand) -> Result<Vec<JobKeyEvent>, JobKeyRefusal> {
        match command {
            JobKeyCommand::Claim { project_id, account_id, claim: Claim { job_id, unique_until } } => {
                Ok(vec![JobKeyEvent::JobKeyClaimed { project_id, account_id, job_id, unique_until }])
            }
            JobKeyCommand::Grant { grant, .. } if self.grant == Some(grant) => Ok(vec![]),
            JobKeyCommand::Grant { is_free, .. } if !is_free && self.grant.is_some() => Err(JobKeyRefusal),
            JobKeyCommand::Grant { project_id, account_id, grant: Grant { job_id, attempt }, .. } => {
                Ok(vec![JobKeyEvent::JobKeyGranted { project_id, account_id, job_id, attempt }])
            }
        }
    }

    fn evolve(&mut self, event: &JobKeyEvent) {
        let (project_id, account_id) = match event {
            JobKeyEvent::JobKeyClaimed { project_id, account_id, job_id, unique_until } => {
                // Each kind is compared with its own: a burst does not end the time for which another job is the only one.
                let claim = if unique_until.is_some() { &mut self.unique } else { &mut self.claim };
                *claim = Some(Claim { job_id: *job_id, unique_until: *unique_until });
                (project_id, account_id)
            }
            JobKeyEvent::JobKeyGranted { project_id, account_id, job_id, attempt } => {
                self.grant = Some(Grant { job_id: *job_id, attempt: *attempt });
                (project_id, account_id)
            }
        };
        self.feed = Some(project_id.map_or_else(|| account_id.uuid(), ProjectId::uuid));
    }

    fn feed(&self, id: Uuid) -> Uuid {
        self.feed.unwrap_or(id)
    }
}

cqrs_aggregate!(JobKey);
