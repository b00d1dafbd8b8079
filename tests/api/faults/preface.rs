//! Connections that begin slowly, as HTTP/2 does it: held back, they end in time; in parts, they are served.

use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional, duplex},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::support::World;

/// What a connection of HTTP/2 begins with (RFC 9113, 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How long a client may take over that, as over the header of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);
/// What the machine may add.
const SLACK: Duration = Duration::from_secs(5);
/// How long a slow client pauses.
const PAUSE: Duration = Duration::from_millis(300);

async fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).await.expect("a connection");
    stream.set_nodelay(true).expect("no delay");
    stream
}

/// Says this and no more; returns what was answered to it until the end, and when that was.
async fn hold_back(address: &str, beginning: &[u8]) -> (Vec<u8>, Duration) {
    let mut stream = connect(address).await;
    let began = Instant::now();
    stream.write_all(beginning).await.expect("an open connection");
    let mut answer = Vec::new();
    let end = timeout(2 * HEADER_TIMEOUT, stream.read_to_end(&mut answer)).await;
    assert!(end.is_ok(), "{}: never ended", String::from_utf8_lossy(beginning));
    (answer, began.elapsed())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_whose_beginning_is_held_back_ends_in_time() {
    let world = World::new().await;
    let server = world.server().await;
    let mut beginnings: Vec<&[u8]> = [0, 1, 14, 23].map(|length| &PREFACE[..length]).into();
    beginnings.extend([b"POS".as_slice(), b"GET /ready HTTP/1.1\r\nhost: a\r\n"]);
    let held = beginnings.iter().map(|beginning| hold_back(&server.address, beginning));
    // Beside them others are served.
    let (ended, others) = tokio::join!(join_all(held), async { server.client().get("//.well-known/jwks.json").await });
    others.is(200);
    for (beginning, (answer, after)) in beginnings.iter().zip(ended) {
        let beginning = String::from_utf8_lossy(beginning);
        assert!(answer.is_empty(), "{beginning}: {}", String::from_utf8_lossy(&answer));
        let in_time = HEADER_TIMEOUT.saturating_sub(SLACK)..HEADER_TIMEOUT + SLACK;
        assert!(in_time.contains(&after), "{beginning}: {after:?}");
    }
}

/// Makes a request over HTTP/2 whose first bytes come in parts that begin at these places; returns its status.
async fn request_in_parts(address: &str, places: &[usize]) -> u16 {
    let mut stream = connect(address).await;
    let (ours, mut theirs) = duplex(64 * 1024);
    let places = places.to_vec();
    let network = tokio::spawn(async move {
        let mut preface = [0; PREFACE.len()];
        theirs.read_exact(&mut preface).await.expect("a preface");
        assert_eq!(&preface, PREFACE);
        let mut sent = 0;
        for place in places {
            stream.write_all(&preface[sent..place]).await.expect("an open connection");
            sent = place;
            // Not to wait for anything: a slow network is what this is.
            sleep(PAUSE).await;
        }
        stream.write_all(&preface[sent..]).await.expect("an open connection");
        // However it ends.
        let _ = copy_bidirectional(&mut theirs, &mut stream).await;
    });
    let (client, connection) = h2::client::handshake(ours).await.expect("HTTP/2 without TLS");
    let connection = tokio::spawn(connection);
    let request = http::Request::get(format!("http://{address}/.well-known/jwks.json")).body(()).expect("a request");
    let mut client = client.ready().await.expect("a connection");
    let (response, _) = client.send_request(request, true).expect("a stream");
    let response = timeout(HEADER_TIMEOUT, response).await.expect("in time").expect("a reply");
    assert_eq!(response.version(), http::Version::HTTP_2);
    connection.abort();
    network.abort();
    response.status().as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_beginning_in_parts_is_served() {
    let world = World::new().await;
    let server = world.server().await;
    for places in [&[12][..], &[1], &[14], &[23], &[1, 2, 3, 14, 23]] {
        assert_eq!(request_in_parts(&server.address, places).await, 200, "{places:?}");
    }
    // Other requests begin in the same way.
    let mut stream = connect(&server.address).await;
    for part in ["P", "OST /api/v1/realtime/tickets HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"] {
        stream.write_all(part.as_bytes()).await.expect("an open connection");
        sleep(PAUSE).await;
    }
    let mut answer = [0; 12];
    timeout(HEADER_TIMEOUT, stream.read_exact(&mut answer)).await.expect("in time").expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 401");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_stops_does_not_wait_for_what_is_held_back() {
    let world = World::new().await;
    let server = world.server().await;
    let mut held = Vec::new();
    for length in [0, 1, 23] {
        let mut stream = connect(&server.address).await;
        stream.write_all(&PREFACE[..length]).await.expect("an open connection");
        held.push(stream);
    }
    // All of them are accepted by now: this connection came behind them.
    server.client().get("//.well-known/jwks.json").await.is(200);
    let began = Instant::now();
    assert!(server.stop().await);
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}
