//! The fields of a project.

use serde::{Deserialize, Deserializer, Serialize};
use time::Date;

use crate::{
    fields::{Wanted, fields},
    ids::AccountId,
    text::{Name, Prose},
};

/// How far a project is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = EventProjectStatus))]
#[serde(rename_all = "snake_case")]
pub enum ProjectStatus {
    /// Work on the project has not begun. A new project has this status unless its creator names another.
    #[default]
    Planning,
    /// Work on the project has begun.
    Active,
    /// Work on the project rests for a while.
    OnHold,
    /// All work on the project is finished.
    Completed,
    /// The project was given up before it was finished.
    Cancelled,
}

impl ProjectStatus {
    /// The status as the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planning => "planning",
            Self::Active => "active",
            Self::OnHold => "on_hold",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// How pressing a project is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = EventPriority))]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// The project or task can wait.
    Low,
    /// The priority of a new project or task whose creator names no other.
    #[default]
    Medium,
    /// The project or task comes before others.
    High,
}

impl Priority {
    /// The priority as the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// Who may change the project's own fields. (Tasks, files and the like are every collaborator's.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = EventEditPolicy))]
#[serde(rename_all = "snake_case")]
pub enum EditPolicy {
    /// Every collaborator and every owner. This is the default.
    #[default]
    Collaborators,
    /// Only the lead; and owners.
    Lead,
}

impl EditPolicy {
    /// The policy as the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Collaborators => "collaborators",
            Self::Lead => "lead",
        }
    }

    /// For serde, which hands out references: what is usual is not written.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

time::serde::format_description!(pub(crate) iso_date, Date, "[year]-[month]-[day]");

/// Reads a date or `null`. Not `iso_date::option::deserialize`: that one refuses `null` wherever serde buffers a value,
/// as it does for flattened fields and for events, which are tagged by `type`.
fn optional_date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Date>, D::Error> {
    #[derive(Deserialize)]
    struct Day(#[serde(with = "iso_date")] Date);
    Ok(Option::<Day>::deserialize(deserializer)?.map(|Day(date)| date))
}

/// First and last day of a project, where known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Schedule {
    /// The first day of the project, as `YYYY-MM-DD`; null when it is not known.
    #[serde(serialize_with = "iso_date::option::serialize", deserialize_with = "optional_date")]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub start_date: Option<Date>,
    /// Last day; not before the first.
    #[serde(serialize_with = "iso_date::option::serialize", deserialize_with = "optional_date")]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub end_date: Option<Date>,
}

impl Schedule {
    /// Whether the end does not lie before the start.
    pub fn is_ordered(&self) -> bool {
        !matches!((self.start_date, self.end_date), (Some(start), Some(end)) if end < start)
    }
}

/// The days to change; `Some(None)` clears one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SchedulePatch {
    /// New first day.
    pub start_date: Option<Option<Date>>,
    /// New last day.
    pub end_date: Option<Option<Date>>,
}

impl Wanted<Schedule> for SchedulePatch {
    fn instead_of(self, current: &Schedule) -> Option<Schedule> {
        Some(Schedule {
            start_date: self.start_date.unwrap_or(current.start_date),
            end_date: self.end_date.unwrap_or(current.end_date),
        })
    }
}

/// Version of the state's form in snapshots; see [`SHAPE`](crate::Decide::SHAPE).
pub(super) const SHAPE: u32 = 3;

fields! {
    /// Everything a project says about itself.
    pub struct ProjectFields;
    /// The fields to change; `None` leaves one as it is. For the lead `Some(None)` clears.
    pub struct ProjectPatch;
    /// The changed fields of a project.
    pub struct ProjectChanges;

    /// What it is called.
    name: Name, "Of the name.";
    /// What it is about.
    description: Prose, "Of the description.";
    /// Whether any signed-in account may look at it.
    is_public: bool, "Of the visibility.";
    /// How far it is.
    status: ProjectStatus, "Of the status.";
    /// How pressing it is.
    priority: Priority, "Of the priority.";
    /// When it begins and ends.
    #[serde(flatten)]
    schedule: Schedule, "Of the dates, which change together because they bound each other.", patch SchedulePatch;
    /// Who leads it: an owner or collaborator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    team_lead: Option<AccountId>, "Of the lead.";
    /// Who may change these fields.
    #[serde(default, skip_serializing_if = "EditPolicy::is_usual")]
    edit_policy: EditPolicy, "Of the policy.";
    /// Whether the lead may add members; not owners.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    lead_can_add_members: bool, "Of whether the lead may add members.";
}
