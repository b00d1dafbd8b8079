//! A right or a credential that is lost at one process is told to sockets of another at once: nothing here asks
//! Postgres for it.

use reqwest::Method;
use serde_json::{Value, json};

use super::{edit, follow, is_quiet};
use crate::support::{Client, Closed, Person, Server, Socket, World};

/// A service that never asks Postgres how far a feed is, and has no relay.
async fn server(world: &World) -> Server {
    let never = [("WORKROOM_LIVE__HEADS_MS", "3600000"), ("WORKROOM_LIVE__HEADS_IN_DOUBT_MS", "3600000")];
    world.server_with(&["--roles", "api,live,projector,scheduler"], &never).await
}

async fn organization(person: &Person, name: &str) -> String {
    person.post("/organizations", json!({"name": name})).await.is(201).id()
}

async fn add(person: &Person, organization: &str, other: &Person, role: &str) {
    let member = json!({"email": other.email, "role": role});
    person.post(&format!("/organizations/{organization}/members"), member).await.is(201);
}

async fn project_in(person: &Person, organization: &str) -> String {
    person.post("/projects", json!({"name": "Apollo", "organization_id": organization})).await.is(201).id()
}

async fn follow_organization(socket: &mut Socket, organization: &str) {
    socket.send(json!({"type": "subscribe", "organization_id": organization})).await;
    socket.expect("subscribed").await;
    socket.expect("caught_up").await;
}

/// Reads up to the socket's end; returns what ended before it, by the field that names it.
async fn ended(socket: &mut Socket, name: &str) -> (Vec<Value>, Closed) {
    let (frames, closed) = socket.until_closed().await;
    let ends = frames.into_iter().filter(|frame| frame["type"] == "unsubscribed" && frame.get(name).is_some());
    let ends = ends.inspect(|frame| assert_eq!(frame["reason"], "access_revoked", "{frame}"));
    (ends.map(|frame| frame[name].clone()).collect(), closed)
}

