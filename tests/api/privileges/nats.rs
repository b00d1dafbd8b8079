//! Who may say what in NATS, and what is believed of it.

use std::time::{Duration, Instant};

use async_nats::{Client, ConnectOptions, Event, HeaderMap, ServerError};
use futures::StreamExt;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::{sync::mpsc, time::timeout};
use uuid::Uuid;
use workroom::messaging::{header, seal};
use workroom_projections::{
    history::{self, PublishedEvent},
    log,
};

use crate::support::{Person, Server, Socket, World, eventually};

const PATIENCE: Duration = Duration::from_secs(20);

/// A connection to a URL of NATS, and what the server refuses on it.
async fn connect(url: &str, inboxes: &str) -> (Client, mpsc::UnboundedReceiver<String>) {
    let url = reqwest::Url::parse(url).expect("a URL");
    let (refused, refusals) = mpsc::unbounded_channel();
    let client = ConnectOptions::new()
        .user_and_password(url.username().to_owned(), url.password().expect("a password").to_owned())
        .custom_inbox_prefix(inboxes)
        .event_callback(move |event| {
            if let Event::ServerError(ServerError::Other(text)) = event {
                let _ = refused.send(text);
            }
            std::future::ready(())
        })
        .connect(format!("{}:{}", url.host_str().expect("a host"), url.port().expect("a port")))
        .await
        .expect("a connection");
    (client, refusals)
}

async fn connect_as_service(world: &World) -> Client {
    connect(world.nats().url().as_str(), "_INBOX").await.0
}

/// Publishes, and returns once the server has it.
async fn publish(client: &Client, subject: &str, headers: HeaderMap, payload: &[u8]) {
    client.publish_with_headers(subject.to_owned(), headers, payload.to_vec().into()).await.expect("a message");
    // What one connection publishes comes in order.
    let inbox = client.new_inbox();
    let mut barrier = client.subscribe(inbox.clone()).await.expect("a subscription");
    client.publish(inbox, "".into()).await.expect("a message");
    timeout(PATIENCE, barrier.next()).await.expect("in time").expect("the message");
}

async fn stream_length(client: &Client) -> u64 {
    let jetstream = async_nats::jetstream::new(client.clone());
    jetstream.get_stream("EVENTS").await.expect("the stream").cached_info().state.messages
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_may_publish_and_hear_nothing_but_what_its_jobs_take() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    ada.project("Apollo").await;
    let pool = world.pool().await;
    let head = log::head(&pool).await.expect("the head");
    let service = connect_as_service(&world).await;
    let is_copied = async || u64::try_from(head).expect("a number") == stream_length(&service).await;
    eventually("the log is copied", is_copied).await;

    let (worker, mut refusals) = connect(&world.nats().worker_url(), "_INBOX_worker").await;
    let epoch = log::epoch(&pool).await.expect("the epoch");
    let feed = Uuid::now_v7();
    let forbidden = [
        format!("events.{feed}.project.ProjectUpdated"),
        "jobs.code_execution".to_owned(),
        "workroom.credentials.ended".to_owned(),
        format!("workroom.{epoch}.head"),
        format!("workroom.{epoch}.progress.workspace"),
        format!("workroom.{epoch}.hello"),
        format!("live.{feed}"),
        "$JS.API.STREAM.DELETE.EVENTS".to_owned(),
        "$JS.API.STREAM.PURGE.JOBS".to_owned(),
        "$JS.API.STREAM.MSG.GET.EVENTS".to_owned(),
        "$JS.API.DIRECT.GET.EVENTS".to_owned(),
        "$JS.API.CONSUMER.CREATE.JOBS.mine".to_owned(),
        "_INBOX.somebody".to_owned(),
        "_INBOX_worker.another".to_owned(),
    ];
    for subject in &forbidden {
        worker.publish(subject.clone(), "forged".into()).await.expect("a message");
        let refusal = timeout(PATIENCE, refusals.recv()).await.expect("a refusal in time").expect("a refusal");
        let said = refusal.to_lowercase();
        assert!(
            said.contains("permissions violation") && said.contains(&subject.to_lowercase()),
            "{subject}: {refusal}"
        );
    }
    for subject in ["events.>", "workroom.>", "jobs.>", "_INBOX.>", "$JS.ACK.>", ">"] {
        let _subscription = worker.subscribe(subject).await.expect("a subscription, as far as the client knows");
        let refusal = timeout(PATIENCE, refusals.recv()).await.expect("a refusal in time").expect("a refusal");
        assert!(refusal.to_lowercase().contains("permissions violation for subscription"), "{subject}: {refusal}");
    }
    // What it may: the last of these would tell of a refusal of the others.
    worker.publish(format!("workroom.{epoch}.ring"), "".into()).await.expect("a message");
    let answer = worker.request("$JS.API.CONSUMER.INFO.JOBS.sandbox", "".into()).await.expect("an answer");
    let answer: Value = serde_json::from_slice(&answer.payload).expect("JSON");
    assert_eq!(answer["stream_name"], "JOBS", "{answer}");
    assert!(refusals.try_recv().is_err());
    assert!(is_copied().await, "nothing has come into the copy of the log");
}

