//! Every list has the index it needs: with 100,000 rows behind it, a page reads no more than a page's worth.
//!
//! The queries are the service's own. Postgres explains each of them as it runs (`auto_explain`), and tells its plan in a
//! notice, which is read where sqlx puts notices: in the log.

use std::{
    fmt::Debug,
    sync::{Arc, LazyLock, Mutex},
};

use serde_json::Value;
use sqlx::{Executor, PgPool, postgres::PgPoolOptions};
use tracing::field::{Field, Visit};
use tracing_subscriber::{Layer, layer::SubscriberExt};
use uuid::Uuid;
use workroom::{
    application::invitations::{self, Host},
    database,
};
use workroom_domain::{
    access::Relation,
    ids::{AccountId, OrganizationId, ProjectId, TaskId, WorkspaceId},
};
use workroom_projections::{
    accounts, comments, history, jobs, members, organizations,
    page::Page,
    projects, session,
    tasks::{self, TaskPage},
    workspaces::{self, FilePage},
};

use crate::support::World;

/// Most rows that a page of 21 may touch, over all tables of its query: some joins look every row up in turn.
const MOST: f64 = 1000.0;

#[derive(Clone, Default)]
struct Plans(Arc<Mutex<Vec<Value>>>);

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.0 = value.to_owned();
        }
    }
}

impl<S: tracing::Subscriber> Layer<S> for Plans {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        if let Some((_, plan)) = message.0.split_once("plan:\n") {
            self.0.lock().expect("a lock").push(serde_json::from_str(plan).expect("a plan"));
        }
    }
}

/// Rows that a node and those below it have touched, wanted or not.
fn touched(node: &Value) -> f64 {
    let number = |name: &str| node[name].as_f64().unwrap_or_default();
    let wasted: f64 = ["Rows Removed by Filter", "Rows Removed by Index Recheck", "Rows Removed by Join Filter"]
        .iter()
        .map(|name| number(name))
        .sum();
    let own = (number("Actual Rows") + wasted) * number("Actual Loops").max(1.0);
    let below = node["Plans"].as_array().map_or(0.0, |plans| plans.iter().map(touched).sum());
    own + below
}

/// Collects the plans that the database tells this thread, for as long as the guard lives.
fn collect() -> (Plans, tracing::subscriber::DefaultGuard) {
    // While there is only one, tracing asks the thread that comes first to a place in the code whether anybody wants what is
    // told there, and believes its answer for all threads.
    static ANOTHER: LazyLock<tracing::Dispatch> =
        LazyLock::new(|| tracing::Dispatch::new(tracing_subscriber::registry()));
    LazyLock::force(&ANOTHER);
    let plans = Plans::default();
    let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(plans.clone()));
    (plans, guard)
}

async fn explaining(world: &World) -> PgPool {
    drop(world.pool().await);
    // Only a superuser may load it.
    let options = database::options(&world.urls().admin).expect("options");
    PgPoolOptions::new()
        .max_connections(1)
        .after_connect(|connection, _| {
            Box::pin(async move {
                session::prepare(connection).await?;
                connection
                    .execute(
                        "LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_analyze = on;
                         SET auto_explain.log_timing = off; SET auto_explain.log_format = json;
                         SET auto_explain.log_level = notice; SET client_min_messages = notice;",
                    )
                    .await?;
                Ok(())
            })
        })
        .connect_with(options)
        .await
        .expect("a connection")
}

fn id(kind: u32, number: u32) -> Uuid {
    format!("01900000-0000-7000-8{kind:03x}-{number:012x}").parse().expect("an id")
}

/// 100,000 of each, for one account in one organization and project; and as many for others.
const FILL: &str = r"
CREATE FUNCTION pg_temp.id(kind int, number bigint) RETURNS uuid LANGUAGE sql AS
    $$ SELECT ('01900000-0000-7000-8' || lpad(to_hex(kind), 3, '0') || '-' || lpad(to_hex(number), 12, '0'))::uuid $$;
INSERT INTO accounts (id, email, email_normalized, username, personal_organization_id, created_at, updated_at)
    SELECT pg_temp.id(1, n), n || '@example.com', n || '@example.com', 'person ' || n, pg_temp.id(2, n), now(), now()
    FROM generate_series(0, 100000) n;
INSERT INTO views.organizations
    SELECT pg_temp.id(2, n), 'organization', n::text, NULL, true, false, 1, now(), now(), 1
    FROM generate_series(0, 100000) n;
INSERT INTO views.organization_members
    SELECT pg_temp.id(2, 0), pg_temp.id(1, n), CASE n WHEN 0 THEN 'admin' ELSE 'member' END::organization_role, now(), now()
    FROM generate_series(0, 100000) n;
