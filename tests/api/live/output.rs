//! What jobs print, as it comes.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::raw;
use crate::support::{Closed, Person, Socket, World, is_message_described};

/// Opens a socket that follows a project, and what its jobs print.
async fn watch(person: &Person, project: &str) -> Socket {
    let mut socket = Socket::open(person).await;
    socket.send(json!({"type": "subscribe", "project_id": project, "output": true})).await;
    socket.expect("subscribed").await;
    socket.expect("caught_up").await;
    socket
}

fn bash(project: &str, code: &str) -> Value {
    json!({"language": "bash", "code": code, "project_id": project})
}

/// The text of these pieces that was printed there.
fn printed(pieces: &[Value], stream: &str) -> String {
    let of = pieces.iter().filter(|piece| piece["stream"] == stream);
    of.map(|piece| piece["data"].as_str().expect("text")).collect()
}

/// The next piece that a job prints, over events.
async fn piece(socket: &mut Socket) -> Value {
    loop {
        let frame = socket.next().await.expect("an open socket");
        match frame["type"].as_str() {
            Some("job.output") => return frame,
            Some("event" | "head") => {}
            _ => panic!("{frame}"),
        }
    }
}

/// Reads what jobs print until this was printed to standard output.
async fn read(socket: &mut Socket, until: &str) -> Vec<Value> {
    let mut pieces = Vec::new();
    while printed(&pieces, "stdout") != until {
        pieces.push(piece(socket).await);
    }
    pieces
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_job_prints_comes_to_those_who_want_it_over_all_instances() {
    let world = World::new().await;
    let (one, two) = (world.server().await, world.server().await);
    let (ada, bob) = (one.person("ada").await, one.person("bob").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &bob, "viewer").await;
    let mut here = watch(&ada, &project).await;
    let mut there = watch(&bob.at(&two.address), &project).await;
    let mut without = Socket::open(&ada).await;
    super::follow(&mut without, &project).await;

    let code = "for n in 1 2 3 4 5; do echo line $n; echo warning $n >&2; sleep 0.2; done; echo last";
    let job = ada.job(bash(&project, code)).await;
    let expected: String = (1..=5).map(|n| format!("line {n}\n")).chain(["last\n".to_owned()]).collect();
    let mut all = vec![piece(&mut here).await];
    assert_eq!(ada.get(&format!("/jobs/{job}")).await.is(200).json["status"], "running", "long before its end");
    while printed(&all, "stdout") != expected {
        all.push(piece(&mut here).await);
    }
    for piece in &all {
        let of = (&piece["project_id"], &piece["job_id"], &piece["attempt"]);
        assert_eq!(of, (&json!(project), &json!(job), &json!(1)));
    }
    assert_eq!(printed(&read(&mut there, &expected).await, "stdout"), expected);

    // A piece is what the logs have under its number.
    ada.finished(&job).await;
    let logs = ada.get(&format!("/jobs/{job}/logs")).await.is(200).json;
    let kept = logs["items"].as_array().expect("pieces").iter();
    let told: Vec<_> = all.iter().map(|piece| (&piece["seq"], &piece["stream"], &piece["data"])).collect();
    let kept: Vec<_> = kept.map(|piece| (&piece["seq"], &piece["stream"], &piece["text"])).collect();
    assert_eq!(told, kept[..told.len()]);
    assert_eq!(printed(&all, "stderr").lines().count(), 5, "{all:?}");

    loop {
        let frame = without.next().await.expect("an open socket");
        assert_ne!(frame["type"], "job.output", "nobody asked for it");
        if frame["event_type"] == "JobSucceeded" {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_later_is_told_what_comes_later_and_other_projects_nothing() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let (project, other) = (ada.project("Apollo").await, ada.project("Gemini").await);
    let mut elsewhere = watch(&ada, &other).await;
    ada.finished(&ada.job(bash(&project, "echo before")).await).await;
    let mut socket = watch(&ada, &project).await;
    ada.finished(&ada.job(json!({"language": "bash", "code": "echo of no project"})).await).await;
    ada.job(bash(&project, "echo now")).await;
    let pieces = read(&mut socket, "now\n").await;
    assert_eq!(pieces.len(), 1, "{pieces:?}");
    ada.job(bash(&other, "echo other")).await;
    assert_eq!(read(&mut elsewhere, "other\n").await.len(), 1);

    // No longer wanted.
    socket.send(json!({"type": "unsubscribe", "project_id": project})).await;
    while socket.next().await.expect("an open socket")["type"] != "unsubscribed" {}
    ada.finished(&ada.job(bash(&project, "echo after")).await).await;
    super::is_quiet(&mut socket).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_loses_the_right_is_told_no_more() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &bob, "viewer").await;
    let mut socket = watch(&bob, &project).await;
    let job = ada.job(bash(&project, "echo first; for n in $(seq 200); do sleep 0.1; echo $n; done")).await;
    while socket.next().await.expect("an open socket")["type"] != "job.output" {}
    ada.delete(&format!("/projects/{project}/members/{}", bob.id)).await.is(204);
    assert_eq!(socket.until_closed().await.1, Closed(4403));
    assert_eq!(ada.get(&format!("/jobs/{job}")).await.is(200).json["status"], "running", "it goes on");
    ada.cancel(&job).await.is(200);
}

#[tokio::test]
async fn only_projects_have_jobs_that_print() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let of_project = json!({"type": "subscribe", "project_id": project, "output": true});
    assert!(is_message_described("SubscribeMessage", &of_project));
    let mut socket = Socket::open(&ada).await;
    for topic in [
        json!({"account": true}),
        json!({"organization_id": uuid::Uuid::now_v7()}),
        json!({"project_id": project, "workspace_id": uuid::Uuid::now_v7()}),
    ] {
        let mut message = topic;
        message["type"] = json!("subscribe");
        message["output"] = json!(true);
        socket.send(message.clone()).await;
        assert_eq!(socket.expect("error").await["code"], "bad_request", "{message}");
    }
}

/// Jobs print more than anything on the way to a client keeps. Whoever does not read misses some of it, and is told of which jobs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_too_slowly_is_told_what_was_skipped_and_finds_it_in_the_logs() {
    const JOBS: usize = 12;
    const KEPT: usize = 64 * 1024;
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let (mut sleeper, _) = raw::open(&ada, &[], Some(8 * 1024)).await;
    let subscribe = json!({"type": "subscribe", "project_id": project, "events": false, "output": true});
    sleeper.send(Message::text(subscribe.to_string())).await.expect("an open socket");
    loop {
        let message = sleeper.next().await.expect("a frame").expect("an open socket");
        if message.to_text().expect("text").contains(r#""type":"caught_up""#) {
            break;
        }
    }
    let code = format!("import sys; sys.stdout.write('x' * {KEPT}); sys.stderr.write('y' * {KEPT})");
    let mut jobs = Vec::new();
    for _ in 0..JOBS {
        jobs.push(ada.run_python(&code, Some(&project)).await);
    }
    for job in &jobs {
        assert_eq!(ada.finished(job).await["status"], "completed");
    }
    // The last frame of all, for which it wakes up.
    let last = ada.job(bash(&project, "echo last")).await;
    ada.finished(&last).await;

    let (mut bytes, mut skipped) = (BTreeMap::<String, usize>::new(), BTreeSet::new());
    loop {
        let message = sleeper.next().await.expect("a frame").expect("an open socket");
        let Message::Text(text) = message else { continue };
        let frame: Value = serde_json::from_str(&text).expect("JSON");
        let job = frame["job_id"].as_str().map(str::to_owned);
        match frame["type"].as_str() {
            Some("job.output.skipped") => {
                skipped.insert(job.expect("few jobs are known by name"));
            }
            Some("job.output") if job.as_ref() == Some(&last) => break,
            Some("job.output") => {
                *bytes.entry(job.expect("a job")).or_default() += frame["data"].as_str().expect("text").len();
            }
            Some("head") => {}
            _ => panic!("{frame}"),
        }
    }
    assert!(!skipped.is_empty(), "nobody keeps so much: {bytes:?}");
    for job in &jobs {
        let is_whole = bytes.get(job) == Some(&(2 * KEPT));
        assert!(is_whole || skipped.contains(job), "{job} lacks something, and nobody said so: {bytes:?}");
        let logs = ada.get(&format!("/jobs/{job}/logs")).await.is(200).json;
        let pieces = logs["items"].as_array().expect("pieces");
        let kept: usize = pieces.iter().map(|piece| piece["text"].as_str().expect("text").len()).sum();
        assert_eq!(kept, 2 * KEPT);
    }
    // From here on it reads, and is told everything.
    let job = ada.job(bash(&project, "echo and so on")).await;
    let going_on = async {
        loop {
            let message = sleeper.next().await.expect("a frame").expect("an open socket");
            let text = message.to_text().expect("text");
            if text.contains(&job) && text.contains("and so on") {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), going_on).await.expect("it goes on");
}
