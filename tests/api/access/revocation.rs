//! A right that was taken away is gone on every instance at once: for every kind of right, whether the views have followed
//! or not, and whatever an instance remembers.

use futures::future::join_all;
use serde_json::json;
use sqlx::PgPool;

use crate::{
    organizations::{add, organization},
    support::{Person, Server, World},
    tasks::titled,
};

/// Somebody who may read something because of a right, and how that is taken away.
struct Held {
    what: &'static str,
    person: Person,
    /// What may be read as long as the right is held, and what is answered afterwards.
    reads: Vec<(String, u16)>,
    taking: Taking,
}

enum Taking {
    Delete(String),
    Patch(String, serde_json::Value),
}

impl Held {
    async fn take_away(&self, ada: &Person) {
        match &self.taking {
            Taking::Delete(path) => ada.delete(path).await.is(204),
            Taking::Patch(path, body) => ada.patch(path, body.clone()).await.is(200),
        };
    }
}

/// One of each kind of right, each about things of its own.
async fn rights(here: &Server, ada: &Person) -> Vec<Held> {
    let mut rights = Vec::new();
    let all = |project: &str, task: &str, status: u16| -> Vec<(String, u16)> {
        let project = format!("/projects/{project}");
        let reads = ["", "/members", "/tasks", "/events", "/workspaces", "/tasks?skip=1", "/members?skip=1"];
        let reads = reads.iter().map(|read| (format!("{project}{read}"), status));
        reads.chain([(task.to_owned(), status), (format!("{task}/comments"), status)]).collect()
    };

    let (project, grace) = (ada.project("member").await, here.person("grace").await);
    let task = titled(ada, &project, "Launch").await;
    ada.invite(&project, &grace, "viewer").await;
    let taking = Taking::Delete(format!("/projects/{project}/members/{}", grace.id));
    let mut reads = all(&project, &task, 404);
    let job =
        ada.post("/jobs", json!({"type": "code_execution", "language": "bash", "code": "true", "project_id": project}));
    let job = job.await;
    if job.status == 202 {
        reads.push((format!("/jobs/{}", job.id()), 404));
    }
    reads.push((format!("/jobs?project_id={project}"), 404));
    rights.push(Held { what: "member of a project", person: grace, reads, taking });

    let (project, grace) = (ada.project("owner").await, here.person("grace").await);
    ada.invite(&project, &grace, "owner").await;
    let member = format!("/projects/{project}/members/{}", grace.id);
    let reads = vec![(format!("/projects/{project}/invitations"), 403)];
    let taking = Taking::Patch(member, json!({"role": "viewer"}));
    rights.push(Held { what: "owner of a project", person: grace, reads, taking });

    let grace = here.person("grace").await;
    let public = ada.post("/projects", json!({"name": "public", "is_public": true})).await.is(201).id();
    let task = titled(ada, &public, "Launch").await;
    let reads = ["", "/tasks", "/events"].map(|read| (format!("/projects/{public}{read}"), 404));
    let reads = reads.into_iter().chain([(task, 404)]).collect();
    let taking = Taking::Patch(format!("/projects/{public}"), json!({"is_public": false}));
    rights.push(Held { what: "visitor of a public project", person: grace, reads, taking });

    let (acme, grace) = (organization(ada, "Acme").await, here.person("grace").await);
    add(ada, &acme, &grace, "member").await;
    let reads = ["", "/members", "/projects", "/events"].map(|read| (format!("/organizations/{acme}{read}"), 404));
    let taking = Taking::Delete(format!("/organizations/{acme}/members/{}", grace.id));
    rights.push(Held { what: "member of an organization", person: grace, reads: reads.into(), taking });

    let (acme, grace) = (organization(ada, "Acme").await, here.person("grace").await);
    add(ada, &acme, &grace, "admin").await;
    let project = ada.post("/projects", json!({"name": "Apollo", "organization_id": acme})).await.is(201).id();
    let task = titled(ada, &project, "Launch").await;
    let reads = all(&project, &task, 404);
    let taking = Taking::Delete(format!("/organizations/{acme}/members/{}", grace.id));
    rights.push(Held { what: "admin of an organization", person: grace, reads, taking });

    let (acme, grace) = (organization(ada, "Acme").await, here.person("grace").await);
    add(ada, &acme, &grace, "admin").await;
    let project = ada.post("/projects", json!({"name": "Apollo", "organization_id": acme})).await.is(201).id();
    let reads = vec![(format!("/organizations/{acme}/invitations"), 403), (format!("/projects/{project}"), 404)];
    let taking = Taking::Patch(format!("/organizations/{acme}/members/{}", grace.id), json!({"role": "member"}));
    rights.push(Held { what: "admin who becomes a member", person: grace, reads, taking });

    let (acme, grace) = (organization(ada, "Acme").await, here.person("grace").await);
    add(ada, &acme, &grace, "admin").await;
    let deleted = ada.post("/projects", json!({"name": "Doomed", "organization_id": acme})).await.is(201).id();
    ada.delete(&format!("/projects/{deleted}")).await.is(204);
    let reads = vec![(format!("/projects/{deleted}/events"), 404)];
    let taking = Taking::Delete(format!("/organizations/{acme}/members/{}", grace.id));
    rights.push(Held { what: "admin of a deleted project's organization", person: grace, reads, taking });

    let (acme, grace) = (organization(ada, "Acme").await, here.person("grace").await);
    add(ada, &acme, &grace, "auditor").await;
    let project = ada.post("/projects", json!({"name": "Apollo", "organization_id": acme})).await.is(201).id();
    let deleted = ada.post("/projects", json!({"name": "Doomed", "organization_id": acme})).await.is(201).id();
    ada.delete(&format!("/projects/{deleted}")).await.is(204);
    let reads = [project.clone(), format!("{project}/events"), format!("{project}/tasks"), format!("{deleted}/events")];
    let reads = reads.map(|read| (format!("/projects/{read}"), 404)).into();
    let taking = Taking::Patch(format!("/organizations/{acme}/members/{}", grace.id), json!({"role": "member"}));
    rights.push(Held { what: "auditor who becomes a member", person: grace, reads, taking });
    rights
}