INSERT INTO views.organization_members
    SELECT pg_temp.id(2, n), pg_temp.id(1, 0), 'member', now(), now() FROM generate_series(1, 100000) n;
INSERT INTO views.projects (id, organization_id, name, description, is_public, status, priority, created_by, created_at,
                            updated_at, version, deleted, edit_policy, lead_can_add_members)
    SELECT pg_temp.id(3, n), pg_temp.id(2, n % 2), 'project', '', false,
           CASE WHEN n % 1000 = 0 THEN 'active' ELSE 'planning' END::project_status, 'low', pg_temp.id(1, 0), now(), now(), 1,
           false, 'collaborators', false
    FROM generate_series(0, 200000) n;
INSERT INTO views.members
    SELECT pg_temp.id(3, n), pg_temp.id(1, 0), 'owner', now(), now() FROM generate_series(0, 100000) n;
INSERT INTO views.members
    SELECT pg_temp.id(3, 0), pg_temp.id(1, n), 'viewer', now(), now() FROM generate_series(1, 100000) n;
INSERT INTO views.rosters (project_id, member_count, version) SELECT pg_temp.id(3, n), 1, 1 FROM generate_series(0, 100000) n;
INSERT INTO views.tasks
    SELECT pg_temp.id(4, n), pg_temp.id(3, n % 2), 'task', '', CASE WHEN n % 3 = 0 THEN pg_temp.id(1, n % 100) END,
           CASE WHEN n % 1000 < 2 THEN 'in_progress' ELSE 'todo' END::task_status,
           CASE WHEN n % 1000 < 2 THEN 'bug' ELSE 'task' END::task_type,
           CASE WHEN n % 1000 < 2 THEN 'high' ELSE 'low' END::priority,
           CASE WHEN n % 4 < 2 THEN now() + n * interval '1 minute' END, 0, pg_temp.id(1, 0), now(), now(), 1
    FROM generate_series(0, 200000) n;
INSERT INTO views.comments
    SELECT pg_temp.id(5, n), pg_temp.id(3, 0), pg_temp.id(4, n % 2), pg_temp.id(1, n % 100), 'said', now(), now(), 1
    FROM generate_series(0, 200000) n;
INSERT INTO views.workspaces
    SELECT pg_temp.id(6, n), pg_temp.id(3, n % 2), 'room', '', 0, pg_temp.id(1, 0), now(), now(), 1
    FROM generate_series(0, 200000) n;
INSERT INTO views.files
    SELECT pg_temp.id(7, n), pg_temp.id(6, n % 2), 'folder ' || n % 100 || '/file ' || n, 0, ''::bytea, pg_temp.id(1, 0),
           now(), pg_temp.id(1, 0), now(), 1
    FROM generate_series(0, 200000) n;
INSERT INTO views.jobs (id, project_id, submitted_by, job_type, language, timeout_seconds, max_attempts, status, attempt,
                        created_at, version)
    SELECT pg_temp.id(8, n), CASE WHEN n % 2 = 0 THEN pg_temp.id(3, 0) END, pg_temp.id(1, 0), 'code_execution', 'bash', 1, 1,
           CASE WHEN n % 1000 < 2 THEN 'failed' ELSE 'completed' END, 1, now(), 1
    FROM generate_series(0, 200000) n;
INSERT INTO invitations (id, project_id, organization_id, role, email, email_normalized, invited_by, created_at, expires_at)
    SELECT pg_temp.id(9, n), CASE WHEN n % 2 = 0 THEN pg_temp.id(3, 0) END, CASE WHEN n % 2 = 1 THEN pg_temp.id(2, 0) END,
           'viewer', n || '@example.com', n || '@example.com', pg_temp.id(1, 0), now(), now() + interval '1 day'
    FROM generate_series(0, 200000) n;
-- And a few of each that came first, for a project that has no more.
INSERT INTO views.tasks
    SELECT pg_temp.id(0, n), pg_temp.id(3, 2), 'task', '', NULL, 'todo', 'task', 'low', NULL, 0, pg_temp.id(1, 0), now(), now(), 1
    FROM generate_series(1, 5) n;
INSERT INTO views.comments
    SELECT pg_temp.id(0, n), pg_temp.id(3, 2), pg_temp.id(0, 1), pg_temp.id(1, 0), 'said', now(), now(), 1
    FROM generate_series(1, 5) n;
