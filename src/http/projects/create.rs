//! `POST /projects`

use axum::{extract::State as Extract, http::StatusCode};
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::{access::Role, ids::ProjectId};
use workroom_projections::history::Cause;

use super::{
    model::{Facts, Project},
    request::{CreateProjectRequest, account_ref},
};
use crate::{
    application::{
        Error, all,
        projects::{CreateProject, CreatedProject},
    },
    http::{
        State,
        extract::{Body, Caller, ClientKey, ProjectPath},
        reply::{Created, rendered},
    },
};

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
