//! What an account may read: the same table of roles × actions, asked of the views.

use futures::TryFutureExt;
use uuid::Uuid;
use workroom_domain::refusal::Kind;
use workroom_domain::{
    access::{self, Action, Decision, Facts, OrganizationAction, OrganizationRole, Relation, Role, Visibility},
    ids::{AccountId, OrganizationId, ProjectId},
    membership::Membership,
    organization::Organization,
    project::Project,
};
use workroom_projections::{
    history::{self, Cause},
    organizations::{self, OrganizationRow},
    projects::{self, ProjectRow},
    relation::ReaderRelation,
};

use super::{App, Error};
use crate::application::codes::FORBIDDEN;

/// Asks whether somebody who stands so to a project may do something in it. Answers the role whose rights they have; none
/// for a visitor and an auditor.
///
/// # Errors
/// As [`App::project_for`].
pub fn admit(relation: Relation, action: Action) -> Result<Option<Role>, Error> {
    match access::decide(relation, action) {
        Decision::Allowed => Ok(relation.role()),
        Decision::Forbidden => Err(FORBIDDEN.into()),
        Decision::Hidden => Err(Error::not_found("project")),
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

    /// Whether a project was deleted that this account had an owner's rights in, or whose organization it audits: its
    /// history stays open to them. Read from the log as it is now, since the views have forgotten the members, and what
    /// this process remembers may be old.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn reads_when_deleted(&self, account_id: AccountId, project_id: ProjectId) -> Result<bool, Error> {
        let project = self.log.reload::<Project>(project_id.into()).await?;
        let Project::Deleted { organization_id, .. } = project.state else { return Ok(false) };
        let membership = self.log.reload::<Membership>(project_id.into()).await?;
        let organization = self.log.reload::<Organization>(organization_id.into()).await?;
        let facts = Facts::at_deletion(account_id, &membership.state, &organization.state);
        Ok(facts.relation().reads_whole_history())
    }

    /// What tells how an account stands to a project, by the log as it is now; `membership` was read from there.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn facts(
        &self,
        account_id: AccountId,
        project_id: ProjectId,
        membership: &Membership,
    ) -> Result<Facts, Error> {
        let project = self.log.reload::<Project>(project_id.into()).await?;
        let Ok((organization_id, _)) = project.state.active() else {
            return Ok(Facts::of(account_id, &project.state, membership, &Organization::Absent));
        };
        let organization = self.log.reload::<Organization>(organization_id.into()).await?;
        Ok(Facts::of(account_id, &project.state, membership, &organization.state))
    }

    /// Finds an organization for one of its members.
    ///
    /// # Errors
    /// `Kind::NotFound` for everybody else.
    pub async fn organization_for(
        &self,
        account_id: AccountId,
        organization_id: OrganizationId,
    ) -> Result<OrganizationRow, Error> {
        let absent = || Error::not_found("organization");
        let found = organizations::find(&self.pool, organization_id, account_id).await?.ok_or_else(absent)?;
        let mut organization = found.organization;
        if found.is_behind {
            // Rights never wait for the views: neither those that were taken away nor those that were given.
            let current = self.log.reload::<Organization>(organization_id.into()).await?;
            let role = current.state.active().ok().and_then(|state| state.role_of(account_id));
            role.ok_or_else(absent)?.as_str().clone_into(&mut organization.my_role);
        }
        if organization.my_role.is_empty() { Err(absent()) } else { Ok(organization) }
    }

    /// Finds an organization for one of its members who wants to do something with it, if they may.
    ///
    /// # Errors
    /// `Kind::NotFound` for who does not belong to it, `Kind::Forbidden` for a member who may not.
    pub async fn organization_for_action(
        &self,
        account_id: AccountId,
        organization_id: OrganizationId,
        action: OrganizationAction,
    ) -> Result<OrganizationRow, Error> {
        let organization = self.organization_for(account_id, organization_id).await?;
        let role = match organization.my_role.as_str() {
            "admin" => OrganizationRole::Admin,
            "auditor" => OrganizationRole::Auditor,
            _ => OrganizationRole::Member,
        };
        match access::decide_in_organization(Some(role), organization.members_can_create_projects, action) {
            Decision::Allowed => Ok(organization),
            Decision::Forbidden => Err(FORBIDDEN.into()),
            Decision::Hidden => Err(Error::not_found("organization")),
        }
    }

    /// As [`App::project_for`], and meanwhile looks something up in the project, which is for those only who may see it. For
    /// what an index finds, however much there is; see [`App::project_then`] for the rest.
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

    /// As [`App::project_with`], but `skip`s over so many first: that costs the more, the more there is, and so it is done
    /// only for those who may see them.
    ///
    /// # Errors
    /// As [`App::project_with`].
    pub async fn project_then<T>(
        &self,
        account_id: AccountId,
        project_id: ProjectId,
        action: Action,
        skip: i64,
        look: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<(ProjectRow, T), Error> {
        if skip == 0 {
            return self.project_with(account_id, project_id, action, look).await;
        }
        let project = self.project_for(account_id, project_id, action).await?;
        Ok((project, look.await?))
    }

    /// Finds a project for an account that wants to do something in it, if it may: by the views, or, where the log is ahead
    /// of what they tell of its rights, by the log.
    ///
    /// # Errors
    /// `Kind::NotFound` for a project that does not exist for this account, `Kind::Forbidden` for one that does.
    pub async fn project_for(
        &self,
        account_id: AccountId,
        project_id: ProjectId,
        action: Action,
    ) -> Result<ProjectRow, Error> {
        let found = self.find_project(account_id, project_id).await?;
        self.admit_to(account_id, project_id, found, action).await
    }

    /// Finds a project as [`App::project_for`] does, also if it was deleted and `account_id` had an owner's rights in it,
    /// or audits its organization: then there is no more to see of it than its history, and the answer is none.
    ///
    /// # Errors
    /// As [`App::project_for`].
    pub async fn project_or_former(
        &self,
        account_id: AccountId,
        project_id: ProjectId,
        action: Action,
    ) -> Result<Option<ProjectRow>, Error> {
        let found = self.find_project(account_id, project_id).await?;
        let may_be_deleted = found.as_ref().is_none_or(|found| found.deleted || found.is_behind);
        match self.admit_to(account_id, project_id, found, action).await {
            Err(error)
                if error.kind() == Kind::NotFound
                    && may_be_deleted
                    && self.reads_when_deleted(account_id, project_id).await? =>
            {
                Ok(None)
            }
            admitted => admitted.map(Some),
        }
    }

    async fn find_project(
        &self,
        account_id: AccountId,
        project_id: ProjectId,
    ) -> Result<Option<projects::Found>, sqlx::Error> {
        projects::find(&self.pool, project_id, account_id).await
    }

    async fn admit_to(
        &self,
        account_id: AccountId,
        project_id: ProjectId,
        found: Option<projects::Found>,
        action: Action,
    ) -> Result<ProjectRow, Error> {
        let found = found.filter(|found| !found.deleted).ok_or(Error::not_found("project"))?;
        let mut project = found.project;
        if found.is_behind {
            // Rights never wait for the views: neither those that were taken away nor those that were given.
            let membership = self.log.reload::<Membership>(project_id.into()).await?;
            let facts = self.facts(account_id, project_id, &membership.state).await?;
            project.relation = ReaderRelation(facts.relation());
            project.is_public = facts.visibility == Some(Visibility::Public);
        }
        admit(project.relation.0, action)?;
        Ok(project)
    }
}