INSERT INTO views.workspaces
    SELECT pg_temp.id(4095, n), pg_temp.id(3, 2), 'room', '', 0, pg_temp.id(1, 0), now(), now(), 1 FROM generate_series(1, 5) n;
INSERT INTO views.jobs (id, project_id, submitted_by, job_type, language, timeout_seconds, max_attempts, status, attempt,
                        created_at, version)
    SELECT pg_temp.id(0, n), pg_temp.id(3, 2), pg_temp.id(1, 1), 'code_execution', 'bash', 1, 1, 'failed', 1, now(), 1
    FROM generate_series(1, 5) n;
INSERT INTO invitations (id, project_id, role, email, email_normalized, invited_by, created_at, expires_at)
    SELECT pg_temp.id(0, n), pg_temp.id(3, 2), 'viewer', 'x' || n, 'x' || n, pg_temp.id(1, 0), now(), now() + interval '1 day'
    FROM generate_series(1, 5) n;
ANALYZE;
";

#[tokio::test]
async fn a_page_of_a_list_reads_a_page_of_a_hundred_thousand_rows() {
    let world = World::new().await;
    let pool = world.pool().await;
    let mut connection = pool.acquire().await.expect("a connection");
    connection.execute("SET statement_timeout = 0").await.expect("a setting");
    connection.execute(FILL).await.expect("rows");
    let (plans, _guard) = collect();
    let pool = &explaining(&world).await;

    let check = |what: &str| {
        let plans = std::mem::take(&mut *plans.0.lock().expect("a lock"));
        assert!(!plans.is_empty(), "{what}: nothing was explained");
        for plan in plans {
            let rows = touched(&plan["Plan"]);
            assert!(rows <= MOST, "{what} touches {rows} rows: {plan:#}");
        }
    };
    let (account, organization, project) = (AccountId(id(1, 0)), OrganizationId(id(2, 0)), ProjectId(id(3, 0)));
    let (task, workspace) = (TaskId(id(4, 0)), WorkspaceId(id(6, 0)));
    let first = Page { limit: 20, after: None, skip: 0 };
    for (which, middle) in [("first", 0), ("middle", 50_000)] {
        let page = |kind| Page { after: (middle > 0).then(|| id(kind, middle)), ..first };

        organizations::list(pool, account, page(2)).await.expect("organizations");
        check(&format!("{which} organizations"));
        organizations::members(pool, organization, page(1)).await.expect("members");
        check(&format!("{which} members of an organization"));
        members::list(pool, project, page(1).after, 20, 0).await.expect("members");
        check(&format!("{which} members of a project"));
        for (organization_id, status) in
            [(None, None), (Some(organization), None), (None, Some("planning")), (Some(organization), Some("planning"))]
        {
            let filter = projects::Filter { organization_id, status };
            projects::list(pool, account, filter, page(3)).await.expect("projects");
            check(&format!("{which} projects, {filter:?}"));
        }
        let due =
            sqlx::query_scalar("SELECT due_at FROM views.tasks WHERE id = $1").bind(id(4, middle)).fetch_one(pool);
        let due: Option<time::OffsetDateTime> = due.await.expect("a time");
        plans.0.lock().expect("a lock").clear();
        let none = tasks::Filter::default();
        for filter in [
            none,
            tasks::Filter { status: Some("todo"), ..none },
            tasks::Filter { status: Some("in_progress"), ..none },
            tasks::Filter { task_type: Some("bug"), ..none },
            tasks::Filter { priority: Some("high"), ..none },
            tasks::Filter { assignee_id: Some(Some(account)), ..none },
            tasks::Filter { assignee_id: Some(Some(AccountId(id(1, 99_999)))), ..none },
            tasks::Filter { assignee_id: Some(None), ..none },
            tasks::Filter { due_from: due, ..none },
            tasks::Filter { due_from: due, status: Some("todo"), ..none },
        ] {
            let after_due = filter.is_by_due().then_some(due).flatten().map(|due| (due, id(4, middle)));
            let page = TaskPage { page: if filter.is_by_due() { first } else { page(4) }, after_due };
            tasks::list(pool, project, filter, page, Some(account)).await.expect("tasks");
            check(&format!("{which} tasks, {filter:?}"));
        }
        comments::list(pool, task, page(5)).await.expect("comments");
        check(&format!("{which} comments"));
        workspaces::list(pool, project, page(6)).await.expect("workspaces");
        check(&format!("{which} workspaces"));
        for prefix in ["", "folder 42/"] {
            let after = if middle > 0 { "folder 42/file 5" } else { "" };
            let page = FilePage { prefix, after, skip: 0, limit: 20 };
            workspaces::files(pool, workspace, page).await.expect("files");
            check(&format!("{which} files, {prefix:?}"));
        }
        for project_id in [None, Some(project)] {
            let filter = jobs::Filter { project_id, ..jobs::Filter::default() };
            jobs::list(pool, account, filter, page(8)).await.expect("jobs");
            check(&format!("{which} jobs, {filter:?}"));
        }
        for host in [Host::Project(project), Host::Organization(organization)] {
            invitations::list(pool, host, page(9)).await.expect("invitations");
            check(&format!("{which} invitations, {host:?}"));
        }
    }
    let small = ProjectId(id(3, 2));
    let page = TaskPage { page: first, after_due: None };
    let few = tasks::list(pool, small, tasks::Filter::default(), page, Some(account)).await.expect("tasks");
    assert_eq!((few.tasks.len(), few.relation), (5, Some(Relation::Admin)));
    check("tasks of a small project");
    assert_eq!(comments::list(pool, TaskId(id(0, 1)), first).await.expect("comments").items.len(), 5);
    check("comments on a task with few");
    assert_eq!(workspaces::list(pool, small, first).await.expect("workspaces").items.len(), 5);
    check("workspaces of a small project");
    for filter in [
        jobs::Filter { project_id: Some(small), ..jobs::Filter::default() },
        jobs::Filter { status: Some("failed"), ..jobs::Filter::default() },
    ] {
        assert_eq!(jobs::list(pool, AccountId(id(1, 1)), filter, first).await.expect("jobs").items.len(), 5);
        check(&format!("few jobs, {filter:?}"));
    }
    let host = Host::Project(small);
    assert_eq!(invitations::list(pool, host, first).await.expect("invitations").items.len(), 5);
    check("invitations to a small project");
    history::list(pool, project.uuid(), &history::Filter::default(), 21).await.expect("history");
    check("history");
    let actors: Vec<Uuid> = (0..100).map(|n| id(1, n * 1000)).collect();
    assert_eq!(accounts::names(pool, &actors).await.expect("names").len(), 100);
    check("names of those who acted");
    // For who may not see them, tasks are not looked for, however far the page lies.
    let skipping = TaskPage { page: Page { skip: 100_000, ..first }, after_due: None };
    for filter in [tasks::Filter::default(), tasks::Filter { assignee_id: Some(None), status: Some("done"), ..none() }]
    {
        let seen = tasks::list(pool, project, filter, skipping, Some(AccountId(Uuid::now_v7()))).await.expect("tasks");
        assert!(seen.tasks.is_empty() && seen.relation.is_none());
        check("tasks for a stranger");
    }
}

