//! Who may belong to the projects of an organization, and what is left with it.

use serde_json::json;

use super::organization;
use crate::support::{Person, World};

async fn belong(admin: &Person, organization: &str, other: &Person) {
    admin.post(&format!("/organizations/{organization}/members"), json!({"email": other.email})).await.is(201);
}

async fn project_in(creator: &Person, organization: &str, name: &str) -> String {
    creator.post("/projects", json!({"name": name, "organization_id": organization})).await.is(201).id()
}

async fn audited(world: &World) {
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
    let (same, printed) = world.command(&["projections", "verify"]).await;
    assert!(same, "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_of_a_shared_organization_are_its_members() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace, eve) = (server.person("ada").await, server.person("grace").await, server.person("eve").await);
    let acme = organization(&ada, "acme").await;
    let read = ada.get(&format!("/organizations/{acme}")).await.is(200);
    assert_eq!(read.json["settings"]["allow_guests"], false);
    belong(&ada, &acme, &grace).await;
    let apollo = project_in(&ada, &acme, "Apollo").await;
    let members = format!("/projects/{apollo}/members");
    ada.post(&members, json!({"email": grace.email})).await.is(201);
    // Neither somebody with an account nor somebody without: the answer is the same.
    for email in [eve.email.as_str(), "nobody@example.com"] {
        let refused = ada.post(&members, json!({"email": email})).await.problem(422);
        assert_eq!(refused.json["errors"][0]["pointer"], "/email", "{}", refused.text);
    }
    let settings = json!({"settings": {"allow_guests": true}});
    let changed = ada.patch(&format!("/organizations/{acme}"), settings).await.is(200);
    assert_eq!(changed.json["settings"], json!({"members_can_create_projects": false, "allow_guests": true}));
    ada.post(&members, json!({"email": eve.email, "role": "viewer"})).await.is(201);
    eve.get(&format!("/projects/{apollo}")).await.is(200);
    assert_eq!(ada.post(&members, json!({"email": "nobody@example.com"})).await.is(201).json["status"], "invited");
    let token = world.mailed_token("nobody@example.com", "You are invited to Apollo").await;

    // Turned off, it takes the guests along, and nobody comes any more by what was sent before.
    ada.patch(&format!("/organizations/{acme}"), json!({"settings": {"allow_guests": false}})).await.is(200);
    eve.get(&format!("/projects/{apollo}")).await.problem(404);
    grace.get(&format!("/projects/{apollo}")).await.is(200);
    let nobody = server.person_with("nobody", "nobody@example.com").await;
    nobody.post(&format!("/invitations/{token}/accept"), json!({})).await.problem(409);
    belong(&ada, &acme, &nobody).await;
    nobody.post(&format!("/invitations/{token}/accept"), json!({})).await.is(200);
    // One's own organization takes guests.
    let own = ada.project("Own").await;
    ada.post(&format!("/projects/{own}/members"), json!({"email": eve.email})).await.is(201);
    audited(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_an_organization_leaves_its_projects() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace, eve) = (server.person("ada").await, server.person("grace").await, server.person("eve").await);
    let acme = organization(&ada, "acme").await;
    let settings = json!({"settings": {"members_can_create_projects": true}});
    ada.patch(&format!("/organizations/{acme}"), settings).await.is(200);
    belong(&ada, &acme, &grace).await;
    belong(&ada, &acme, &eve).await;
    let apollo = project_in(&ada, &acme, "Apollo").await;
    ada.post(&format!("/projects/{apollo}/members"), json!({"email": grace.email})).await.is(201);
    ada.patch(&format!("/projects/{apollo}"), json!({"team_lead": grace.id})).await.is(200);
    let task = json!({"title": "Think", "assignee_id": grace.id});
    let task = ada.post(&format!("/projects/{apollo}/tasks"), task).await.is(201).id();
    // Hers alone, and hers with somebody else.
    let gemini = project_in(&grace, &acme, "Gemini").await;
    let mercury = project_in(&grace, &acme, "Mercury").await;
    grace.post(&format!("/projects/{mercury}/members"), json!({"email": eve.email, "role": "owner"})).await.is(201);
    let own = grace.project("Own").await;

    ada.delete(&format!("/organizations/{acme}/members/{}", grace.id)).await.is(204);
    for project in [&apollo, &gemini, &mercury] {
        grace.get(&format!("/projects/{project}")).await.problem(404);
    }
    grace.get(&format!("/projects/{own}")).await.is(200);
    let read = ada.get(&format!("/projects/{apollo}")).await.is(200);
    assert_eq!(read.json["team_lead"], json!(null));
    let read = ada.get(&format!("/projects/{apollo}/tasks/{task}")).await.is(200);
    assert_eq!(read.json["assignee"], json!(null), "{}", read.text);
    // What she alone owned is the admin's now; what she shared stays whose it was.
    let roles = async |project: &str| {
        let members = ada.get(&format!("/projects/{project}/members")).await.is(200);
        let roles = members.items().iter().map(|member| (member["user_id"].clone(), member["role"].clone()));
        roles.collect::<Vec<_>>()
    };
    assert_eq!(roles(&gemini).await, [(json!(ada.id), json!("owner"))]);
    assert_eq!(roles(&mercury).await, [(json!(eve.id), json!("owner"))]);
    // Whoever leaves by themselves leaves the same.
    eve.delete(&format!("/organizations/{acme}/members/{}", eve.id)).await.is(204);
    eve.get(&format!("/projects/{mercury}")).await.problem(404);
    assert_eq!(roles(&mercury).await, [(json!(ada.id), json!("owner"))]);
    audited(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_an_organization_leaves_more_projects_than_a_request_waits_for_to_who_can_act() {
    const PROJECTS: usize = 103;
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace, eve) = (server.person("ada").await, server.person("grace").await, server.person("eve").await);
    let acme = organization(&ada, "acme").await;
    let members = format!("/organizations/{acme}/members");
    for (person, role) in [(&grace, "member"), (&eve, "admin")] {
        ada.post(&members, json!({"email": person.email, "role": role})).await.is(201);
    }
    let found = |number: usize| {
        let body = json!({"name": format!("Project {number}"), "organization_id": acme, "team_members": [grace.id]});
        async { ada.post("/projects", body).await.is(201).id() }
    };
    let projects = futures::future::join_all((0..PROJECTS).map(found)).await;
    for project in &projects[..2] {
        let role = json!({"role": "owner"});
        ada.patch(&format!("/projects/{project}/members/{}", grace.id), role).await.is(200);
        ada.delete(&format!("/projects/{project}/members/{}", ada.id)).await.is(204);
    }
    // The first of the admins cannot act any more: what only she owned goes to the other one.
    let (closed, printed) = world.command(&["accounts", "deactivate", &ada.email]).await;
    assert!(closed, "{printed}");
    eve.delete(&format!("{members}/{}", grace.id)).await.is(204);
    for project in &projects {
        let path = format!("/projects/{project}");
        crate::support::eventually("she is out", async || grace.get(&path).await.status == 404).await;
    }
    for project in &projects[..2] {
        let members = eve.get(&format!("/projects/{project}/members")).await.is(200);
        let owners: Vec<_> = members.items().iter().map(|member| &member["user_id"]).collect();
        assert_eq!(owners, [&json!(eve.id)]);
    }
    audited(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_adds_members_where_owners_have_said_so() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let (bob, eve) = (server.person("bob").await, server.person("eve").await);
    let apollo = ada.project("Apollo").await;
    let (path, members) = (format!("/projects/{apollo}"), format!("/projects/{apollo}/members"));
    for member in [&grace, &bob] {
        ada.post(&members, json!({"email": member.email})).await.is(201);
    }
    ada.patch(&path, json!({"team_lead": grace.id})).await.is(200);
    grace.post(&members, json!({"email": eve.email})).await.problem(403);
    // Nobody gives themselves the right.
    for patch in [json!({"lead_can_add_members": true}), json!({"name": "Artemis", "lead_can_add_members": true})] {
        grace.patch(&path, patch).await.problem(403);
    }
    let read = ada.patch(&path, json!({"lead_can_add_members": true})).await.is(200);
    assert_eq!(read.json["lead_can_add_members"], true);
    for patch in [json!({"team_lead": bob.id}), json!({"lead_can_add_members": false})] {
        bob.patch(&path, patch).await.problem(403);
    }
    bob.post(&members, json!({"email": eve.email})).await.problem(403);
    grace.post(&members, json!({"email": eve.email, "role": "owner"})).await.problem(403);
    grace.post(&members, json!({"email": eve.email, "role": "viewer"})).await.is(201);
    grace.delete(&format!("{members}/{}", eve.id)).await.problem(403);
    let invited = grace.post(&members, json!({"email": "nobody@example.com"})).await.is(201);
    assert_eq!(invited.json["status"], "invited");
    let token = world.mailed_token("nobody@example.com", "You are invited to Apollo").await;
    let nobody = server.person_with("nobody", "nobody@example.com").await;
    nobody.post(&format!("/invitations/{token}/accept"), json!({})).await.is(200);
    // Her word ends with her lead.
    grace.post(&members, json!({"email": "other@example.com"})).await.is(201);
    let token = world.mailed_token("other@example.com", "You are invited to Apollo").await;
    ada.patch(&path, json!({"team_lead": bob.id})).await.is(200);
    let other = server.person_with("other", "other@example.com").await;
    other.post(&format!("/invitations/{token}/accept"), json!({})).await.problem(409);
    grace.post(&members, json!({"email": other.email})).await.problem(403);
    bob.post(&members, json!({"email": other.email})).await.is(201);
    audited(&world).await;
}
