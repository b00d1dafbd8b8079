//! Views that lag decide nothing, and what follows an event is not lost while they do.

use reqwest::Method;
use serde_json::json;
use sqlx::{PgPool, Postgres, Transaction};

use super::{all_rounds, assert_proved, rounds};
use crate::{
    organizations::add,
    support::{Person, Reply, World, eventually},
};

/// Keeps a view from being written until this is dropped: it, and all that move with it, lag behind the log.
async fn hold(pool: &PgPool, view: &str) -> Transaction<'static, Postgres> {
    let mut holding = pool.begin().await.expect("a transaction");
    sqlx::query(&format!("LOCK TABLE views.{view} IN SHARE MODE")).execute(&mut *holding).await.expect("a lock");
    holding
}

async fn erase(person: &Person) -> Reply {
    person.send(Method::DELETE, "/auth/me", Some(json!({"password": person.password}).to_string())).await
}

/// The id of the aggregate whose event says this, once it is in the log.
async fn logged(pool: &PgPool, event_type: &str, key: &str, value: &str) -> String {
    let find = async || -> Option<String> {
        sqlx::query_scalar("SELECT aggregate_id FROM events WHERE event_type = $1 AND payload->>$2 = $3")
            .bind(event_type)
            .bind(key)
            .bind(value)
            .fetch_optional(pool)
            .await
            .expect("the log")
    };
    eventually("it is in the log", async || find().await.is_some()).await;
    find().await.expect("an event")
}

/// Organizations that somebody belongs to who can act, and that nobody can act for, straight from the views.
async fn without_an_admin(pool: &PgPool) -> Vec<uuid::Uuid> {
    sqlx::query_scalar(
        "SELECT organization_id FROM views.organization_members m LEFT JOIN accounts a ON a.id = m.account_id
         GROUP BY organization_id
         HAVING count(a.id) > 0 AND count(*) FILTER (WHERE a.id IS NOT NULL AND m.role = 'admin') = 0",
    )
    .fetch_all(pool)
    .await
    .expect("organizations")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_is_not_decided_by_a_view_that_lags() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let pool = world.pool().await;
    let holding = hold(&pool, "organization_members").await;
    // Their replies wait for views that do not come.
    let creation = tokio::spawn({
        let ada = ada.clone();
        async move { ada.post("/organizations", json!({"name": "Acme"})).await }
    });
    let acme = logged(&pool, "OrganizationCreated", "name", "Acme").await;
    let adding = tokio::spawn({
        let (ada, grace, acme) = (ada.clone(), grace.clone(), acme.clone());
        async move { add(&ada, &acme, &grace, "member").await }
    });
    logged(&pool, "OrganizationMemberAdded", "account_id", &grace.id).await;
    erase(&ada).await.problem(503);
    drop(holding);
    creation.await.expect("a reply").is(201);
    adding.await.expect("a reply");
    eventually("the views have come", async || grace.get(&format!("/organizations/{acme}")).await.status == 200).await;
    let refused = erase(&ada).await.problem(409);
    assert!(refused.text.contains(&acme), "{}", refused.text);
    let body = json!({"role": "admin"});
    ada.patch(&format!("/organizations/{acme}/members/{}", grace.id), body).await.is(200);
    erase(&ada).await.is(204);
    assert!(without_an_admin(&pool).await.is_empty());
    assert_proved(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_a_removal_outlives_the_process_while_views_lag() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let (project, doomed) = (ada.project("Apollo").await, ada.project("Doomed").await);
    ada.invite(&project, &grace, "collaborator").await;
    let body = json!({"title": "Launch", "assignee_id": grace.id});
    let task = ada.post(&format!("/projects/{project}/tasks"), body).await.is(201).id();
    let pool = world.pool().await;
    let holding = hold(&pool, "members").await;
    let removing = tokio::spawn({
        let (ada, path) = (ada.clone(), format!("/projects/{project}/members/{}", grace.id));
        async move { ada.try_delete(&path).await }
    });
    let deleting = tokio::spawn({
        let (ada, path) = (ada.clone(), format!("/projects/{doomed}"));
        async move { ada.try_delete(&path).await }
    });
    logged(&pool, "MemberRemoved", "account_id", &grace.id).await;
    server.kill9().await;
    drop((removing.await, deleting.await));
    // The next process finds views that lag; this reply waits for them in vain, so it has looked around meanwhile.
    let next = world.server().await;
    let edited = ada.at(&next.address).patch(&format!("/projects/{project}"), json!({"description": "x"})).await;
    assert_eq!(edited.header("workroom-visible"), "false");
    drop(holding);
    let path = format!("/projects/{project}/tasks/{task}");
    let ada = ada.at(&next.address);
    eventually("the task is nobody's", async || ada.get(&path).await.json["assignee_id"].is_null()).await;
    assert_proved(&world).await;
}

/// What earlier versions may have left, and no event that is still to come would set right.
#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_repairs_what_was_left_behind() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let acme = crate::organizations::organization(&ada, "Acme").await;
    add(&ada, &acme, &grace, "member").await;
    let project = ada.project("Apollo").await;
    ada.invite(&project, &grace, "viewer").await;
    let pool = world.pool().await;
    assert!(server.stop().await);
    // As an erasure left it that had not seen the organization, and everybody has read past it.
    sqlx::query(
        "INSERT INTO events SELECT l.position + 1, gen_random_uuid(), e.feed_id,
             (SELECT max(feed_seq) + 1 FROM events WHERE feed_id = e.feed_id), 'account', e.aggregate_id, e.sequence + 1,
             'AccountErased', '1', '{\"type\": \"AccountErased\"}', e.metadata, l.recorded_at
         FROM events e, (SELECT * FROM events ORDER BY position DESC LIMIT 1) l
         WHERE e.aggregate_type = 'account' AND e.aggregate_id = $1 ORDER BY e.sequence DESC LIMIT 1",
    )
    .bind(&ada.id)
    .execute(&pool)
    .await
    .expect("an event");
    sqlx::query("DELETE FROM accounts WHERE id = $1::uuid").bind(&ada.id).execute(&pool).await.expect("an erasure");
    let passed = "UPDATE reactor_checkpoints SET position = (SELECT max(position) FROM events), swept_at = NULL";
    sqlx::query(passed).execute(&pool).await.expect("a checkpoint");
    assert_eq!(without_an_admin(&pool).await.len(), 1);
    let next = world.server().await;
    let grace = grace.at(&next.address);
    eventually("grace is the admin", async || {
        grace.get(&format!("/organizations/{acme}")).await.json["role"] == "admin"
    })
    .await;
    eventually("grace owns the project", async || {
        grace.get(&format!("/projects/{project}")).await.json["role"] == "owner"
    })
    .await;
    eventually("ada is gone", async || {
        grace.get(&format!("/organizations/{acme}/members")).await.items().len() == 1
            && grace.get(&format!("/projects/{project}/members")).await.items().len() == 1
    })
    .await;
    assert_proved(&world).await;
}

