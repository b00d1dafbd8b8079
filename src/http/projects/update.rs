//! `PATCH` and `PUT /projects/{project_id}`: both change only the given fields.

use axum::{extract::State as Extract, response::Response};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::{
    Decide,
    ids::ProjectId,
    project::{self, ProjectPatch},
    text::{Name, Prose},
};
use workroom_projections::history::Cause;

use super::{
    create::{DateParam, account_ref},
    model::{EditPolicy, Facts, Priority, Project, ProjectStatus},
};
use crate::{
    application::{Error, in_field, projects::UpdateProject},
    http::{
        State, beside,
        extract::{Caller, IfMatch, Json, Path, given},
        reply::changed,
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
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, format = Date)]
    start_date: Option<Option<DateParam>>,
    /// New last day.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, format = Date)]
    end_date: Option<Option<DateParam>>,
    /// New lead: the id or e-mail address of an owner or collaborator.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    team_lead: Option<Option<String>>,
    /// New policy.
    edit_policy: Option<EditPolicy>,
    /// Whether the lead may add members, not owners. It takes an owner to settle this, and to name a lead who may.
    lead_can_add_members: Option<bool>,
}

impl UpdateProjectRequest {
    fn patch(self) -> Result<ProjectPatch, Error> {
        let date = |given: Option<Option<DateParam>>| given.map(|date| date.map(|DateParam(date)| date));
        Ok(ProjectPatch {
            name: self.name.as_deref().map(Name::parse).transpose().map_err(in_field("/name"))?,
            description: self.description.as_deref().map(Prose::parse).transpose().map_err(in_field("/description"))?,
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
#[utoipa::path(patch, path = "/projects/{project_id}", tag = "projects", params(("project_id" = Uuid, Path)),
    request_body = UpdateProjectRequest,
    responses((status = 200, description = "The project afterwards", body = Project)))]
pub async fn update(
    state: Extract<State>,
    caller: Caller,
    path: Path<Uuid>,
    if_match: IfMatch,
    body: Json<UpdateProjectRequest>,
) -> Result<Response, Error> {
    carry_out(state, caller, path, if_match, body).await
}

/// Change the given fields of a project; the same as PATCH.
#[utoipa::path(put, path = "/projects/{project_id}", tag = "projects", params(("project_id" = Uuid, Path)),
    request_body = UpdateProjectRequest,
    responses((status = 200, description = "The project afterwards", body = Project)))]
pub async fn replace(
    state: Extract<State>,
    caller: Caller,
    path: Path<Uuid>,
    if_match: IfMatch,
    body: Json<UpdateProjectRequest>,
) -> Result<Response, Error> {
    carry_out(state, caller, path, if_match, body).await
}

async fn carry_out(
    Extract(state): Extract<State>,
    caller: Caller,
    Path(project_id): Path<Uuid>,
    IfMatch(if_version): IfMatch,
    Json(request): Json<UpdateProjectRequest>,
) -> Result<Response, Error> {
    let project_id = ProjectId(project_id);
    let team_lead = match &request.team_lead {
        Some(Some(lead)) => Some(Some(account_ref("/team_lead", lead)?)),
        Some(None) => Some(None),
        None => None,
    };
    let command = UpdateProject { project_id, patch: request.patch()?, team_lead, if_version };
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
    Ok(changed(done.position, done.visible, updated.version, &project))
}
