//! Projects in organizations: who creates them, who leads them, who is in them from the beginning.

use serde_json::{Value, json};

use super::{add, organization};
use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn members_found_projects_where_the_organization_lets_them() {
    let world = World::new().await;
    let server = world.server().await;
    let [ada, grace, eve] = [server.person("ada").await, server.person("grace").await, server.person("eve").await];
    let acme = organization(&ada, "Acme").await;
    add(&ada, &acme, &grace, "member").await;
    let found = json!({"name": "Apollo", "organization_id": acme});
    grace.post("/projects", found.clone()).await.problem(403);
    eve.post("/projects", found.clone()).await.problem(404);
    let settings = json!({"settings": {"members_can_create_projects": true}});
    ada.patch(&format!("/organizations/{acme}"), settings).await.is(200);
    grace.post("/projects", found).await.is(201);
    eve.get(&format!("/organizations/{acme}/projects")).await.problem(404);
    assert_eq!(grace.get(&format!("/organizations/{acme}/projects")).await.is(200).items().len(), 1);
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_team_is_named_by_address_or_id_and_belongs_to_the_organization() {
    let world = World::new().await;
    let server = world.server().await;
    let [ada, grace, bob, eve] = [
        server.person("ada").await,
        server.person("grace").await,
        server.person("bob").await,
        server.person("eve").await,
    ];
    let acme = organization(&ada, "Acme").await;
    for person in [&grace, &bob] {
        add(&ada, &acme, person, "member").await;
    }
    let found = |lead: Value, team: Value| json!({"name": "Apollo", "organization_id": acme, "team_lead": lead, "team_members": team, "edit_policy": "lead"});
    for (lead, team, pointer) in [
        (json!(eve.email), json!([]), "/team_lead"),
        (json!("nobody@example.com"), json!([]), "/team_lead"),
        (json!("grace"), json!([]), "/team_lead"),
        (json!(grace.id), json!([bob.id, eve.id]), "/team_members/1"),
        (json!(null), json!(vec![bob.id.as_str(); 101]), "/team_members"),
    ] {
        let refused = ada.post("/projects", found(lead, team)).await.problem(422);
        assert_eq!(refused.json["errors"][0]["pointer"], pointer, "{}", refused.text);
    }
    let team = json!([bob.id, grace.email, ada.id]);
    let project = ada.post("/projects", found(json!(grace.email.to_uppercase()), team)).await.is(201);
    assert_eq!((&project.json["team_lead"], &project.json["member_count"]), (&json!(grace.id), &json!(3)));
    let path = format!("/projects/{}", project.id());
    let read = grace.get(&path).await.is(200).json;
    assert_eq!((&read["lead"]["email"], &read["role"]), (&json!(grace.email), &json!("collaborator")));
    assert_eq!(read["edit_policy"], "lead");
    // Only the lead and owners edit it; tasks are everybody's.
    bob.patch(&path, json!({"name": "Mine"})).await.problem(403);
    bob.post(&format!("{path}/tasks"), json!({"title": "Launch"})).await.is(201);
    grace.patch(&path, json!({"name": "Artemis"})).await.is(200);
    ada.patch(&path, json!({"team_lead": eve.email})).await.problem(422);
    ada.patch(&path, json!({"team_lead": bob.email})).await.is(200);
    grace.patch(&path, json!({"name": "Apollo"})).await.problem(403);
    bob.patch(&path, json!({"edit_policy": "collaborators"})).await.is(200);
    grace.patch(&path, json!({"name": "Apollo"})).await.is(200);
    // The lead follows the members.
    let bobs = format!("{path}/members/{}", bob.id);
    ada.patch(&bobs, json!({"role": "viewer"})).await.is(200);
    assert_eq!(ada.get(&path).await.is(200).json["team_lead"], Value::Null);
    ada.patch(&path, json!({"team_lead": bob.id})).await.problem(422);
    ada.patch(&path, json!({"team_lead": grace.id, "edit_policy": "lead"})).await.is(200);
    grace.delete(&format!("{path}/members/{}", grace.id)).await.is(204);
    assert_eq!(ada.get(&path).await.is(200).json["team_lead"], Value::Null);
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}
