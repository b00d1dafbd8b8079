//! A world made from a plan: the aggregates, and the events that made them.

use std::{collections::BTreeSet, mem::discriminant};

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::{
    Decide,
    access::{Facts, Relation},
    actor::{Actor, SystemActor},
    event::DomainEventKind,
    ids::{AccountId, OrganizationId, ProjectId},
    membership::{Membership, MembershipCommand},
    metadata::Metadata,
    organization::{Organization, OrganizationCommand, OrganizationFields, OrganizationSettings, Slug},
    project::{EditPolicy, Priority, Project, ProjectCommand, ProjectFields, ProjectPatch, ProjectStatus, Schedule},
    text::{Name, Prose},
};
use workroom_projections::{Group, changes::ViewWriter, log::Recorded};

use super::plan::{ACCOUNTS, Plan, Step};

/// Events that are projected at a time.
const BATCH: usize = 7;

/// A world: the aggregates, and the events that made them.
pub(super) struct Made {
    pub(super) accounts: Vec<AccountId>,
    organizations: Vec<(OrganizationId, Organization)>,
    pub(super) projects: Vec<(ProjectId, Project, Membership)>,
    deactivated: BTreeSet<AccountId>,
    erased: BTreeSet<AccountId>,
    events: Vec<Recorded>,
}

/// Lets an aggregate decide; what it refuses does not happen.
fn decide<A: Decide>(
    (id, state): (Uuid, &mut A),
    events: &mut Vec<Recorded>,
    kind: fn(A::Event) -> DomainEventKind,
    command: A::Command,
) {
    for event in state.decide(command).unwrap_or_default() {
        state.evolve(&event);
        let event = kind(event);
        let is_of_it = |one: &&Recorded| one.aggregate_id == id && discriminant(&one.event) == discriminant(&event);
        let before = events.iter().filter(is_of_it).count();
        events.push(Recorded {
            position: 0,
            event_id: Uuid::now_v7(),
            feed_id: id,
            feed_seq: 0,
            aggregate_id: id,
            sequence: i64::try_from(before).expect("a few") + 1,
            event,
            metadata: Metadata {
                actor: Actor::System(SystemActor::Reconciler),
                occurred_at: OffsetDateTime::UNIX_EPOCH,
                correlation_id: Uuid::nil(),
                causation_id: None,
                trace_id: None,
            },
            recorded_at: OffsetDateTime::UNIX_EPOCH,
        });
    }
}

fn create_organization(id: OrganizationId, is_personal: bool, admin: AccountId) -> OrganizationCommand {
    let fields = OrganizationFields {
        name: Name::parse("Acme").expect("a name"),
        slug: Slug::personal(id),
        image_url: None,
        settings: OrganizationSettings {
            members_can_create_projects: true,
            allow_guests: None,
            job_output_days: None,
            job_code_days: None,
        },
    };
    OrganizationCommand::Create { is_personal, admin, fields }
}

fn create_project(organization_id: OrganizationId, is_public: bool) -> ProjectCommand {
    let fields = ProjectFields {
        name: Name::parse("Apollo").expect("a name"),
        description: Prose::parse("").expect("a text"),
        is_public,
        status: ProjectStatus::default(),
        priority: Priority::default(),
        schedule: Schedule::default(),
        team_lead: None,
        edit_policy: EditPolicy::default(),
        lead_can_add_members: false,
    };
    ProjectCommand::Create { organization_id, fields }
}

impl Made {
    pub(super) fn from(plan: &Plan) -> Self {
        let mut events = Vec::new();
        let accounts: Vec<_> = (0..ACCOUNTS).map(|_| AccountId(Uuid::now_v7())).collect();
        let mut organizations = Vec::new();
        for (is_personal, admin) in &plan.organizations {
            let (id, mut state) = (OrganizationId(Uuid::now_v7()), Organization::default());
            let create = create_organization(id, *is_personal, accounts[*admin]);
            decide((id.uuid(), &mut state), &mut events, DomainEventKind::Organization, create);
            organizations.push((id, state));
        }
        let mut projects = Vec::new();
        for (home, owner, is_public) in &plan.projects {
            let (id, mut project, mut membership) =
                (ProjectId(Uuid::now_v7()), Project::default(), Membership::default());
            let create = create_project(organizations[*home].0, *is_public);
            decide((id.uuid(), &mut project), &mut events, DomainEventKind::Project, create);
            let create = MembershipCommand::Create { owner: accounts[*owner] };
            decide((id.uuid(), &mut membership), &mut events, DomainEventKind::Membership, create);
            projects.push((id, project, membership));
        }
        let (deactivated, erased) = (BTreeSet::new(), BTreeSet::new());
        let mut made = Self { accounts, organizations, projects, deactivated, erased, events };
        plan.steps.iter().for_each(|step| made.carry_out(*step));
        made
    }

