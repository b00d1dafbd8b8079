//! `DELETE /auth/me`

use std::process::Command;

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    jobs::{
        gone::{followed, store_late},
        sandbox::{alive, unique},
    },
    support::{Closed, Person, Reply, Socket, World, dump, eventually},
};

async fn erase(person: &Person) -> Reply {
    person.send(Method::DELETE, "/auth/me", Some(json!({"password": person.password}).to_string())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_personal_is_left_anywhere_and_what_happened_is() {
    let world = World::new().await;
    let server = world.server().await;
    let grace = server.person("grace").await;
    let nobody = server.client().with_header("user-agent", "canary-device");
    let email = "canary-address@example.com";
    let account = json!({"email": email, "password": "canary-password-1", "full_name": "Canary Fullname",
        "username": "canary-username"});
    let registered = nobody.with_header("idempotency-key", "canary-1").post("/auth/register", account).await.is(201);
    let credentials = json!({"email": email, "password": "canary-password-1"});
    let tokens = nobody.post("/auth/login", credentials.clone()).await.is(200).json;
    let ada = server.client().with_token(tokens["access_token"].as_str().expect("a token"));
    ada.patch("/auth/me", json!({"image_url": "https://canary-picture.example.com/"})).await.is(200);
    ada.post("/auth/tokens", json!({"name": "canary-token"})).await.is(201);
    let own = ada.with_header("idempotency-key", "canary-2").post("/projects", json!({"name": "Mine"})).await.is(201);
    let shared = grace.project("Shared").await;
    let add = json!({"email": email});
    let members = format!("/projects/{shared}/members");
    grace.with_header("idempotency-key", "canary-3").post(&members, add).await.is(201);
    ada.patch(&format!("/projects/{shared}"), json!({"description": "by ada"})).await.is(200);
    let job = json!({"type": "code_execution", "language": "bash", "code": "echo canary-$((1+1))-output"});
    let job = ada.post("/jobs", job).await.is(202).id();
    eventually("the job is done", async || ada.get(&format!("/jobs/{job}")).await.json["status"] == "completed").await;
    let marker = unique(5400);
    let endless = json!({"type": "code_execution", "language": "bash", "timeout_seconds": 120,
        "code": format!("echo canary-$((1+2))-output; sleep {marker}")});
    let running = ada.post("/jobs", endless).await.is(202).id();
    world.mailed_token(email, "Confirm your e-mail address").await;
    nobody.post("/auth/login", json!({"email": email, "password": "canary-wrong-1"})).await.problem(401);
    let mut socket = Socket::open(&ada).await;

    let pool = world.pool().await;
    eventually("the other job has printed", async || dump(&pool).await.contains("canary-3-output")).await;
    let before = dump(&pool).await;
    for canary in [
        "canary-address",
        "Canary Fullname",
        "canary-username",
        "canary-picture",
        "canary-device",
        "canary-2-output",
        "canary-3-output",
    ] {
        assert!(before.contains(canary), "{canary} was never there: the test proves nothing");
    }
    let password = json!({"password": "canary-password-1"}).to_string();
    ada.send(Method::DELETE, "/auth/me", Some(password)).await.is(204);

    assert_eq!(socket.until_closed().await.1, Closed(4401));
    ada.get("/auth/me").await.problem(401);
    nobody.post("/auth/login", credentials.clone()).await.problem(401);
    nobody.post("/auth/refresh", json!({"refresh_token": tokens["refresh_token"]})).await.problem(401);
    let after = dump(&pool).await.to_lowercase();
    // The code of the job is what somebody wrote, and is history; what it printed is not.
    for canary in [
        "canary-address",
        "canary fullname",
        "canary-username",
        "canary-picture",
        "canary-device",
        "canary-token",
        "canary-2-output",
        "canary-3-output",
        "canary-password",
        "canary-wrong",
    ] {
        assert!(!after.contains(canary), "{canary} is still in the database");
    }
    // What the worker stores of the job that ran goes with the next cleanup.
    eventually("the program is stopped", async || !alive(&marker)).await;
    followed(&pool).await;
    store_late(&pool, &running, "canary-late-output").await;
    assert!(dump(&pool).await.contains("canary-late-output"));
    let _second = world.server().await;
    let late = async || {
        let rows = dump(&pool).await;
        // Files are shown in hexadecimal.
        rows.contains("canary-late-output") || rows.contains(&hex::encode("canary-late-output"))
    };
    eventually("what came late is gone", async || !late().await).await;
    let store = world.nats().store_dir();
    let found = Command::new("grep")
        .args(["-rilaE", "canary-address|canary fullname|canary-username|canary-picture|canary-device|canary-password"])
        .args([store.as_path(), world.mail_folder()])
        .output()
        .expect("grep");
    assert_eq!(String::from_utf8_lossy(&found.stdout), "", "files of NATS and mails");

    let id = registered.id();
    let history = grace.history(&shared).await;
    let types: Vec<_> = history.iter().map(|event| event["event_type"].as_str().expect("a type")).collect();
    assert_eq!(types, ["ProjectCreated", "MemberAdded", "MemberAdded", "ProjectUpdated", "MemberRemoved"]);
    assert_eq!(history[3]["actor"], id.as_str());
    grace.get(&format!("/projects/{}", own.id())).await.problem(404);
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
    let (equal, printed) = world.command(&["projections", "verify"]).await;
    assert!(equal, "{printed}");

    let again = json!({"email": email, "password": "canary-password-1", "username": "canary-username"});
    let again = nobody.post("/auth/register", again).await.is(201);
    assert_ne!(again.id(), id);
    nobody.post("/auth/login", credentials).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_owner_of_a_shared_project_hands_it_over_first() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let shared = ada.project("Shared Apollo").await;
    ada.invite(&shared, &grace, "viewer").await;
    let alone = ada.project("Alone").await;
    let refused = erase(&ada).await.problem(409);
    let detail = refused.json["detail"].as_str().expect("a detail");
    assert!(detail.contains("Shared Apollo") && detail.contains(&shared) && !detail.contains(&alone), "{detail}");
    ada.get("/auth/me").await.is(200);
    ada.patch(&format!("/projects/{shared}/members/{}", grace.id), json!({"role": "owner"})).await.is(200);
    erase(&ada).await.is(204);
    let members = grace.get(&format!("/projects/{shared}/members")).await.is(200);
    assert_eq!(members.items().len(), 1);
    assert_eq!(members.items()[0]["user_id"], grace.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn erasing_takes_the_password_and_happens_once() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    for wrong in [json!({}), json!({"password": "wrong"}), json!({"password": ""}), json!({"password": Value::Null})] {
        ada.send(Method::DELETE, "/auth/me", Some(wrong.to_string())).await.problem(422);
    }
    let racing = futures::future::join_all((0..4).map(|_| erase(&ada))).await;
    let mut statuses: Vec<_> = racing.iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses[0], 204);
    assert!(statuses[1..].iter().all(|status| *status == 401), "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_added_to_a_project_while_they_are_erased() {
    let world = World::new().await;
    let server = world.server().await;
    let grace = server.person("grace").await;
    for round in 0..10 {
        let ada = server.person("ada").await;
        let project = grace.project(&format!("Race {round}")).await;
        let members = format!("/projects/{project}/members");
        let (erased, added) = tokio::join!(erase(&ada), grace.post(&members, json!({"email": ada.email})));
        erased.is(204);
        assert!(matches!(added.status, 201 | 422), "{}", added.text);
        let members = grace.get(&format!("/projects/{project}/members")).await.is(200);
        assert_eq!(members.items().len(), 1, "{}", members.text);
    }
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_while_an_account_is_erased_is_refused_and_no_internal_error() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let acme = ada.post("/organizations", json!({"name": "Acme"})).await.is(201).id();
    let pool = world.pool().await;
    let mut erasing = pool.begin().await.expect("a transaction");
    sqlx::query("DELETE FROM accounts WHERE id = $1::text::uuid")
        .bind(&grace.id)
        .execute(&mut *erasing)
        .await
        .expect("the account");
    let waiting = async || -> i64 {
        sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
                 AND wait_event IN ('transactionid', 'tuple')",
        )
        .fetch_one(&pool)
        .await
        .expect("a count")
    };
    // Each has found the account, and waits for what becomes of it.
    let members = format!("/organizations/{acme}/members");
    let add = ada.post(&members, json!({"email": grace.email}));
    let ticket = grace.post("/realtime/tickets", json!({}));
    let erased = async {
        eventually("both wait", async || waiting().await >= 2).await;
        erasing.commit().await.expect("a commit");
    };
    let (added, ticket, ()) = tokio::join!(add, ticket, erased);
    added.problem(422);
    ticket.problem(401);
    assert!(ada.get(&members).await.is(200).items().iter().all(|member| member["user_id"] != grace.id));
}

/// Copies a project, with what has happened in it so far, so often.
async fn copy_project(pool: &sqlx::PgPool, project: &str, count: i32) {
    sqlx::query(
        "WITH copies AS MATERIALIZED (SELECT gen_random_uuid() AS id, n FROM generate_series(1, $2) n)
         INSERT INTO events (position, event_id, feed_id, feed_seq, aggregate_type, aggregate_id, sequence, event_type,
                             event_version, payload, metadata, recorded_at)
         SELECT (SELECT max(position) FROM events) + row_number() OVER (ORDER BY c.n, e.feed_seq), gen_random_uuid(),
                c.id, e.feed_seq, e.aggregate_type, c.id::text, e.sequence, e.event_type, e.event_version, e.payload,
                e.metadata, (SELECT max(recorded_at) FROM events)
         FROM copies c, events e WHERE e.feed_id = $1::uuid",
    )
    .bind(project)
    .bind(count)
    .execute(pool)
    .await
    .expect("copies");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_somebody_added_to_thousands_of_projects_is_erased_and_leaves_them_all() {
    let world = World::new().await;
    let server = world.server().await;
    let pool = world.pool().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let project = grace.project("Spam").await;
    grace.invite(&project, &ada, "collaborator").await;
    copy_project(&pool, &project, 5_100).await;
    let shared = ada.project("Shared Apollo").await;
    ada.invite(&shared, &grace, "viewer").await;
    let belongs = async || -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM views.members WHERE account_id = $1::uuid")
            .bind(&ada.id)
            .fetch_one(&pool)
            .await
            .expect("a count")
    };
    eventually("the views show all of it", async || belongs().await == 5_102).await;
    // What is in the way is found among all that is not, and nothing is left before it is out of the way.
    let refused = erase(&ada).await.problem(409);
    assert!(refused.text.contains("Shared Apollo") && !refused.text.contains("Spam"), "{}", refused.text);
    assert_eq!(belongs().await, 5_102);
    ada.patch(&format!("/projects/{shared}/members/{}", grace.id), json!({"role": "owner"})).await.is(200);
    erase(&ada).await.is(204);
    ada.get("/auth/me").await.problem(401);
    // A portion at a time.
    let mut left = belongs().await;
    while left > 0 {
        eventually("the account leaves more", async || belongs().await < left).await;
        left = belongs().await;
    }
    let members = grace.get(&format!("/projects/{shared}/members")).await.is(200);
    assert_eq!(members.items().len(), 1);
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}
