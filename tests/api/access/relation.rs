//! How accounts stand to projects: Postgres and the domain give one answer.
//!
//! Random commands make random worlds. Their events are folded into the aggregates, and projected into the tables of the read
//! models. Then, for every account and project, the domain's [`Facts`] are compared with the function `project_relation`, and
//! with the queries that stand on it.

use std::{cell::RefCell, collections::BTreeSet, mem::discriminant};

use proptest::{
    collection::vec,
    prelude::*,
    sample::select,
    test_runner::{Config, TestCaseError, TestRunner},
};
use sqlx::{Executor, PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::{
    Decide,
    access::{Facts, OrganizationRole, Relation, Role},
    actor::{Actor, SystemActor},
    event::DomainEventKind,
    ids::{AccountId, OrganizationId, ProjectId},
    membership::{Membership, MembershipCommand},
    metadata::Metadata,
    organization::{Organization, OrganizationCommand, OrganizationFields, OrganizationSettings, Slug},
    project::{EditPolicy, Priority, Project, ProjectCommand, ProjectFields, ProjectPatch, ProjectStatus, Schedule},
    text::{Name, Prose},
};
use workroom_projections::{Group, changes::ViewWriter, groups, log::Recorded, page::Page, projects};

use crate::support::World;

const WORLDS: u32 = 200;
const ACCOUNTS: usize = 24;
const ORGANIZATIONS: usize = 5;
const PROJECTS: usize = 8;
/// Events that are projected at a time.
const BATCH: usize = 7;

/// What happens, to things by their number.
#[derive(Clone, Copy, Debug)]
enum Step {
    Join { organization: usize, account: usize, role: OrganizationRole },
    Promote { organization: usize, account: usize, role: OrganizationRole },
    Leave { organization: usize, account: usize },
    DeleteOrganization { organization: usize },
    Add { project: usize, account: usize, role: Role },
    ChangeRole { project: usize, account: usize, role: Role },
    Remove { project: usize, account: usize },
    Publish { project: usize, is_public: bool },
    DeleteProject { project: usize },
    Deactivate { account: usize },
    Erase { account: usize },
}

/// A world to make.
#[derive(Clone, Debug)]
struct Plan {
    /// Whether each is personal, and whose.
    organizations: Vec<(bool, usize)>,
    /// Where each lies, whose it is, and whether it is public.
    projects: Vec<(usize, usize, bool)>,
    steps: Vec<Step>,
}

fn step() -> impl Strategy<Value = Step> {
    let account = || 0..ACCOUNTS;
    let organization = || 0..ORGANIZATIONS;
    let project = || 0..PROJECTS;
    let rank = || select(vec![OrganizationRole::Member, OrganizationRole::Admin]);
    let role = || select(vec![Role::Viewer, Role::Collaborator, Role::Owner]);
    prop_oneof![
        6 => (organization(), account(), rank()).prop_map(|(organization, account, role)| Step::Join { organization, account, role }),
        2 => (organization(), account(), rank()).prop_map(|(organization, account, role)| Step::Promote { organization, account, role }),
        2 => (organization(), account()).prop_map(|(organization, account)| Step::Leave { organization, account }),
        1 => organization().prop_map(|organization| Step::DeleteOrganization { organization }),
        8 => (project(), account(), role()).prop_map(|(project, account, role)| Step::Add { project, account, role }),
        3 => (project(), account(), role()).prop_map(|(project, account, role)| Step::ChangeRole { project, account, role }),
        3 => (project(), account()).prop_map(|(project, account)| Step::Remove { project, account }),
        2 => (project(), any::<bool>()).prop_map(|(project, is_public)| Step::Publish { project, is_public }),
        1 => project().prop_map(|project| Step::DeleteProject { project }),
        1 => account().prop_map(|account| Step::Deactivate { account }),
        1 => account().prop_map(|account| Step::Erase { account }),
    ]
}

fn plan() -> impl Strategy<Value = Plan> {
    let organizations = vec((any::<bool>(), 0..ACCOUNTS), ORGANIZATIONS);
    let projects = vec((0..ORGANIZATIONS, 0..ACCOUNTS, any::<bool>()), PROJECTS);
    (organizations, projects, vec(step(), 40..160)).prop_map(|(organizations, projects, steps)| Plan {
        organizations,
        projects,
        steps,
    })
}

/// A world: the aggregates, and the events that made them.
struct Made {
    accounts: Vec<AccountId>,
    organizations: Vec<(OrganizationId, Organization)>,
    projects: Vec<(ProjectId, Project, Membership)>,
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
        settings: OrganizationSettings { members_can_create_projects: true, allow_guests: None },
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
    fn from(plan: &Plan) -> Self {
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
            let found = MembershipCommand::Found { owner: accounts[*owner] };
            decide((id.uuid(), &mut membership), &mut events, DomainEventKind::Membership, found);
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
    fn relations(&self) -> Vec<(ProjectId, AccountId, Relation)> {
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

    async fn project_into(&self, connection: &mut PgConnection, group: &Group, writer: &ViewWriter) {
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

const RELATIONS: &str = "SELECT k.id, a.id, r.relation
    FROM unnest($1::uuid[]) WITH ORDINALITY k (id, place)
    CROSS JOIN unnest($2::uuid[]) WITH ORDINALITY a (id, place)
    LEFT JOIN projects p ON p.id = k.id
    CROSS JOIN LATERAL project_relation(p.id, p.organization_id, p.is_public, p.deleted, a.id) r
    ORDER BY k.place, a.place";

/// What Postgres says of every account and project.
async fn relations_in_postgres(pool: &PgPool, made: &Made) -> Vec<(ProjectId, AccountId, Relation)> {
    let projects: Vec<_> = made.projects.iter().map(|(id, ..)| id.uuid()).collect();
    let accounts: Vec<_> = made.accounts.iter().map(|id| id.uuid()).collect();
    let rows: Vec<(Uuid, Uuid, Option<String>)> =
        sqlx::query_as(RELATIONS).bind(projects).bind(accounts).fetch_all(pool).await.expect("relations");
    let typed = |(project, account, name)| {
        (ProjectId(project), AccountId(account), Relation::try_from(name).expect("a known relation"))
    };
    rows.into_iter().map(typed).collect()
}

/// Where Postgres says something else than the domain: project, account, what Postgres says, what the domain says.
async fn differences(pool: &PgPool, made: &Made) -> Vec<(ProjectId, AccountId, Relation, Relation)> {
    let (found, expected) = (relations_in_postgres(pool, made).await, made.relations());
    assert_eq!(found.len(), expected.len());
    let both = found.into_iter().zip(expected).filter(|(found, expected)| found != expected);
    both.map(|((project, account, found), (.., expected))| (project, account, found, expected)).collect()
}

/// Compares what the queries say to one account with what the domain says.
async fn compare_queries(pool: &PgPool, made: &Made, account: AccountId) -> Result<(), TestCaseError> {
    let expected: Vec<_> = made.relations().into_iter().filter(|(_, of, _)| *of == account).collect();
    for (project, _, relation) in &expected {
        let found = projects::find(pool, *project, account).await.expect("an answer").expect("a row");
        prop_assert_eq!(found.project.relation, *relation);
    }
    let page = Page { limit: 100, after: None, skip: 0 };
    let listed = projects::list(pool, account, projects::Filter::default(), page).await.expect("a list").items;
    let own: BTreeSet<_> =
        expected.iter().filter(|(.., relation)| relation.role().is_some()).map(|(id, ..)| id.uuid()).collect();
    prop_assert_eq!(listed.iter().map(|row| row.id).collect::<BTreeSet<_>>(), own);
    Ok(())
}

/// A database whose tables are filled from plans.
struct Tables {
    pool: PgPool,
    connection: sqlx::pool::PoolConnection<sqlx::Postgres>,
    group: Group,
    writer: ViewWriter,
}

impl Tables {
    async fn of(world: &World) -> Self {
        let pool = world.pool().await;
        let mut connection = pool.acquire().await.expect("a connection");
        let group = groups().into_iter().find(|group| group.name == "workspace").expect("the group");
        let writer = ViewWriter::prepare(&mut connection, &group).await.expect("a writer");
        Self { pool, connection, group, writer }
    }

    async fn fill(&mut self, made: &Made) {
        made.project_into(&mut self.connection, &self.group, &self.writer).await;
    }
}

#[test]
fn postgres_and_the_domain_agree_on_random_worlds() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    // Connections are given back within it.
    let _entered = runtime.enter();
    let world = runtime.block_on(World::new());
    let tables = RefCell::new(runtime.block_on(Tables::of(&world)));
    let seen = RefCell::new(Vec::new());
    let mut runner = TestRunner::new(Config { cases: WORLDS, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&plan(), |plan| {
        let made = Made::from(&plan);
        let tables = &mut *tables.borrow_mut();
        runtime.block_on(async {
            tables.fill(&made).await;
            prop_assert_eq!(differences(&tables.pool, &made).await, []);
            seen.borrow_mut().extend(made.relations().iter().map(|(.., relation)| *relation));
            compare_queries(&tables.pool, &made, made.accounts[0]).await
        })
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    let seen = seen.into_inner();
    assert!(seen.len() >= WORLDS as usize * ACCOUNTS * PROJECTS);
    for relation in Relation::ALL {
        let count = seen.iter().filter(|one| **one == relation).count();
        assert!(count > 500, "{relation:?} is met {count} times in {}", seen.len());
    }
}

/// A plan in which every relation is met, with a deleted project and a personal organization.
fn small_plan() -> Plan {
    let shared = vec![(false, 0), (true, 1), (false, 0), (false, 0), (false, 0)];
    let projects = vec![(0, 0, true), (0, 2, false), (1, 2, false), (1, 2, true), (0, 2, true)];
    let steps = vec![
        Step::Add { project: 0, account: 3, role: Role::Viewer },
        Step::Add { project: 1, account: 0, role: Role::Collaborator },
        Step::Add { project: 1, account: 4, role: Role::Owner },
        Step::Join { organization: 0, account: 5, role: OrganizationRole::Member },
        Step::DeleteProject { project: 4 },
    ];
    Plan { organizations: shared, projects, steps }
}

#[tokio::test]
async fn a_rule_that_is_left_out_in_postgres_is_found() {
    let world = World::new().await;
    let mut tables = Tables::of(&world).await;
    let made = Made::from(&small_plan());
    tables.fill(&made).await;
    assert_eq!(differences(&tables.pool, &made).await, []);
    for (function, rule, instead) in [
        ("administered_organizations", " AND NOT o.is_personal", ""),
        ("administered_organizations", " AND m.role = 'admin'", ""),
        ("project_relation", "WHEN deleted THEN", "WHEN NULL THEN"),
        ("project_relation", "THEN 'visitor'", "THEN 'viewer'"),
    ] {
        let definition: String = sqlx::query_scalar("SELECT pg_get_functiondef($1::regproc)")
            .bind(function)
            .fetch_one(&tables.pool)
            .await
            .expect("a definition");
        assert!(definition.contains(rule), "{definition}");
        tables.pool.execute(definition.replace(rule, instead).as_str()).await.expect("a changed function");
        assert!(!differences(&tables.pool, &made).await.is_empty(), "without {rule}");
        tables.pool.execute(definition.as_str()).await.expect("the function again");
    }
    assert_eq!(differences(&tables.pool, &made).await, []);
}

#[tokio::test]
async fn the_answer_follows_the_tables_that_a_rebuild_puts_in_place() {
    let world = World::new().await;
    let mut tables = Tables::of(&world).await;
    let made = Made::from(&small_plan());
    tables.fill(&made).await;
    // One connection, so that its plan was made before the tables are swapped.
    let pool = sqlx::postgres::PgPoolOptions::new()
        .max_connections(1)
        .after_connect(|connection, _| Box::pin(workroom_projections::session::prepare(connection)))
        .connect(&world.database_url)
        .await
        .expect("a connection");
    assert_eq!(differences(&pool, &made).await, []);
    // The log is empty, so the tables that take over are, too.
    let (rebuilt, text) = world.command(&["projections", "rebuild"]).await;
    assert!(rebuilt, "{text}");
    let after = relations_in_postgres(&pool, &made).await;
    assert!(after.iter().all(|(.., relation)| *relation == Relation::Stranger), "{after:?}");
}

#[tokio::test]
async fn the_function_becomes_a_part_of_the_plan() {
    let world = World::new().await;
    let pool = world.pool().await;
    let explained: Vec<String> = sqlx::query_scalar(
        "EXPLAIN (VERBOSE) SELECT r.relation FROM projects p
         CROSS JOIN LATERAL project_relation(p.id, p.organization_id, p.is_public, p.deleted, gen_random_uuid()) r",
    )
    .fetch_all(&pool)
    .await
    .expect("a plan");
    // A random id is volatile: such a call is not put in place.
    assert!(explained.join("\n").contains("Function Scan"), "{explained:?}");
    let explained: Vec<String> = sqlx::query_scalar(
        "EXPLAIN (VERBOSE) SELECT r.relation FROM projects p
         CROSS JOIN LATERAL project_relation(p.id, p.organization_id, p.is_public, p.deleted, p.created_by) r",
    )
    .fetch_all(&pool)
    .await
    .expect("a plan");
    let plan = explained.join("\n");
    assert!(!plan.contains("Function Scan") && !plan.contains("project_relation"), "{plan}");
    assert!(!plan.contains("administered_organizations"), "{plan}");
    for table in ["views.organization_members", "views.organizations", "views.members"] {
        assert!(plan.contains(&format!("on {table}")), "{plan}");
    }
}