fn none() -> tasks::Filter<'static> {
    tasks::Filter::default()
}

/// A million events: nine of ten in one feed, nearly all of one type, by one actor, ten seconds apart.
const FILL_LOG: &str = r#"
INSERT INTO events (position, event_id, feed_id, feed_seq, aggregate_type, aggregate_id, sequence, event_type, event_version,
                    payload, metadata, recorded_at)
    SELECT n, gen_random_uuid(),
           CASE WHEN n % 10 < 9 THEN '01900000-0000-7000-8003-000000000000' ELSE '01900000-0000-7000-8003-000000000001' END::uuid,
           CASE WHEN n % 10 < 9 THEN n - n / 10 ELSE (n + 1) / 10 END, 'task', 'task ' || n / 10, n % 10 + 1,
           CASE WHEN n % 100000 = 17 THEN 'TaskDeleted' WHEN n % 10 = 0 THEN 'TaskCreated' ELSE 'TaskUpdated' END, '1', '{}',
           ('{"actor": "account:' || CASE WHEN n % 50000 = 17 THEN 'rare' ELSE 'busy' END || '"}')::json,
           '2026-01-01T00:00:00Z'::timestamptz + n * interval '10 seconds'
    FROM generate_series(1, 1000000) n;
"#;

/// Every combination of what narrows a history: by what is rare and by what is everywhere, in the first part of the feed and in
/// the last.
fn combinations() -> Vec<history::Filter> {
    let at = |seconds: i64| time::macros::datetime!(2026-01-01 0:00 UTC) + time::Duration::seconds(seconds);
    let text = |known: &[&str]| -> Vec<Option<String>> {
        known.iter().map(|text| Some((*text).to_owned())).chain([None]).collect()
    };
    let mut found = Vec::new();
    for event_type in text(&["TaskDeleted", "TaskUpdated"]) {
        for actor in text(&["account:rare", "account:busy"]) {
            for bounds in 0..16_u8 {
                let given = |bit: u8| bounds & (1 << bit) != 0;
                found.push(history::Filter {
                    event_type: event_type.clone(),
                    actor: actor.clone(),
                    after: given(0).then_some(100_000),
                    before: given(1).then_some(800_000),
                    from: given(2).then(|| at(2_000_000)),
                    to: given(3).then(|| at(7_000_000)),
                    skip: 0,
                });
            }
        }
    }
    found
}

