//! What jobs print: read piece by piece, followed as it comes, resumed where it was left.

use std::time::Duration;

use futures::StreamExt;
use serde_json::{Value, json};

use super::lifecycle::{bash, with};
use crate::support::{Person, World, eventually};

/// An event of a stream: its name, its id, its data.
type Event = (String, String, Value);

/// Follows a job's output to the end of the stream, or until so many events have come.
async fn follow(ada: &Person, job: &str, last_id: Option<&str>, most: usize) -> Vec<Event> {
    read(open(ada, job, last_id).await, most).await
}

async fn open(ada: &Person, job: &str, last_id: Option<&str>) -> reqwest::Response {
    let url = format!("http://{}/api/v1/jobs/{job}/logs?follow=true", ada.address());
    let mut request = reqwest::Client::new().get(url).bearer_auth(ada.token());
    if let Some(id) = last_id {
        request = request.header("last-event-id", id);
    }
    let reply = request.send().await.expect("a reply");
    assert_eq!(reply.status(), 200);
    assert_eq!(reply.headers()["content-type"], "text/event-stream");
    reply
}

async fn read(reply: reqwest::Response, most: usize) -> Vec<Event> {
    let mut stream = reply.bytes_stream();
    let (mut text, mut events) = (String::new(), Vec::new());
    let reading = async {
        while let Some(chunk) = stream.next().await {
            text.push_str(std::str::from_utf8(&chunk.expect("a chunk")).expect("text"));
            while let Some(end) = text.find("\n\n") {
                let block: String = text.drain(..end + 2).collect();
                let field = |name: &str| {
                    let line = block.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
                    line.unwrap_or_default().to_owned()
                };
                if !field("event").is_empty() {
                    let data = serde_json::from_str(&field("data")).expect("JSON");
                    events.push((field("event"), field("id"), data));
                }
                if events.len() == most {
                    return;
                }
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), reading).await.expect("the stream goes on");
    events
}

fn printed(events: &[Event], stream: &str) -> String {
    let of = events.iter().filter(|(name, ..)| name == stream);
    of.map(|(_, _, data)| data["text"].as_str().expect("text")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn output_is_followed_as_it_comes_and_resumed_without_a_gap() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let code = "for n in 1 2 3 4 5 6; do echo line $n; echo warning $n >&2; sleep 0.3; done";
    let job = ada.job(with(bash(code), json!({"project_id": project}))).await;
    let first = follow(&ada, &job, None, 1).await;
    assert_eq!(ada.get(&format!("/jobs/{job}")).await.is(200).json["status"], "running", "long before its end");
    let (_, id, _) = &first[0];
    let rest = follow(&ada, &job, Some(id), usize::MAX).await;
    let all: Vec<Event> = first.iter().chain(&rest).cloned().collect();
    let lines = |word: &str| (1..=6).map(|n| format!("{word} {n}\n")).collect::<String>();
    assert_eq!(printed(&all, "stdout"), lines("line"));
    assert_eq!(printed(&all, "stderr"), lines("warning"));
    let (name, _, data) = all.last().expect("an end");
    assert_eq!((name.as_str(), data), ("end", &json!({"status": "completed"})));

    let read = ada.get(&format!("/jobs/{job}/logs")).await.is(200).json;
    let pieces = read["items"].as_array().expect("pieces");
    assert!(pieces.len() >= 6, "they were stored as they came: {read}");
    let seqs: Vec<i64> = pieces.iter().map(|piece| piece["seq"].as_i64().expect("a number")).collect();
    assert_eq!(seqs, (1..).take(seqs.len()).collect::<Vec<_>>());
    assert_eq!((&read["attempt"], &read["status"]), (&json!(1), &json!("completed")));
    let after = ada.get(&format!("/jobs/{job}/logs?after={}&limit=2", seqs[1])).await.is(200).json;
    assert_eq!(after["items"][0]["seq"], seqs[2]);
    assert_eq!(after["next_after"], seqs[3]);
    assert_eq!(ada.finished(&job).await["result"]["stdout"], lines("line"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_with_the_next_attempt() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let job = ada.job(with(bash("echo tried; exit 1"), json!({"max_attempts": 2}))).await;
    let events = follow(&ada, &job, None, usize::MAX).await;
    assert_eq!(printed(&events, "stdout"), "tried\ntried\n");
    let ids: Vec<&str> = events.iter().map(|(_, id, _)| id.as_str()).collect();
    assert_eq!(ids, ["1.1", "2.1", ""]);
    assert_eq!(events.last().expect("an end").2, json!({"status": "failed"}));
    let first = ada.get(&format!("/jobs/{job}/logs?attempt=1")).await.is(200).json;
    assert_eq!(first["items"][0]["text"], "tried\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_cancelled_program_prints_while_it_ends_comes_before_the_end() {
    let world = World::new().await;
    // Longer than anybody reads here: the worker says when the programs have ended.
    let server = world.server_with(&[], &[("WORKROOM_SANDBOX_STOP_GRACE_MS", "60000")]).await;
    let ada = server.person("ada").await;
    // Longer than the time between two looks at the job, also where one of its children is sent the signal, too.
    let goodbye = "trap 'for n in 1 2 3 4; do sleep 0.5; done; echo bye; exit 0' TERM";
    let talks = ada.job(bash(&format!("{goodbye}; echo ready; while :; do sleep 0.01; done"))).await;
    let is_silent = ada.job(bash("sleep 20")).await;
    let jobs = [&talks, &is_silent];
    let following = [open(&ada, &talks, None).await, open(&ada, &is_silent, None).await];
    eventually("it is ready", async || {
        let logs = ada.get(&format!("/jobs/{talks}/logs")).await.is(200).json;
        logs["items"].as_array().is_some_and(|items| !items.is_empty())
    })
    .await;
    eventually("the other runs", async || {
        ada.get(&format!("/jobs/{is_silent}")).await.is(200).json["status"] == "running"
    })
    .await;
    for job in jobs {
        ada.cancel(job).await.is(200);
    }
    let [talked, was_silent] = following;
    let (talked, was_silent) = tokio::join!(read(talked, usize::MAX), read(was_silent, usize::MAX));
    assert_eq!(printed(&talked, "stdout"), "ready\nbye\n");
    assert_eq!(printed(&was_silent, "stdout"), "");
    for events in [talked, was_silent] {
        let (name, _, data) = events.last().expect("an end");
        assert_eq!((name.as_str(), data), ("end", &json!({"status": "cancelled"})));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_although_a_lost_worker_says_nothing() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let worker = world.worker().await;
    let ada = server.person("ada").await;
    let job = ada.job(bash("echo ready; sleep 20")).await;
    let following = open(&ada, &job, None).await;
    eventually("it is ready", async || {
        let logs = ada.get(&format!("/jobs/{job}/logs")).await.is(200).json;
        logs["items"].as_array().is_some_and(|items| !items.is_empty())
    })
    .await;
    worker.kill9().await;
    ada.cancel(&job).await.is(200);
    let events = read(following, usize::MAX).await;
    assert_eq!(printed(&events, "stdout"), "ready\n");
    assert_eq!(events.last().expect("an end").2, json!({"status": "cancelled"}));
    // It has been over for some time by now, and nobody waits again.
    let again = follow(&ada, &job, None, usize::MAX).await;
    assert_eq!(again, events);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_loses_the_right_sees_no_more() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &bob, "viewer").await;
    let code = "for n in $(seq 200); do echo $n; sleep 0.1; done";
    let job = ada.job(with(bash(code), json!({"project_id": project}))).await;
    eventually("it prints", async || {
        let logs = bob.get(&format!("/jobs/{job}/logs")).await.is(200).json;
        logs["items"].as_array().is_some_and(|items| !items.is_empty())
    })
    .await;
    let following = open(&bob, &job, None).await;
    ada.delete(&format!("/projects/{project}/members/{}", bob.id)).await.is(204);
    let seen = read(following, usize::MAX).await;
    assert!(seen.iter().all(|(name, ..)| name != "end"), "the job goes on");
    bob.get(&format!("/jobs/{job}/logs")).await.problem(404);
    ada.cancel(&job).await.is(200);
}

#[tokio::test]
async fn a_place_that_no_attempt_has_is_refused() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let job = ada.job(json!({"type": "noop"})).await;
    ada.finished(&job).await;
    for id in ["-100000.0", "0.1", "1.-1", "1", "a.b"] {
        let url = format!("http://{}/api/v1/jobs/{job}/logs?follow=true", ada.address());
        let request = reqwest::Client::new().get(url).bearer_auth(ada.token()).header("last-event-id", id);
        assert_eq!(request.send().await.expect("a reply").status(), 422, "{id}");
    }
    for query in ["attempt=0", "attempt=-5", "after=-1", "follow=true&attempt=-100000"] {
        ada.get(&format!("/jobs/{job}/logs?{query}")).await.problem(422);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_without_news_shows_that_it_lives() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let job = ada.job(with(bash("sleep 60"), json!({"timeout_seconds": 60}))).await;
    let mut stream = open(&ada, &job, None).await.bytes_stream();
    let mut text = String::new();
    let reading = async {
        while !text.contains(": ping\n\n") {
            let chunk = stream.next().await.expect("the stream goes on").expect("a chunk");
            text.push_str(std::str::from_utf8(&chunk).expect("text"));
        }
    };
    tokio::time::timeout(Duration::from_secs(30), reading).await.expect("a sign of life");
    ada.cancel(&job).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_output_count_as_sockets_of_their_account() {
    let world = World::new().await;
    let server = world.server_with(&[], &[("WORKROOM_SOCKETS_PER_ACCOUNT", "2")]).await;
    let ada = server.person("ada").await;
    let job = ada.job(with(bash("sleep 60"), json!({"timeout_seconds": 60}))).await;
    let first = open(&ada, &job, None).await;
    let _second = open(&ada, &job, None).await;
    let path = format!("/jobs/{job}/logs?follow=true");
    ada.get(&path).await.refused("too-many-sockets");
    drop(first);
    eventually("one has ended", async || ada.get(&path).await.status == 200).await;
    ada.cancel(&job).await.is(200);
}
