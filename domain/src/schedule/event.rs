//! What can have happened to a schedule.

use serde::{Deserialize, Serialize};

use super::{ScheduleChanges, ScheduleFields};
use crate::{
    event::domain_event,
    ids::{AccountId, JobId, ProjectId},
    redaction::PayloadRedacted,
    timestamp::Timestamp,
};

/// A schedule as it begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewSchedule {
    /// The project it belongs to.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub project_id: Option<ProjectId>,
    /// The id of the account that created it, for which it acts. Where `project_id` is null, the schedule belongs to
    /// this account.
    pub created_by: AccountId,
    /// The values of all its fields.
    #[serde(flatten)]
    pub fields: ScheduleFields,
    /// When it began; `every_seconds` is counted from this moment.
    pub counted_from: Timestamp,
    /// When it runs next; null while it rests.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub next_at: Option<Timestamp>,
}

/// A schedule as it was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ScheduleUpdate {
    /// Each changed field, from and to.
    pub changes: ScheduleChanges,
    /// The account that it acts for from now on: who last changed what is run or when, or let it go on.
    pub acts_for: AccountId,
    /// The moment that `every_seconds` is counted from.
    pub counted_from: Timestamp,
    /// When it runs next; null while it rests.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub next_at: Option<Timestamp>,
}

/// Why a schedule cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = EventSuspension))]
#[serde(rename_all = "snake_case")]
pub enum Suspension {
    /// Its project was deleted.
    ProjectDeleted,
    /// The account that it acts for was erased.
    AccountErased,
    /// The account that it acts for was deactivated.
    AccountDeactivated,
    /// The account that it acts for may not run jobs in the project any more.
    RightLost,
    /// What its jobs work on is not kept any more.
    InputLost,
    /// The service does not know its time zone any more.
    TimeZoneUnknown,
    /// The workspace whose files its jobs run was deleted.
    WorkspaceDeleted,
}

impl Suspension {
    /// The reason as the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ProjectDeleted => "project_deleted",
            Self::AccountErased => "account_erased",
            Self::AccountDeactivated => "account_deactivated",
            Self::RightLost => "right_lost",
            Self::InputLost => "input_lost",
            Self::TimeZoneUnknown => "time_zone_unknown",
            Self::WorkspaceDeleted => "workspace_deleted",
        }
    }
}

/// Why a run was passed over: no job was submitted, and the schedule goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = EventPassedOver))]
#[serde(rename_all = "snake_case")]
pub enum PassedOver {
    /// Nobody was there to run it, and the schedule makes up for none.
    Missed,
    /// An earlier job was the only one with its key.
    EarlierJob,
    /// What lay in the workspace could not be run: there was no such file, too much, or something redacted.
    WorkspaceUnfit,
}

impl PassedOver {
    /// The reason as the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missed => "missed",
            Self::EarlierJob => "earlier_job",
            Self::WorkspaceUnfit => "workspace_unfit",
        }
    }
}

/// What can have happened to a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type")]
pub enum ScheduleEvent {
    /// The schedule began.
    ScheduleCreated(Box<NewSchedule>),
    /// At least one field changed.
    ScheduleUpdated(Box<ScheduleUpdate>),
    /// A run was due.
    ScheduleTicked {
        /// When it was due.
        tick_at: Timestamp,
        /// The id of the job that was submitted with it; null where the run was passed over.
        #[cfg_attr(feature = "openapi", schema(required))]
        job_id: Option<JobId>,
        /// How many missed runs in a row were made up, this one included; 0 where it was not missed.
        made_up: u32,
        /// When the schedule runs next; null where it never does.
        #[cfg_attr(feature = "openapi", schema(required))]
        next_at: Option<Timestamp>,
        /// Why the run was passed over. Events from before this was told lack it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(nullable = false))]
        passed_over: Option<PassedOver>,
    },
    /// It rests: it cannot go on in the name of the account that it acts for.
    ScheduleSuspended {
        /// Why it cannot go on.
        reason: Suspension,
    },
    /// It goes on after it was suspended.
    ScheduleResumed {
        /// The account that it acts for from now on: who resumed it.
        acts_for: AccountId,
        /// When it runs next.
        #[cfg_attr(feature = "openapi", schema(required))]
        next_at: Option<Timestamp>,
    },
    /// The schedule was ended; nothing follows.
    ScheduleDeleted {},
    /// What another event of it said was redacted.
    PayloadRedacted(Box<PayloadRedacted>),
}

domain_event!(ScheduleEvent {
    ScheduleCreated => "1",
    ScheduleUpdated => "1",
    ScheduleTicked => "1",
    ScheduleSuspended => "1",
    ScheduleResumed => "1",
    ScheduleDeleted => "1",
    PayloadRedacted => "1",
});