/// An event that never was, as a relay would publish it.
async fn forged(pool: &PgPool, project: &str, ahead: i64) -> (String, HeaderMap, Vec<u8>) {
    let feed: Uuid = project.parse().expect("an id");
    let row = history::since(pool, feed, 0, 1000).await.expect("events").into_iter().last().expect("an event");
    let mut event: PublishedEvent = PublishedEvent::from_row(row);
    let log_head = log::head(pool).await.expect("the head");
    event.position = log_head + ahead;
    event.seq += ahead;
    event.sequence += ahead;
    event.event_id = Uuid::now_v7();
    event.event_type = "ProjectUpdated".to_owned();
    event.data = serde_json::value::to_raw_value(&json!({"description": "forged"})).expect("JSON");
    let mut headers = HeaderMap::new();
    headers.insert(header::EPOCH, log::epoch(pool).await.expect("the epoch").to_string());
    headers.insert(header::POSITION, event.position.to_string());
    headers.insert(header::FEED_SEQ, event.seq.to_string());
    headers.insert(header::EVENT_ID, event.event_id.to_string());
    let subject = format!("events.{feed}.{}.{}", event.aggregate_type, event.event_type);
    (subject, headers, serde_json::to_vec(&event).expect("JSON"))
}

async fn change(person: &Person, project: &str, description: &str) {
    person.patch(&format!("/projects/{project}"), json!({"description": description})).await.is(200);
}

