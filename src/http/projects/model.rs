//! Projects as clients see them.

use serde::{Deserialize, Serialize};
use time::{Date, OffsetDateTime};
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::{
    access,
    ids::{OrganizationId, ProjectId},
    project::{self, ProjectFields},
};
use workroom_projections::{history::Cause, projects::ProjectRow};

time::serde::format_description!(iso_date, Date, "[year]-[month]-[day]");

/// How far a project is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ProjectStatus {
    Planning,
    Active,
    OnHold,
    Completed,
    Cancelled,
}

impl From<ProjectStatus> for project::ProjectStatus {
    fn from(status: ProjectStatus) -> Self {
        match status {
            ProjectStatus::Planning => Self::Planning,
            ProjectStatus::Active => Self::Active,
            ProjectStatus::OnHold => Self::OnHold,
            ProjectStatus::Completed => Self::Completed,
            ProjectStatus::Cancelled => Self::Cancelled,
        }
    }
}

/// How pressing it is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Priority {
    Low,
    Medium,
    High,
}

impl From<Priority> for project::Priority {
    fn from(priority: Priority) -> Self {
        match priority {
            Priority::Low => Self::Low,
            Priority::Medium => Self::Medium,
            Priority::High => Self::High,
        }
    }
}

/// Who may change the project's own fields: every collaborator, or only the lead and owners.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum EditPolicy {
    Collaborators,
    Lead,
}

impl From<EditPolicy> for project::EditPolicy {
    fn from(policy: EditPolicy) -> Self {
        match policy {
            EditPolicy::Collaborators => Self::Collaborators,
            EditPolicy::Lead => Self::Lead,
        }
    }
}

/// A member's role.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Role {
    Owner,
    Collaborator,
    Viewer,
}

impl From<Role> for access::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Owner => Self::Owner,
            Role::Collaborator => Self::Collaborator,
            Role::Viewer => Self::Viewer,
        }
    }
}

impl From<access::Role> for Role {
    fn from(role: access::Role) -> Self {
        match role {
            access::Role::Owner => Self::Owner,
            access::Role::Collaborator => Self::Collaborator,
            access::Role::Viewer => Self::Viewer,
        }
    }
}

/// A project, as the caller sees it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Project {
    /// The project's id, a UUIDv7.
    pub id: Uuid,
    /// The organization it lives in.
    pub organization_id: Uuid,
    /// What it is called.
    #[schema(example = "Apollo")]
    pub name: String,
    /// What it is about.
    pub description: String,
    /// Whether any signed-in account may look at it.
    pub is_public: bool,
    /// How far it is.
    #[schema(value_type = ProjectStatus)]
    pub status: String,
    /// How pressing it is.
    #[schema(value_type = Priority)]
    pub priority: String,
    /// The first day of the project, `YYYY-MM-DD`; null where none is set.
    #[serde(with = "iso_date::option")]
    #[schema(value_type = Option<String>, format = Date)]
    pub start_date: Option<Date>,
    /// The last day of the project, `YYYY-MM-DD`, not before the first; null where none is set.
    #[serde(with = "iso_date::option")]
    #[schema(value_type = Option<String>, format = Date)]
    pub end_date: Option<Date>,
    /// Who leads it: an owner or collaborator.
    pub team_lead: Option<Uuid>,
    /// Who may change the project's own fields.
    #[schema(value_type = EditPolicy)]
    pub edit_policy: String,
    /// Whether the lead may add members; not owners.
    pub lead_can_add_members: bool,
    /// Who created it.
    pub created_by: Uuid,
    /// When it was created.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// Its version, as in `ETag`.
    pub version: i64,
    /// The caller's role; null for a visitor of a public project, and for an auditor of its organization.
    #[schema(value_type = Option<Role>)]
    pub role: Option<String>,
    /// How many belong to it.
    pub member_count: i32,
}

/// What a project's own state does not say.
#[derive(Clone, Copy)]
pub(super) struct Facts {
    pub(super) id: ProjectId,
    pub(super) creation: Cause,
    pub(super) updated_at: OffsetDateTime,
    pub(super) role: Option<access::Role>,
}

impl Project {
    /// From the state that a command left behind: the same that the views will show.
    pub(super) fn of(
        facts: Facts,
        organization_id: OrganizationId,
        fields: &ProjectFields,
        version: i64,
        members: usize,
    ) -> Self {
        Self {
            id: facts.id.into(),
            organization_id: organization_id.into(),
            name: fields.name.as_str().to_owned(),
            description: fields.description.as_str().to_owned(),
            is_public: fields.is_public,
            status: fields.status.as_str().to_owned(),
            priority: fields.priority.as_str().to_owned(),
            start_date: fields.schedule.start_date,
            end_date: fields.schedule.end_date,
            team_lead: fields.team_lead.map(Into::into),
            edit_policy: fields.edit_policy.as_str().to_owned(),
            lead_can_add_members: fields.lead_can_add_members,
            created_by: facts.creation.by,
            created_at: facts.creation.at,
            updated_at: facts.updated_at,
            version,
            role: facts.role.map(|role| role.as_str().to_owned()),
            member_count: i32::try_from(members).unwrap_or(i32::MAX),
        }
    }
}

impl From<ProjectRow> for Project {
    fn from(row: ProjectRow) -> Self {
        Self {
            id: row.id,
            organization_id: row.organization_id,
            name: row.name,
            description: row.description,
            is_public: row.is_public,
            status: row.status,
            priority: row.priority,
            start_date: row.start_date,
            end_date: row.end_date,
            team_lead: row.team_lead,
            edit_policy: row.edit_policy,
            lead_can_add_members: row.lead_can_add_members,
            created_by: row.created_by,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
            role: row.relation.role().map(|role| role.as_str().to_owned()),
            member_count: row.member_count,
        }
    }
}
