//! `workroom keys`, `/.well-known/jwks.json`

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::{Client, Closed, Person, Server, Socket, World, eventually};

async fn published(server: &Server) -> BTreeSet<String> {
    let keys = server.client().get("//.well-known/jwks.json").await.is(200).json;
    keys["keys"].as_array().expect("keys").iter().map(|key| key["kid"].as_str().expect("a kid").to_owned()).collect()
}

fn kid(client: &Client) -> String {
    let header = client.token().split('.').next().expect("a header");
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).expect("base64")).expect("JSON");
    header["kid"].as_str().expect("a kid").to_owned()
}

async fn signed_in_at(server: &Server, person: &Person) -> Client {
    let credentials = serde_json::json!({"email": person.email, "password": person.password});
    let tokens = server.client().post("/auth/login", credentials).await.is(200).json;
    server.client().with_token(tokens["access_token"].as_str().expect("a token"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_published_before_it_signs_and_the_old_one_is_accepted_after() {
    let world = World::new().await;
    // She signs in again and again, and her first session is to last.
    let sessions = [("WORKROOM_SESSION_LIMIT", "1000")];
    let (here, there) = (world.server_with(&[], &sessions).await, world.server_with(&[], &sessions).await);
    let ada = here.person("ada").await;
    let old = published(&here).await;
    assert_eq!(old, BTreeSet::from([kid(&ada)]));
    assert_eq!(published(&there).await, old, "one set of keys on all instances");
    let (done, printed) = world.command(&["keys", "rotate", "--lead-seconds", "10"]).await;
    assert!(done, "{printed}");
    let (again, printed) = world.command(&["keys", "rotate"]).await;
    assert!(!again, "a rotation is under way: {printed}");
    eventually("both keys are published", async || published(&here).await.len() == 2).await;
    assert_eq!(kid(&signed_in_at(&here, &ada).await), kid(&ada), "the next key does not sign yet");
    eventually("the new key signs", async || kid(&signed_in_at(&here, &ada).await) != kid(&ada)).await;
    let fresh = signed_in_at(&here, &ada).await;
    for server in [&here, &there] {
        ada.at(&server.address).get("/auth/me").await.is(200);
        fresh.at(&server.address).get("/auth/me").await.is(200);
        assert!(published(server).await.is_superset(&old));
    }
    let (_, listed) = world.command(&["keys", "list"]).await;
    assert!(listed.contains("current") && listed.contains("old"), "{listed}");
    let pool = world.pool().await;
    // As if the old key's last token had ended.
    sqlx::query("UPDATE signing_keys SET active_from = active_from - interval '2 hours'")
        .execute(&pool)
        .await
        .expect("an update");
    eventually("the old key is gone", async || published(&there).await == BTreeSet::from([kid(&fresh)])).await;
    ada.at(&there.address).get("/auth/me").await.problem(401);
    fresh.at(&there.address).get("/auth/me").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn compromised_keys_and_what_they_signed_are_refused() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let mut sockets = vec![Socket::open(&ada).await];
    let ticket = ada.post("/realtime/tickets", json!({})).await.is(201).json;
    sockets.push(Socket::with_ticket(&server.address, ticket["ticket"].as_str().expect("a ticket")).await);
    sockets[1].expect("welcome").await;
    let (done, printed) = world.command(&["keys", "rotate", "--compromised"]).await;
    assert!(done, "{printed}");
    for socket in &mut sockets {
        assert_eq!(socket.until_closed().await.1, Closed(4401));
    }
    eventually("the old token is refused", async || ada.get("/auth/me").await.status == 401).await;
    signed_in_at(&server, &ada).await.get("/auth/me").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_waits_for_another_to_make_the_key_uses_it() {
    let world = World::new().await;
    world.server().await.kill9().await;
    let pool = world.pool().await;
    let (kid, pkcs8): (String, Vec<u8>) =
        sqlx::query_as("DELETE FROM signing_keys RETURNING kid, pkcs8").fetch_one(&pool).await.expect("the key");
    let mut first = pool.begin().await.expect("a transaction");
    sqlx::query("SELECT pg_advisory_xact_lock(7770003)").execute(&mut *first).await.expect("the lock");
    let second = async {
        let server = world.server().await;
        server.person("ada").await.get("/auth/me").await.is(200);
    };
    let first = async {
        let waits =
            "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 7770003 AND NOT granted
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))";
        eventually("the second instance waits", async || {
            sqlx::query_scalar::<_, bool>(waits).fetch_one(&pool).await.expect("an answer")
        })
        .await;
        let key = "INSERT INTO signing_keys (kid, pkcs8, active_from) VALUES ($1, $2, clock_timestamp())";
        sqlx::query(key).bind(&kid).bind(&pkcs8).execute(&mut *first).await.expect("the key");
        first.commit().await.expect("a commit");
    };
    tokio::join!(second, first);
}
