//! Clients that hang up in the middle of their requests: nothing stays open, and nobody else loses anything.
//!
//! The requests are of all operations of the OpenAPI document, and each is one that the service can carry out: before any client
//! hangs up, every operation is asked for once by clients that wait. A new operation needs a body ([`bodies`]) and, if it ends what
//! it is about, something that is made for it alone ([`scene`]).

mod accounts;
mod asked;
mod bodies;
mod operations;
mod scene;

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use serde_json::json;
use sqlx::PgPool;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use self::{
    bodies::number,
    operations::{Operation, in_passes, operations},
    scene::Scene,
};
use crate::{
    auth::{external::Issuer, webhook},
    support::{Person, World, eventually},
};

/// Clients that hang up, at a time.
const CLIENTS: usize = 12;
/// Passes over all operations, of one scene. That makes 1,700 requests.
const PASSES: usize = 10;
/// How long a client that does not hang up waits.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends a request, and waits for the head of the reply.
async fn answer(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(request.as_bytes()).await.expect("a request");
    let mut told: Vec<u8> = Vec::with_capacity(4096);
    while !told.windows(4).any(|end| end == b"\r\n\r\n") {
        let count = timeout(PATIENCE, stream.read_buf(&mut told)).await.expect("a reply in time").expect("a reply");
        assert!(count > 0, "the reply ends early: {}", String::from_utf8_lossy(&told));
    }
    String::from_utf8_lossy(&told).into_owned()
}

/// Insists that an operation is carried out. Who is told to come again does.
async fn is_carried_out(scene: &Scene<'_>, operation: &Operation) {
    let Operation { method, path } = operation;
    eventually(path, async || {
        let reply = answer(scene.address(), &scene.request(operation).await).await;
        let is_busy = ["HTTP/1.1 429 ", "HTTP/1.1 503 "].iter().any(|busy| reply.starts_with(busy));
        assert!(is_busy || reply.starts_with("HTTP/1.1 2"), "{method} {path}: {reply}");
        !is_busy
    })
    .await;
}

/// Sends a request and hangs up after a moment, whatever has become of it.
async fn abort(address: &str, request: &str) {
    let Ok(mut stream) = TcpStream::connect(address).await else { return };
    if stream.write_all(request.as_bytes()).await.is_ok() {
        // Not to wait for anything: the moment of hanging up is what varies.
        tokio::time::sleep(Duration::from_micros(number(4_000))).await;
    }
    // Closed with what was not read: the server hears of it at once.
    let _ = stream.set_zero_linger();
}

/// How long after it was told a ticket is looked for: what would take it away comes later.
const TICKET_REST: Duration = Duration::from_secs(8);

/// Until when a ticket that was told must be there; it lives for 30 s, and is swept after that.
const TICKET_KEPT: Duration = Duration::from_secs(25);

/// What somebody who writes was told of and has looked for.
#[derive(Default)]
struct Written {
    tasks: Vec<String>,
    tickets: usize,
}

/// Looks for a ticket that was told at a time; tells whether it was young enough to have to be there.
async fn look_for(pool: &PgPool, (ticket, told): (String, Instant)) -> bool {
    let there: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM realtime_tickets WHERE ticket_hash = sha256(convert_to($1, 'UTF8')))",
    )
    .bind(ticket)
    .fetch_one(pool)
    .await
    .expect("an answer");
    let age = told.elapsed();
    assert!(there || age > TICKET_KEPT, "a ticket that was told {age:?} ago is gone");
    there
}

/// Somebody who writes all the while, and is told of success: titles of tasks, and tickets. Each ticket is looked for some
/// time after it was told.
async fn write(ada: Person, project: String, pool: PgPool, stop: Arc<AtomicBool>) -> Written {
    let mut written = Written::default();
    let mut tickets: VecDeque<(String, Instant)> = VecDeque::new();
    while !stop.load(Ordering::Relaxed) {
        let task = ada.post(&format!("/projects/{project}/tasks"), json!({"title": "kept"})).await.is(201).id();
        ada.post(&format!("/projects/{project}/tasks/{task}/comments"), json!({"body": "kept"})).await.is(201);
        written.tasks.push(task);
        // A ticket is a row that no event explains: written over a shared connection.
        let told = Instant::now();
        let reply = ada.post("/realtime/tickets", json!({})).await.is(201);
        tickets.push_back((reply.json["ticket"].as_str().expect("a ticket").to_owned(), told));
        while let Some(ticket) = tickets.pop_front_if(|(_, told)| told.elapsed() > TICKET_REST) {
            written.tickets += usize::from(look_for(&pool, ticket).await);
        }
    }
    for ticket in tickets {
        written.tickets += usize::from(look_for(&pool, ticket).await);
    }
    written
}

