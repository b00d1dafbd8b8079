//! `POST /projects/{project_id}/members`

use futures::future::join_all;
use serde_json::json;

use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_new_member_is_a_collaborator_unless_said_otherwise() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let project = ada.project("Apollo").await;
    let members = format!("/projects/{project}/members");
    let reply = ada.post(&members, json!({"email": grace.email.to_uppercase()})).await.is(201);
    assert_eq!(reply.header("location"), format!("/api/v1{members}/{}", grace.id));
    assert_eq!(reply.header("etag"), "\"2\"");
    assert!(reply.position() > 0);
    assert_eq!(reply.json["user_id"], grace.id);
    assert_eq!(reply.json["role"], "collaborator");
    assert_eq!(reply.json["email"], grace.email);
    assert_eq!(reply.json["full_name"], "grace");
    assert!(reply.json["username"].is_string());
    let listed = ada.get(&members).await.is(200);
    assert_eq!(listed.header("etag"), "\"2\"");
    let hers = listed.items().iter().find(|member| member["user_id"] == grace.id.as_str()).expect("Grace");
    assert_eq!(*hers, reply.json, "what was replied is what is read");
    // She is in from the reply on.
    assert_eq!(grace.get(&format!("/projects/{project}")).await.is(200).json["role"], "collaborator");
    let event = ada.history(&project).await.pop().expect("an event");
    assert_eq!(event["event_type"], "MemberAdded");
    assert_eq!(event["data"], json!({"type": "MemberAdded", "account_id": grace.id, "role": "collaborator"}));
    assert_eq!(event["position"], reply.position());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_added_twice() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &grace, "viewer").await;
    let members = format!("/projects/{project}/members");
    for role in ["viewer", "owner"] {
        ada.post(&members, json!({"email": grace.email, "role": role})).await.problem(409);
    }
    ada.post(&members, json!({"email": ada.email})).await.problem(409);
    let eve = server.person("eve").await;
    let replies = join_all((0..8).map(|_| ada.post(&members, json!({"email": eve.email})))).await;
    let (added, refused): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 201);
    assert_eq!(added.len(), 1);
    refused.into_iter().for_each(|reply| drop(reply.problem(409)));
    assert_eq!(ada.get(&format!("/projects/{project}")).await.is(200).json["member_count"], 3);
    assert_eq!(ada.history(&project).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_is_named_by_an_address_and_has_a_known_role() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let project = ada.project("Apollo").await;
    let members = format!("/projects/{project}/members");
    for (pointer, body) in [
        ("/email", json!({"email": "no address"})),
        ("/email", json!({"email": ""})),
        ("/email", json!({"email": 7})),
        ("/role", json!({"email": grace.email, "role": "admin"})),
        ("/role", json!({"email": grace.email, "role": "Owner"})),
        ("/role", json!({"email": grace.email, "role": 1})),
        ("/user_id", json!({"email": grace.email, "user_id": grace.id})),
    ] {
        let reply = ada.post(&members, body.clone()).await.problem(422);
        assert_eq!(reply.json["errors"][0]["pointer"], pointer, "{body}: {}", reply.text);
    }
    ada.post(&members, json!({"role": "viewer"})).await.problem(422);
    assert_eq!(ada.history(&project).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_members_added_at_once_here_and_there_are_all_members() {
    let world = World::new().await;
    let (server, other) = tokio::join!(world.server(), world.server());
    let ada = server.person("ada").await;
    let there = ada.at(&other.address);
    let project = ada.project("Apollo").await;
    // Accounts without passwords: a thousand registrations would only measure argon2. Law 6 keeps them beside the log.
    let emails: Vec<String> = (0..1000).map(|n| format!("member-{n}@example.com")).collect();
    sqlx::query(
        "INSERT INTO accounts (id, email, email_normalized, username, personal_organization_id, created_at, updated_at)
         SELECT gen_random_uuid(), email, email, split_part(email, '@', 1), gen_random_uuid(), now(), now()
         FROM unnest($1) AS email",
    )
    .bind(&emails)
    .execute(&world.pool().await)
    .await
    .expect("accounts");
    let members = format!("/projects/{project}/members");
    let adding = emails.iter().enumerate().map(|(number, email)| {
        let person = if number % 2 == 0 { &ada } else { &there };
        person.post(&members, json!({"email": email}))
    });
    let replies = join_all(adding).await;
    let mut versions: Vec<_> = replies.into_iter().map(|reply| reply.is(201).header("etag").to_owned()).collect();
    versions.sort_by_key(|version| version.trim_matches('"').parse::<i64>().expect("a version"));
    assert_eq!(versions, (2..=1001).map(|version| format!("\"{version}\"")).collect::<Vec<_>>());
    let listed = ada.get(&format!("{members}?limit=100")).await.is(200);
    assert_eq!(listed.items().len(), 100);
    assert_eq!(there.get(&format!("/projects/{project}")).await.is(200).json["member_count"], 1001);
    assert_eq!(ada.history(&project).await.len(), 1002);
}
