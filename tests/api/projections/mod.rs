//! Read models: visible at once everywhere, provable, repairable, and halted one group at a time.

mod decided;
mod names;
mod plans;
mod poison;
mod slow;
mod stall;
mod tampering;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use serde_json::json;
use sqlx::PgPool;
use tokio::task::JoinSet;

use crate::{
    organizations::{add, organization},
    support::{Person, World, eventually},
    tasks::titled,
    workspaces::{file, workspace},
};

async fn execute(pool: &PgPool, statement: &str) -> u64 {
    sqlx::query(statement).execute(pool).await.expect("a statement").rows_affected()
}

/// Writes at one instance and reads at the other at once, there and back.
async fn write_here_read_there(people: &[Person; 2], rounds: usize) {
    let [ada, there] = people;
    let grace = ada;
    let project = ada.project("Apollo").await;
    let path = format!("/projects/{project}");
    for round in 0..rounds {
        let (here, there) = if round % 2 == 0 { (ada, there) } else { (there, grace) };
        let text = format!("round {round}");
        let reply = here.patch(&path, json!({"description": text})).await.is(200);
        assert_eq!(reply.header("workroom-visible"), "", "a reply that is not visible");
        let seen = there.get(&path).await.is(200);
        assert_eq!(seen.json["description"], text.as_str(), "round {round}");
        let created = here.project(&text).await;
        there.get(&format!("/projects/{created}")).await.is(200);
        let newest = there.get(&format!("/projects/{created}/events")).await.is(200);
        assert_eq!(newest.items().len(), 2);
        here.delete(&format!("/projects/{created}")).await.is(204);
        there.get(&format!("/projects/{created}")).await.problem(404);
    }
}

#[tokio::test]
async fn what_is_written_at_one_instance_is_read_at_the_other_at_once_with_and_without_nats() {
    let world = World::new().await;
    let (here, there) = tokio::join!(world.server(), world.server());
    let ada = here.person("ada").await;
    let people = [ada.clone(), ada.at(&there.address)];
    let began = Instant::now();
    write_here_read_there(&people, 40).await;
    let with = began.elapsed();
    world.nats().kill9().await;
    eventually("NATS is missed", || async { ada.get("//ready").await.status == 503 }).await;
    let began = Instant::now();
    write_here_read_there(&people, 8).await;
    eprintln!("40 rounds: {with:?} with NATS, 8 rounds: {:?} without", began.elapsed());
    // A role that is given is a role that is seen, also by the one who got it.
    let grace = there.person("grace").await;
    let project = ada.project("Gemini").await;
    let path = format!("/projects/{project}");
    for _ in 0..10 {
        ada.invite(&project, &grace, "viewer").await;
        grace.get(&path).await.is(200);
        ada.delete(&format!("{path}/members/{}", grace.id)).await.is(204);
        grace.get(&path).await.problem(404);
    }
}

/// A few projects with members, edits and a finished job: something in every view.
async fn furnished(server: &crate::support::Server) -> (Person, Person, Vec<String>) {
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let mut projects = Vec::new();
    for number in 0..10 {
        let project = ada.project(&format!("project {number}")).await;
        ada.invite(&project, &grace, "viewer").await;
        ada.patch(&format!("/projects/{project}"), json!({"priority": "high"})).await.is(200);
        for round in 0..3 {
            let task = titled(&ada, &project, &format!("task {round}")).await;
            ada.patch(&task, json!({"status": "done", "assignee_id": grace.id})).await.is(200);
            let comments = format!("{task}/comments");
            let first = ada.post(&comments, json!({"body": "Soon."})).await.is(201).id();
            ada.post(&comments, json!({"body": "Now."})).await.is(201);
            ada.patch(&format!("{comments}/{first}"), json!({"body": "Sooner."})).await.is(200);
            if round == 1 {
                ada.delete(&format!("{comments}/{first}")).await.is(204);
            }
            if round == 2 {
                ada.delete(&task).await.is(204);
            }
        }
        let room = workspace(&ada, &project, "Lab").await;
        let path = file(&ada, &room, "a/b", "text").await;
        file(&ada, &room, "gone", "text").await;
        ada.patch(&path, json!({"path": "c"})).await.is(200);
        ada.patch(&room, json!({"description": "To try."})).await.is(200);
        ada.delete(&workspace(&ada, &project, "closed").await).await.is(204);
        projects.push(project);
    }
    for number in 0..3 {
        let organization = organization(&ada, &format!("organization {number}")).await;
        add(&ada, &organization, &grace, "member").await;
        let path = format!("/organizations/{organization}");
        ada.patch(&format!("{path}/members/{}", grace.id), json!({"role": "admin"})).await.is(200);
        grace.patch(&path, json!({"slug": format!("slug-{number}")})).await.is(200);
        let led = json!({"name": "Led", "organization_id": organization, "team_lead": grace.id, "edit_policy": "lead"});
        ada.post("/projects", led).await.is(201);
        if number > 0 {
            grace.delete(&format!("{path}/members/{}", grace.id)).await.is(204);
        }
    }
    let job = ada.run_python("print(1)", Some(&projects[0])).await;
    ada.finished(&job).await;
    (ada, grace, projects)
}

