//! How accounts stand to projects: Postgres and the domain give one answer.
//!
//! Random commands make random worlds. Their events are folded into the aggregates, and projected into the tables of the read
//! models. Then, for every account and project, the domain's [`Facts`](workroom_domain::access::Facts) are compared with the function `project_relation`, and
//! with the queries that stand on it.

mod plan;
mod world;

use std::{cell::RefCell, collections::BTreeSet};

use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError, TestRunner},
};
use sqlx::{Executor, PgPool};
use uuid::Uuid;
use workroom_domain::{
    access::Relation,
    ids::{AccountId, ProjectId},
};
use workroom_projections::{Group, changes::ViewWriter, groups, page::Page, projects};

use crate::support::World;
use plan::{ACCOUNTS, PROJECTS, plan, small_plan};
use world::Made;

const WORLDS: u32 = 300;

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
        prop_assert_eq!(found.project.relation.0, *relation);
    }
    let page = Page { limit: 100, after: None, skip: 0 };
    let listed = projects::list(pool, account, projects::Filter::default(), page).await.expect("a list").items;
    let own: BTreeSet<_> =
        expected.iter().filter(|(.., relation)| relation.reads_whole_history()).map(|(id, ..)| id.uuid()).collect();
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
        ("audited_organizations", " AND NOT o.is_personal", ""),
        ("audited_organizations", " AND m.role = 'auditor'", ""),
        ("project_relation", "THEN 'auditor'", "THEN 'viewer'"),
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
    for function in ["administered_organizations", "audited_organizations"] {
        assert!(!plan.contains(function), "{plan}");
    }
    for table in ["views.organization_members", "views.organizations", "views.members"] {
        assert!(plan.contains(&format!("on {table}")), "{plan}");
    }
}
