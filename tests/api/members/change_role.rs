//! `PATCH` and `PUT /projects/{project_id}/members/{user_id}`

use futures::future::join_all;
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_role_holds_from_the_reply_on() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &grace, "viewer").await;
    let (path, member) = (format!("/projects/{project}"), format!("/projects/{project}/members/{}", grace.id));
    grace.patch(&path, json!({"name": "Mine"})).await.problem(403);
    let mut versions = vec!["\"2\"".to_owned()];
    for (method, role, status) in [(Method::PATCH, "collaborator", 200), (Method::PUT, "viewer", 403)] {
        let reply = ada.send(method, &member, Some(json!({"role": role}).to_string())).await.is(200);
        assert_eq!((&reply.json["user_id"], &reply.json["role"]), (&json!(grace.id), &json!(role)));
        assert_eq!(reply.json["email"], grace.email);
        versions.push(reply.header("etag").to_owned());
        let edit = grace.patch(&path, json!({"description": role})).await;
        assert_eq!(edit.status, status, "{}", edit.text);
        assert!(reply.position() > 0);
    }
    assert_eq!(versions, ["\"2\"", "\"3\"", "\"4\""]);
    let changes: Vec<_> =
        ada.history(&project).await.into_iter().filter(|e| e["event_type"] == "MemberRoleChanged").collect();
    let data = &changes[0]["data"];
    assert_eq!(
        (&data["account_id"], &data["from"], &data["to"]),
        (&json!(grace.id), &json!("viewer"), &json!("collaborator"))
    );
    assert_eq!(changes.len(), 2);
    let same = ada.patch(&member, json!({"role": "viewer"})).await.is(200);
    assert_eq!(same.header("etag"), "\"4\"", "the same role again is no change");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_owner_cannot_be_demoted() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &grace, "collaborator").await;
    let member = |id: &str| format!("/projects/{project}/members/{id}");
    for role in ["collaborator", "viewer"] {
        ada.patch(&member(&ada.id), json!({"role": role})).await.problem(409);
    }
    ada.patch(&member(&grace.id), json!({"role": "owner"})).await.is(200);
    ada.patch(&member(&ada.id), json!({"role": "viewer"})).await.is(200);
    ada.patch(&member(&grace.id), json!({"role": "viewer"})).await.problem(403);
    grace.patch(&member(&grace.id), json!({"role": "viewer"})).await.problem(409);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_owners_who_demote_each_other_one_stays() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    for _ in 0..10 {
        let project = ada.project("Duel").await;
        ada.invite(&project, &grace, "owner").await;
        let member = |id: &str| format!("/projects/{project}/members/{id}");
        let (to_grace, to_ada) = (member(&grace.id), member(&ada.id));
        let (one, other) = tokio::join!(ada.patch(&to_grace, json!({"role": "viewer"})), grace.delete(&to_ada));
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert!(matches!(statuses, [200, 403] | [204, 404]), "{statuses:?}");
        let owner = if one.status == 200 { &ada } else { &grace };
        assert_eq!(owner.get(&format!("/projects/{project}")).await.is(200).json["role"], "owner");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_member_has_a_role_to_change() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, eve) = (server.person("ada").await, server.person("eve").await);
    let project = ada.project("Apollo").await;
    for id in [eve.id.clone(), Uuid::now_v7().to_string(), "me".to_owned()] {
        let member = format!("/projects/{project}/members/{id}");
        ada.patch(&member, json!({"role": "viewer"})).await.problem(404);
        ada.put(&member, json!({"role": "viewer"})).await.problem(404);
        ada.delete(&member).await.problem(404);
    }
    let member = format!("/projects/{project}/members/{}", ada.id);
    for body in [json!({}), json!({"role": "king"}), json!({"role": null}), json!({"role": "viewer", "email": "x"})] {
        ada.patch(&member, body).await.problem(422);
    }
    assert_eq!(ada.history(&project).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_meant_for_another_roster_is_refused() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &grace, "viewer").await;
    let member = format!("/projects/{project}/members/{}", grace.id);
    let stale = ada.with_header("if-match", "\"1\"");
    stale.patch(&member, json!({"role": "owner"})).await.problem(412);
    stale.delete(&member).await.problem(412);
    let fresh = ada.get(&format!("/projects/{project}/members")).await.is(200).header("etag").to_owned();
    let changed = ada.with_header("if-match", &fresh).patch(&member, json!({"role": "collaborator"})).await.is(200);
    ada.with_header("if-match", &fresh).delete(&member).await.problem(412);
    ada.with_header("if-match", changed.header("etag")).delete(&member).await.is(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_different_members_at_once_are_all_made() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let others = [server.person("b").await, server.person("c").await, server.person("d").await];
    for other in &others {
        ada.invite(&project, other, "viewer").await;
    }
    let changes =
        others.iter().flat_map(|other| ["collaborator", "owner", "viewer", "collaborator"].map(|r| (other, r)));
    let replies = join_all(changes.map(|(other, role)| {
        let (ada, member) = (&ada, format!("/projects/{project}/members/{}", other.id));
        async move { ada.patch(&member, json!({"role": role})).await }
    }));
    for reply in replies.await {
        reply.is(200);
    }
}