#[tokio::test]
async fn a_tampered_row_of_any_view_is_found_named_and_repaired() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, _, projects) = furnished(&server).await;
    let pool = world.pool().await;
    let (verified, text) = world.command(&["projections", "verify"]).await;
    assert!(verified, "{text}");
    for (table, tampering) in [
        ("projects", "UPDATE views.projects SET name = 'forged' WHERE id = (SELECT id FROM views.projects LIMIT 1)"),
        ("projects", "DELETE FROM views.projects WHERE id = (SELECT id FROM views.projects LIMIT 1)"),
        ("organizations", "UPDATE views.organizations SET slug = 'forged' WHERE NOT is_personal"),
        (
            "organization_members",
            "DELETE FROM views.organization_members WHERE account_id = (SELECT account_id FROM views.organization_members LIMIT 1)",
        ),
        ("tasks", "UPDATE views.tasks SET comment_count = 7 WHERE id = (SELECT id FROM views.tasks LIMIT 1)"),
        ("comments", "DELETE FROM views.comments WHERE id = (SELECT id FROM views.comments LIMIT 1)"),
        ("workspaces", "UPDATE views.workspaces SET file_count = file_count + 1"),
        ("files", "UPDATE views.files SET path = 'forged' WHERE id = (SELECT id FROM views.files LIMIT 1)"),
        ("files", "DELETE FROM views.files WHERE id = (SELECT id FROM views.files LIMIT 1)"),
        ("members", "UPDATE views.members SET role = 'owner' WHERE role = 'viewer'"),
        (
            "members",
            "INSERT INTO views.members SELECT project_id, gen_random_uuid(), role, added_at, updated_at FROM views.members LIMIT 1",
        ),
        ("rosters", "UPDATE views.rosters SET member_count = member_count + 1"),
        ("jobs", "UPDATE views.jobs SET exit_code = 7"),
    ] {
        assert!(execute(&pool, tampering).await > 0, "{tampering}");
        let (verified, text) = world.command(&["projections", "verify"]).await;
        assert!(!verified, "not found: {tampering}\n{text}");
        assert!(text.contains(&format!("table {table} differs")), "{text}");
        let (rebuilt, text) = world.command(&["projections", "rebuild"]).await;
        assert!(rebuilt, "{text}");
        let (verified, text) = world.command(&["projections", "verify"]).await;
        assert!(verified, "not repaired: {tampering}\n{text}");
    }
    for project in &projects {
        ada.get(&format!("/projects/{project}")).await.is(200);
    }
}

#[tokio::test]
async fn reads_and_commands_go_on_while_views_are_rebuilt() {
    let world = World::new().await;
    let (server, other) = tokio::join!(world.server(), world.server());
    let (ada, grace, projects) = furnished(&server).await;
    let seen = grace.get("/projects?limit=100").await.is(200).items().len();
    assert!(seen >= projects.len());
    let stop = Arc::<AtomicBool>::default();
    let mut clients = JoinSet::new();
    for (number, project) in projects.iter().cloned().enumerate() {
        let (ada, grace, stop) = (ada.at(&other.address), grace.clone(), Arc::clone(&stop));
        clients.spawn(async move {
            let mut reads = 0_usize;
            let path = format!("/projects/{project}");
            while !stop.load(Ordering::Relaxed) {
                let text = format!("{number}.{reads}");
                if reads.is_multiple_of(4) {
                    let reply = ada.patch(&path, json!({"description": text})).await.is(200);
                    assert_eq!(reply.header("workroom-visible"), "", "a reply that is not visible");
                    assert_eq!(grace.get(&path).await.is(200).json["description"], text.as_str());
                }
                assert_eq!(grace.get(&format!("{path}/members")).await.is(200).items().len(), 2);
                assert_eq!(grace.get("/projects?limit=100").await.is(200).items().len(), seen);
                assert_eq!(ada.get(&format!("/jobs?project_id={project}")).await.status, 200);
                reads += 1;
            }
            reads
        });
    }
    for _ in 0..6 {
        let (rebuilt, text) = world.command(&["projections", "rebuild"]).await;
        assert!(rebuilt, "{text}");
        assert!(!text.contains("differs"), "{text}");
    }
    stop.store(true, Ordering::Relaxed);
    let mut reads = 0;
    while let Some(ended) = clients.join_next().await {
        reads += ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
    }
    eprintln!("{reads} rounds of reads during six rebuilds");
    let (verified, text) = world.command(&["projections", "verify"]).await;
    assert!(verified, "{text}");
}

#[tokio::test]
async fn a_hole_in_the_log_halts_whoever_sees_it() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    ada.project("Apollo").await;
    let pool = world.pool().await;
    execute(
        &pool,
        "INSERT INTO events SELECT position + 2, gen_random_uuid(), gen_random_uuid(), 1, aggregate_type,
                gen_random_uuid()::text, 1, event_type, event_version, payload, metadata, recorded_at
         FROM events ORDER BY position DESC LIMIT 1",
    )
    .await;
    eventually("both groups halt", || async {
        let reply = ada.get("//ready").await;
        let detail = reply.json["detail"].as_str().unwrap_or_default().to_owned();
        reply.status == 503 && detail.contains("jobs") && detail.contains("workspace")
    })
    .await;
    let (proved, text) = world.command(&["audit", "access"]).await;
    assert!(!proved && text.contains("hole"), "{text}");
}