    fn carry_out(&mut self, step: Step) {
        let id = |account: usize| self.accounts[account];
        match step {
            Step::Join { organization, account, role } => {
                self.in_organization(organization, OrganizationCommand::AddMember { account_id: id(account), role });
            }
            Step::Promote { organization, account, role } => {
                self.in_organization(organization, OrganizationCommand::ChangeRole { account_id: id(account), role });
            }
            Step::Leave { organization, account } => {
                self.in_organization(organization, OrganizationCommand::RemoveMember { account_id: id(account) });
            }
            Step::DeleteOrganization { organization } => {
                self.in_organization(organization, OrganizationCommand::Delete);
            }
            Step::Add { project, account, role } => {
                self.in_membership(project, MembershipCommand::Add { account_id: id(account), role });
            }
            Step::ChangeRole { project, account, role } => {
                self.in_membership(project, MembershipCommand::ChangeRole { account_id: id(account), role });
            }
            Step::Remove { project, account } => {
                self.in_membership(project, MembershipCommand::Remove { account_id: id(account) });
            }
            Step::Publish { project, is_public } => {
                let patch = ProjectPatch { is_public: Some(is_public), ..ProjectPatch::default() };
                self.in_project(project, ProjectCommand::Update(patch));
            }
            Step::DeleteProject { project } => {
                self.in_project(project, ProjectCommand::Delete);
                self.in_membership(project, MembershipCommand::Close);
            }
            Step::Deactivate { account } => drop(self.deactivated.insert(id(account))),
            Step::Erase { account } => drop(self.erased.insert(id(account))),
        }
    }

    fn in_organization(&mut self, number: usize, command: OrganizationCommand) {
        let (id, state) = &mut self.organizations[number];
        decide((id.uuid(), state), &mut self.events, DomainEventKind::Organization, command);
    }

    fn in_project(&mut self, number: usize, command: ProjectCommand) {
        let (id, state, _) = &mut self.projects[number];
        decide((id.uuid(), state), &mut self.events, DomainEventKind::Project, command);
    }

    fn in_membership(&mut self, number: usize, command: MembershipCommand) {
        let (id, _, state) = &mut self.projects[number];
        decide((id.uuid(), state), &mut self.events, DomainEventKind::Membership, command);
    }

    /// What the domain says of every account and project.
    pub(super) fn relations(&self) -> Vec<(ProjectId, AccountId, Relation)> {
        let mut all = Vec::new();
        for (id, project, membership) in &self.projects {
            let home = project.active().ok().map(|(home, _)| home);
            let organization = self.organizations.iter().find(|(id, _)| Some(*id) == home).map(|(_, state)| state);
            let absent = Organization::default();
            for account in &self.accounts {
                let facts = Facts::of(*account, project, membership, organization.unwrap_or(&absent));
                all.push((*id, *account, facts.relation()));
            }
        }
        all
    }

    pub(super) async fn project_into(&self, connection: &mut PgConnection, group: &Group, writer: &ViewWriter) {
        for batch in self.events.chunks(BATCH) {
            let changes = writer.changes(group, batch).expect("rows");
            writer.change(&mut *connection, changes).await.expect("changed views");
        }
        let living: Vec<_> = self.accounts.iter().filter(|id| !self.erased.contains(id)).map(|id| id.uuid()).collect();
        let deactivated: Vec<_> = self.deactivated.iter().map(|id| id.uuid()).collect();
        sqlx::query(
            "INSERT INTO accounts (id, email, email_normalized, username, personal_organization_id, created_at, updated_at,
                                   closed_by_operator_at)
             SELECT n, n || '@example.com', n || '@example.com', n::text, n, now(), now(),
                    CASE WHEN n = ANY($2) THEN now() END
             FROM unnest($1::uuid[]) n",
        )
        .bind(&living)
        .bind(&deactivated)
        .execute(connection)
        .await
        .expect("accounts");
    }
}
