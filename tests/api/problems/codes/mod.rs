//! Every documented code, met over HTTP for the reason that it names: none is a promise that nothing keeps.

mod accounts;
mod failures;
mod files;
mod invitations;
mod issuers;
mod job_rules;
mod jobs;
mod limits;
mod locks;
mod members;
mod outage;
mod requests;
mod stopping;
mod webhooks;

use std::collections::BTreeSet;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use sqlx::{Connection, PgConnection};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use workroom::http::problem::codes;

use crate::{
    redaction, schedules, state,
    support::{Client, Reply, World},
};

#[test]
fn every_code_that_is_documented_is_met() {
    let all = [
        accounts::MET,
        failures::MET,
        files::MET,
        invitations::MET,
        issuers::MET,
        job_rules::MET,
        jobs::MET,
        limits::MET,
        locks::MET,
        members::MET,
        outage::MET,
        redaction::MET,
        requests::MET,
        schedules::MET,
        state::MET,
        stopping::MET,
        webhooks::MET,
    ];
    let met: BTreeSet<_> = all.concat().into_iter().collect();
    let documented: BTreeSet<_> = codes::all().map(|code| code.name).collect();
    assert_eq!(met, documented);
}

/// The codes that a test has met so far.
#[derive(Default)]
struct Met(BTreeSet<&'static str>);

impl Met {
    /// Insists on a refusal that is known by this code.
    #[track_caller]
    fn refused(&mut self, reply: Reply, code: &'static str) -> Reply {
        self.0.insert(code);
        reply.refused(code)
    }

    /// Insists that this field, and no other, does not hold, for this reason.
    #[track_caller]
    fn refused_field(&mut self, reply: Reply, pointer: &str, code: &'static str) {
        self.0.insert(code);
        reply.refused_field(pointer, code);
    }

    /// Insists that these were met, and no others.
    #[track_caller]
    fn are(&self, expected: &[&'static str]) {
        assert_eq!(self.0, expected.iter().copied().collect());
    }
}

/// The same client, asking for a socket with every request.
fn upgrading(client: &Client) -> Client {
    client
        .with_header("connection", "upgrade")
        .with_header("upgrade", "websocket")
        .with_header("sec-websocket-version", "13")
        .with_header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
}

/// Begins a transaction with a statement that takes locks; they go when the connection is closed.
async fn hold(world: &World, statement: &str) -> PgConnection {
    let mut connection = PgConnection::connect(&world.database_url).await.expect("a connection");
    sqlx::raw_sql(&format!("BEGIN; {statement}")).execute(&mut connection).await.expect("the locks");
    connection
}

/// Begins a request by hand.
async fn begin(address: &str, part: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(part.as_bytes()).await.expect("a part of a request");
    stream
}

/// Reads the head of a reply: its status and headers.
async fn head(stream: &mut TcpStream) -> (u16, HeaderMap) {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.expect("a head"));
    }
    let text = String::from_utf8(bytes).expect("text");
    let mut lines = text.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
    let headers = lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| {
        (name.parse::<HeaderName>().expect("a name"), HeaderValue::from_str(value).expect("a value"))
    });
    (status.expect("a status"), headers.collect())
}

/// Reads a reply to a request that was sent by hand.
async fn reply(stream: &mut TcpStream) -> Reply {
    let (status, headers) = head(stream).await;
    let length = headers.get("content-length").and_then(|length| length.to_str().ok()?.parse().ok());
    let mut body = vec![0; length.expect("a length")];
    stream.read_exact(&mut body).await.expect("a body");
    let text = String::from_utf8(body).expect("text");
    Reply { status, headers, json: serde_json::from_str(&text).unwrap_or_default(), text }
}
