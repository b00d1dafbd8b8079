//! Feeds of organizations and of one's own account; roles; ids of messages.

use serde_json::json;

use super::{follow, is_quiet};
use crate::support::{Closed, Person, Socket, World};

async fn organization(person: &Person, name: &str) -> String {
    person.post("/organizations", json!({"name": name})).await.is(201).id()
}

async fn add(person: &Person, organization: &str, other: &Person, role: &str) {
    let member = json!({"email": other.email, "role": role});
    person.post(&format!("/organizations/{organization}/members"), member).await.is(201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_follow_their_organization_and_nobody_else_does() {
    let world = World::new().await;
    let (one, two) = (world.server().await, world.server().await);
    let (ada, bob, eve) = (one.person("ada").await, one.person("bob").await, one.person("eve").await);
    let organization = organization(&ada, "Acme").await;
    let subscribe = json!({"type": "subscribe", "organization_id": organization, "since": {"seq": 0}, "id": "s"});
    let mut stranger = Socket::open(&eve).await;
    stranger.send(subscribe.clone()).await;
    let refused = json!({
        "type": "error", "code": "not_found", "detail": "there is no such feed", "organization_id": organization, "ref": "s",
    });
    assert_eq!(stranger.next().await, Ok(refused));

    let mut socket = Socket::open(&ada.at(&two.address)).await;
    socket.send(subscribe.clone()).await;
    let subscribed = socket.expect("subscribed").await;
    assert_eq!((&subscribed["role"], &subscribed["ref"]), (&json!("admin"), &json!("s")));
    assert_eq!(subscribed["organization_id"], organization);
    let head = subscribed["head"].as_i64().expect("a place");
    for seq in 1..=head {
        assert_eq!(socket.event().await["seq"], seq);
    }
    socket.expect("caught_up").await;

    add(&ada, &organization, &bob, "member").await;
    assert_eq!(socket.event().await["data"]["account_id"], bob.id);
    let mut member = Socket::open(&bob.at(&two.address)).await;
    member.send(subscribe).await;
    assert_eq!(member.expect("subscribed").await["role"], "member");
    for seq in 1..=head + 1 {
        assert_eq!(member.event().await["seq"], seq);
    }
    member.expect("caught_up").await;
    ada.delete(&format!("/organizations/{organization}/members/{}", bob.id)).await.is(204);
    assert_eq!(member.until_closed().await.1, Closed(4403));
    assert_eq!(socket.event().await["event_type"], "OrganizationMemberRemoved");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_follows_their_own_account() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let mut socket = Socket::open(&ada).await;
    socket.send(json!({"type": "subscribe", "account": true, "id": 1})).await;
    let subscribed = socket.expect("subscribed").await;
    assert_eq!((&subscribed["account"], &subscribed["ref"]), (&json!(true), &json!(1)));
    socket.expect("caught_up").await;
    ada.post("/auth/login", json!({"email": ada.email, "password": ada.password})).await.is(200);
    let event = socket.event().await;
    assert_eq!((&event["event_type"], &event["account"]), (&json!("SessionStarted"), &json!(true)), "{event}");
    socket.send(json!({"type": "unsubscribe", "account": true, "id": 2})).await;
    let left = json!({"type": "unsubscribed", "account": true, "reason": "requested", "ref": 2});
    assert_eq!(socket.expect("unsubscribed").await, left);
    is_quiet(&mut socket).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_organizations_admin_who_is_none_any_more_sees_nothing_of_what_follows() {
    let world = World::new().await;
    let (one, two) = (world.server().await, world.server().await);
    let (ada, bob) = (one.person("ada").await, one.person("bob").await);
    let organization = organization(&ada, "Acme").await;
    add(&ada, &organization, &bob, "admin").await;
    let project = ada.post("/projects", json!({"name": "Apollo", "organization_id": organization})).await.is(201).id();
    for server in [&one, &two] {
        let member = format!("/organizations/{organization}/members/{}", bob.id);
        let mut socket = Socket::open(&bob.at(&server.address)).await;
        assert_eq!(follow(&mut socket, &project).await["role"], "owner", "an admin has an owner's rights");
        ada.patch(&member, json!({"role": "member"})).await.is(200);
        assert_eq!(socket.until_closed().await.1, Closed(4403));
        let mut again = Socket::open(&bob.at(&server.address)).await;
        again.send(json!({"type": "subscribe", "project_id": project})).await;
        assert_eq!(again.expect("error").await["code"], "not_found");
        ada.patch(&member, json!({"role": "admin"})).await.is(200);
        assert_eq!(follow(&mut again, &project).await["role"], "owner", "and is one again at once");
    }
}

#[tokio::test]
async fn a_personal_access_token_does_not_open_the_account_itself() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let made = ada.post("/auth/tokens", json!({"name": "deploy", "scopes": ["write"]})).await.is(201).json;
    let token = made["token"].as_str().expect("a token");
    let bearer = format!("Bearer {token}");
    let mut program = Socket::attempt(&server.address, "", &[("authorization", &bearer)]).await.expect("a socket");
    program.expect("welcome").await;
    follow(&mut program, &project).await;
    program.send(json!({"type": "subscribe", "account": true})).await;
    let error = program.expect("error").await;
    assert_eq!((&error["code"], &error["account"]), (&json!("forbidden"), &json!(true)));

    // Nor does it go on with what another token has opened.
    let mut socket = Socket::open(&ada).await;
    follow(&mut socket, &project).await;
    socket.send(json!({"type": "subscribe", "account": true})).await;
    socket.expect("subscribed").await;
    socket.expect("caught_up").await;
    socket.send(json!({"type": "refresh", "token": token})).await;
    let ended = json!({"type": "unsubscribed", "account": true, "reason": "access_revoked"});
    assert_eq!(socket.expect("unsubscribed").await, ended);
    is_quiet(&mut socket).await;
}
