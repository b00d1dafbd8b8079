//! `GET /projects/{project_id}`

use axum::{extract::State as Extract, response::Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use workroom_domain::{access::Action, ids::ProjectId};
use workroom_projections::{members, page::Page, workspaces};

use super::model::Project;
use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, IfNoneMatch, Path, Query},
        members::Member,
        reply::{Sight, at_position, found_unless},
        workspaces::Workspace,
    },
};

/// How fresh the answer must be.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ReadParams {
    /// Wait, for a bounded time, until the answer shows this log position.
    pub min_position: Option<i64>,
}

/// A project, with the people in it.
#[derive(Serialize, ToSchema)]
pub struct ProjectDetail {
    #[serde(flatten)]
    project: Project,
    /// Its longest-standing owner; null for a visitor of a public project.
    owner: Option<Member>,
    /// Who leads it; null for a visitor of a public project.
    lead: Option<Member>,
    /// Its first hundred members, for members.
    members: Vec<Member>,
    /// Its first hundred workspaces, for members.
    workspaces: Vec<Workspace>,
}

/// One project.
#[utoipa::path(get, path = "/projects/{project_id}", tag = "projects", params(("project_id" = Uuid, Path), ReadParams),
    responses((status = 200, description = "The project", body = ProjectDetail),
        (status = 304, description = "As `If-None-Match` has it")))]
pub async fn read(
    Extract(state): Extract<State>,
    caller: Caller,
    Path(project_id): Path<Uuid>,
    Query(params): Query<ReadParams>,
    known: IfNoneMatch,
) -> Result<Response, Error> {
    at_position(&state, params.min_position).await?;
    let account_id = caller.identity.account_id;
    let project = state.app.project_for(account_id, ProjectId(project_id), Action::ViewProject).await?;
    let members: Vec<Member> = match project.my_role {
        Some(_) => {
            let roster = members::roster(state.app.pool(), project_id, None, 100, 0).await?;
            roster.members.into_iter().map(Member::from).collect()
        }
        None => Vec::new(),
    };
    let owner = match project.my_role {
        Some(_) => members::first_owner(state.app.pool(), project_id).await?.map(Member::from),
        None => None,
    };
    let lead = match (&project.my_role, project.team_lead) {
        (Some(_), Some(lead)) => members::find(state.app.pool(), project_id, lead).await?.map(Member::from),
        _ => None,
    };
    let workspaces: Vec<Workspace> = match project.my_role {
        Some(_) => {
            let page = Page { limit: 100, after: None, skip: 0 };
            let listed = workspaces::list(state.app.pool(), project_id, page).await?;
            listed.items.into_iter().map(Workspace::from).collect()
        }
        None => Vec::new(),
    };
    let version = project.version;
    let sight = Sight::more_if(project.member_count > 1 || project.my_role.is_none() || !workspaces.is_empty());
    let detail = ProjectDetail { project: project.into(), owner, lead, members, workspaces };
    found_unless(&known, version, sight, &detail)
}
