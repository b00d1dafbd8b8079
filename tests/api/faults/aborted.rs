//! Clients that hang up in the middle of their requests: nothing stays open, and nobody else loses anything.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::{io::AsyncWriteExt, net::TcpStream, task::JoinSet};
use uuid::Uuid;

use crate::support::{Person, Server, World};

/// Clients that hang up, at a time.
const CLIENTS: usize = 12;

/// What the requests are about.
struct Scene {
    ada: Person,
    project: String,
    organization: String,
    workspace: String,
    file: String,
    task: String,
}

async fn scene(server: &Server) -> Scene {
    let ada = server.person("ada").await;
    let organization = ada.post("/organizations", json!({"name": "Works", "slug": "works"})).await.is(201).id();
    let project = ada.project("Apollo").await;
    let workspace = ada.post(&format!("/projects/{project}/workspaces"), json!({"name": "Main"})).await.is(201).id();
    let files = format!("/projects/{project}/workspaces/{workspace}/files");
    let file = ada.post(&files, json!({"path": "a.txt", "content": "a"})).await.is(201).id();
    let task = ada.post(&format!("/projects/{project}/tasks"), json!({"title": "Think"})).await.is(201).id();
    Scene { ada, project, organization, workspace, file, task }
}

/// The operations of the OpenAPI document, with ids of the scene in their paths.
async fn operations(server: &Server, scene: &Scene) -> Vec<(String, String)> {
    let document = server.client().get("/openapi.json").await.is(200).json;
    let mut operations = Vec::new();
    let paths = document["paths"].as_object().expect("paths");
    for (path, item) in paths.iter().filter(|(_, item)| item.get("servers").is_none()) {
        let path = path
            .replace("{project_id}", &scene.project)
            .replace("{organization_id}", &scene.organization)
            .replace("{workspace_id}", &scene.workspace)
            .replace("{file_id}", &scene.file)
            .replace("{task_id}", &scene.task);
        let path = path.split('{').next().unwrap_or_default().trim_end_matches('/').to_owned();
        for method in item.as_object().expect("operations").keys() {
            // These end what the scene stands on.
            let ends = method == "delete" && !path.ends_with("members")
                || path.ends_with("/logout")
                || path.ends_with("/password")
                || path.ends_with("/realtime");
            if !ends && ["get", "post", "put", "patch", "delete"].contains(&method.as_str()) {
                operations.push((method.to_uppercase(), path.clone()));
            }
        }
    }
    assert!(operations.len() > 40, "{}", operations.len());
    operations
}

/// A body that the operation takes, as far as it changes tables and the log together.
fn body(method: &str, path: &str, scene: &Scene, number: usize) -> Value {
    let unique = Uuid::now_v7().simple().to_string();
    match (method, path) {
        ("POST", path) if path.ends_with("/files") => json!({"path": format!("{unique}.txt"), "content": unique}),
        ("POST", path) if path.ends_with("/members") => {
            json!({"email": format!("{unique}@example.com"), "role": "viewer"})
        }
        ("POST", path) if path.ends_with("/tasks") => json!({"title": unique}),
        ("POST", path) if path.ends_with("/comments") => json!({"body": unique}),
        ("POST", path) if path.ends_with("/workspaces") => json!({"name": unique}),
        ("POST", "/api/v1/projects") => json!({"name": unique}),
        ("POST", "/api/v1/organizations") => json!({"name": unique, "slug": format!("o-{unique}")}),
        ("POST", path) if path.ends_with("/auth/tokens") => json!({"name": unique, "scope": "read"}),
        ("POST", path) if path.ends_with("/auth/login") => {
            json!({"email": scene.ada.email, "password": scene.ada.password})
        }
        ("PATCH" | "PUT", path) if path.ends_with("/auth/me") => json!({"full_name": unique}),
        ("PATCH" | "PUT", path) if path.contains("/tasks/") => json!({"title": unique}),
        ("PATCH" | "PUT", _) => json!({"description": format!("{number} {unique}")}),
        _ => json!({}),
    }
}

/// Sends a request and hangs up after a moment, whatever has become of it.
async fn abort(server: &str, scene: &Scene, method: &str, path: &str, number: usize) {
    let Ok(mut stream) = TcpStream::connect(server).await else { return };
    let is_content = path.ends_with("/content") && method == "PUT";
    let body =
        if is_content { format!("{number}\n").repeat(2_000) } else { body(method, path, scene, number).to_string() };
    let content_type = if is_content { "text/plain" } else { "application/json" };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {server}\r\nauthorization: Bearer {}\r\ncontent-type: {content_type}\r\n\
         content-length: {}\r\n\r\n{body}",
        scene.ada.token(),
        body.len()
    );
    if stream.write_all(request.as_bytes()).await.is_ok() {
        // Not to wait for anything: the moment of hanging up is what varies.
        tokio::time::sleep(Duration::from_micros(Uuid::now_v7().as_u128() as u64 % 4_000)).await;
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

async fn requests_are_aborted(count: usize) {
    let world = World::new().await;
    let server = world.server_with(&[], &[("WORKROOM_SESSION_LIMIT", "1000")]).await;
    let scene = Arc::new(scene(&server).await);
    let operations = Arc::new(operations(&server, &scene).await);
    let stop = Arc::new(AtomicBool::new(false));
    let pool = world.pool().await;
    let writers: Vec<_> = (0..4)
        .map(|_| tokio::spawn(write(scene.ada.clone(), scene.project.clone(), pool.clone(), Arc::clone(&stop))))
        .collect();
    let watching = tokio::spawn(watch_transactions(pool.clone(), Arc::clone(&stop)));
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (scene, operations, server) = (Arc::clone(&scene), Arc::clone(&operations), server.address.clone());
        clients.spawn(async move {
            let files = format!("/api/v1/projects/{}/workspaces/{}/files", scene.project, scene.workspace);
            let content = format!("{files}/{}/content", scene.file);
            for number in (client..count).step_by(CLIENTS) {
                // Every other one changes tables and the log together, with much to send.
                let (method, path) = match number / CLIENTS % 4 {
                    0 => ("PUT", content.as_str()),
                    1 => ("POST", files.as_str()),
                    _ => {
                        let (method, path) = &operations[number / 2 % operations.len()];
                        (method.as_str(), path.as_str())
                    }
                };
                abort(&server, &scene, method, path, number).await;
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.expect("a client");
    }
    stop.store(true, Ordering::Relaxed);
    assert_eq!(watching.await.expect("no panic"), 0, "transactions are left open");
    let (mut tasks, mut tickets) = (0, 0);
    for writer in writers {
        let written = writer.await.expect("a writer");
        for task in &written.tasks {
            scene.ada.get(&format!("/projects/{}/tasks/{task}", scene.project)).await.is(200);
        }
        tasks += written.tasks.len();
        tickets += written.tickets;
    }
    assert!(tasks > 0);
    assert!(tickets > tasks / 2, "{tickets} tickets were looked for in time, of {tasks}");
    let text = server.client().get("//ready").await.is(200).text;
    assert!(!text.contains("transaction"), "{text}");
    super::load::assert_proved(&world, &pool).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aborted_requests_leave_nothing_open_and_take_nothing_from_others() {
    requests_are_aborted(4_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long drill"]
async fn drill_a_hundred_thousand_aborted_requests_leave_nothing_open() {
    requests_are_aborted(100_000).await;
}
