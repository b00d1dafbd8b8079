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
    // Whoever signs in on a busy machine is given more time.
    let patient = world.server().await;
    let ada = patient.person("ada").await;
    let server = world.server_with(&[], &[("WORKROOM_REQUEST_TIMEOUT_SECONDS", "1")]).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn what_answers_head_has_no_body_over_http_2_either() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let stream = TcpStream::connect(&server.address).await.expect("a connection");
    let (mut client, connection) = h2::client::handshake(stream).await.expect("HTTP/2 without TLS");
    let connection = tokio::spawn(connection);
    for (path, status) in [("/health", 200), ("/nothing", 404), ("/api/v1/auth/me", 401), ("/api/v1/auth/login", 405)] {
        let request = http::Request::head(format!("http://{}{path}", server.address)).body(()).expect("a request");
        client = client.ready().await.expect("a connection");
        let (response, _) = client.send_request(request, true).expect("a stream");
        let response = response.await.expect("a reply");
        assert_eq!(response.status().as_u16(), status, "{path}");
        assert_ne!(response.headers()["content-length"], "0", "{path}: it is that of the reply to GET");
        let body = response.into_body().data().await;
        assert!(body.is_none(), "{path}: {body:?}");
    }
    connection.abort();
}

/// Reads one reply, by its `content-length`; its head in small letters.
async fn reply(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        assert_eq!(stream.read(&mut byte).await.expect("a reply"), 1, "cut: {}", String::from_utf8_lossy(&bytes));
        bytes.extend(byte);
    }
    let head = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().expect("n"));
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.expect("a body");
    head
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_body_is_not_taken_for_the_next_request() {
    let world = World::new().await;
    let server = world.server().await;
    let mut stream = TcpStream::connect(&server.address).await.expect("a connection");
    stream.set_nodelay(true).expect("an option");
    for _ in 0..60 {
        // Refused for want of a token, before anything of the body is wanted; which comes in a packet of its own.
        let head =
            "POST /api/v1/projects HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 17\r\n\r\n";
        stream.write_all(head.as_bytes()).await.expect("a head");
        tokio::task::yield_now().await;
        stream.write_all(b"{\"name\":\"Apollo\"}").await.expect("a body");
        let refused = reply(&mut stream).await;
        assert!(refused.starts_with("http/1.1 401 "), "{refused}");
        assert!(!refused.contains("connection: close"), "{refused}");
    }
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("a request");
    assert!(reply(&mut stream).await.starts_with("http/1.1 200 "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_to_a_body_that_is_not_read_closes_and_says_so() {
    let world = World::new().await;
    let server = world.server().await;
    let mut stream = TcpStream::connect(&server.address).await.expect("a connection");
    let head = "POST /api/v1/projects HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 17\r\n\
                expect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("a head");
    let refused = reply(&mut stream).await;
    assert!(refused.starts_with("http/1.1 401 ") && refused.contains("connection: close"), "{refused}");
    assert_eq!(rest(&mut stream).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_names_one_host() {
    let world = World::new().await;
    let server = world.server().await;
    for (hosts, version, expected) in [
        ("", "1.1", "400"),
        ("host: x\r\nhost: y\r\n", "1.1", "400"),
        ("host: x\r\nhost: x\r\n", "1.1", "400"),
        ("host: x\r\n", "1.1", "200"),
        ("", "1.0", "200"),
    ] {
        let mut stream = TcpStream::connect(&server.address).await.expect("a connection");
        let request = format!("GET /health HTTP/{version}\r\n{hosts}connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("a request");
        let reply = rest(&mut stream).await;
        assert_eq!(reply.split(' ').nth(1), Some(expected), "{hosts:?}: {reply}");
        assert!(expected == "200" || reply.contains("application/problem+json"), "{reply}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_told_on_the_same_machine_alone() {
    let world = World::new().await;
    let server = world.server().await;
    let local = server.client().get("//ready").await.is(200);
    assert!(local.json["checks"]["postgres"]["ok"].is_boolean(), "{}", local.text);
    for header in ["x-forwarded-for", "forwarded"] {
        let through_a_proxy = server.client().with_header(header, "203.0.113.1").get("//ready").await.is(200);
        assert_eq!(through_a_proxy.json, serde_json::json!({"status": "ready"}));
    }
    let open = world.server_with(&[], &[("WORKROOM_READY_DETAILS", "everyone")]).await;
    let told = open.client().with_header("x-forwarded-for", "203.0.113.1").get("//ready").await.is(200);
    assert!(told.json["checks"]["postgres"]["ok"].is_boolean(), "{}", told.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_run_nothing_that_is_not_theirs() {
    let world = World::new().await;
    let server = world.server().await;
    let docs = server.client().get("//docs/").await.is(200);
    let policy = docs.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
    let inline =
        docs.text.split("<script").skip(1).any(|tag| !tag.split('>').next().unwrap_or_default().contains("src="));
    assert!(!inline, "the policy would stop it: {}", docs.text);
    let set_up = server.client().get("//docs/swagger-initializer.js").await.is(200);
    assert!(!set_up.text.contains("\"persistAuthorization\": true"), "{}", set_up.text);
    let data = server.client().get("/openapi.json").await.is(200);
    assert_eq!(data.header("content-security-policy"), "default-src 'none'; frame-ancestors 'none'");
}