#[tokio::test]
async fn a_narrowed_page_of_history_reads_a_page_of_a_million_events() {
    let world = World::new().await;
    let pool = world.pool().await;
    let mut connection = pool.acquire().await.expect("a connection");
    connection.execute("SET statement_timeout = 0").await.expect("a setting");
    connection.execute(FILL_LOG).await.expect("a million events");
    let (plans, _guard) = collect();
    let pool = &explaining(&world).await;
    let feed = id(3, 0);
    let at = |seconds: i64| Some(time::macros::datetime!(2026-01-01 0:00 UTC) + time::Duration::seconds(seconds));
    let all = history::Filter::default;
    let (rare, busy) = (Some("account:rare".to_owned()), Some("account:busy".to_owned()));
    let (deleted, updated) = (Some("TaskDeleted".to_owned()), Some("TaskUpdated".to_owned()));
    let narrowed = [
        (21, all()),
        (10, history::Filter { event_type: deleted.clone(), ..all() }),
        (21, history::Filter { event_type: updated.clone(), after: Some(800_000), ..all() }),
        (0, history::Filter { event_type: Some("Nothing".to_owned()), ..all() }),
        (20, history::Filter { actor: rare.clone(), ..all() }),
        (21, history::Filter { actor: busy.clone(), before: Some(900_000), ..all() }),
        (0, history::Filter { actor: Some("system:worker".to_owned()), ..all() }),
        (0, history::Filter { actor: busy.clone(), event_type: deleted.clone(), ..all() }),
        (10, history::Filter { actor: rare.clone(), event_type: updated, ..all() }),
        (21, history::Filter { from: at(5_000_000), ..all() }),
        (0, history::Filter { from: at(20_000_000), ..all() }),
        (9, history::Filter { to: at(105), ..all() }),
        (0, history::Filter { to: at(-5), ..all() }),
        (5, history::Filter { event_type: deleted.clone(), from: at(5_000_000), ..all() }),
        (10, history::Filter { actor: rare, from: at(2_000_000), to: at(7_000_000), ..all() }),
        (10, history::Filter { event_type: deleted, from: at(-5), to: at(20_000_000), ..all() }),
    ];
    // Before the planner knows anything of the table, and after.
    for known in [false, true] {
        for filter in combinations() {
            let found = history::list(pool, feed, &filter, 21).await.expect("history");
            assert!(found.len() <= 21 && found.is_sorted_by_key(|row| row.feed_seq), "{filter:?}");
            for plan in std::mem::take(&mut *plans.0.lock().expect("a lock")) {
                let rows = touched(&plan["Plan"]);
                assert!(rows <= MOST, "known: {known}, {filter:?} touches {rows} rows: {plan:#}");
            }
        }
        assert_eq!(history::find(pool, feed, 800_000).await.expect("an event").expect("one").feed_seq, 800_000);
        assert!(history::find(pool, feed, 1_000_000).await.expect("no event").is_none());
        let single = std::mem::take(&mut *plans.0.lock().expect("a lock"));
        assert!(!single.is_empty() && single.iter().all(|plan| touched(&plan["Plan"]) <= 2.0), "{single:#?}");
        for (expected, filter) in &narrowed {
            let found = history::list(pool, feed, filter, 21).await.expect("history");
            let plans = std::mem::take(&mut *plans.0.lock().expect("a lock"));
            assert_eq!(found.len(), *expected, "{filter:?}");
            assert!(found.is_sorted_by_key(|row| row.feed_seq), "{filter:?}");
            assert!(found.iter().all(|row| row.feed_id == feed), "{filter:?}");
            assert!(!plans.is_empty(), "{filter:?}: nothing was explained");
            for plan in plans {
                let rows = touched(&plan["Plan"]);
                assert!(rows <= MOST, "known: {known}, {filter:?} touches {rows} rows: {plan:#}");
            }
        }
        connection.execute("ANALYZE events").await.expect("statistics");
        plans.0.lock().expect("a lock").clear();
    }
    let position: i64 = sqlx::query_scalar("SELECT feed_place_at($1, $2)")
        .bind(feed)
        .bind(at(5_000_000))
        .fetch_one(pool)
        .await
        .expect("a place");
    assert_eq!(position, 450_000);
}
