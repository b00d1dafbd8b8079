//! Events as server-sent events.

use serde_json::{Value, json};

use super::{edit, head, places, seqs};
use crate::support::{EventStream, Person, World};

fn path(project: &str) -> String {
    format!("/projects/{project}/events/stream")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_carries_what_happens_and_resumes_anywhere() {
    let world = World::new().await;
    let (one, two) = (world.server().await, world.server().await);
    let ada = one.person("ada").await;
    let project = ada.project("Apollo").await;
    let start = head(&ada, &project).await;
    let mut stream = EventStream::open(&ada, &path(&project)).await;
    let welcome = stream.expect("welcome").await;
    assert_eq!(welcome.data["user_id"], ada.id);
    let subscribed = stream.expect("subscribed").await;
    assert_eq!((&subscribed.data["role"], &subscribed.data["head"]), (&json!("owner"), &json!(start)));
    let epoch = subscribed.data["epoch"].as_str().expect("an epoch");
    assert_eq!(subscribed.id, format!("{epoch}.{start}"), "also before any event has come");
    stream.expect("caught_up").await;
    edit(&ada, &project).await;
    let event = stream.expect("message").await;
    assert_eq!((&event.data["type"], &event.data["seq"]), (&json!("event"), &json!(start + 1)));
    assert_eq!(event.id, format!("{epoch}.{}", start + 1));
    let last = stream.last_id().to_owned();
    drop(stream);
    for _ in 0..5 {
        edit(&ada, &project).await;
    }
    // As a browser does it: the same address, and where it was.
    let there = ada.at(&two.address);
    let resumed = EventStream::attempt(&there, &path(&project), &[("last-event-id", &last)]).await;
    let mut resumed = resumed.unwrap_or_else(|refusal| panic!("{refusal:?}"));
    assert_eq!(seqs(&resumed.caught_up().await), places(start + 2..=start + 6));
    edit(&ada, &project).await;
    assert_eq!(resumed.expect("message").await.data["seq"], start + 7);
    // From a place of one's own choice.
    let mut all = EventStream::open(&there, &format!("{}?since=0", path(&project))).await;
    assert_eq!(seqs(&all.caught_up().await), places(1..=start + 7));
    // From another history.
    let elsewhere = format!("{}?since=00000000-0000-0000-0000-000000000001.3", path(&project));
    let mut elsewhere = EventStream::open(&there, &elsewhere).await;
    elsewhere.expect("welcome").await;
    elsewhere.expect("subscribed").await;
    let reset = elsewhere.expect("reset").await;
    assert_eq!(reset.id, format!("{epoch}.{}", start + 7));
    // Messages come, too.
    elsewhere.expect("caught_up").await;
    ada.post(&format!("/projects/{project}/realtime"), json!({"name": "hi", "data": 1})).await.is(202);
    assert_eq!(elsewhere.expect("message").await.data["name"], "hi");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_stream_follows_several_projects() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let (one, two) = (ada.project("One").await, ada.project("Two").await);
    let both = format!("/events/stream?project_id={one}&project_id={two}");
    let mut stream = EventStream::open(&ada, &both).await;
    stream.expect("welcome").await;
    let ids: Vec<Value> = [stream.next().await, stream.next().await, stream.next().await, stream.next().await]
        .map(|event| serde_json::from_str(&event.expect("an event").id).expect("a map of places"))
        .into();
    assert!(ids.iter().all(|id| id.get(&one).is_some() && id.get(&two).is_some()), "{ids:?}");
    edit(&ada, &one).await;
    assert_eq!(stream.expect("message").await.data["project_id"], one);
    edit(&ada, &two).await;
    assert_eq!(stream.expect("message").await.data["project_id"], two);
    let last = stream.last_id().to_owned();
    drop(stream);
    for project in [&one, &two, &two] {
        edit(&ada, project).await;
    }
    let resumed = EventStream::attempt(&ada, &both, &[("last-event-id", &last)]).await;
    let mut resumed = resumed.unwrap_or_else(|refusal| panic!("{refusal:?}"));
    let mut events = resumed.caught_up().await;
    events.extend(resumed.caught_up().await);
    let of = |project: &str| events.iter().filter(|event| event["project_id"] == project).count();
    assert_eq!((of(&one), of(&two)), (1, 2), "{events:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_is_told_by_the_status() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, eve) = (server.person("ada").await, server.person("eve").await);
    let project = ada.project("Apollo").await;
    let refused = async |person: &Person, path: &str, headers: &[(&str, &str)]| {
        let (status, problem) = EventStream::attempt(person, path, headers).await.err().expect("a refusal");
        (status, problem["code"].as_str().map(str::to_owned).unwrap_or_default())
    };
    assert_eq!(refused(&eve, &path(&project), &[]).await, (404, "not-found".to_owned()));
    for query in ["since=x", "since=-1", "since=1.5", "since=1&since=2", "color=red"] {
        let (status, _) = refused(&ada, &format!("{}?{query}", path(&project)), &[]).await;
        assert_eq!(status, 422, "{query}");
    }
    assert_eq!(refused(&ada, &path(&project), &[("last-event-id", "x")]).await.0, 422);
    assert_eq!(refused(&ada, "/events/stream", &[]).await.0, 422);
    let many: Vec<_> = (0..33).map(|_| format!("project_id={}", uuid::Uuid::now_v7())).collect();
    assert_eq!(refused(&ada, &format!("/events/stream?{}", many.join("&")), &[]).await.0, 422);
    assert_eq!(refused(&ada, &format!("/events/stream?project_id={project}&project_id=x"), &[]).await.0, 422);
    let anonymous = server.client();
    let (status, problem) = EventStream::attempt(&anonymous, &path(&project), &[]).await.err().expect("a refusal");
    assert_eq!((status, &problem["code"]), (401, &json!("credentials-missing")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reusable_ticket_opens_streams_until_its_session_ends() {
    let world = World::new().await;
    let (one, two) = (world.server().await, world.server().await);
    let ada = one.person("ada").await;
    let project = ada.project("Apollo").await;
    let ticket = ada.post("/realtime/tickets", json!({"reusable": true})).await.is(201).json;
    let ticket = ticket["ticket"].as_str().expect("a ticket");
    let address = format!("{}?ticket={ticket}", path(&project));
    let mut streams = Vec::new();
    for server in [&one, &two, &one] {
        let mut stream = EventStream::open(&server.client(), &address).await;
        stream.caught_up().await;
        streams.push(stream);
    }
    let once = ada.post("/realtime/tickets", json!({"reusable": false})).await.is(201).json;
    let once = format!("{}?ticket={}", path(&project), once["ticket"].as_str().expect("a ticket"));
    EventStream::open(&one.client(), &once).await.caught_up().await;
    assert_eq!(EventStream::attempt(&one.client(), &once, &[]).await.err().expect("a refusal").0, 401);
    ada.post("/auth/logout", json!({"refresh_token": ada.refresh_token})).await.is(204);
    for mut stream in streams {
        let close = stream.expect("close").await;
        assert_eq!((&close.data["code"], &close.data["type"]), (&json!(4401), &json!("close")));
        assert_eq!(stream.next().await, None, "the end");
    }
    for server in [&one, &two] {
        assert_eq!(EventStream::attempt(&server.client(), &address, &[]).await.err().expect("a refusal").0, 401);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_that_is_lost_ends_the_stream() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &bob, "viewer").await;
    let mut stream = EventStream::open(&bob, &path(&project)).await;
    stream.caught_up().await;
    ada.delete(&format!("/projects/{project}/members/{}", bob.id)).await.is(204);
    assert_eq!(stream.expect("unsubscribed").await.data["reason"], "access_revoked");
    assert_eq!(stream.expect("close").await.data["code"], 4403);
    assert_eq!(stream.next().await, None, "the end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_http_2_one_connection_carries_many_streams() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let stream = tokio::net::TcpStream::connect(&server.address).await.expect("a connection");
    let (client, connection) = h2::client::handshake(stream).await.expect("HTTP/2 without TLS");
    let connection = tokio::spawn(connection);
    let mut client = client.ready().await.expect("a connection");
    let mut bodies = Vec::new();
    for _ in 0..20 {
        let request = http::Request::get(format!("http://{}/api/v1{}", server.address, path(&project)))
            .header("authorization", format!("Bearer {}", ada.token()))
            .body(())
            .expect("a request");
        client = client.ready().await.expect("a connection");
        let (response, _) = client.send_request(request, true).expect("a stream");
        let response = response.await.expect("a reply");
        assert_eq!((response.status().as_u16(), response.version()), (200, http::Version::HTTP_2));
        bodies.push(response.into_body());
    }
    for body in &mut bodies {
        read_to(body, "caught_up").await;
    }
    edit(&ada, &project).await;
    for body in &mut bodies {
        read_to(body, "ProjectUpdated").await;
    }
    connection.abort();
}

/// Reads a body until it has said this.
async fn read_to(body: &mut h2::RecvStream, what: &str) {
    let mut text = String::new();
    while !text.contains(what) {
        let chunk = body.data().await.expect("an open stream").expect("a chunk");
        body.flow_control().release_capacity(chunk.len()).expect("a window");
        text.push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
    }
}