async fn hold_views(pool: &PgPool) -> sqlx::Transaction<'static, sqlx::Postgres> {
    let mut held = pool.begin().await.expect("a transaction");
    sqlx::query("SELECT FROM projection_checkpoints FOR UPDATE").execute(&mut *held).await.expect("the checkpoints");
    held
}

/// Takes every right away at one instance, and reads at both: a second is promised, and not one read is let through.
async fn take_away(views_are_held: bool) {
    let world = World::new().await;
    let (here, there) = tokio::join!(world.server(), world.server());
    let ada = here.person("ada").await;
    let rights = rights(&here, &ada).await;
    for held in &rights {
        for address in [&here.address, &there.address] {
            for (read, _) in &held.reads {
                let reply = held.person.at(address).get(read).await;
                assert_eq!(reply.status, 200, "{}: {read}: {}", held.what, reply.text);
            }
        }
    }
    let pool = world.pool().await;
    let hold = if views_are_held { Some(hold_views(&pool).await) } else { None };
    join_all(rights.iter().map(|held| held.take_away(&ada))).await;
    let mut read = Vec::new();
    for held in &rights {
        for address in [&there.address, &here.address] {
            let person = held.person.at(address);
            read.extend(held.reads.iter().map(|(path, status)| {
                let person = person.clone();
                async move {
                    let reply = person.get(path).await;
                    assert_eq!(reply.status, *status, "{}: {path}: {}", held.what, reply.text);
                }
            }));
        }
    }
    join_all(read).await;
    drop(hold);
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_that_were_taken_away_are_gone_everywhere_at_once() {
    take_away(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_that_were_taken_away_are_gone_though_the_views_still_show_them() {
    take_away(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_owned_a_deleted_project_keeps_its_history_on_every_instance() {
    let world = World::new().await;
    let (here, there) = tokio::join!(world.server(), world.server());
    let ada = here.person("ada").await;
    let project = ada.project("Doomed").await;
    let path = format!("/projects/{project}");
    // The other instance has come to know it alive.
    ada.at(&there.address).patch(&path, json!({"description": "alive"})).await.is(200);
    ada.delete(&path).await.is(204);
    for address in [&there.address, &here.address] {
        let history = ada.at(address).get(&format!("{path}/events")).await.is(200);
        assert_eq!(history.items().last().expect("an event")["event_type"], "MembershipClosed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_was_given_holds_though_the_views_do_not_show_it() {
    let world = World::new().await;
    let (here, there) = tokio::join!(world.server(), world.server());
    let (ada, grace) = (here.person("ada").await, here.person("grace").await);
    let project = ada.project("Apollo").await;
    let acme = organization(&ada, "Acme").await;
    let pool = world.pool().await;
    let hold = hold_views(&pool).await;
    let invited = ada.invite(&project, &grace, "viewer");
    let added = add(&ada, &acme, &grace, "admin");
    let (invited, ()) = tokio::join!(invited, added);
    assert_eq!(invited.header("workroom-visible"), "false");
    for address in [&there.address, &here.address] {
        let grace = grace.at(address);
        assert_eq!(grace.get(&format!("/projects/{project}")).await.is(200).json["role"], "viewer");
        assert_eq!(grace.get(&format!("/organizations/{acme}")).await.is(200).json["role"], "admin");
        grace.get(&format!("/projects/{project}/tasks")).await.is(200);
    }
    drop(hold);
}