/// Reads up to a frame of this type, over events and nothing else.
async fn behind_events(socket: &mut Socket, frame_type: &str) -> Value {
    loop {
        let frame = socket.next().await.expect("an open socket");
        if frame["type"] == frame_type {
            return frame;
        }
        assert_eq!(frame["type"], "event", "{frame} while waiting for {frame_type}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_lose_a_project_at_once() {
    let world = World::new().await;
    let (one, two) = (server(&world).await, server(&world).await);
    let (ada, bob, grace) = (one.person("ada").await, one.person("bob").await, one.person("grace").await);
    let project = ada.project("Apollo").await;
    let member = format!("/projects/{project}/members/{}", bob.id);

    // A lesser role.
    ada.invite(&project, &bob, "owner").await;
    let mut his = Socket::open(&bob.at(&two.address)).await;
    assert_eq!(follow(&mut his, &project).await["role"], "owner");
    ada.patch(&member, json!({"role": "viewer"})).await.is(200);
    let mut frames = [his.next().await.expect("an open socket"), his.next().await.expect("an open socket")];
    // The event in its place; the role as soon as it is known.
    frames.sort_by_key(|frame| frame["type"].to_string());
    assert_eq!(frames[0]["event_type"], "MemberRoleChanged");
    assert_eq!(frames[1], json!({"type": "role", "project_id": project, "role": "viewer"}));

    // No member any more.
    ada.delete(&member).await.is(204);
    assert_eq!(ended(&mut his, "project_id").await, (vec![json!(project)], Closed(4403)));

    // One who leaves.
    ada.invite(&project, &grace, "collaborator").await;
    let mut hers = Socket::open(&grace.at(&two.address)).await;
    follow(&mut hers, &project).await;
    grace.delete(&format!("/projects/{project}/members/{}", grace.id)).await.is(204);
    assert_eq!(ended(&mut hers, "project_id").await, (vec![json!(project)], Closed(4403)));

    // Nobody follows a project for its being public: whether it is changes nothing for members, and what others are
    // told.
    let mut own = Socket::open(&ada.at(&two.address)).await;
    follow(&mut own, &project).await;
    for (is_public, code) in [(true, "forbidden"), (false, "not_found")] {
        ada.patch(&format!("/projects/{project}"), json!({"is_public": is_public})).await.is(200);
        assert_eq!(own.event().await["event_type"], "ProjectUpdated");
        let mut visitor = Socket::open(&bob.at(&two.address)).await;
        visitor.send(json!({"type": "subscribe", "project_id": project})).await;
        assert_eq!(visitor.expect("error").await["code"], code);
    }

    // No project any more.
    ada.delete(&format!("/projects/{project}")).await.is(204);
    let deleted = json!({"type": "unsubscribed", "project_id": project, "reason": "project_deleted"});
    assert_eq!(behind_events(&mut own, "unsubscribed").await, deleted);
    is_quiet(&mut own).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_of_an_organization_lose_it_and_its_projects_at_once() {
    let world = World::new().await;
    let (one, two) = (server(&world).await, server(&world).await);
    let (ada, bob, grace) = (one.person("ada").await, one.person("bob").await, one.person("grace").await);
    let organization = organization(&ada, "Acme").await;
    add(&ada, &organization, &bob, "member").await;
    add(&ada, &organization, &grace, "admin").await;
    let project = project_in(&ada, &organization).await;
    ada.invite(&project, &bob, "collaborator").await;

    // Not its admin any more: its member still, but not the project's.
    let mut hers = Socket::open(&grace.at(&two.address)).await;
    follow_organization(&mut hers, &organization).await;
    assert_eq!(follow(&mut hers, &project).await["role"], "owner", "an admin has an owner's rights");
    let member = format!("/organizations/{organization}/members/{}", grace.id);
    ada.patch(&member, json!({"role": "member"})).await.is(200);
    let mut frames = Vec::new();
    while frames.len() < 3 {
        frames.push(hers.next().await.expect("an open socket"));
    }
    frames.sort_by_key(|frame| frame["type"].to_string());
    assert_eq!(frames[0]["event_type"], "OrganizationMemberRoleChanged", "{frames:?}");
    assert_eq!(frames[1], json!({"type": "role", "organization_id": organization, "role": "member"}));
    assert_eq!(frames[2], json!({"type": "unsubscribed", "project_id": project, "reason": "access_revoked"}));
    edit(&ada, &project).await;
    is_quiet(&mut hers).await;

    // No member any more, neither of it nor of its projects.
    let mut inside = Socket::open(&bob.at(&two.address)).await;
    follow_organization(&mut inside, &organization).await;
    let mut outside = Socket::open(&bob.at(&two.address)).await;
    follow(&mut outside, &project).await;
    ada.delete(&format!("/organizations/{organization}/members/{}", bob.id)).await.is(204);
    assert_eq!(ended(&mut inside, "organization_id").await, (vec![json!(organization)], Closed(4403)));
    assert_eq!(ended(&mut outside, "project_id").await, (vec![json!(project)], Closed(4403)));

    // No organization any more.
    ada.delete(&format!("/projects/{project}")).await.is(204);
    let mut own = Socket::open(&ada.at(&two.address)).await;
    follow_organization(&mut own, &organization).await;
    ada.delete(&format!("/organizations/{organization}")).await.is(204);
    let deleted = json!({"type": "unsubscribed", "organization_id": organization, "reason": "organization_deleted"});
    assert_eq!(behind_events(&mut own, "unsubscribed").await, deleted);
}

/// Another session of somebody.
async fn another_session(server: &Server, person: &Person) -> Client {
    let credentials = json!({"email": person.email, "password": person.password});
    let tokens = server.client().post("/auth/login", credentials).await.is(200).json;
    server.client().with_token(tokens["access_token"].as_str().expect("a token"))
}

/// Asserts that a socket ends because of its credentials.
async fn is_shut_out(socket: &mut Socket) {
    assert_eq!(socket.until_closed().await, (vec![], Closed(4401)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ended_credentials_close_sockets_at_once() {
    let world = World::new().await;
    let (one, two) = (server(&world).await, server(&world).await);
    let (ada, bob, grace) = (one.person("ada").await, one.person("bob").await, one.person("grace").await);
    let pool = world.pool().await;
    // What ends is written down, and can be read by nobody.
    let revoke = "REVOKE SELECT ON ended_credentials FROM workroom_service";
    sqlx::query(revoke).execute(&pool).await.expect("fewer rights");
    let may_read = "SELECT has_table_privilege('workroom_service', 'ended_credentials', 'SELECT')";
    assert!(!sqlx::query_scalar::<_, bool>(may_read).fetch_one(&pool).await.expect("an answer"));

    // Signed out.
    let mut socket = Socket::open(&bob.at(&two.address)).await;
    bob.post("/auth/logout", json!({})).await.is(204);
    is_shut_out(&mut socket).await;

    // Signed out by another session.
    let mut own = Socket::open(&ada.at(&two.address)).await;
    let mut socket = Socket::open(&another_session(&one, &ada).await.at(&two.address)).await;
    let sessions = ada.get("/auth/sessions").await.is(200);
    let other = sessions.items().iter().find(|session| session["current"] == false).expect("the other session");
    ada.delete(&format!("/auth/sessions/{}", other["id"].as_str().expect("an id"))).await.is(204);
    is_shut_out(&mut socket).await;

    // Another password.
    let mut socket = Socket::open(&another_session(&one, &ada).await.at(&two.address)).await;
    let change = json!({"current_password": ada.password, "new_password": "another good password"});
    ada.post("/auth/password", change).await.is(204);
    is_shut_out(&mut socket).await;

    // A token of a program.
    let made = ada.post("/auth/tokens", json!({"name": "deploy", "scopes": ["write"]})).await.is(201).json;
    let program = two.client().with_token(made["token"].as_str().expect("a token"));
    let mut socket = Socket::open(&program).await;
    ada.delete(&format!("/auth/tokens/{}", made["id"].as_str().expect("an id"))).await.is(204);
    is_shut_out(&mut socket).await;
    is_quiet(&mut own).await;

    // No account any more.
    let mut socket = Socket::open(&grace.at(&two.address)).await;
    let password = json!({"password": grace.password}).to_string();
    grace.send(Method::DELETE, "/auth/me", Some(password)).await.is(204);
    is_shut_out(&mut socket).await;
}