/// The only admin is erased on one instance while a member is added, promoted or leaves on the other.
#[tokio::test(flavor = "multi_thread")]
async fn no_organization_is_left_without_an_admin() {
    let world = World::new().await;
    let issuer = crate::auth::external::Issuer::new();
    let ((here, provider), (there, _)) =
        tokio::join!(crate::auth::webhook::start(&world, &issuer), crate::auth::webhook::start(&world, &issuer));
    let heir = here.person("heir").await;
    rounds(all_rounds(), async |number| {
        let subject = format!("user_{number}");
        let ada = here.client().with_token(&issuer.token(&json!({"sub": subject})));
        let acme = ada.post("/organizations", json!({"name": "Acme"})).await.is(201).id();
        let members = format!("/organizations/{acme}/members");
        let other = ada.at(&there.address);
        if number.is_multiple_of(2) {
            other.post(&members, json!({"email": heir.email})).await.is(201);
        }
        let gone = json!({"id": subject, "deleted": true});
        let (erased, changed) = tokio::join!(provider.tell("user.deleted", gone), async {
            match number % 4 {
                0 => other.patch(&format!("{members}/{}", heir.id), json!({"role": "admin"})).await,
                2 => heir.at(&there.address).delete(&format!("{members}/{}", heir.id)).await,
                _ => other.post(&members, json!({"email": heir.email})).await,
            }
        });
        erased.is(204);
        assert!(matches!(changed.status, 200 | 201 | 204 | 401 | 404 | 409), "{}", changed.text);
    })
    .await;
    let pool = world.pool().await;
    eventually("every organization has an admin", async || without_an_admin(&pool).await.is_empty()).await;
    assert_proved(&world).await;
}
