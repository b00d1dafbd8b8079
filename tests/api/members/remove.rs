//! `DELETE /projects/{project_id}/members/{user_id}`

use serde_json::json;

use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_member_is_out_from_the_reply_on() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &grace, "collaborator").await;
    let (path, member) = (format!("/projects/{project}"), format!("/projects/{project}/members/{}", grace.id));
    let reply = ada.delete(&member).await.is(204);
    assert!(reply.position() > 0);
    grace.get(&path).await.problem(404);
    grace.patch(&path, json!({"name": "Still mine"})).await.problem(404);
    assert_eq!(grace.get("/projects").await.is(200).items().len(), 0);
    ada.delete(&member).await.problem(404);
    assert_eq!(ada.get(&path).await.is(200).json["member_count"], 1);
    let event = ada.history(&project).await.pop().expect("an event");
    assert_eq!(event["event_type"], "MemberRemoved");
    assert_eq!(event["data"], json!({"type": "MemberRemoved", "account_id": grace.id, "role": "collaborator"}));
    assert_eq!(event["actor"], ada.id);
    // And can come back.
    ada.invite(&project, &grace, "viewer").await;
    assert_eq!(grace.get(&path).await.is(200).json["role"], "viewer");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_member_may_leave_but_the_last_owner() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    for role in ["viewer", "collaborator", "owner"] {
        let other = server.person(role).await;
        ada.invite(&project, &other, role).await;
        other.delete(&format!("/projects/{project}/members/{}", other.id)).await.is(204);
        other.get(&format!("/projects/{project}")).await.problem(404);
        let left = ada.history(&project).await.pop().expect("an event");
        assert_eq!((left["event_type"].as_str(), left["actor"].as_str()), (Some("MemberRemoved"), Some(&*other.id)));
    }
    let myself = format!("/projects/{project}/members/{}", ada.id);
    ada.delete(&myself).await.problem(409);
    let grace = server.person("grace").await;
    ada.invite(&project, &grace, "owner").await;
    ada.delete(&myself).await.is(204);
    ada.get(&format!("/projects/{project}")).await.problem(404);
    grace.delete(&format!("/projects/{project}/members/{}", grace.id)).await.problem(409);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_removed_member_did_stays_theirs() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &grace, "collaborator").await;
    grace.patch(&format!("/projects/{project}"), json!({"name": "Artemis"})).await.is(200);
    ada.delete(&format!("/projects/{project}/members/{}", grace.id)).await.is(204);
    let history = ada.history(&project).await;
    assert_eq!(history[3]["event_type"], "ProjectUpdated");
    assert_eq!(history[3]["actor"], grace.id);
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}
