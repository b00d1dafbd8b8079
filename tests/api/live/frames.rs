//! What clients may send, how large, and how often.

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

use super::{is_quiet, raw};
use crate::support::{Closed, Socket, World};

#[tokio::test]
async fn what_is_not_understood_is_said_and_forgiven() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let mut socket = Socket::open(&ada).await;
    let id = Uuid::now_v7();
    for text in [
        "",
        "{",
        "[]",
        "null",
        r#"{"type":"dance"}"#,
        r#"{"no":"type"}"#,
        r#"{"type":"ping","x":1}"#,
        r#"{"type":"subscribe"}"#,
        r#"{"type":"subscribe","project_id":"x"}"#,
        &json!({"type": "subscribe", "project_id": id, "since": {"seq": -1}}).to_string(),
        &json!({"type": "subscribe", "project_id": id, "color": "red"}).to_string(),
    ] {
        socket.send_text(text).await;
        let error = socket.next().await.expect("an open socket");
        assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!("bad_request")), "{text}: {error}");
        assert!(error["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{text}: {error}");
    }
    is_quiet(&mut socket).await;
}

#[tokio::test]
async fn binary_frames_are_not_understood_either() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let (mut raw, _) = raw::open(&ada, &[], None).await;
    raw.send(Message::binary(vec![1, 2, 3])).await.expect("an open socket");
    raw.send(Message::text(r#"{"type":"ping"}"#)).await.expect("an open socket");
    let mut frames = Vec::new();
    while frames.len() < 3 {
        if let Message::Text(text) = raw.next().await.expect("a frame").expect("an open socket") {
            frames.push(serde_json::from_str::<Value>(&text).expect("JSON"));
        }
    }
    assert_eq!(frames[0]["type"], "welcome");
    assert_eq!(frames[1]["code"], "bad_request");
    assert_eq!(frames[2]["type"], "pong");
}

#[tokio::test]
async fn too_large_too_many_too_wrong() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;

    let mut large = Socket::open(&ada).await;
    large.send_text(&format!(r#"{{"type":"{}"}}"#, "x".repeat(60_000))).await;
    assert_eq!(large.expect("error").await["code"], "bad_request", "up to 64 KiB it is only wrong");
    let (mut larger, _) = raw::open(&ada, &[], None).await;
    // The service may hang up before it has it all.
    let _ = larger.send(Message::text(format!(r#"{{"type":"{}"}}"#, "x".repeat(70_000)))).await;
    let frames: Vec<_> = larger.filter_map(async |frame| frame.ok()).collect().await;
    assert!(matches!(frames.last(), Some(Message::Close(Some(frame))) if u16::from(frame.code) == 1009), "{frames:?}");

    let mut flood = Socket::open(&ada).await;
    for _ in 0..400 {
        flood.send(json!({"type": "ping"})).await;
    }
    let (pongs, closed) = flood.until_closed().await;
    assert_eq!(closed, Closed(4429));
    assert!((100..400).contains(&pongs.len()), "{} answers", pongs.len());

    let mut clumsy = Socket::open(&ada).await;
    for _ in 0..60 {
        clumsy.send_text("{").await;
    }
    let (errors, closed) = clumsy.until_closed().await;
    assert_eq!(closed, Closed(4429));
    assert!((30..60).contains(&errors.len()), "{} answers", errors.len());
}

#[tokio::test]
async fn a_goodbye_is_answered() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let (mut raw, _) = raw::open(&ada, &[], None).await;
    raw.send(Message::Close(None)).await.expect("an open socket");
    let frames: Vec<_> = raw.collect().await;
    assert!(matches!(frames.last(), Some(Ok(Message::Close(_)))), "{frames:?}");
}

/// A frame of a client with an empty payload; the mask is of no consequence then.
fn empty(first: u8) -> [u8; 6] {
    [first, 0x80, 1, 2, 3, 4]
}

#[tokio::test]
async fn empty_frames_are_counted_though_their_message_never_ends() {
    const TEXT: u8 = 0x01;
    const CONTINUATION: u8 = 0x00;
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let (raw, _) = raw::open(&ada, &[], None).await;
    let (mut reader, mut writer) = raw.into_inner().into_split();
    let flood = tokio::spawn(async move {
        let mut sent = 0_usize;
        let mut frames = empty(TEXT).to_vec();
        // Until the service has had enough, and within bounds if it never has.
        while sent < 2_000_000 && tokio::io::AsyncWriteExt::write_all(&mut writer, &frames).await.is_ok() {
            sent += frames.len() / 6;
            frames = empty(CONTINUATION).repeat(100);
        }
        sent
    });
    let mut bytes = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut bytes).await;
    let sent = flood.await.expect("a count");
    assert!(sent < 2_000_000, "all were taken");
    let close = [4429_u16.to_be_bytes().as_slice(), b"too many messages"].concat();
    assert!(bytes.ends_with(&close), "{}", String::from_utf8_lossy(&bytes));
}
