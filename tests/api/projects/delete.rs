//! `DELETE /projects/{project_id}`

use futures::future::join_all;
use serde_json::json;

use crate::{
    jobs::sandbox::{alive, unique},
    organizations::{add, organization_with_guests},
    support::{World, eventually},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_project_is_gone_for_everybody_and_everywhere() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace, eve) = (server.person("ada").await, server.person("grace").await, server.person("eve").await);
    let project = ada.post("/projects", json!({"name": "Doomed", "is_public": true})).await.is(201).id();
    ada.invite(&project, &grace, "collaborator").await;
    let path = format!("/projects/{project}");
    let reply = ada.delete(&path).await.is(204);
    assert!(reply.position() > 0);
    assert_eq!(reply.text, "");

    for person in [&grace, &eve] {
        person.get(&format!("{path}/events")).await.problem(404);
    }
    for person in [&ada, &grace, &eve] {
        for hidden in ["", "/members", "/tasks", "/workspaces", "/invitations"] {
            person.get(&format!("{path}{hidden}")).await.problem(404);
        }
        person.get(&format!("/jobs?project_id={project}")).await.problem(404);
        person.patch(&path, json!({"name": "Back"})).await.problem(404);
        person.put(&path, json!({"name": "Back"})).await.problem(404);
        person.delete(&path).await.problem(404);
        person.post(&format!("{path}/members"), json!({"email": eve.email})).await.problem(404);
        person.patch(&format!("{path}/members/{}", grace.id), json!({"role": "viewer"})).await.problem(404);
        person.delete(&format!("{path}/members/{}", person.id)).await.problem(404);
        let job = json!({"type": "code_execution", "language": "python", "code": "1", "project_id": project});
        person.post("/jobs", job).await.problem(404);
        assert_eq!(person.get("/projects").await.is(200).items().len(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_of_a_deleted_project_stays_in_the_log() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let reply = ada.post("/projects", json!({"name": "Doomed"})).await.is(201);
    let gone = ada.delete(&format!("/projects/{}", reply.id())).await.is(204);
    let types: Vec<String> = sqlx::query_scalar("SELECT event_type FROM events WHERE feed_id = $1 ORDER BY feed_seq")
        .bind(reply.id().parse::<uuid::Uuid>().unwrap())
        .fetch_all(&world.pool().await)
        .await
        .expect("the feed");
    assert_eq!(types, ["ProjectCreated", "MemberAdded", "ProjectDeleted", "MembershipClosed"]);
    assert!(gone.position() > reply.position());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_of_a_deleted_project_is_open_to_who_owned_it() {
    let world = World::new().await;
    let server = world.server().await;
    let [ada, grace, bob, eve, carl] = [
        server.person("ada").await,
        server.person("grace").await,
        server.person("bob").await,
        server.person("eve").await,
        server.person("carl").await,
    ];
    let acme = organization_with_guests(&carl, "Acme").await;
    add(&carl, &acme, &ada, "admin").await;
    add(&carl, &acme, &eve, "member").await;
    let body = json!({"name": "Doomed", "organization_id": acme});
    let project = ada.post("/projects", body).await.is(201).id();
    ada.invite(&project, &grace, "owner").await;
    ada.invite(&project, &bob, "collaborator").await;
    // Who was an owner once, and is none at the end, is none.
    ada.patch(&format!("/projects/{project}/members/{}", grace.id), json!({"role": "viewer"})).await.is(200);
    ada.invite(&project, &carl, "owner").await;
    ada.delete(&format!("/projects/{project}")).await.is(204);
    let path = format!("/projects/{project}/events");
    for person in [&ada, &carl] {
        let history = person.get(&path).await.is(200);
        let last = history.items().last().expect("an event");
        assert_eq!(last["event_type"], "MembershipClosed");
        assert_eq!(history.items()[0]["data"]["name"], "Doomed");
    }
    for person in [&grace, &bob, &eve] {
        person.get(&path).await.problem(404);
    }
    ada.get(&format!("/projects/{}/events", uuid::Uuid::now_v7())).await.problem(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_jobs_of_a_deleted_project_are_over_and_their_programs_stopped() {
    let world = World::new().await;
    let server = world.server_with(&[], &[("WORKROOM_WORKER_SLOTS", "1")]).await;
    let ada = server.person("ada").await;
    let (project, other) = (ada.project("Doomed").await, ada.project("Stays").await);
    let marker = unique(60);
    let program = |project: &str| {
        json!({"type": "code_execution", "language": "bash", "project_id": project,
        "code": format!("sleep {marker} & wait"), "timeout_seconds": 120})
    };
    let running = ada.post("/jobs", program(&project)).await.is(202).id();
    eventually("it runs", async || alive(&marker)).await;
    let waiting = ada.post("/jobs", program(&project)).await.is(202).id();
    ada.delete(&format!("/projects/{project}")).await.is(204);
    let history = ada.history(&project).await;
    for job in [&running, &waiting] {
        let mut events = history.iter().filter(|event| event["aggregate_id"] == **job);
        let last = events.next_back().expect("an event");
        assert_eq!((&last["event_type"], &last["data"]["reason"]), (&json!("JobCancelled"), &json!("project_deleted")));
        ada.get(&format!("/jobs/{job}")).await.problem(404);
    }
    eventually("it is stopped", async || !alive(&marker)).await;
    // The slot is free again, and what was waiting is passed over.
    let job = ada.run_python("print('next')", Some(&other)).await;
    assert_eq!(ada.finished(&job).await["result"]["stdout"], "next\n");
    assert!(!alive(&marker));
    for command in [&["audit", "access"], &["projections", "verify"]] {
        let (proven, printed) = world.command(command).await;
        assert!(proven, "{printed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_nobody_saw_to_when_their_project_was_deleted_are_ended_later() {
    let world = World::new().await;
    // Nobody runs the jobs, and whoever erases their account does not look after them.
    let server = world.server_with(&["--roles", "api,live,projector,relay,scheduler"], &[]).await;
    let ada = server.person("ada").await;
    let project = ada.project("Doomed").await;
    let job = ada.run_python("print(1)", Some(&project)).await;
    let body = json!({"password": ada.password}).to_string();
    ada.send(reqwest::Method::DELETE, "/auth/me", Some(body)).await.is(204);
    let pool = world.pool().await;
    eventually("the job is over", async || {
        let status: String = sqlx::query_scalar("SELECT status FROM views.jobs WHERE id = $1::uuid")
            .bind(&job)
            .fetch_one(&pool)
            .await
            .expect("a job");
        status == "cancelled"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_is_deleted_once() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Doomed").await;
    let path = format!("/projects/{project}");
    let replies = join_all((0..8).map(|_| ada.delete(&path))).await;
    let (gone, others): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 204);
    assert_eq!(gone.len(), 1);
    others.into_iter().for_each(|reply| drop(reply.problem(404)));
}
