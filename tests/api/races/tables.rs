//! Rules whose facts are in tables beside the log, or in aggregates that exist for the rule alone.

use serde_json::json;

use super::{all_rounds, assert_proved, count, instances, rounds};
use crate::{organizations::organization, support::World};

/// Exactly one of two is done; the other is told so.
#[track_caller]
fn one_of(statuses: [u16; 2], done: u16) {
    assert!(statuses == [done, 409] || statuses == [409, done], "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slug_and_a_username_have_one_owner() {
    let world = World::new().await;
    let (here, there) = instances(&world).await;
    let (ada, grace) = (here.person("ada").await, here.person("grace").await);
    let grace = grace.at(&there.address);
    let [adas, graces] =
        [organization(&ada, "Acme").await, organization(&grace, "Ajax").await].map(|id| format!("/organizations/{id}"));
    for round in 0..all_rounds() {
        if round % 2 == 0 {
            let body = json!({"username": format!("name-{round}")});
            let (one, two) = tokio::join!(ada.patch("/auth/me", body.clone()), grace.patch("/auth/me", body.clone()));
            one_of([one.status, two.status], 200);
        } else {
            let body = json!({"slug": format!("slug-{round}")});
            let (one, two) = tokio::join!(ada.patch(&adas, body.clone()), grace.patch(&graces, body.clone()));
            one_of([one.status, two.status], 200);
        }
    }
    assert_proved(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_invited_once_and_a_key_creates_once() {
    let world = World::new().await;
    let (here, there) = instances(&world).await;
    let ada = here.person("ada").await;
    let project = ada.project("Apollo").await;
    let path = format!("/projects/{project}/members");
    rounds(all_rounds(), async |number| {
        let other = ada.at(&there.address);
        if number % 2 == 0 {
            let body = json!({"email": format!("somebody-{number}@example.com")});
            let (one, two) = tokio::join!(ada.post(&path, body.clone()), other.post(&path, body));
            one_of([one.status, two.status], 201);
        } else {
            let key = format!("key-{number}");
            let [one, two] =
                [(*ada).clone(), (*other).clone()].map(|client| client.with_header("idempotency-key", &key));
            let body = json!({"name": key});
            let (one, two) = tokio::join!(one.post("/projects", body.clone()), two.post("/projects", body));
            assert_eq!(one.is(201).id(), two.is(201).id());
        }
    })
    .await;
    let pool = world.pool().await;
    let created = "SELECT count(*) FROM events WHERE event_type = 'ProjectCreated'";
    assert_eq!(usize::try_from(count(&pool, created).await).expect("a count"), all_rounds() / 2 + 1);
    assert_proved(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_has_one_lineage() {
    let world = World::new().await;
    let (here, there) = instances(&world).await;
    let ada = here.person("ada").await;
    let clients = [here.client(), there.client()];
    let mut token = ada.refresh_token.clone();
    for _ in 0..all_rounds() {
        let body = json!({"refresh_token": token});
        let (one, two) =
            tokio::join!(clients[0].post("/auth/refresh", body.clone()), clients[1].post("/auth/refresh", body));
        let [one, two] =
            [one, two].map(|reply| reply.is(200).json["refresh_token"].as_str().expect("a token").to_owned());
        assert_eq!(one, two);
        token = one;
    }
    let pool = world.pool().await;
    let refreshed = "SELECT count(*) FROM events WHERE event_type = 'SessionRefreshed'";
    assert_eq!(usize::try_from(count(&pool, refreshed).await).expect("a count"), all_rounds());
    assert_proved(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_one_account() {
    let world = World::new().await;
    let (here, there) = instances(&world).await;
    let clients = [here.client(), there.client()];
    rounds(all_rounds(), async |number| {
        let body = json!({"email": format!("racer-{number}@example.com"), "password": "one of two is first"});
        let [one, two] = [&clients[0], &clients[1]].map(|client| client.post("/auth/register", body.clone()));
        let (one, two) = tokio::join!(one, two);
        one_of([one.status, two.status], 201);
    })
    .await;
    let pool = world.pool().await;
    let registered = "SELECT count(*) FROM events WHERE event_type = 'AccountRegistered'";
    assert_eq!(usize::try_from(count(&pool, registered).await).expect("a count"), all_rounds());
    assert_proved(&world).await;
}
