//! A client that does not read loses its own connection, and nobody else's time.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::{
    Notes, follow, head, places,
    raw::{self, Raw},
    seqs,
};
use crate::support::{Socket, World};

/// How long a client may take nothing while a feed moves past it.
const STALL: Duration = Duration::from_secs(1);

/// Reads up to and with a frame of this type.
async fn read_to(raw: &mut Raw, frame_type: &str) {
    loop {
        let message = raw.next().await.expect("a frame").expect("an open socket");
        if let Message::Text(text) = message
            && serde_json::from_str::<Value>(&text).expect("JSON")["type"] == frame_type
        {
            return;
        }
    }
}

/// A peer that breaks the rules while it takes nothing cannot be told so. That must not keep the process busy: it has one thread
/// here, and each of the peers would have taken it for good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_nothing_and_breaks_the_rules_costs_nothing() {
    let world = World::new().await;
    let server = world.server_with(&[], &[("TOKIO_WORKER_THREADS", "1")]).await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let mut notes = Notes::of(&project, world.pool().await).await;
    for _ in 0..10 {
        notes.write(10, &"x".repeat(100_000)).await;
    }
    let mut peers = Vec::new();
    for text in ["x".repeat(70_000), "\u{1}".to_owned()] {
        let (mut peer, _) = raw::open(&ada, &[], Some(8 * 1024)).await;
        let subscribe = json!({"type": "subscribe", "project_id": project, "since": {"seq": 0}}).to_string();
        peer.send(Message::text(subscribe)).await.expect("an open socket");
        read_to(&mut peer, "event").await;
        for _ in 0..if text.len() > 1 { 1 } else { 200 } {
            // The service may have had enough before it has it all.
            if peer.send(Message::text(text.clone())).await.is_err() {
                break;
            }
        }
        peers.push(peer);
    }
    let mut socket = Socket::open(&ada).await;
    for _ in 0..20 {
        super::is_quiet(&mut socket).await;
    }
    drop(peers);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_is_cut_and_holds_up_nobody() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let start = head(&ada, &project).await;
    let (mut sleeper, _) = raw::open(&ada, &[], Some(8 * 1024)).await;
    let subscribe = json!({"type": "subscribe", "project_id": project, "since": {"seq": start}}).to_string();
    sleeper.send(Message::text(subscribe)).await.expect("an open socket");
    read_to(&mut sleeper, "caught_up").await;
    let mut reader = Socket::open(&ada).await;
    follow(&mut reader, &project).await;

    // More than all buffers on the way hold, for longer than anybody may stall.
    let mut notes = Notes::of(&project, world.pool().await).await;
    let text = "x".repeat(100_000);
    let mut last = start;
    let since = Instant::now();
    while last < start + 100 || since.elapsed() < 3 * STALL {
        notes.write(20, &text).await;
        for _ in 0..20 {
            last += 1;
            assert_eq!(reader.event().await["seq"], last, "the other gets everything");
        }
    }

    let (mut seen, mut code) = (Vec::new(), None);
    while let Some(Ok(message)) = sleeper.next().await {
        match message {
            Message::Text(text) => seen.push(serde_json::from_str::<Value>(&text).expect("JSON")),
            Message::Close(frame) => code = frame.map(|frame| u16::from(frame.code)),
            _ => {}
        }
    }
    assert_eq!(code, Some(4508));
    seen.retain(|frame| frame["type"] == "event");
    let resume = start + i64::try_from(seen.len()).expect("a number");
    assert!(resume < last);
    assert_eq!(seqs(&seen), places(start + 1..=resume), "what came had no hole");
    let rest = Socket::open(&ada).await.subscribe(&project, resume).await;
    assert_eq!(seqs(&rest), places(resume + 1..=last), "and it may go on from there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_history_is_cut_too() {
    const GRACE: Duration = Duration::from_millis(300);
    let world = World::new().await;
    let server = world.server_with(&[], &[("WORKROOM_LIVE__SLOW_GRACE_MS", "300")]).await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    // More than all buffers on the way hold.
    Notes::of(&project, world.pool().await).await.write(200, &"x".repeat(100_000)).await;
    let (mut sleeper, _) = raw::open(&ada, &[], Some(8 * 1024)).await;
    let subscribe = json!({"type": "subscribe", "project_id": project, "since": {"seq": 0}}).to_string();
    sleeper.send(Message::text(subscribe)).await.expect("an open socket");
    read_to(&mut sleeper, "event").await;
    // It takes nothing for longer than anybody may.
    tokio::time::sleep(5 * GRACE).await;
    let mut code = None;
    while let Some(Ok(message)) = sleeper.next().await {
        if let Message::Close(Some(frame)) = message {
            code = Some(u16::from(frame.code));
        }
    }
    assert_eq!(code, Some(4508));
}

/// That it sends something is no sign that it takes anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_answers_pings_and_reads_nothing_is_cut_too() {
    const PING: Duration = Duration::from_millis(500);
    let world = World::new().await;
    let server = world.server_with(&[], &[("WORKROOM_LIVE__PING_MS", "500")]).await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let (mut sleeper, _) = raw::open(&ada, &[], Some(8 * 1024)).await;
    let subscribe = json!({"type": "subscribe", "project_id": project}).to_string();
    sleeper.send(Message::text(subscribe)).await.expect("an open socket");
    read_to(&mut sleeper, "caught_up").await;
    // More than the kernel holds for it; most of it waits where there is room for more.
    Notes::of(&project, world.pool().await).await.write(130, &"x".repeat(1000)).await;
    let mut beats = tokio::time::interval(PING / 5);
    for _ in 0..30 {
        beats.tick().await;
        sleeper.send(Message::Pong(Bytes::new())).await.expect("it may still read the end");
    }
    let mut code = None;
    while let Some(Ok(message)) = sleeper.next().await {
        if let Message::Close(Some(frame)) = message {
            code = Some(u16::from(frame.code));
        }
    }
    assert_eq!(code, Some(4508));
}
