//! Auditors of an organization: they read the whole history of it and of all its projects, belong to none, and change nothing.

use serde_json::{Value, json};

use super::{add, organization, organization_with_guests};
use crate::support::{Person, Server, Socket, World, eventually};

async fn project_in(creator: &Person, organization: &str, name: &str) -> String {
    creator.post("/projects", json!({"name": name, "organization_id": organization})).await.is(201).id()
}

async fn audited(world: &World) {
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
    let (same, printed) = world.command(&["projections", "verify"]).await;
    assert!(same, "{printed}");
}

async fn three(server: &Server) -> (Person, Person, Person) {
    (server.person("ada").await, server.person("grace").await, server.person("eve").await)
}

fn names(listed: &[Value]) -> Vec<&str> {
    listed.iter().map(|project| project["name"].as_str().expect("a name")).collect()
}

/// How a member is shown to an admin: the role, or none.
async fn role_of(admin: &Person, organization: &str, person: &Person) -> Value {
    let reply = admin.get(&format!("/organizations/{organization}/members/{}", person.id)).await;
    if reply.status == 404 { Value::Null } else { reply.is(200).json["role"].clone() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_reads_what_happened_in_every_project_and_changes_nothing() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace, eve) = three(&server).await;
    let acme = organization(&ada, "Acme").await;
    add(&ada, &acme, &eve, "auditor").await;
    add(&ada, &acme, &grace, "member").await;
    let private = project_in(&ada, &acme, "Apollo").await;
    let other = project_in(&ada, &acme, "Gemini").await;
    let doomed = project_in(&ada, &acme, "Mercury").await;
    ada.invite(&private, &grace, "collaborator").await;
    let task = grace.post(&format!("/projects/{private}/tasks"), json!({"title": "Launch"})).await.is(201).id();

    // What there is, and in whose eyes.
    let read = eve.get(&format!("/organizations/{acme}")).await.is(200);
    assert_eq!(read.json["role"], "auditor");
    for path in [format!("/projects?organization_id={acme}"), format!("/organizations/{acme}/projects")] {
        let listed = eve.get(&path).await.is(200);
        assert_eq!(names(listed.items()), ["Mercury", "Gemini", "Apollo"], "{path}");
        assert_eq!(listed.items()[0]["role"], Value::Null);
    }
    let read = eve.get(&format!("/projects/{private}")).await.is(200);
    assert_eq!(
        (&read.json["name"], &read.json["role"], &read.json["owner"]),
        (&json!("Apollo"), &Value::Null, &Value::Null)
    );
    assert_eq!(read.json["members"], json!([]));
    eve.get(&format!("/projects/{private}/tasks/{task}")).await.is(200);
    for path in ["members", "workspaces", "webhooks", "invitations"] {
        eve.get(&format!("/projects/{private}/{path}")).await.problem(403);
    }
    eve.get(&format!("/jobs?project_id={private}")).await.problem(403);

    // The history, whole: nothing is withheld.
    assert_eq!(eve.history(&private).await, ada.history(&private).await);
    assert!(!eve.get(&format!("/projects/{private}/events")).await.is(200).text.contains("withheld"));
    let of_organization = format!("/organizations/{acme}/events");
    assert_eq!(eve.get(&of_organization).await.is(200).items(), ada.get(&of_organization).await.is(200).items());
    ada.delete(&format!("/projects/{doomed}")).await.is(204);
    let history = eve.history(&doomed).await;
    assert!(history.iter().any(|event| event["event_type"] == "ProjectDeleted"), "{history:?}");
    eve.get(&format!("/projects/{doomed}")).await.problem(404);
    grace.get(&format!("/projects/{doomed}/events")).await.problem(404);

    // And nothing else.
    let before = ada.history(&private).await.len();
    let path = format!("/projects/{private}");
    eve.patch(&path, json!({"name": "Mine"})).await.problem(403);
    eve.delete(&path).await.problem(403);
    eve.post(&format!("{path}/tasks"), json!({"title": "Mine"})).await.problem(403);
    eve.post(&format!("{path}/members"), json!({"email": eve.email})).await.problem(403);
    for job in
        [json!({"type": "noop", "project_id": private}), json!({"type": "project_export", "project_id": private})]
    {
        eve.post("/jobs", job).await.problem(403);
    }
    eve.post("/projects", json!({"name": "Mine", "organization_id": acme})).await.problem(403);
    eve.patch(&format!("/organizations/{acme}"), json!({"name": "Mine"})).await.problem(403);
    let members = format!("/organizations/{acme}/members");
    eve.post(&members, json!({"email": grace.email})).await.problem(403);
    eve.patch(&format!("{members}/{}", eve.id), json!({"role": "admin"})).await.problem(403);
    assert_eq!(ada.history(&private).await.len(), before);

    // Live: the organization, as its members do; its projects not.
    let mut socket = Socket::open(&eve).await;
    socket.send(json!({"type": "subscribe", "organization_id": acme})).await;
    assert_eq!(socket.expect("subscribed").await["role"], "auditor");
    let mut other_socket = Socket::open(&eve).await;
    other_socket.send(json!({"type": "subscribe", "project_id": other})).await;
    assert_eq!(other_socket.expect("error").await["code"], "forbidden");

    // A public project is to an auditor what it was.
    ada.patch(&format!("/projects/{other}"), json!({"is_public": true})).await.is(200);
    assert_eq!(eve.history(&other).await, ada.history(&other).await);
    eve.get(&format!("/projects/{other}/tasks")).await.is(200);
    audited(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_becomes_an_auditor_leaves_the_projects_and_comes_back_as_a_member_only() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace, eve) = three(&server).await;
    let acme = organization(&ada, "Acme").await;
    let settings = json!({"settings": {"members_can_create_projects": true}});
    ada.patch(&format!("/organizations/{acme}"), settings).await.is(200);
    add(&ada, &acme, &grace, "member").await;
    add(&ada, &acme, &eve, "member").await;
    let apollo = project_in(&ada, &acme, "Apollo").await;
    ada.invite(&apollo, &grace, "collaborator").await;
    ada.patch(&format!("/projects/{apollo}"), json!({"team_lead": grace.id})).await.is(200);
    let task = json!({"title": "Think", "assignee_id": grace.id});
    let task = ada.post(&format!("/projects/{apollo}/tasks"), task).await.is(201).id();
    // Hers alone.
    let gemini = project_in(&grace, &acme, "Gemini").await;
    let own = grace.project("Own").await;

    let member = format!("/organizations/{acme}/members/{}", grace.id);
    let changed = ada.patch(&member, json!({"role": "auditor"})).await.is(200);
    assert_eq!(changed.json["role"], "auditor");
    assert_eq!(role_of(&ada, &acme, &grace).await, "auditor");
    for project in [&apollo, &gemini] {
        let path = format!("/projects/{project}");
        assert_eq!(grace.get(&path).await.is(200).json["role"], Value::Null);
        grace.patch(&path, json!({"description": "Still here."})).await.problem(403);
    }
    grace.patch(&format!("/projects/{own}"), json!({"description": "Her own."})).await.is(200);
    let read = ada.get(&format!("/projects/{apollo}")).await.is(200);
    assert_eq!(read.json["team_lead"], Value::Null);
    let read = ada.get(&format!("/projects/{apollo}/tasks/{task}")).await.is(200);
    assert_eq!(read.json["assignee"], Value::Null, "{}", read.text);
    let members = ada.get(&format!("/projects/{gemini}/members")).await.is(200);
    assert_eq!((members.items().len(), &members.items()[0]["user_id"]), (1, &json!(ada.id)));

    // Nobody takes an auditor into a project.
    let email = json!({"email": grace.email});
    let refused = ada.post(&format!("/projects/{apollo}/members"), email.clone()).await;
    refused.refused_field("/email", "not-a-member");
    let team = json!({"name": "Mercury", "organization_id": acme, "team_members": [grace.id]});
    ada.post("/projects", team.clone()).await.problem(422);
    ada.patch(&member, json!({"role": "member"})).await.is(200);
    for project in [&apollo, &gemini] {
        grace.get(&format!("/projects/{project}")).await.problem(404);
    }
    ada.post(&format!("/projects/{apollo}/members"), email).await.is(201);
    ada.post("/projects", team).await.is(201);
    audited(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_who_is_added_as_an_auditor_leaves_the_projects() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace, _) = three(&server).await;
    let acme = organization_with_guests(&ada, "Acme").await;
    let apollo = project_in(&ada, &acme, "Apollo").await;
    ada.invite(&apollo, &grace, "collaborator").await;
    add(&ada, &acme, &grace, "auditor").await;
    eventually("the auditor is no member of the project", async || {
        let members = ada.get(&format!("/projects/{apollo}/members")).await.is(200);
        members.items().iter().all(|member| member["user_id"] != json!(grace.id))
    })
    .await;
    grace.get(&format!("/projects/{apollo}/events")).await.is(200);
    grace.patch(&format!("/projects/{apollo}"), json!({"description": "Still here."})).await.problem(403);
    audited(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_invited_as_an_auditor() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let acme = organization(&ada, "Acme").await;
    let apollo = project_in(&ada, &acme, "Apollo").await;
    let members = format!("/organizations/{acme}/members");
    let email = format!("auditor-{}@example.com", uuid::Uuid::now_v7().simple());
    let invited = ada.post(&members, json!({"email": email, "role": "auditor"})).await.is(201);
    assert_eq!((&invited.json["status"], &invited.json["role"]), (&json!("invited"), &json!("auditor")));
    let token = world.mailed_token(&email, "You are invited to Acme").await;
    let eve = server.person_with("eve", &email).await;
    let accepted = eve.post(&format!("/invitations/{token}/accept"), json!({})).await.is(200);
    assert_eq!(accepted.json["role"], "auditor");
    let listed = ada.get(&members).await.is(200);
    let roles: Vec<_> = listed.items().iter().map(|member| member["role"].as_str().expect("a role")).collect();
    assert_eq!(roles, ["admin", "auditor"]);
    eve.get(&format!("/projects/{apollo}/events")).await.is(200);
    ada.post(&members, json!({"email": email, "role": "owner"})).await.problem(422);
    audited(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_needs_an_admin_and_an_auditor_is_none() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace, eve) = three(&server).await;
    let acme = organization(&ada, "Acme").await;
    add(&ada, &acme, &grace, "auditor").await;
    let member = |person: &Person| format!("/organizations/{acme}/members/{}", person.id);
    ada.patch(&member(&ada), json!({"role": "auditor"})).await.refused("last-admin");
    ada.delete(&member(&ada)).await.refused("last-admin");
    // Whoever is an auditor may leave, and become something else.
    grace.delete(&member(&grace)).await.is(204);
    grace.get(&format!("/organizations/{acme}")).await.problem(404);
    add(&ada, &acme, &eve, "auditor").await;
    ada.patch(&member(&eve), json!({"role": "admin"})).await.is(200);
    ada.patch(&member(&ada), json!({"role": "auditor"})).await.is(200);
    assert_eq!(role_of(&eve, &acme, &ada).await, "auditor");
    audited(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_personal_organization_an_auditor_has_no_more_than_the_membership_gives() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace, eve) = three(&server).await;
    let listed = ada.get("/organizations").await.is(200);
    let own = listed.items().iter().find(|one| one["is_personal"] == true).expect("her own")["id"].clone();
    let own = own.as_str().expect("an id");
    add(&ada, own, &grace, "auditor").await;
    let project = ada.project("Own").await;
    grace.get(&format!("/projects/{project}")).await.problem(404);
    grace.get(&format!("/projects/{project}/events")).await.problem(404);
    assert_eq!(grace.get("/projects").await.is(200).items().len(), 0);
    // As before, its projects take whom their owners take.
    for person in [&grace, &eve] {
        ada.invite(&project, person, "viewer").await;
        person.get(&format!("/projects/{project}/members")).await.is(200);
    }
    audited(&world).await;
}
