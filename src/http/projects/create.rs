//! `POST /projects`

use axum::{extract::State as Extract, http::StatusCode};
use serde::{Deserialize, Deserializer, de::Error as _};
use time::{Date, OffsetDateTime};
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::{
    access::Role,
    ids::ProjectId,
    project::{ProjectFields, Schedule},
    text::{Name, Prose},
};
use workroom_projections::history::Cause;

use super::model::{EditPolicy, Facts, Priority, Project, ProjectStatus};
use crate::application::codes::OUT_OF_RANGE;
use crate::identity::codes::MALFORMED_EMAIL;
use crate::{
    application::{
        Error, all, at_pointer,
        people::AccountRef,
        projects::{CreateProject, CreatedProject},
    },
    http::{
        State,
        extract::{Body, Caller, ClientKey, ProjectPath, RequestBody},
        reply::{Created, rendered},
    },
    identity::email::EmailAddress,
};

/// A project to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateProjectRequest {
    /// What to call it.
    #[schema(example = "Apollo", min_length = 1, max_length = 200)]
    name: String,
    /// What it is about.
    #[serde(default)]
    #[schema(max_length = 20_000)]
    description: Option<String>,
    /// The organization to create it in; the caller's personal one when not given.
    organization_id: Option<Uuid>,
    /// Whether any signed-in account may look at it.
    #[serde(default)]
    is_public: Option<bool>,
    /// How far it is.
    status: Option<ProjectStatus>,
    /// How pressing it is.
    priority: Option<Priority>,
    /// First day.
    #[schema(value_type = Option<String>, format = Date, example = "2026-11-20")]
    start_date: Option<DateParam>,
    /// Last day, not before the first.
    #[schema(value_type = Option<String>, format = Date)]
    end_date: Option<DateParam>,
    /// Who leads it: the id or e-mail address of a member of the organization.
    #[schema(example = "grace@example.com")]
    team_lead: Option<String>,
    /// Who else belongs to it from the beginning, as collaborators: ids or e-mail addresses of members of the
    /// organization.
    #[schema(max_items = 100)]
    team_members: Option<Vec<String>>,
    /// Who may change the project's own fields.
    edit_policy: Option<EditPolicy>,
    /// Whether the lead may add members; not owners.
    lead_can_add_members: Option<bool>,
}

impl RequestBody for CreateProjectRequest {
    const CLEARABLE: &'static [&'static str] = &["start_date", "end_date", "team_lead"];
}

/// A day, `YYYY-MM-DD`.
#[derive(Clone, Copy)]
pub(super) struct DateParam(pub(super) Date);

/// `Date` holds years that Postgres cannot keep, and a day that no view can hold would halt every view.
impl<'de> Deserialize<'de> for DateParam {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let date = day::deserialize(deserializer)?;
        if date.year() < 1 {
            return Err(D::Error::custom("the year must be from 0001 to 9999"));
        }
        Ok(Self(date))
    }
}

time::serde::format_description!(day, Date, "[year]-[month]-[day]");

impl CreateProjectRequest {
    fn fields(&self) -> Result<ProjectFields, Error> {
        let (name, description) = all((
            Name::parse(&self.name).map_err(at_pointer("/name")),
            Prose::parse(self.description.as_deref().unwrap_or_default()).map_err(at_pointer("/description")),
        ))?;
        Ok(ProjectFields {
            name,
            description,
            is_public: self.is_public.unwrap_or_default(),
            status: self.status.map(Into::into).unwrap_or_default(),
            priority: self.priority.map(Into::into).unwrap_or_default(),
            schedule: Schedule {
                start_date: self.start_date.map(|DateParam(date)| date),
                end_date: self.end_date.map(|DateParam(date)| date),
            },
            team_lead: None,
            edit_policy: self.edit_policy.map(Into::into).unwrap_or_default(),
            lead_can_add_members: self.lead_can_add_members.unwrap_or_default(),
        })
    }
}

/// An account as a client names it: by id or e-mail address.
pub(super) fn account_ref(pointer: &str, text: &str) -> Result<AccountRef, Error> {
    if let Ok(id) = Uuid::try_parse(text) {
        return Ok(AccountRef::Id(id));
    }
    let email = EmailAddress::parse(text)
        .map_err(|_| Error::invalid(pointer, MALFORMED_EMAIL, "is neither an id nor an e-mail address"))?;
    Ok(AccountRef::Email(email.normalized().to_owned()))
}

const MAX_MEMBERS: usize = 100;

impl CreateProjectRequest {
    fn team(&self) -> Result<Vec<AccountRef>, Error> {
        let team = self.team_members.as_deref().unwrap_or_default();
        if team.len() > MAX_MEMBERS {
            return Err(Error::invalid("/team_members", OUT_OF_RANGE, "must be at most 100"));
        }
        team.iter().enumerate().map(|(index, member)| account_ref(&format!("/team_members/{index}"), member)).collect()
    }
}

fn resource(created: &CreatedProject, now: OffsetDateTime) -> Project {
    let facts = Facts {
        id: created.project_id,
        creation: Cause { by: created.owner.id, at: now },
        updated_at: now,
        role: Some(Role::Owner),
    };
    Project::of(facts, created.organization_id, &created.fields, created.version, created.member_count)
}

/// Create a project, with the caller as its owner.
#[utoipa::path(post, path = "/projects", tag = "projects", operation_id = "createProject", responses((status = 404)))]
pub async fn create(
    Extract(state): Extract<State>,
    caller: Caller,
    key: ClientKey,
    Body { value, bytes }: Body<CreateProjectRequest>,
) -> Result<Created<Project>, Error> {
    let (fields, team_lead, team_members) = all((
        value.fields(),
        value.team_lead.as_deref().map(|lead| account_ref("/team_lead", lead)).transpose(),
        value.team(),
    ))?;
    let command = CreateProject {
        project_id: ProjectId(Uuid::now_v7()),
        organization_id: value.organization_id.map(Into::into),
        fields,
        team_lead,
        team_members,
    };
    let key = key.bind(&state, caller.identity.account_id.into(), &bytes);
    let now = caller.context.now;
    state
        .app
        .create(&caller.context, &command, key, |created| {
            let location = ProjectPath { project_id: created.project_id }.location();
            rendered(StatusCode::CREATED, Some(location), Some(created.version), &resource(created, now))
        })
        .await
        .map(Created::from)
}
