//! `POST /auth/register`

use std::collections::HashSet;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::{Client, World};

fn account(email: &str) -> Value {
    json!({"email": email, "password": "an analytical engine"})
}

/// The pointers of a refusal, sorted.
fn pointers(problem: &Value) -> Vec<&str> {
    let errors = problem["errors"].as_array().expect("errors");
    let mut pointers: Vec<_> = errors.iter().filter_map(|error| error["pointer"].as_str()).collect();
    pointers.sort_unstable();
    pointers
}

async fn accounts(world: &World) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM accounts").fetch_one(&world.pool().await).await.expect("a count")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_account_is_shown_to_its_owner_and_nothing_secret_with_it() {
    let world = World::new().await;
    let server = world.server().await;
    let body = json!({
        "email": "Ada@Example.com", "password": "an analytical engine", "full_name": " Ada Lovelace ", "username": "Ada",
    });
    let reply = server.client().post("/auth/register", body).await.is(201);
    assert_eq!(reply.header("location"), "/api/v1/auth/me");
    assert_eq!(reply.header("content-type"), "application/json");
    assert!(reply.position() > 0);
    assert_eq!(reply.json["email"], "Ada@Example.com", "as she writes it");
    assert_eq!(reply.json["username"], "ada");
    assert_eq!(reply.json["full_name"], "Ada Lovelace");
    assert_eq!(reply.json["image_url"], Value::Null);
    assert_eq!(reply.json["created_at"], reply.json["updated_at"]);
    assert_ne!(reply.json["personal_organization_id"], reply.json["id"]);
    let fields: HashSet<_> = reply.json.as_object().expect("an object").keys().map(String::as_str).collect();
    let expected =
        "id email email_verified username full_name image_url personal_organization_id created_at updated_at";
    assert_eq!(fields, expected.split(' ').collect());
    assert!(!reply.text.contains("engine"));

    let login = json!({"email": "Ada@Example.com", "password": "an analytical engine"});
    let token = server.client().post("/auth/login", login).await.is(200).json["access_token"].clone();
    let me = server.client().with_token(token.as_str().expect("a token")).get("/auth/me").await.is(200);
    assert_eq!(me.json, reply.json, "what was replied is what is read");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_one_account_however_it_is_written() {
    let world = World::new().await;
    let server = world.server().await;
    let client = server.client();
    client.post("/auth/register", account("grace@example.com")).await.is(201);
    // Other letters' case, letters of full width.
    for same in ["grace@example.com", "GRACE@EXAMPLE.COM", "Grace@Example.Com", "ｇｒａｃｅ@example.com"] {
        client.post("/auth/register", account(same)).await.problem(409);
    }
    for other in ["grace.h@example.com", "grace+h@example.com", "grace@example.org"] {
        client.post("/auth/register", account(other)).await.is(201);
    }
    assert_eq!(accounts(&world).await, 4);
    let login = json!({"email": "GRACE@example.COM", "password": "an analytical engine"});
    assert_eq!(client.post("/auth/login", login).await.is(200).json["user"]["email"], "grace@example.com");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_racing_registrations_of_one_address_one_wins() {
    let world = World::new().await;
    let server = world.server().await;
    let client = server.client();
    let spellings = ["race@example.com", "Race@example.com", "RACE@EXAMPLE.COM"];
    let racers = (0..12).map(|n| client.post("/auth/register", account(spellings[n % 3])));
    let mut won = 0;
    for reply in join_all(racers).await {
        // Hashing takes its time: whoever is told to come again may.
        match reply.status {
            201 => won += 1,
            503 => assert!(!reply.header("retry-after").is_empty()),
            _ => drop(reply.problem(409)),
        }
    }
    assert_eq!(won, 1);
    assert_eq!(accounts(&world).await, 1);
    let registered: i64 = sqlx::query_scalar("SELECT count(*) FROM events WHERE event_type = 'AccountRegistered'")
        .fetch_one(&world.pool().await)
        .await
        .expect("a count");
    assert_eq!(registered, 1, "those who lost left nothing in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_name_is_made_from_the_address_when_none_is_given() {
    let world = World::new().await;
    let server = world.server().await;
    let client = server.client();
    let username = async |email: &str| {
        client.post("/auth/register", account(email)).await.is(201).json["username"].as_str().unwrap().to_owned()
    };
    assert_eq!(username("Katherine.Johnson@example.com").await, "katherine.johnson");
    assert_eq!(username("dorothy+work@example.com").await, "dorothy-work");
    let second = username("katherine.johnson@example.org").await;
    assert!(second.starts_with("katherine.johnson-"), "{second}: taken, so digits follow");
    let short = username("x@example.com").await;
    assert!(short.len() >= 3, "{short}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_derived_user_name_is_one_that_could_have_been_chosen() {
    let world = World::new().await;
    let server = world.server().await;
    let client = server.client();
    let locals = ["_x", "!#$%", "a", "юлия", "-.-", &"n".repeat(64)];
    for local in locals.iter().map(|local| local.trim_matches('.')) {
        for domain in ["example.com", "example.org"] {
            let email = format!("{local}@{domain}");
            if client.post("/auth/register", account(&email)).await.status != 201 {
                continue;
            }
            let login = json!({"email": email, "password": "an analytical engine"});
            let tokens = client.post("/auth/login", login).await.is(200).json;
            let name = tokens["user"]["username"].as_str().expect("a user name");
            let fits = (3..=32).contains(&name.len())
                && name.starts_with(|c: char| c.is_ascii_alphanumeric())
                && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.-".contains(c));
            assert!(fits, "{name} for {email}");
        }
    }
    assert!(accounts(&world).await >= 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_name_belongs_to_one_account() {
    let world = World::new().await;
    let server = world.server().await;
    let named = |email: &str, username: &str| {
        let body = json!({"email": email, "password": "an analytical engine", "username": username});
        let client = server.client();
        async move { client.post("/auth/register", body).await }
    };
    named("one@example.com", "countess").await.is(201);
    named("two@example.com", "countess").await.problem(409);
    named("two@example.com", "Countess").await.problem(409);
    named("two@example.com", "countess2").await.is(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_sent_again_under_its_key_is_answered_as_before() {
    let world = World::new().await;
    let server = world.server().await;
    let keyed = server.client().with_header("idempotency-key", "first visit");
    let first = keyed.post("/auth/register", account("ada@example.com")).await.is(201);
    assert_eq!(first.header("idempotent-replayed"), "");
    let again = keyed.post("/auth/register", account("ada@example.com")).await.is(201);
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(again.text, first.text);
    for header in ["location", "workroom-position", "etag", "content-type"] {
        assert_eq!(again.header(header), first.header(header), "{header}");
    }
    let mut other = account("ada@example.com");
    other["password"] = "a difference engine".into();
    keyed.post("/auth/register", other).await.problem(422);
    // The key of another address is another key.
    keyed.post("/auth/register", account("grace@example.com")).await.is(201);
    // Without a key the address is simply taken.
    server.client().post("/auth/register", account("ada@example.com")).await.problem(409);
    assert_eq!(accounts(&world).await, 2);
}

async fn refused(client: &Client, body: Value, expected: &[&str]) {
    let reply = client.post("/auth/register", body.clone()).await.problem(422);
    assert_eq!(pointers(&reply.json), expected, "{body}: {}", reply.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_hold_is_refused_by_name_and_registers_nobody() {
    let world = World::new().await;
    let server = world.server().await;
    let client = server.client();
    let good = "an analytical engine";
    for email in ["", "ada", "ada@", "@example.com", "a@b@example.com", "a da@example.com", "ada@example", "ada@-x.com"]
    {
        refused(&client, json!({"email": email, "password": good}), &["/email"]).await;
    }
    let long = format!("{}@example.com", "a".repeat(65));
    refused(&client, json!({"email": long, "password": good}), &["/email"]).await;
    let too_long = "ab".repeat(65);
    for password in
        ["", "short", "password", "12345678", "aaaaaaaaaaaa", "ada@example.com", &too_long, &"x".repeat(5000)]
    {
        refused(&client, json!({"email": "ada@example.com", "password": password}), &["/password"]).await;
    }
    for username in ["", "ab", "has space", "-dash", "ünal", &"x".repeat(33)] {
        let body = json!({"email": "ada@example.com", "password": good, "username": username});
        refused(&client, body, &["/username"]).await;
    }
    for full_name in ["", "   ", "a\nb", "a\u{202e}b", &"x".repeat(201)] {
        let body = json!({"email": "ada@example.com", "password": good, "full_name": full_name});
        refused(&client, body, &["/full_name"]).await;
    }
    let all = json!({"email": "ada", "password": "x", "username": "?", "full_name": " "});
    refused(&client, all, &["/email", "/full_name", "/password", "/username"]).await;
    assert_eq!(accounts(&world).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_others_would_guess_is_refused_and_the_reply_says_why() {
    let world = World::new().await;
    let server = world.server().await;
    let client = server.client();
    for (password, why) in [
        ("P@ssw0rd2", "much like a common password"),
        ("zxcvbnm,./", "beside each other"),
        ("hopper99", "names that belong to the account"),
        ("gr4cehopper", "names that belong to the account"),
        ("amazing!!", "names that belong to the account"),
        ("yvanlacol", "names that belong to the account"),
        ("w0rkr00m!", "names that belong to the account"),
    ] {
        let account = json!({"email": "navy.local@admirals.example", "password": password, "full_name": "Grace Hopper",
            "username": "amazing"});
        let reply = client.post("/auth/register", account).await.problem(422);
        assert_eq!(reply.json["errors"][0]["pointer"], "/password");
        let detail = reply.json["errors"][0]["detail"].as_str().expect("a detail").to_owned();
        assert!(detail.contains("too easy to guess") && detail.contains(why), "{password}: {detail}");
    }
    assert_eq!(accounts(&world).await, 0);
    // A hundred and twenty-eight characters, with every symbol that could be a letter: quick all the same.
    let symbols = "4@8({[<3691!|70$5+%2".repeat(7);
    client.post("/auth/register", json!({"email": "grace@example.com", "password": &symbols[..128]})).await.is(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_is_missing_unknown_or_of_another_type_is_refused() {
    let world = World::new().await;
    let server = world.server().await;
    let client = server.client();
    client.post("/auth/register", json!({"email": "ada@example.com"})).await.problem(422);
    client.post("/auth/register", json!({"password": "an analytical engine"})).await.problem(422);
    let mut body = account("ada@example.com");
    body["is_admin"] = true.into();
    refused(&client, body, &["/is_admin"]).await;
    refused(&client, json!({"email": 7, "password": "an analytical engine"}), &["/email"]).await;
    client.post("/auth/register", json!([1, 2])).await.problem(422);
    client.post("/auth/register", json!("ada")).await.problem(422);
    assert_eq!(accounts(&world).await, 0);
}
