//! An address gives rights only to whoever has proven it: `WORKROOM_EMAIL_PROOF=mail`.

use serde_json::{Value, json};

use super::{
    external::Issuer,
    password::{CONFIRM, RESET},
};
use crate::{
    organizations::organization,
    support::{Client, Closed, Person, Server, Socket, World},
};

const MAIL: (&str, &str) = ("WORKROOM_EMAIL_PROOF", "mail");

async fn token(person: &Person) -> String {
    let made = person.post("/auth/tokens", json!({"name": "deploy", "scopes": ["write"]})).await.is(201);
    made.json["token"].as_str().expect("a token").to_owned()
}

async fn verify(client: &Client, token: &str) {
    client.post("/auth/email/verify", json!({"token": token})).await.is(204);
}

async fn signed_in(server: &Server, email: &str, password: &str) -> Client {
    let tokens = server.client().post("/auth/login", json!({"email": email, "password": password})).await.is(200).json;
    server.client().with_token(tokens["access_token"].as_str().expect("a token"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unproven_account_is_invited_and_a_proven_one_is_added() {
    let world = World::new().await;
    let server = world.server_with(&[], &[MAIL]).await;
    let (ada, mallory) = (server.person("ada").await, server.person("victim").await);
    let (project, acme) = (ada.project("Apollo").await, organization(&ada, "Acme").await);
    let hosts = [format!("/projects/{project}"), format!("/organizations/{acme}")];
    // Nobody writes to others before they have shown who they are.
    for host in &hosts {
        ada.post(&format!("{host}/members"), json!({"email": mallory.email})).await.problem(409);
    }
    verify(&ada, &world.mailed_token(&ada.email, CONFIRM).await).await;
    for (host, role) in hosts.iter().zip(["owner", "admin"]) {
        let invite = json!({"email": mallory.email, "role": role});
        let invited = ada.post(&format!("{host}/members"), invite).await.is(201).json;
        assert_eq!(invited["status"], "invited", "{invited}");
        mallory.get(host).await.problem(404);
    }
    // Nor by the other ways of naming somebody by address.
    let named = json!({"name": "Gemini", "organization_id": acme, "team_members": [mallory.email]});
    ada.post("/projects", named).await.problem(422);
    ada.patch(&hosts[0], json!({"team_lead": mallory.email})).await.problem(422);

    let grace = server.person("grace").await;
    verify(&grace, &world.mailed_token(&grace.email, CONFIRM).await).await;
    for (host, role) in hosts.iter().zip(["owner", "admin"]) {
        let added =
            ada.post(&format!("{host}/members"), json!({"email": grace.email, "role": role})).await.is(201).json;
        assert_eq!(added["user_id"], grace.id, "{added}");
        grace.get(host).await.is(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verified_claim_takes_the_address_from_whoever_only_typed_it() {
    let world = World::new().await;
    let issuer = Issuer::new();
    let setting = issuer.setting();
    let server = world.server_with(&[], &[MAIL, ("WORKROOM_EXTERNAL_ISSUERS", &setting)]).await;
    let (ada, mallory) = (server.person("ada").await, server.person("victim").await);
    let claims = json!({"email": mallory.email, "email_verified": true});
    let victim = server.client().with_token(&issuer.token(&claims));
    let me = victim.get("/auth/me").await.is(200).json;
    assert_eq!((&me["email"], &me["email_verified"]), (&json!(mallory.email), &json!(true)));
    assert_eq!(mallory.get("/auth/me").await.is(200).json["email"], Value::Null);
    let credentials = json!({"email": mallory.email, "password": mallory.password});
    server.client().post("/auth/login", credentials).await.problem(401);
    let project = ada.project("Apollo").await;
    ada.post(&format!("/projects/{project}/members"), json!({"email": mallory.email})).await.is(201);
    victim.get(&format!("/projects/{project}")).await.is(200);
    mallory.get(&format!("/projects/{project}")).await.problem(404);
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_from_elsewhere_ends_what_whoever_typed_the_address_holds() {
    let world = World::new().await;
    let server = world.server_with(&[], &[MAIL]).await;
    let mallory = server.person("victim").await;
    let client = server.client().with_token(&token(&mallory).await);
    let mut sockets = [Socket::open(&mallory).await, Socket::open(&client).await];
    // The owner of the address follows the link in the mail.
    verify(&server.client(), &world.mailed_token(&mallory.email, CONFIRM).await).await;
    for holder in [&*mallory, &client] {
        holder.get("/auth/me").await.problem(401);
    }
    for socket in &mut sockets {
        assert_eq!(socket.until_closed().await.1, Closed(4401));
    }
    server.client().post("/auth/refresh", json!({"refresh_token": mallory.refresh_token})).await.problem(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_from_a_session_keeps_it_and_the_tokens() {
    let world = World::new().await;
    let server = world.server_with(&[], &[MAIL]).await;
    let ada = server.person("ada").await;
    let client = server.client().with_token(&token(&ada).await);
    let other = signed_in(&server, &ada.email, &ada.password).await;
    verify(&ada, &world.mailed_token(&ada.email, CONFIRM).await).await;
    assert_eq!(ada.get("/auth/me").await.is(200).json["email_verified"], true);
    client.get("/auth/me").await.is(200);
    other.get("/auth/me").await.problem(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_revokes_personal_tokens_and_says_how_many() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let clients = [server.client().with_token(&token(&ada).await), server.client().with_token(&token(&ada).await)];
    let mut socket = Socket::open(&clients[0]).await;
    server.client().post("/auth/password/forgot", json!({"email": ada.email})).await.is(202);
    let mailed = world.mailed_token(&ada.email, RESET).await;
    let reset = json!({"token": mailed, "new_password": "something quite different"});
    let said = server.client().post("/auth/password/reset", reset).await.is(200).json;
    assert_eq!(said, json!({"ended_sessions": 1, "revoked_tokens": 2}));
    for client in &clients {
        client.get("/auth/me").await.problem(401);
    }
    assert_eq!(socket.until_closed().await.1, Closed(4401));
    let ada = signed_in(&server, &ada.email, "something quite different").await;
    assert!(ada.get("/auth/tokens").await.is(200).items().is_empty());
    assert_eq!(ada.get("/auth/me/events?type=TokenRevoked").await.is(200).items().len(), 2);
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_revokes_personal_tokens_unless_they_are_to_stay() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let client = server.client().with_token(&token(&ada).await);
    let mut change =
        json!({"current_password": ada.password, "new_password": "a first good one", "revoke_tokens": false});
    ada.post("/auth/password", change.clone()).await.is(204);
    client.get("/auth/me").await.is(200);
    change = json!({"current_password": "a first good one", "new_password": "a second good one"});
    ada.post("/auth/password", change).await.is(204);
    client.get("/auth/me").await.problem(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_ends_mailed_resets() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    server.client().post("/auth/password/forgot", json!({"email": ada.email})).await.is(202);
    let mailed = world.mailed_token(&ada.email, RESET).await;
    let change = json!({"current_password": ada.password, "new_password": "a first good one"});
    ada.post("/auth/password", change).await.is(204);
    let reset = json!({"token": mailed, "new_password": "something quite different"});
    server.client().post("/auth/password/reset", reset).await.problem(422);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_parallel_changes_with_one_password_one_wins() {
    let world = World::new().await;
    let servers = [world.server().await, world.server().await];
    let ada = servers[0].person("ada").await;
    let changes = (0..8).map(|n| {
        let own = ada.at(&servers[n % 2].address);
        let change = json!({"current_password": ada.password, "new_password": format!("a good one, number {n}")});
        async move { own.post("/auth/password", change).await.status }
    });
    let statuses = futures::future::join_all(changes).await;
    assert_eq!(statuses.iter().filter(|status| **status == 204).count(), 1, "{statuses:?}");
    let winner = statuses.iter().position(|status| *status == 204).expect("a winner");
    signed_in(&servers[0], &ada.email, &format!("a good one, number {winner}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_of_another_issuer_gets_no_password_by_a_change() {
    let world = World::new().await;
    let issuer = Issuer::new();
    let setting = issuer.setting();
    let server = world.server_with(&[], &[("WORKROOM_EXTERNAL_ISSUERS", &setting)]).await;
    let claims = json!({"email": "ada@corp.example", "email_verified": true});
    let ada = server.client().with_token(&issuer.token(&claims));
    ada.get("/auth/me").await.is(200);
    let change = json!({"current_password": "anything at all", "new_password": "a first good one"});
    ada.post("/auth/password", change).await.problem(409);
    let credentials = json!({"email": "ada@corp.example", "password": "a first good one"});
    server.client().post("/auth/login", credentials).await.problem(401);
}