/// What is in the stream: each sequence, with the event's id, if there is one.
async fn copied(nats: &Client) -> Vec<(u64, Option<Uuid>)> {
    let jetstream = async_nats::jetstream::new(nats.clone());
    let Ok(stream) = jetstream.get_stream("EVENTS").await else { return Vec::new() };
    let state = stream.cached_info().state.clone();
    let mut copied = Vec::new();
    for sequence in state.first_sequence..=state.last_sequence {
        let message = stream.get_raw_message(sequence).await.ok();
        let id = message.and_then(|message| message.headers.get(header::EVENT_ID).map(|id| id.as_str().to_owned()));
        copied.push((sequence, id.and_then(|id| Uuid::try_parse(&id).ok())));
    }
    copied
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_event_is_shown_to_nobody_and_displaces_none() {
    let world = World::new().await;
    let (here, there) = (world.server().await, world.server().await);
    let ada = here.person("ada").await;
    let project = ada.project("Apollo").await;
    let pool = world.pool().await;
    let epoch = log::epoch(&pool).await.expect("the epoch");
    let nats = connect_as_service(&world).await;
    let mut sockets = Vec::new();
    for server in [&here, &there] {
        let mut socket = Socket::open(&ada.at(&server.address)).await;
        let known = socket.subscribe(&project, 0).await.len();
        sockets.push((socket, i64::try_from(known).expect("a number")));
    }
    for round in 0..6 {
        // Without a seal, with one of another key, and with one that was taken from a true event.
        let (subject, mut headers, payload) = forged(&pool, &project, 1 + round % 2).await;
        match round / 2 {
            0 => {}
            1 => headers.insert(seal::HEADER, "00".repeat(32)),
            _ => {
                let jetstream = async_nats::jetstream::new(nats.clone());
                let stream = jetstream.get_stream("EVENTS").await.expect("the stream");
                let last = stream.cached_info().state.last_sequence;
                let message = stream.get_raw_message(last).await;
                // While the stream is filled anew there may be none; then the forgery goes without.
                if let Some(true_seal) = message.ok().and_then(|message| message.headers.get(seal::HEADER).cloned()) {
                    headers.insert(seal::HEADER, true_seal);
                }
            }
        }
        publish(&nats, &subject, headers, &payload).await;
        let description = format!("true {round}");
        change(&ada, &project, &description).await;
        for (socket, seq) in &mut sockets {
            *seq += 1;
            let event = socket.event().await;
            assert_eq!(
                (&event["seq"], &event["data"]["changes"]["description"]["to"]),
                (&json!(*seq), &json!(description)),
                "{event}"
            );
        }
    }
    // A true one, sent again, is known.
    let row = history::since(&pool, project.parse().expect("an id"), 0, 1).await.expect("events");
    let first = PublishedEvent::from_row(row.into_iter().next().expect("an event"));
    let subject = format!("events.{}.{}.{}", first.feed_id, first.aggregate_type, first.event_type);
    publish(&nats, &subject, HeaderMap::new(), &serde_json::to_vec(&first).expect("JSON")).await;

    // The copy of the log goes on as if nothing had been: nobody took the forgeries for a future that was lost.
    change(&ada, &project, "the last").await;
    let began = Instant::now();
    loop {
        let copied = copied(&nats).await;
        if copied.is_empty() {
            // It was begun anew behind that one: it has the next ones.
            change(&ada, &project, &format!("{:?} later", began.elapsed())).await;
        }
        let events: Vec<Uuid> =
            sqlx::query_scalar("SELECT event_id FROM events ORDER BY position").fetch_all(&pool).await.expect("events");
        let ids: Vec<Uuid> = copied.iter().filter_map(|(_, id)| *id).collect();
        if ids.len() == copied.len() && !ids.is_empty() && events.ends_with(&ids) {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "the copy is not the log: {copied:?}, and not the end of {events:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(log::epoch(&pool).await.expect("the epoch"), epoch);
    for (socket, _) in &mut sockets {
        socket.send(json!({"type": "ping"})).await;
        while socket.next().await.expect("an open socket")["type"] != "pong" {}
    }
}

/// The sessions of somebody, by id.
async fn sessions(person: &Person) -> Vec<Uuid> {
    let sessions = person.get("/auth/sessions").await.is(200);
    sessions.items().iter().map(|session| session["id"].as_str().expect("an id").parse().expect("an id")).collect()
}

async fn is_refused(person: &Person, server: &Server) -> bool {
    person.at(&server.address).get("/auth/me").await.status == 401
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_message_ends_nobodys_session() {
    let world = World::new().await;
    let (here, there) = (world.server().await, world.server().await);
    let (ada, grace) = (here.person("ada").await, there.person("grace").await);
    let mut socket = Socket::open(&ada).await;
    let pool = world.pool().await;
    let epoch = log::epoch(&pool).await.expect("the epoch");
    let nats = connect_as_service(&world).await;
    // What a true message looks like: that of a session which has ended.
    let mut told = nats.subscribe("workroom.credentials.ended").await.expect("a subscription");
    let hers = sessions(&grace).await;
    grace.post("/auth/logout", json!({})).await.is(204);
    let true_message = timeout(PATIENCE, told.next()).await.expect("in time").expect("a message");
    let ids: Vec<Uuid> = true_message.payload.chunks_exact(16).map(|id| Uuid::from_slice(id).expect("an id")).collect();
    assert!(hers.iter().all(|id| ids.contains(id)), "{hers:?} in {ids:?}");
    eventually("her session has ended everywhere", async || is_refused(&grace, &here).await).await;

    let mut account = vec![ada.id.parse::<Uuid>().expect("an id")];
    account.extend(sessions(&ada).await);
    let payload: Vec<u8> = account.iter().flat_map(|id| *id.as_bytes()).collect();
    let mut with_epoch = HeaderMap::new();
    with_epoch.insert(header::EPOCH, epoch.to_string());
    let mut with_a_true_seal = true_message.headers.clone().expect("headers");
    with_a_true_seal.insert(header::EPOCH, epoch.to_string());
    for headers in [HeaderMap::new(), with_epoch, with_a_true_seal] {
        publish(&nats, "workroom.credentials.ended", headers, &payload).await;
    }

    // Whoever has heard of a true end that came later has heard of the forged ones.
    let edith = there.person("edith").await;
    edith.post("/auth/logout", json!({})).await.is(204);
    eventually("her session has ended everywhere", async || is_refused(&edith, &here).await).await;
    for server in [&here, &there] {
        ada.at(&server.address).get("/auth/me").await.is(200);
    }
    socket.send(json!({"type": "ping"})).await;
    while socket.next().await.expect("an open socket")["type"] != "pong" {}
}
