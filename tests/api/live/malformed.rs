//! Every message of clients, malformed in every way: each is answered by what is documented, and by its `id` where that
//! can be read.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use uuid::Uuid;

use super::raw;
use crate::support::{Client, Socket, World};

/// Malformed messages that one socket forgives, and a few less.
const PER_SOCKET: usize = 25;

/// A malformed message: its type, what else is in it behind its `id`, and the code of the error. `$P` is a project,
/// `$W` a workspace.
type Row = (&'static str, &'static str, &'static str);

const ROWS: &[Row] = &[
    ("dance", "", "bad_request"),
    ("Ping", "", "bad_request"),
    ("", "", "bad_request"),
    ("ping", r#""x":1"#, "bad_request"),
    ("ping", r#""type":"ping""#, "bad_request"),
    ("hello", r#""token":7"#, "bad_request"),
    ("hello", r#""token":["a"]"#, "bad_request"),
    ("hello", r#""x":1"#, "bad_request"),
    ("refresh", "", "bad_request"),
    ("refresh", r#""token":null"#, "bad_request"),
    ("refresh", r#""token":7"#, "bad_request"),
    ("refresh", r#""token":"a","x":1"#, "bad_request"),
    // Since when, and what of it.
    ("subscribe", r#""project_id":"$P","since":{}"#, "bad_request"),
    ("subscribe", r#""project_id":"$P","since":7"#, "bad_request"),
    ("subscribe", r#""project_id":"$P","since":"7""#, "bad_request"),
    ("subscribe", r#""project_id":"$P","since":{"seq":-1}"#, "bad_request"),
    ("subscribe", r#""project_id":"$P","since":{"seq":1.5}"#, "bad_request"),
    ("subscribe", r#""project_id":"$P","since":{"seq":"1"}"#, "bad_request"),
    ("subscribe", r#""project_id":"$P","since":{"seq":null}"#, "bad_request"),
    ("subscribe", r#""project_id":"$P","since":{"seq":9223372036854775808}"#, "bad_request"),
    ("subscribe", r#""project_id":"$P","since":{"seq":1,"epoch":"x"}"#, "bad_request"),
    ("subscribe", r#""project_id":"$P","since":{"seq":1,"epoch":7}"#, "bad_request"),
    ("subscribe", r#""project_id":"$P","since":{"seq":1,"x":1}"#, "bad_request"),
    ("subscribe", r#""project_id":"$P","events":"yes""#, "bad_request"),
    ("subscribe", r#""project_id":"$P","events":null"#, "bad_request"),
    ("subscribe", r#""project_id":"$P","presence":1"#, "bad_request"),
    ("subscribe", r#""project_id":"$P","cursors":"true""#, "bad_request"),
    // In a room.
    ("presence", r#""state":1"#, "bad_request"),
    ("presence", r#""project_id":"$P""#, "bad_request"),
    ("presence", r#""project_id":"x","state":1"#, "bad_request"),
    ("presence", r#""project_id":7,"state":1"#, "bad_request"),
    ("presence", r#""project_id":"$P","workspace_id":"x","state":1"#, "bad_request"),
    ("presence", r#""project_id":"$P","state":1,"x":1"#, "bad_request"),
    ("presence", r#""account":true,"state":1"#, "bad_request"),
    ("presence", r#""project_id":"$P","file_id":"$W","state":1"#, "bad_request"),
    ("presence", r#""project_id":"$P","workspace_id":"$W","file_id":"x","state":1"#, "bad_request"),
    ("cursor", r#""x":1"#, "bad_request"),
    ("cursor", r#""project_id":"x""#, "bad_request"),
    ("cursor", r#""project_id":"$P","workspace_id":7"#, "bad_request"),
    ("cursor", r#""project_id":"$P","file_id":"x""#, "bad_request"),
    ("cursor", r#""project_id":"$P","document":true"#, "bad_request"),
    ("cursor", r#""project_id":"$P","file_id":"$W","document":true"#, "bad_request"),
    ("cursor", r#""project_id":"$P","workspace_id":"$W","document":true"#, "bad_request"),
    ("cursor", r#""project_id":"$P","workspace_id":"$W","file_id":"$W","document":1"#, "bad_request"),
    ("cursor", r#""project_id":"$P","x":"1""#, "bad_request"),
    ("cursor", r#""project_id":"$P","y":true"#, "bad_request"),
    ("cursor", r#""project_id":"$P","x":1e999"#, "bad_request"),
    ("cursor", r#""project_id":"$P","line":-1"#, "bad_request"),
    ("cursor", r#""project_id":"$P","line":1.5"#, "bad_request"),
    ("cursor", r#""project_id":"$P","line":"1""#, "bad_request"),
    ("cursor", r#""project_id":"$P","column":4294967296"#, "bad_request"),
    ("cursor", r#""project_id":"$P","color":7"#, "bad_request"),
    ("cursor", r#""project_id":"$P","z":1"#, "bad_request"),
    ("publish", r#""name":"a","data":1"#, "bad_request"),
    ("publish", r#""project_id":"$P","data":1"#, "bad_request"),
    ("publish", r#""project_id":"$P","name":"a""#, "bad_request"),
    ("publish", r#""project_id":"x","name":"a","data":1"#, "bad_request"),
    ("publish", r#""project_id":"$P","workspace_id":"x","name":"a","data":1"#, "bad_request"),
    ("publish", r#""project_id":"$P","file_id":"$W","name":"a","data":1"#, "bad_request"),
    ("publish", r#""project_id":"$P","workspace_id":"$W","file_id":7,"name":"a","data":1"#, "bad_request"),
    ("publish", r#""project_id":"$P","name":"","data":1"#, "bad_request"),
    ("publish", r#""project_id":"$P","name":"a\n","data":1"#, "bad_request"),
    ("publish", r#""project_id":"$P","name":7,"data":1"#, "bad_request"),
    ("publish", r#""project_id":"$P","name":null,"data":1"#, "bad_request"),
    ("publish", r#""project_id":"$P","name":"a","data":1,"x":1"#, "bad_request"),
];

/// What names a feed wrongly, in the same way for `subscribe` and `unsubscribe`; the first part so that it cannot be
/// read.
const UNREADABLE_NAMES: &[&str] = &[
    r#""project_id":"x""#,
    r#""project_id":7"#,
    r#""project_id":["$P"]"#,
    r#""organization_id":"x""#,
    r#""account":"true""#,
    r#""account":1"#,
    r#""project_id":"$P","workspace_id":"x""#,
    r#""project_id":"$P","workspace_id":"$W","file_id":"x""#,
    r#""project_id":"$P","x":1"#,
];
const WRONG_NAMES: &[&str] = &[
    "",
    r#""project_id":null"#,
    r#""account":false"#,
    r#""project_id":"$P","account":true"#,
    r#""project_id":"$P","organization_id":"$W""#,
    r#""organization_id":"$W","account":true"#,
    r#""organization_id":"$W","workspace_id":"$W""#,
    r#""account":true,"workspace_id":"$W""#,
    r#""workspace_id":"$W""#,
    r#""project_id":"$P","file_id":"$W""#,
    r#""account":true,"file_id":"$W""#,
    r#""workspace_id":"$W","file_id":"$W""#,
];

/// A message, the code that answers it, and the `id` that the answer carries.
struct Case {
    text: String,
    code: &'static str,
    to: Option<Value>,
}

/// Makes messages of types and fields, each with an `id` of its own.
struct Cases {
    project: String,
    made: Vec<Case>,
}

impl Cases {
    fn new(project: &str) -> Self {
        Self { project: project.to_owned(), made: Vec::new() }
    }

    fn add(&mut self, message_type: &str, fields: &str, code: &'static str) {
        let id = self.made.len();
        // Numbers and texts by turns.
        let id = if id.is_multiple_of(2) { json!(id) } else { json!(format!("m{id}")) };
        let fields = fields.replace("$P", &self.project).replace("$W", &Uuid::now_v7().to_string());
        let fields = if fields.is_empty() { fields } else { format!(",{fields}") };
        let text = format!(r#"{{"id":{id},"type":"{message_type}"{fields}}}"#);
        // Which of two types is meant cannot be told; then nothing of it is read.
        let to = (!fields.contains(r#""type""#)).then_some(id);
        self.made.push(Case { text, code, to });
    }

    /// What cannot be read, whoever sends it.
    fn unreadable(project: &str) -> Self {
        let mut cases = Self::new(project);
        for &(message_type, fields, code) in ROWS {
            cases.add(message_type, fields, code);
        }
        for message_type in ["subscribe", "unsubscribe"] {
            for fields in UNREADABLE_NAMES {
                cases.add(message_type, fields, "bad_request");
            }
        }
        for field in ["since", "events", "presence", "cursors"] {
            cases.add("unsubscribe", &format!(r#""project_id":"$P","{field}":true"#), "bad_request");
        }
        let text = |bytes: usize| format!(r#""{}""#, "x".repeat(bytes - 2));
        let color = format!(r#""project_id":"$P","color":{}"#, text(33 + 2));
        let name = format!(r#""project_id":"$P","name":{},"data":1"#, text(65 + 2));
        let selection = format!(r#""project_id":"$P","selection":{}"#, text(1024 + 1));
        let state = format!(r#""project_id":"$P","state":{}"#, text(4 * 1024 + 1));
        let data = format!(r#""project_id":"$P","name":"a","data":{}"#, text(16 * 1024 + 1));
        for (message_type, fields, code) in [
            ("cursor", color, "bad_request"),
            ("publish", name, "bad_request"),
            ("cursor", selection, "too_large"),
            ("presence", state, "too_large"),
            ("publish", data, "too_large"),
        ] {
            cases.add(message_type, &fields, code);
        }
        cases
    }

    /// What can be read, and names no feed or room that could be meant.
    fn add_wrong_names(&mut self, code: &'static str) {
        for message_type in ["subscribe", "unsubscribe"] {
            for fields in WRONG_NAMES {
                self.add(message_type, fields, code);
            }
        }
        for fields in [r#""account":true,"presence":true"#, r#""organization_id":"$W","cursors":true"#] {
            self.add("subscribe", fields, code);
        }
    }

    /// Texts that are no message at all.
    fn add_texts(&mut self, texts: &[&str]) {
        self.made.extend(texts.iter().map(|text| Case { text: (*text).to_owned(), code: "bad_request", to: None }));
    }

    /// Sends each, and insists on its answer, and on no other.
    async fn are_answered(self, open: impl AsyncFn() -> Socket) {
        for some in self.made.chunks(PER_SOCKET) {
            let mut socket = open().await;
            for Case { text, code, to } in some {
                socket.send_text(text).await;
                let answer = socket.next().await.unwrap_or_else(|closed| panic!("{closed:?}: {text}"));
                let told = (&answer["type"], &answer["code"], answer.get("ref"));
                assert_eq!(told, (&json!("error"), &json!(code), to.as_ref()), "{text}: {answer}");
                assert!(answer["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{text}: {answer}");
            }
            super::is_quiet(&mut socket).await;
        }
    }
}

const NO_MESSAGES: &[&str] = &[
    "",
    " ",
    "{",
    "[]",
    r#"[{"type":"ping","id":1}]"#,
    r#"["ping"]"#,
    "7",
    "null",
    "true",
    r#""ping""#,
    "{}",
    r#"{"type":"ping"}{"type":"ping"}"#,
    r#"{"type":"ping",}"#,
    // Ids that are none.
    r#"{"type":"ping","id":1.5}"#,
    r#"{"type":"ping","id":{}}"#,
    r#"{"type":"ping","id":[1]}"#,
    r#"{"type":"ping","id":true}"#,
    r#"{"type":"ping","id":9223372036854775808}"#,
    r#"{"type":"ping","id":"12345678901234567890123456789012345678901234567890123456789012345"}"#,
    r#"{"type":"ping","id":1,"id":2}"#,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_malformed_is_answered() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let mut cases = Cases::unreadable(&ada.project("Apollo").await);
    cases.add_wrong_names("bad_request");
    cases.add_texts(NO_MESSAGES);
    cases.are_answered(async || Socket::open(&ada).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_sign_in_it_is_answered_as_well() {
    let world = World::new().await;
    let server = world.server().await;
    let project = server.person("ada").await.project("Apollo").await;
    let mut cases = Cases::unreadable(&project);
    cases.add_wrong_names("unauthenticated");
    // And so is what is not malformed.
    for (message_type, fields) in [
        ("subscribe", r#""project_id":"$P""#),
        ("subscribe", r#""project_id":"$P","workspace_id":"$W","since":{"seq":0},"presence":true"#),
        ("unsubscribe", r#""organization_id":"$W""#),
        ("subscribe", r#""account":true"#),
        ("presence", r#""project_id":"$P","state":null"#),
        ("presence", r#""project_id":"$P","workspace_id":"$W","file_id":"$W","state":null"#),
        ("cursor", r#""project_id":"$P","workspace_id":"$W","file_id":"$W","document":true"#),
        ("cursor", r#""project_id":"$P","x":1.5"#),
        ("publish", r#""project_id":"$P","name":"a","data":null"#),
        ("refresh", r#""token":"a""#),
    ] {
        cases.add(message_type, fields, "unauthenticated");
    }
    cases.add_texts(NO_MESSAGES);
    cases.are_answered(async || Socket::anonymous(&server.address).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_is_read_whatever_the_type_is() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let mut cases = Cases::new("");
    for (id, message_type) in [(1, ""), (2, r#","type":null"#), (3, r#","type":7"#), (4, r#","type":["ping"]"#)] {
        let text = format!(r#"{{"id":{id}{message_type}}}"#);
        cases.made.push(Case { text, code: "bad_request", to: Some(json!(id)) });
    }
    cases.are_answered(async || Socket::open(&ada).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_is_an_object() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let mut cases = Cases::new(&ada.project("Apollo").await);
    for since in ["[]", "[null]", "[null,0]", "[null,0,1]"] {
        cases.add("subscribe", &format!(r#""project_id":"$P","since":{since}"#), "bad_request");
    }
    cases.are_answered(async || Socket::open(&ada).await).await;
}

/// A frame as a client sends it (RFC 6455, 5.2): masked, with a mask that changes nothing.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match u8::try_from(payload.len()) {
        Ok(short) if short < 126 => bytes.push(0x80 | short),
        _ => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(payload.len()).expect("a short payload").to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

/// Sends these bytes over a WebSocket, and reads until these have come.
async fn say(client: &Client, what: &str, bytes: &[u8], answer: &[u8]) {
    let (raw, _) = raw::open(client, &[], None).await;
    let mut stream: TcpStream = raw.into_inner();
    // The service may have had enough before it has it all.
    let _ = stream.write_all(bytes).await;
    let mut read = Vec::new();
    let answered = timeout(Duration::from_secs(20), async {
        while !read.windows(answer.len()).any(|part| part == answer) {
            let count = stream.read_buf(&mut read).await.unwrap_or(0);
            assert!(count > 0, "{what}: the end behind {}", String::from_utf8_lossy(&read));
        }
    });
    assert!(answered.await.is_ok(), "{what}: no answer");
}

const TEXT: u8 = 0x01;
const BINARY: u8 = 0x02;
const CONTINUATION: u8 = 0x00;
const PING: u8 = 0x09;
const LAST: u8 = 0x80;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_break_the_rules_end_the_socket_and_others_are_put_together() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let closed = |code: u16, reason: &str| [code.to_be_bytes().as_slice(), reason.as_bytes()].concat();
    let malformed = closed(1002, "malformed message");
    let ping = br#"{"type":"ping"}"#;
    let mut unmasked = vec![LAST | TEXT, 15];
    unmasked.extend(ping);
    for (what, bytes) in [
        ("a text that is not UTF-8", frame(LAST | TEXT, b"\xff\xfe")),
        ("a text that ends within a character", frame(LAST | TEXT, b"{\"type\":\"ping\",\"id\":\"\xc3\"}")),
        ("no mask", unmasked),
        ("an unknown kind of frame", frame(LAST | 0x03, b"")),
        ("an unknown kind of control frame", frame(LAST | 0x0b, b"")),
        ("a bit of an extension", frame(LAST | 0x40 | TEXT, ping)),
        ("a continuation of nothing", frame(LAST | CONTINUATION, ping)),
        ("a text within a text", [frame(TEXT, b"{"), frame(LAST | TEXT, ping)].concat()),
        ("a control frame in parts", frame(PING, b"")),
        ("a long control frame", frame(LAST | PING, &[b'x'; 126])),
        ("half a close code", frame(LAST | 0x08, b"\x03")),
    ] {
        say(&ada, what, &bytes, &malformed).await;
    }
    let half = [b'x'; 40_000];
    let large = [frame(TEXT, &half), frame(LAST | CONTINUATION, &half)].concat();
    say(&ada, "too large in parts", &large, &closed(1009, "message too big")).await;

    let in_parts = [
        frame(TEXT, br#"{"type":"#),
        frame(LAST | PING, b"between"),
        frame(CONTINUATION, b"\"ping\",\"id\":\"\xc3"),
        frame(LAST | CONTINUATION, b"\xa4\"}"),
    ];
    say(&ada, "a text in parts", &in_parts.concat(), r#"{"type":"pong","ref":"ä"}"#.as_bytes()).await;
    let in_parts = [frame(BINARY, ping), frame(LAST | CONTINUATION, b"")].concat();
    for (what, bytes) in [("bytes in parts", in_parts), ("no bytes", frame(LAST | BINARY, b""))] {
        say(&ada, what, &bytes, br#""code":"bad_request""#).await;
    }
}
