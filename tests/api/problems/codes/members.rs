//! Codes of projects, organizations, and who belongs to them.

use reqwest::Method;
use serde_json::json;

use super::{Met, hold};
use crate::{
    event_store::log::release,
    support::{Person, Reply, World, eventually},
};

pub const MET: &[&str] = &[
    "already-member",
    "forbidden",
    "last-admin",
    "last-of-shared",
    "last-owner",
    "malformed-slug",
    "no-such-account",
    "not-a-member",
    "not-found",
    "organization-not-empty",
    "personal-organization",
    "slug-taken",
];

async fn erase(person: &Person) -> Reply {
    person.send(Method::DELETE, "/auth/me", Some(json!({"password": person.password}).to_string())).await
}

/// Adds somebody who erases their account meanwhile: after their address was looked up, and before they are a member. Between
/// the two, an instance that has seen none of it before reads what it decides on.
async fn add_who_is_erased(world: &World, ada: &Person, members: &str, eve: &Person) -> Reply {
    let other = world.server_with(&["--roles", "api"], &[]).await;
    let pool = world.pool().await;
    let lock = hold(world, "LOCK TABLE aggregate_snapshots IN ACCESS EXCLUSIVE MODE").await;
    let (client, path, body) = (ada.at(&other.address), members.to_owned(), json!({"email": eve.email}));
    let adding = tokio::spawn(async move { client.post(&path, body).await });
    eventually("the other instance reads", async || {
        let waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'aggregate_snapshots'::regclass AND NOT granted";
        sqlx::query_scalar::<_, i64>(waiting).fetch_one(&pool).await.expect("a count") > 0
    })
    .await;
    erase(eve).await.is(204);
    release(lock).await;
    adding.await.expect("a reply")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_who_belongs_where_is_refused() {
    let mut met = Met::default();
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace, eve) = (server.person("ada").await, server.person("grace").await, server.person("eve").await);
    let project = format!("/projects/{}", ada.project("Apollo").await);
    let members = format!("{project}/members");
    let add_grace = json!({"email": grace.email, "role": "viewer"});
    ada.post(&members, add_grace.clone()).await.is(201);

    met.refused(ada.post(&members, add_grace).await, "already-member");
    met.refused(grace.patch(&project, json!({"name": "Artemis"})).await, "forbidden");
    met.refused(eve.get(&project).await, "not-found");
    met.refused(ada.delete(&format!("{members}/{}", ada.id)).await, "last-owner");
    met.refused(erase(&ada).await, "last-of-shared");
    let task = json!({"title": "Launch", "assignee_id": eve.id});
    met.refused_field(ada.post(&format!("{project}/tasks"), task).await, "/assignee_id", "not-a-member");

    let personal = grace.get("/organizations").await.is(200).json["items"][0]["id"].clone();
    let personal = format!("/organizations/{}", personal.as_str().expect("an id"));
    met.refused(grace.delete(&personal).await, "personal-organization");
    // Nobody is told to empty it first.
    grace.project("Artemis").await;
    met.refused(grace.delete(&personal).await, "personal-organization");
    let acme = ada.post("/organizations", json!({"name": "Acme", "slug": "acme"})).await.is(201).id();
    let path = format!("/organizations/{acme}");
    met.refused(ada.delete(&format!("{path}/members/{}", ada.id)).await, "last-admin");
    ada.post("/projects", json!({"name": "Gemini", "organization_id": acme})).await.is(201);
    met.refused(ada.delete(&path).await, "organization-not-empty");
    met.refused(grace.post("/organizations", json!({"name": "Acme", "slug": "acme"})).await, "slug-taken");
    let odd = json!({"name": "Acme", "slug": "A c m e"});
    met.refused_field(grace.post("/organizations", odd).await, "/slug", "malformed-slug");

    let added = add_who_is_erased(&world, &ada, &members, &eve).await;
    met.refused_field(added, "/email", "no-such-account");
    met.are(MET);
}
