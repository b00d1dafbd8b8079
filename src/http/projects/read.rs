//! `GET /projects/{project_id}`

use axum::extract::State as Extract;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use workroom_domain::access::{Action, Role};
use workroom_projections::{members, page::Page, workspaces};

use super::model::Project;
use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, IfNoneMatch, ProjectPath, Query},
        members::Member,
        reply::{OkOrNotModified, Representation, at_position},
        workspaces::Workspace,
    },
};

/// Members, and workspaces, that a project shows; there are lists for the rest.
const SHOWN: i64 = 100;

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
    /// Its longest-standing owner; null for a visitor of a public project, and for an auditor of its organization.
    owner: Option<Member>,
    /// Who leads it; null for a visitor of a public project, and for an auditor of its organization.
    lead: Option<Member>,
    /// Its first hundred members, for members.
    members: Vec<Member>,
    /// Its first hundred workspaces, for members.
    workspaces: Vec<Workspace>,
}

/// One project, with its owner, its lead, and its first members and workspaces.
#[utoipa::path(get, path = "/projects/{project_id}", tag = "projects", operation_id = "getProject")]
pub async fn read(
    Extract(state): Extract<State>,
    caller: Caller,
    ProjectPath { project_id }: ProjectPath,
    Query(params): Query<ReadParams>,
    known: IfNoneMatch,
) -> Result<OkOrNotModified<ProjectDetail>, Error> {
    at_position(&state, params.min_position).await?;
    let (account_id, pool) = (caller.identity.account_id, state.app.pool());
    let page = Page { limit: SHOWN, after: None, skip: 0 };
    let look = async {
        tokio::try_join!(members::list(pool, project_id, None, SHOWN, 0), workspaces::list(pool, project_id, page))
    };
    let (project, (listed, workspaces)) =
        state.app.project_with(account_id, project_id, Action::ViewProject, look).await?;
    if project.relation.role().is_none() {
        let detail = ProjectDetail {
            owner: None,
            lead: None,
            members: Vec::new(),
            workspaces: Vec::new(),
            project: project.into(),
        };
        return OkOrNotModified::new(&known, detail.project.version, Representation::ByContent, &detail);
    }
    // The members of a small project are all shown: who created it, or owns it longest, is among those.
    let owner = if i64::from(project.member_count) <= SHOWN {
        let owners = listed.members.iter().filter(|member| member.role == Role::Owner.as_str());
        owners.min_by_key(|member| (member.added_at, member.account_id)).cloned()
    } else {
        members::first_owner(pool, project_id).await?
    };
    let lead = match project.team_lead {
        Some(lead) => match listed.members.iter().find(|member| member.account_id == lead) {
            Some(member) => Some(member.clone()),
            None => members::find(pool, project_id, lead.into()).await?,
        },
        None => None,
    };
    let members: Vec<Member> = listed.members.into_iter().map(Member::from).collect();
    let workspaces: Vec<Workspace> = workspaces.items.into_iter().map(Workspace::from).collect();
    let (owner, lead) = (owner.map(Member::from), lead.map(Member::from));
    let version = project.version;
    let representation = Representation::by_content_if(project.member_count > 1 || !workspaces.is_empty());
    let detail = ProjectDetail { project: project.into(), owner, lead, members, workspaces };
    OkOrNotModified::new(&known, version, representation, &detail)
}
