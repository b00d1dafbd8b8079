//! Clients that do not keep to the protocol.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::head;
use crate::support::{Person, World, eventually};

/// Reads what comes until the service closes the connection, within twenty seconds.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let reading = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut bytes));
    // A reset is an end, too.
    let _ = reading.await.expect("the connection to be cut");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn request(ada: &Person, body_length: usize) -> String {
    format!(
        "POST /api/v1/projects HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: {body_length}\r\n\r\n",
        ada.token()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_sent_request_header_is_cut_off() {
    let world = World::new().await;
    let server = world.server().await;
    let began = Instant::now();
    let mut streams = Vec::new();
    for part in ["", "G", "GET /health HTTP/1.1\r\n", "GET /health HTTP/1.1\r\nhost: x\r\nx-slow: "] {
        let mut stream = TcpStream::connect(&server.address).await.expect("a connection");
        stream.write_all(part.as_bytes()).await.expect("a part of a request");
        streams.push(stream);
    }
    for stream in &mut streams {
        rest(stream).await;
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert!(began.elapsed() > Duration::from_secs(2), "slow is not the same as dead");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_to_its_end_is_answered_in_time() {
    let world = World::new().await;
    let server = world.server_with(&[], &[("WORKROOM_REQUEST_TIMEOUT_SECONDS", "1")]).await;
    let ada = server.person("ada").await;
    let before = head(&world).await;
    let mut stream = TcpStream::connect(&server.address).await.expect("a connection");
    stream.write_all(format!("{}{{\"name\":", request(&ada, 20)).as_bytes()).await.expect("a part of a request");
    let reply = rest(&mut stream).await;
    assert!(reply.starts_with("HTTP/1.1 408 "), "{reply}");
    assert!(reply.contains("application/problem+json"), "{reply}");
    assert_eq!(head(&world).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_hang_up_in_the_middle_harm_nothing() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let before = head(&world).await;
    for _ in 0..50 {
        let mut stream = TcpStream::connect(&server.address).await.expect("a connection");
        let part = format!("{}{{\"name\": \"half", request(&ada, 1000));
        stream.write_all(part.as_bytes()).await.expect("a part of a request");
    }
    assert_eq!(head(&world).await, before);
    assert_eq!(ada.get("/projects").await.is(200).items().len(), 0);
    ada.project("Whole").await;
    assert_eq!(head(&world).await, before + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_carried_out_whole_though_nobody_waits_for_the_reply() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let before = head(&world).await;
    let body = "{\"name\":\"Unseen\"}";
    for _ in 0..20 {
        let mut stream = TcpStream::connect(&server.address).await.expect("a connection");
        stream.write_all(format!("{}{body}", request(&ada, body.len())).as_bytes()).await.expect("a request");
    }
    // Whole or not at all, and what is in the log is in the views.
    let project = ada.project("Seen").await;
    ada.get(&format!("/projects/{project}")).await.is(200);
    eventually("the log is quiet, and the views show it", || async {
        let projects = ada.get("/projects?limit=100").await.is(200).items().len();
        head(&world).await == before + 2 * i64::try_from(projects).expect("a count")
    })
    .await;
    let (same, printed) = world.command(&["projections", "verify"]).await;
    assert!(same, "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http_is_answered_or_cut_and_harms_nothing() {
    let world = World::new().await;
    let server = world.server().await;
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /health HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n",
        b"POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}",
        b"POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"\0\0\0\0\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(&server.address).await.expect("a connection");
        stream.write_all(garbage).await.expect("some bytes");
        stream.shutdown().await.ok();
        let reply = rest(&mut stream).await;
        let status = reply.split(' ').nth(1).unwrap_or("400");
        assert!(status.starts_with('4'), "{}: {reply}", String::from_utf8_lossy(garbage));
    }
    server.client().get("//health").await.is(200);
}
