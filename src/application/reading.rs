//! What an account may read: the same table of roles × actions, asked of the views.

use futures::TryFutureExt;
use uuid::Uuid;
use workroom_domain::{
    access::{self, Action, OrganizationAction, OrganizationRole, Role, Standing, Verdict},
    ids::{AccountId, ProjectId},
    membership::Membership,
    organization::Organization,
    project::Project,
};
use workroom_projections::{
    history::{self, Cause},
    organizations::{self, OrganizationRow},
    projects::{self, ProjectRow},
};

use super::{App, Error};

/// How the views call who may look at a public project without being its member.
const VISITOR: &str = "visitor";

/// The role that a view's column names.
///
/// # Errors
/// A role that this version does not know.
pub fn parse_role(role: &str) -> Result<Role, Error> {
    match role {
        "owner" => Ok(Role::Owner),
        "collaborator" => Ok(Role::Collaborator),
        "viewer" => Ok(Role::Viewer),
        other => Err(Error::failure(format!("unknown role {other}"))),
    }
}

/// Asks whether somebody who stands so to a project may do something in it: a role, [`VISITOR`], or nothing. Answers
/// the role; none for a visitor.
///
/// # Errors
/// As [`App::project_for`].
pub fn admit(standing: Option<&str>, action: Action) -> Result<Option<Role>, Error> {
    let (standing, role) = match standing {
        None => (Standing::Stranger, None),
        Some(VISITOR) => (Standing::Visitor, None),
        Some(role) => {
            let role = parse_role(role)?;
            (Standing::Member(role), Some(role))
        }
    };
    match access::decide(standing, action) {
        Verdict::Allowed => Ok(role),
        Verdict::Forbidden => Err(Error::Forbidden),
        Verdict::Hidden => Err(Error::NotFound("project")),
    }
}

impl App {
    /// Who created something, and when: whose first event that is, whether the views show it or not. Answered from memory
    /// after the first time.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn creation(&self, aggregate_type: &'static str, id: Uuid) -> Result<Option<Cause>, Error> {
        if let Some(known) = self.creations.get(&(aggregate_type, id)) {
            return Ok(Some(known));
        }
        let creation = history::cause(&self.pool, aggregate_type, id, 1).await?;
        if let Some(creation) = creation {
            self.creations.insert((aggregate_type, id), creation);
        }
        Ok(creation)
    }

    /// Whether a project was deleted that this account had an owner's rights in: its history stays open to them. Read from
    /// the log, since the views have forgotten the roster.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn owned_before(&self, account_id: AccountId, project_id: ProjectId) -> Result<bool, Error> {
        let project = self.log.load::<Project>(project_id.into()).await?;
        let Project::Deleted { organization_id } = project.state else { return Ok(false) };
        if self.log.load::<Membership>(project_id.into()).await?.state.was_owner(account_id) {
            return Ok(true);
        }
        Ok(self.log.load::<Organization>(organization_id.into()).await?.state.rules_projects(account_id))
    }

    /// Finds an organization for one of its members.
    ///
    /// # Errors
    /// [`Error::NotFound`] for everybody else.
    pub async fn organization_for(
        &self,
        account_id: AccountId,
        organization_id: Uuid,
    ) -> Result<OrganizationRow, Error> {
        organizations::find(&self.pool, organization_id, account_id.into())
            .await?
            .ok_or(Error::NotFound("organization"))
    }

    /// Finds an organization for one of its members who wants to do something with it, if they may.
    ///
    /// # Errors
    /// [`Error::NotFound`] for who does not belong to it, [`Error::Forbidden`] for a member who may not.
    pub async fn organization_for_action(
        &self,
        account_id: AccountId,
        organization_id: Uuid,
        action: OrganizationAction,
    ) -> Result<OrganizationRow, Error> {
        let organization = self.organization_for(account_id, organization_id).await?;
        let role = match organization.my_role.as_str() {
            "admin" => OrganizationRole::Admin,
            _ => OrganizationRole::Member,
        };
        match access::decide_in_organization(Some(role), organization.members_can_create_projects, action) {
            Verdict::Allowed => Ok(organization),
            Verdict::Forbidden => Err(Error::Forbidden),
            Verdict::Hidden => Err(Error::NotFound("organization")),
        }
    }

    /// As [`App::project_for`], and meanwhile looks something up in the project, which is for those only who may see it.
    ///
    /// # Errors
    /// As [`App::project_for`], or the look-up's.
    pub async fn project_with<T>(
        &self,
        account_id: AccountId,
        project_id: ProjectId,
        action: Action,
        look: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<(ProjectRow, T), Error> {
        tokio::try_join!(self.project_for(account_id, project_id, action), look.map_err(Error::from))
    }

    /// Finds a project for an account that wants to do something in it, if it may.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a project that does not exist for this account, [`Error::Forbidden`] for one that does.
    pub async fn project_for(
        &self,
        account_id: AccountId,
        project_id: ProjectId,
        action: Action,
    ) -> Result<ProjectRow, Error> {
        let project = projects::find(&self.pool, Uuid::from(project_id), account_id.into())
            .await?
            .ok_or(Error::NotFound("project"))?;
        let visitor = project.is_public.then_some(VISITOR);
        admit(project.my_role.as_deref().or(visitor), action)?;
        Ok(project)
    }
}
