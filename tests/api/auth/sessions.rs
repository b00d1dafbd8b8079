//! `POST /auth/logout`, `GET /auth/sessions`, `DELETE /auth/sessions/{id}`

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Client, Closed, Person, Server, Socket, World, eventually};

/// What a second without news costs, and a little for the machine.
const SECOND: Duration = Duration::from_millis(1500);

async fn another_session(server: &Server, person: &Person) -> (Client, Value) {
    let credentials = json!({"email": person.email, "password": person.password});
    let client = server.client().with_header("user-agent", "a second device");
    let tokens = client.post("/auth/login", credentials).await.is(200).json;
    (server.client().with_token(tokens["access_token"].as_str().expect("a token")), tokens)
}

async fn refused_within(client: &Client, within: Duration) {
    let began = Instant::now();
    eventually("the session is refused", async || client.get("/auth/me").await.status == 401).await;
    assert!(began.elapsed() < within, "after {:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_the_session_on_every_instance_and_no_other() {
    let world = World::new().await;
    let (here, there) = (world.server().await, world.server().await);
    let ada = here.person("ada").await;
    let (second, tokens) = another_session(&here, &ada).await;
    let second_there = second.at(&there.address);
    second_there.get("/auth/me").await.is(200);
    second.post("/auth/logout", json!({})).await.is(204);
    assert_eq!(second.get("/auth/me").await.problem(401).json["detail"], "the session has ended");
    refused_within(&second_there, SECOND).await;
    let refresh = json!({"refresh_token": tokens["refresh_token"]});
    here.client().post("/auth/refresh", refresh).await.problem(401);
    ada.get("/auth/me").await.is(200);
    ada.at(&there.address).get("/auth/me").await.is(200);
    let log = ada.get("/auth/me/events?type=SessionEnded").await.is(200);
    assert_eq!(log.items()[0]["data"]["reason"], "logged_out");
    assert_eq!(log.items()[0]["actor"], ada.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_learns_of_ended_sessions_from_the_database_while_nats_is_away() {
    let world = World::new().await;
    let (here, there) = (world.server().await, world.server().await);
    let ada = here.person("ada").await;
    let (second, _) = another_session(&here, &ada).await;
    let second_there = second.at(&there.address);
    second_there.get("/auth/me").await.is(200);
    world.nats().kill9().await;
    second.post("/auth/logout", json!({})).await.is(204);
    refused_within(&second_there, SECOND).await;
    // Nor does an instance forget that starts later.
    let late = world.server().await;
    second.at(&late.address).get("/auth/me").await.problem(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_and_revoked_by_their_owner_only() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let (second, _) = another_session(&server, &ada).await;
    let listed = ada.get("/auth/sessions").await.is(200);
    assert_eq!(listed.items().len(), 2);
    let other = listed.items().iter().find(|session| session["current"] == false).expect("the other");
    assert_eq!(other["user_agent"], "a second device");
    let path = format!("/auth/sessions/{}", other["id"].as_str().expect("an id"));
    let grace = server.person("grace").await;
    grace.delete(&path).await.problem(404);
    second.get("/auth/me").await.is(200);
    ada.delete(&path).await.is(204);
    second.get("/auth/me").await.problem(401);
    ada.delete(&path).await.problem(404);
    ada.delete("/auth/sessions/none").await.problem(404);
    assert_eq!(ada.get("/auth/sessions").await.is(200).items().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_ends_with_its_session() {
    let world = World::new().await;
    let (here, there) = (world.server().await, world.server().await);
    let ada = here.person("ada").await;
    let (second, _) = another_session(&here, &ada).await;
    let mut near = Socket::open(&second).await;
    let mut far = Socket::open(&second.at(&there.address)).await;
    let mut other = Socket::open(&ada).await;
    second.post("/auth/logout", json!({})).await.is(204);
    assert_eq!(near.until_closed().await.1, Closed(4401));
    assert_eq!(far.until_closed().await.1, Closed(4401));
    other.send(json!({"type": "ping"})).await;
    other.expect("pong").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_and_refreshing_at_once_leave_no_session() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    for _ in 0..20 {
        let (second, tokens) = another_session(&server, &ada).await;
        let refresh = json!({"refresh_token": tokens["refresh_token"]});
        let nobody = server.client();
        let (out, refreshed) =
            tokio::join!(second.post("/auth/logout", json!({})), nobody.post("/auth/refresh", refresh.clone()));
        out.is(204);
        if refreshed.status == 200 {
            let fresh = refreshed.json["access_token"].as_str().expect("a token");
            server.client().with_token(fresh).get("/auth/me").await.problem(401);
            let next = json!({"refresh_token": refreshed.json["refresh_token"]});
            server.client().post("/auth/refresh", next).await.problem(401);
        } else {
            refreshed.problem(401);
        }
        server.client().post("/auth/refresh", refresh).await.problem(401);
    }
    assert_eq!(ada.get("/auth/sessions").await.is(200).items().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_of_an_ended_session_opens_nothing() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let (second, _) = another_session(&server, &ada).await;
    let ticket = second.post("/realtime/tickets", json!({})).await.is(201).json["ticket"].clone();
    second.post("/auth/logout", json!({})).await.is(204);
    let query = format!("?ticket={}", ticket.as_str().expect("a ticket"));
    assert_eq!(Socket::attempt(&server.address, &query, &[]).await.err(), Some(401));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deactivated_account_is_closed_until_it_is_opened_again() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let mut socket = Socket::open(&ada).await;
    let (done, printed) = world.command(&["accounts", "deactivate", &ada.email]).await;
    assert!(done, "{printed}");
    refused_within(&ada, SECOND).await;
    assert_eq!(socket.until_closed().await.1, Closed(4401));
    let credentials = json!({"email": ada.email, "password": ada.password});
    server.client().post("/auth/login", credentials.clone()).await.problem(401);
    server.client().post("/auth/refresh", json!({"refresh_token": ada.refresh_token})).await.problem(401);
    let (done, printed) = world.command(&["accounts", "reactivate", &ada.id]).await;
    assert!(done, "{printed}");
    server.client().post("/auth/login", credentials).await.is(200);
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}

/// Adds sessions as sign-ins would, without their events.
async fn add_sessions(pool: &sqlx::PgPool, account: &str, count: i32) {
    sqlx::query(
        "INSERT INTO sessions (id, account_id, salt, rotated_at, created_at, expires_at)
         SELECT gen_random_uuid(), $1::uuid, '\\x00', now(), now() - interval '1 day', now() + interval '1 day'
         FROM generate_series(1, $2)",
    )
    .bind(account)
    .bind(count)
    .execute(pool)
    .await
    .expect("sessions");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_with_very_many_sessions_changes_its_password_and_is_closed() {
    let world = World::new().await;
    let server = world.server().await;
    let pool = world.pool().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    for person in [&ada, &grace] {
        add_sessions(&pool, &person.id, 20_000).await;
    }
    let passwords = json!({"current_password": ada.password, "new_password": "another engine entirely"});
    ada.post("/auth/password", passwords).await.is(204);
    assert_eq!(ada.get("/auth/sessions").await.is(200).items().len(), 1, "the session that asked");
    let (closed, text) = world.command(&["accounts", "deactivate", &grace.email]).await;
    assert!(closed, "{text}");
    let ended: (i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM events WHERE event_type = 'SessionEnded'),
                (SELECT count(*) FROM sessions WHERE ended_at IS NULL)",
    )
    .fetch_one(&pool)
    .await
    .expect("counts");
    assert_eq!(ended, (2 * 20_000 + 1, 1), "each end is an event");
    let (proved, text) = world.command(&["audit", "access"]).await;
    assert!(proved, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_session_too_many_ends_the_oldest() {
    let world = World::new().await;
    let server = world.server_with(&[], &[("WORKROOM_SESSION_LIMIT", "3")]).await;
    let ada = server.person("ada").await;
    let mut devices = Vec::new();
    for _ in 0..3 {
        devices.push(another_session(&server, &ada).await.0);
    }
    // The sign-in of the person is the oldest.
    ada.get("/auth/me").await.problem(401);
    for device in &devices {
        device.get("/auth/me").await.is(200);
    }
    let log = devices[0].get("/auth/me/events?type=SessionEnded").await.is(200);
    assert_eq!(log.items().len(), 1);
    assert_eq!(log.items()[0]["data"]["reason"], "session_limit");
    assert_eq!(log.items()[0]["actor"], "system:identity");
}
