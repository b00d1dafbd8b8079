//! `PATCH` and `PUT /projects/{project_id}`: both change only the given fields.

use axum::extract::State as Extract;
use serde::Deserialize;
use utoipa::ToSchema;
use workroom_domain::{
    Decide,
    project::{self, ProjectPatch},
    text::{Name, Prose},
};
use workroom_projections::history::Cause;

use super::{
    create::{DateParam, account_ref},
    model::{EditPolicy, Facts, Priority, Project, ProjectStatus},
};
use crate::{
    application::{Error, all, at_pointer, projects::UpdateProject},
    http::{
        State, beside,
        extract::{Caller, IfMatch, Json, ProjectPath, RequestBody, double_option},
        reply::Updated,
    },
};

const PROJECT: &str = project::Project::TYPE;

/// The fields to change. Dates and lead may be set to null, which clears them.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateProjectRequest {
    /// New name.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// New description.
    #[schema(max_length = 20_000)]
    description: Option<String>,
    /// New visibility.
    is_public: Option<bool>,
    /// New status.
    status: Option<ProjectStatus>,
    /// New priority.
    priority: Option<Priority>,
    /// New first day.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<String>, format = Date)]
    start_date: Option<Option<DateParam>>,
    /// New last day.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<String>, format = Date)]
    end_date: Option<Option<DateParam>>,
    /// New lead: the id or e-mail address of an owner or collaborator.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<String>)]
    team_lead: Option<Option<String>>,
    /// New policy.
    edit_policy: Option<EditPolicy>,
    /// Whether the lead may add members, not owners. It takes an owner to settle this, and to name a lead who may.
    lead_can_add_members: Option<bool>,
}

impl RequestBody for UpdateProjectRequest {
    const CLEARABLE: &'static [&'static str] = &["start_date", "end_date", "team_lead"];
}

impl UpdateProjectRequest {
    fn patch(self) -> Result<ProjectPatch, Error> {
        let date = |given: Option<Option<DateParam>>| given.map(|date| date.map(|DateParam(date)| date));
        let (name, description) = all((
            self.name.as_deref().map(Name::parse).transpose().map_err(at_pointer("/name")),
            self.description.as_deref().map(Prose::parse).transpose().map_err(at_pointer("/description")),
        ))?;
        Ok(ProjectPatch {
            name,
            description,
            is_public: self.is_public,
            status: self.status.map(Into::into),
            priority: self.priority.map(Into::into),
            start_date: date(self.start_date),
            end_date: date(self.end_date),
            team_lead: None,
            edit_policy: self.edit_policy.map(Into::into),
            lead_can_add_members: self.lead_can_add_members,
        })
    }
}

/// Change the given fields of a project.
#[utoipa::path(method(patch, put), path = "/projects/{project_id}", tag = "projects", operation_id = "updateProject")]
pub async fn update(
    Extract(state): Extract<State>,
    caller: Caller,
    ProjectPath { project_id }: ProjectPath,
    IfMatch(if_version): IfMatch,
    Json(request): Json<UpdateProjectRequest>,
) -> Result<Updated<Project>, Error> {
    let team_lead = match &request.team_lead {
        Some(Some(lead)) => account_ref("/team_lead", lead).map(|lead| Some(Some(lead))),
        Some(None) => Ok(Some(None)),
        None => Ok(None),
    };
    let (team_lead, patch) = all((team_lead, request.patch()))?;
    let command = UpdateProject { project_id, patch, team_lead, if_version };
    let now = caller.context.now;
    let creation = state.app.creation(PROJECT, project_id.into()).await?;
    let creation = creation.unwrap_or(Cause { by: caller.identity.account_id.into(), at: now });
    let done = state.app.run(&caller.context, &command).await?;
    let updated = done.reply;
    let updated_at = if updated.changed {
        now
    } else {
        // Nothing was committed: this may fail.
        beside::cause(&state, PROJECT, project_id.into(), updated.version).await?.map_or(creation.at, |cause| cause.at)
    };
    let facts = Facts { id: project_id, creation, updated_at, role: Some(updated.role) };
    let members = updated.member_count;
    let project = Project::of(facts, updated.organization_id, &updated.fields, updated.version, members);
    Ok(Updated::new(done.position, done.visible, updated.version, &project))
}
