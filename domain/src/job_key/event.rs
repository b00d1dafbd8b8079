//! What can have happened to a key of jobs.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    event::domain_event,
    ids::{AccountId, JobId, ProjectId},
};

/// What can have happened to a key of jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type")]
pub enum JobKeyEvent {
    /// A job was submitted that others with the key are compared with: those that come too soon after it are not submitted, or
    /// take its place.
    JobKeyClaimed {
        /// The project whose key it is.
        #[cfg_attr(feature = "openapi", schema(required))]
        project_id: Option<ProjectId>,
        /// Who submitted the job. Where `project_id` is null, it is this account's key.
        account_id: AccountId,
        /// The job.
        job_id: JobId,
        /// Until when the job is the only one with the key.
        #[serde(default, skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
        #[cfg_attr(feature = "openapi", schema(nullable = false))]
        unique_until: Option<OffsetDateTime>,
    },
    /// The next attempt with the key may start; that of another job is over.
    JobKeyGranted {
        /// The project whose key it is.
        #[cfg_attr(feature = "openapi", schema(required))]
        project_id: Option<ProjectId>,
        /// Who submitted the job. Where `project_id` is null, it is this account's key.
        account_id: AccountId,
        /// The job.
        job_id: JobId,
        /// Its attempt, counted from 1.
        attempt: u32,
    },
}

domain_event!(JobKeyEvent { JobKeyClaimed => "1", JobKeyGranted => "1" });
