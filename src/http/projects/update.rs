//! `PATCH` and `PUT /projects/{project_id}`: both change only the given fields.

use axum::extract::State as Extract;
use workroom_domain::{Decide, project};
use workroom_projections::history::Cause;

use super::{
    model::{Facts, Project},
    request::{UpdateProjectRequest, account_ref},
};
use crate::{
    application::{Error, all, projects::UpdateProject},
    http::{
        State, beside,
        extract::{Caller, IfMatch, Json, ProjectPath},
        reply::Updated,
    },
};

const PROJECT: &str = project::Project::TYPE;

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