/// Transactions that wait for a word of their client for longer than any of the service's does, looked for all the while; tells how
/// many there were at most.
async fn watch_transactions(pool: PgPool, stop: Arc<AtomicBool>) -> i64 {
    let mut most = 0;
    while !stop.load(Ordering::Relaxed) {
        let left_open: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
             AND state LIKE 'idle in transaction%' AND state_change < clock_timestamp() - interval '1.5 seconds'",
        )
        .fetch_one(&pool)
        .await
        .expect("a count");
        most = most.max(left_open);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    most
}

/// Clients hang up on these operations while others write; insists that what those were told of is there, and tells how many tasks
/// and tickets that is.
async fn round(scene: &Scene<'_>, asked: &[Operation], pool: &PgPool) -> (usize, usize) {
    let stop = Arc::<AtomicBool>::default();
    let project = scene.project();
    let writers: Vec<_> = (0..4)
        .map(|_| tokio::spawn(write(scene.ada.clone(), project.to_owned(), pool.clone(), Arc::clone(&stop))))
        .collect();
    let began = Instant::now();
    stream::iter(asked)
        .for_each_concurrent(CLIENTS, |operation| async move {
            abort(scene.address(), &scene.request(operation).await).await;
        })
        .await;
    let took = began.elapsed();
    stop.store(true, Ordering::Relaxed);
    let (mut tasks, mut tickets) = (0, 0);
    for writer in writers {
        let written = writer.await.expect("a writer");
        for task in &written.tasks {
            scene.ada.get(&format!("/projects/{project}/tasks/{task}")).await.is(200);
        }
        tasks += written.tasks.len();
        tickets += written.tickets;
    }
    eprintln!("{} requests aborted in {took:?}, beside {tasks} tasks and {tickets} tickets", asked.len());
    assert!(tasks > 0);
    (tasks, tickets)
}

async fn requests_are_aborted(rounds: usize) {
    let (world, issuer) = (World::new().await, Issuer::new());
    let (issuers, secrets) = (issuer.setting(), format!("[\"{}\"]", webhook::SECRET));
    let settings = [
        ("WORKROOM_EXTERNAL_ISSUERS", issuers.as_str()),
        ("WORKROOM_IDENTITY_WEBHOOK__ISSUER", issuer.name.as_str()),
        ("WORKROOM_IDENTITY_WEBHOOK__SECRETS", secrets.as_str()),
        ("WORKROOM_RATE_LIMITS__RECOVERIES_PER_ADDRESS", "0"),
    ];
    let server = world.server_with(&[], &settings).await;
    let operations = operations(&server).await;
    let asked = in_passes(&operations, PASSES);
    let stop = Arc::<AtomicBool>::default();
    let pool = world.pool().await;
    let watching = tokio::spawn(watch_transactions(pool.clone(), Arc::clone(&stop)));
    let (mut tasks, mut tickets) = (0, 0);
    for before in 0..rounds {
        // Each round has its own: nobody can have any number of tokens, or of schedules.
        let scene = Scene::new(&world, &server).await;
        if before == 0 {
            stream::iter(&operations).for_each_concurrent(CLIENTS, |operation| is_carried_out(&scene, operation)).await;
        }
        let written = round(&scene, &asked, &pool).await;
        tasks += written.0;
        tickets += written.1;
    }
    stop.store(true, Ordering::Relaxed);
    assert_eq!(watching.await.expect("no panic"), 0, "transactions are left open");
    assert!(tickets > tasks / 2, "{tickets} tickets were looked for in time, of {tasks}");
    let text = server.client().get("//ready").await.is(200).text;
    assert!(!text.contains("transaction"), "{text}");
    super::load::assert_proved(&world, &pool).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aborted_requests_leave_nothing_open_and_take_nothing_from_others() {
    requests_are_aborted(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long drill"]
async fn drill_tens_of_thousands_of_aborted_requests_leave_nothing_open() {
    requests_are_aborted(20).await;
}
