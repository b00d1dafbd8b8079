//! What is done with many jobs at once, and with which.

use serde::{Deserialize, Serialize};

use super::{JobStatus, Key};
use crate::{ids::OrganizationId, timestamp::Timestamp};

/// What is done with each of many jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = JobControlAction))]
#[serde(rename_all = "snake_case")]
pub enum ControlAction {
    /// It is cancelled.
    Cancel,
    /// It is done again.
    Retry,
    /// It is deleted.
    Delete,
}

impl ControlAction {
    /// Where jobs stand that this can be done with.
    pub fn statuses(self) -> &'static [JobStatus] {
        match self {
            Self::Cancel => &[JobStatus::Pending, JobStatus::Running],
            Self::Retry => &[JobStatus::Failed, JobStatus::Cancelled],
            Self::Delete => &[JobStatus::Completed, JobStatus::Failed, JobStatus::Cancelled],
        }
    }
}

/// With which jobs something is done. Without an organization they are those of the project that the controlling job
/// belongs to; where it belongs to none, those that its account has submitted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = JobControlFilter))]
pub struct ControlFilter {
    /// Jobs of the projects of this organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub organization_id: Option<OrganizationId>,
    /// Only jobs that stand there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub status: Option<JobStatus>,
    /// Only jobs of this type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub job_type: Option<String>,
    /// Only jobs with this key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub key: Option<Key>,
    /// Only jobs with this fairness key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub fairness_key: Option<Key>,
    /// Only jobs that were submitted before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub created_before: Option<Timestamp>,
    /// Only jobs that were submitted after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub created_after: Option<Timestamp>,
}

impl ControlFilter {
    /// How many bytes its texts have.
    pub(super) fn weight(&self) -> usize {
        let keys = [&self.key, &self.fairness_key].into_iter().flatten().map(|key| key.as_str().len());
        keys.sum::<usize>() + self.job_type.as_ref().map_or(0, String::len)
    }
}

/// What became of the jobs that a controlling job was about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = JobControlCounts))]
pub struct ControlCounts {
    /// How many there were: those that were changed, and those that were refused.
    pub matched: u64,
    /// With how many it was done.
    pub changed: u64,
    /// With how many it was not done: they had changed before, or its account has not the right.
    pub refused: u64,
}
