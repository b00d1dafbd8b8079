//! `DELETE /projects/{project_id}`

use futures::future::join_all;
use serde_json::json;

use crate::support::World;

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

    for person in [&ada, &grace, &eve] {
        for hidden in ["", "/events", "/members"] {
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
