//! What a client says. Unknown types and unknown fields are refused, so that a slip of the pen is not silence.

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny},
};
use serde_json::{Number, Value, value::RawValue};
use uuid::Uuid;
use workroom_domain::ids::{AccountId, FileId, OrganizationId, ProjectId, WorkspaceId};

use crate::live::{
    connection::subscribe::Wanted,
    feed::{
        FeedId,
        frames::{MessageId, Topic},
    },
    room::{Cursor, MAX_MESSAGE_BYTES, MAX_NAME, RoomId},
};

/// Bytes of what somebody shows the others.
const MAX_STATE_BYTES: usize = 4 * 1024;
/// Bytes of what a cursor has selected.
const MAX_SELECTION_BYTES: usize = 1024;
/// Characters of a color.
const MAX_COLOR: usize = 32;

/// A message of the client.
#[derive(Debug)]
pub(in crate::live) enum ClientMessage {
    /// Signs in with an access token. Without a token it is ignored when the client is signed in, else the socket is closed.
    Hello(Hello),
    /// Follow a feed.
    Subscribe(Subscribe),
    /// Stop following it.
    Unsubscribe(Named),
    /// What I show the others.
    Presence(Presence),
    /// Where I point.
    Cursor(PointedCursor),
    /// A custom message to the room.
    Publish(Publish),
    /// A new access token for a live socket.
    Refresh(Refresh),
    /// Are you there?
    Ping,
}

/// Declares a message of the client: its fields, and what every message may have.
macro_rules! message {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $access:vis $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(in crate::live) struct $name {
            #[serde(rename = "type")]
            _type: IgnoredAny,
            #[serde(rename = "id")]
            _id: Option<IgnoredAny>,
            $($(#[$of])* $access $field: $type,)*
        }
    };
}

message! {
    /// Signs in.
    Hello {
        pub(in crate::live) token: Option<String>,
    }
}

message! {
    /// A new access token.
    Refresh {
        pub(in crate::live) token: String,
    }
}

message! {
    /// Are you there?
    Ping {}
}

message! {
    /// Follow a feed.
    Subscribe {
        project_id: Option<ProjectId>,
        organization_id: Option<OrganizationId>,
        account: Option<bool>,
        workspace_id: Option<WorkspaceId>,
        file_id: Option<FileId>,
        /// The last event the client has; none: only what comes.
        #[serde(default, deserialize_with = "place")]
        since: Option<Since>,
        /// Whether to send durable events.
        #[serde(default = "yes")]
        events: bool,
        /// Whether to be shown to the others in the room, and be told who is there.
        #[serde(default)]
        presence: bool,
        /// Whether to send cursors.
        #[serde(default)]
        cursors: bool,
        /// Whether to send what the project's jobs print.
        #[serde(default)]
        output: bool,
    }
}

impl Subscribe {
    /// What is wanted of the feed.
    pub(in crate::live) fn wanted(&self) -> Wanted {
        let Self { since, events, presence, cursors, output, .. } = *self;
        Wanted { since, events, presence, cursors, output }
    }

    /// What is meant.
    pub(in crate::live) fn topic(&self, own: AccountId) -> Result<Topic, &'static str> {
        let feed = named(self.project_id, self.organization_id, self.account, own)?;
        let topic = within(feed, self.workspace_id, self.file_id)?;
        if (self.presence || self.cursors) && topic.room().is_none() {
            return Err("presence and cursors are for projects, their workspaces and files");
        }
        if self.output && (topic.room().is_none() || topic.workspace_id.is_some()) {
            return Err("output is for projects");
        }
        Ok(topic)
    }
}

message! {
    /// A feed, by one of its names, and perhaps a workspace of its project, or a file of that.
    Named {
        project_id: Option<ProjectId>,
        organization_id: Option<OrganizationId>,
        account: Option<bool>,
        workspace_id: Option<WorkspaceId>,
        file_id: Option<FileId>,
    }
}

impl Named {
    /// What is meant.
    pub(in crate::live) fn topic(&self, own: AccountId) -> Result<Topic, &'static str> {
        within(named(self.project_id, self.organization_id, self.account, own)?, self.workspace_id, self.file_id)
    }
}

message! {
    /// What I show the others in a room.
    Presence {
        project_id: ProjectId,
        workspace_id: Option<WorkspaceId>,
        file_id: Option<FileId>,
        /// Any JSON, of at most [`MAX_STATE_BYTES`] bytes.
        pub(in crate::live) state: Box<RawValue>,
    }
}

message! {
    /// Where I point in a room.
    PointedCursor {
        project_id: ProjectId,
        workspace_id: Option<WorkspaceId>,
        /// What is pointed into.
        file_id: Option<FileId>,
        /// Whether the room is the file's own, or the workspace's; not said: the file's own, if that is subscribed to.
        document: Option<bool>,
        x: Option<Number>,
        y: Option<Number>,
        line: Option<u32>,
        column: Option<u32>,
        selection: Option<Box<RawValue>>,
        color: Option<String>,
    }
}

impl PointedCursor {
    /// The room that is meant. `has_asked_for`: whether the client has subscribed to a room.
    pub(in crate::live) fn room(&self, has_asked_for: impl FnOnce(RoomId) -> bool) -> RoomId {
        let Self { project_id, workspace_id, file_id, document, .. } = *self;
        let outside = RoomId { project_id, workspace_id, file_id: None };
        if workspace_id.is_none() || file_id.is_none() {
            return outside;
        }
        let inside = RoomId { file_id, ..outside };
        if document.unwrap_or_else(|| has_asked_for(inside)) { inside } else { outside }
    }

    /// The cursor itself. In a file's own room, the room says which file it is.
    pub(in crate::live) fn cursor(self, room: RoomId) -> Cursor {
        let Self { file_id, x, y, line, column, selection, color, .. } = self;
        let file_id = file_id.filter(|_| room.file_id.is_none());
        Cursor { file_id, x, y, line, column, selection, color }
    }
}

message! {
    /// A custom message to a room.
    Publish {
        project_id: ProjectId,
        workspace_id: Option<WorkspaceId>,
        file_id: Option<FileId>,
        /// What kind of message it is, for those who get it.
        pub(in crate::live) name: String,
        /// Any JSON, of at most [`MAX_MESSAGE_BYTES`] bytes.
        pub(in crate::live) data: Box<RawValue>,
    }
}

macro_rules! in_room {
    ($($message:ty),*) => {$(
        impl $message {
            /// The room that is meant.
            pub(in crate::live) fn room(&self) -> RoomId {
                RoomId { project_id: self.project_id, workspace_id: self.workspace_id, file_id: self.file_id }
            }
        }
    )*};
}
in_room!(Presence, Publish);

/// Why nothing is meant by a file alone.
const FILE_WITHOUT_WORKSPACE: &str = "file_id goes with workspace_id";

fn within(feed: FeedId, workspace_id: Option<WorkspaceId>, file_id: Option<FileId>) -> Result<Topic, &'static str> {
    if workspace_id.is_some() && !matches!(feed, FeedId::Project(_)) {
        return Err("workspace_id goes with project_id");
    }
    if file_id.is_some() && workspace_id.is_none() {
        return Err(FILE_WITHOUT_WORKSPACE);
    }
    Ok(Topic { feed, workspace_id, file_id })
}

fn named(
    project_id: Option<ProjectId>,
    organization_id: Option<OrganizationId>,
    account: Option<bool>,
    own: AccountId,
) -> Result<FeedId, &'static str> {
    match (project_id, organization_id, account) {
        (Some(id), None, None) => Ok(FeedId::Project(id)),
        (None, Some(id), None) => Ok(FeedId::Organization(id)),
        (None, None, Some(true)) => Ok(FeedId::Account(own)),
        _ => Err("name one feed: project_id, organization_id, or account: true"),
    }
}

fn yes() -> bool {
    true
}

/// A place in a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::live) struct Since {
    /// The history it is a place in; none: the current one.
    pub(in crate::live) epoch: Option<Uuid>,
    /// `seq` of the last event that the client has; 0 when it has none.
    pub(in crate::live) seq: i64,
}

/// Reads a place, which is an object: serde would take its fields from an array, too.
fn place<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Since>, D::Error> {
    let Some(json) = Option::<&RawValue>::deserialize(deserializer)? else { return Ok(None) };
    if !json.get().starts_with('{') {
        return Err(D::Error::custom("since is an object"));
    }
    serde_json::from_str(json.get()).map_err(D::Error::custom)
}

/// Why a message was not understood.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::live) struct ParseError {
    pub(in crate::live) code: &'static str,
    pub(in crate::live) detail: String,
}

impl ParseError {
    fn bad(detail: impl Into<String>) -> Self {
        Self { code: "bad_request", detail: detail.into() }
    }

    fn too_large(what: &str, most: usize) -> Self {
        Self { code: "too_large", detail: format!("{what} has at most {most} bytes of JSON") }
    }
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "type")]
    kind: Option<Value>,
    id: Option<Value>,
}

/// Characters in the id of a message.
const MAX_ID: usize = 64;

/// A message, and the id that it is answered with.
#[derive(Debug)]
pub(in crate::live) struct Received {
    pub(in crate::live) id: Option<MessageId>,
    pub(in crate::live) message: Result<ClientMessage, ParseError>,
}

/// Reads a message.
pub(in crate::live) fn read(text: &str) -> Received {
    let bad = |detail: String| Received { id: None, message: Err(ParseError::bad(detail)) };
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        return bad(format!("not JSON: {error}"));
    }
    if !text.trim_start().starts_with('{') {
        return bad("a message is a JSON object".to_owned());
    }
    let envelope = match serde_json::from_str::<Envelope>(text) {
        Ok(envelope) => envelope,
        Err(error) => return bad(error.to_string()),
    };
    let id = match envelope.id {
        None | Some(Value::Null) => None,
        Some(Value::String(id)) if id.chars().count() <= MAX_ID => Some(MessageId::Text(id.into())),
        Some(id) => match id.as_i64() {
            Some(id) => Some(MessageId::Number(id)),
            None => return bad(format!("id is a whole number, or a text of at most {MAX_ID} characters")),
        },
    };
    let kind = match &envelope.kind {
        None | Some(Value::Null) => None,
        Some(Value::String(kind)) => Some(kind.as_str()),
        Some(_) => return Received { id, message: Err(ParseError::bad("type is a text")) },
    };
    Received { id, message: message(kind, text).and_then(checked) }
}

fn message(kind: Option<&str>, text: &str) -> Result<ClientMessage, ParseError> {
    let message = match kind {
        Some("hello") => serde_json::from_str(text).map(ClientMessage::Hello),
        Some("subscribe") => serde_json::from_str(text).map(ClientMessage::Subscribe),
        Some("unsubscribe") => serde_json::from_str(text).map(ClientMessage::Unsubscribe),
        Some("presence") => serde_json::from_str(text).map(ClientMessage::Presence),
        Some("cursor") => serde_json::from_str(text).map(ClientMessage::Cursor),
        Some("publish") => serde_json::from_str(text).map(ClientMessage::Publish),
        Some("refresh") => serde_json::from_str(text).map(ClientMessage::Refresh),
        Some("ping") => serde_json::from_str(text).map(|Ping { .. }| ClientMessage::Ping),
        Some(_) => return Err(ParseError::bad("the protocol has no message of this type")),
        None => return Err(ParseError::bad("a message has a type")),
    };
    message.map_err(|error| ParseError::bad(error.to_string()))
}

/// A message whose values are as they should be.
fn checked(message: ClientMessage) -> Result<ClientMessage, ParseError> {
    match &message {
        ClientMessage::Subscribe(Subscribe { since: Some(since), .. }) if since.seq < 0 => {
            return Err(ParseError::bad("since.seq must not be negative"));
        }
        ClientMessage::Presence(presence) => {
            check_room(presence.room())?;
            check_json("state", &presence.state, MAX_STATE_BYTES)?;
        }
        ClientMessage::Cursor(cursor) => {
            if cursor.document == Some(true) && (cursor.workspace_id.is_none() || cursor.file_id.is_none()) {
                return Err(ParseError::bad("document goes with workspace_id and file_id"));
            }
            if let Some(selection) = &cursor.selection {
                check_json("selection", selection, MAX_SELECTION_BYTES)?;
            }
            if cursor.color.as_ref().is_some_and(|color| color.chars().count() > MAX_COLOR) {
                return Err(ParseError::bad(format!("color has at most {MAX_COLOR} characters")));
            }
        }
        ClientMessage::Publish(publish) => {
            check_room(publish.room())?;
            check_name(&publish.name).map_err(ParseError::bad)?;
            check_json("data", &publish.data, MAX_MESSAGE_BYTES)?;
        }
        _ => {}
    }
    Ok(message)
}

/// Whether there can be such a room.
fn check_room(room: RoomId) -> Result<(), ParseError> {
    let is_half = room.file_id.is_some() && room.workspace_id.is_none();
    if is_half { Err(ParseError::bad(FILE_WITHOUT_WORKSPACE)) } else { Ok(()) }
}

/// Whether a custom message may have that name.
fn check_name(name: &str) -> Result<(), &'static str> {
    let is_good = !name.is_empty() && name.chars().count() <= MAX_NAME && !name.chars().any(char::is_control);
    if is_good { Ok(()) } else { Err("name has 1 to 64 characters, and no control characters") }
}

fn check_json(what: &str, json: &RawValue, most: usize) -> Result<(), ParseError> {
    if json.get().len() > most { Err(ParseError::too_large(what, most)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "018f6b5a-0000-7000-8000-000000000001";
    const OWN: AccountId = AccountId(Uuid::nil());

    fn message(text: &str) -> Result<ClientMessage, ParseError> {
        read(text).message
    }

    fn refusal(text: &str) -> &'static str {
        message(text).expect_err(text).code
    }

    #[test]
    fn what_the_protocol_knows_is_read() {
        let subscribe = message(&format!(r#"{{"project_id":"{ID}","type":"subscribe","since":{{"seq":4}}}}"#)).unwrap();
        let ClientMessage::Subscribe(subscribe) = subscribe else { panic!("{subscribe:?}") };
        assert_eq!(subscribe.since, Some(Since { epoch: None, seq: 4 }));
        assert!(subscribe.events);
        let project = FeedId::Project(ProjectId(ID.parse().unwrap()));
        assert_eq!(subscribe.topic(OWN), Ok(Topic::of(project)));
        assert!(matches!(message(r#"{"type":"ping"}"#), Ok(ClientMessage::Ping)));
        assert!(matches!(message(r#"{"type":"hello"}"#), Ok(ClientMessage::Hello(Hello { token: None, .. }))));
    }

    #[test]
    fn a_feed_has_one_name() {
        let feed = |names: &str| {
            let ClientMessage::Unsubscribe(named) = message(&format!(r#"{{"type":"unsubscribe"{names}}}"#)).unwrap()
            else {
                panic!("{names}")
            };
            named.topic(OWN)
        };
        let organization = format!(r#","organization_id":"{ID}""#);
        let expected = FeedId::Organization(OrganizationId(ID.parse().unwrap()));
        assert_eq!(feed(&organization), Ok(Topic::of(expected)));
        assert_eq!(feed(r#","account":true"#), Ok(Topic::of(FeedId::Account(OWN))));
        let in_workspace = format!(r#"{organization},"workspace_id":"{ID}""#);
        for names in ["", r#","account":false"#, &format!(r#"{organization},"account":true"#), &in_workspace] {
            assert!(feed(names).is_err(), "{names}");
        }
        let file = format!(r#","project_id":"{ID}","file_id":"{ID}""#);
        assert!(feed(&file).is_err(), "a file without its workspace");
        let file = feed(&format!(r#"{file},"workspace_id":"{ID}""#)).unwrap();
        assert_eq!(file.file_id, Some(FileId(ID.parse().unwrap())));
    }

    #[test]
    fn a_cursor_with_a_file_is_in_the_room_that_it_says_or_in_the_one_that_is_subscribed_to() {
        let room = |more: &str, has_asked: bool| {
            let text = format!(r#"{{"type":"cursor","project_id":"{ID}","line":1{more}}}"#);
            let Ok(ClientMessage::Cursor(cursor)) = message(&text) else { panic!("{text}") };
            let room = cursor.room(|_| has_asked);
            (room.workspace_id.is_some(), room.file_id.is_some(), cursor.cursor(room).file_id.is_some())
        };
        let file = format!(r#","file_id":"{ID}""#);
        let both = format!(r#"{file},"workspace_id":"{ID}""#);
        let (inside, pointing) = ((true, true, false), (true, false, true));
        assert_eq!((room(&both, true), room(&both, false)), (inside, pointing));
        let said = |is_inside: bool| format!(r#"{both},"document":{is_inside}"#);
        assert_eq!((room(&said(true), false), room(&said(false), true)), (inside, pointing));
        assert_eq!(room(&file, true), (false, false, true), "of the project's room");
        for wrong in ["", &file, &format!(r#","workspace_id":"{ID}""#)] {
            let text = format!(r#"{{"type":"cursor","project_id":"{ID}","document":true{wrong}}}"#);
            assert_eq!(refusal(&text), "bad_request", "{text}");
        }
        for (kind, more) in [("presence", r#""state":1"#), ("publish", r#""name":"a","data":1"#)] {
            let text = format!(r#"{{"type":"{kind}","project_id":"{ID}",{more}{file}}}"#);
            assert_eq!(refusal(&text), "bad_request", "a file without its workspace: {text}");
        }
    }

    #[test]
    fn a_message_may_have_an_id() {
        let id = |id: &str| read(&format!(r#"{{"type":"ping","id":{id}}}"#));
        assert_eq!(id(r#""a1""#).id, Some(MessageId::Text("a1".into())));
        assert_eq!(id("-7").id, Some(MessageId::Number(-7)));
        assert_eq!(id("null").id, None);
        assert!(id("7").message.is_ok());
        for wrong in ["1.5", "{}", "true", &format!("\"{}\"", "a".repeat(65))] {
            assert!(matches!(id(wrong), Received { id: None, message: Err(_) }), "{wrong}");
        }
        let unknown = read(r#"{"type":"dance","id":7}"#);
        assert_eq!(unknown.id, Some(MessageId::Number(7)), "also where it is not understood");
    }

    #[test]
    fn what_it_does_not_know_is_refused() {
        let long = format!(r#"{{"type":"ping","a":{}}}"#, "[".repeat(1000));
        for text in [
            "",
            "null",
            "[]",
            "[\"ping\"]",
            "\"ping\"",
            "{",
            "{}",
            r#"{"type":7}"#,
            r#"{"type":"dance"}"#,
            r#"{"type":"ping","x":1}"#,
            r#"{"type":"ping","type":"ping"}"#,
            r#"{"type":"subscribe","project_id":"no"}"#,
            &format!(r#"{{"type":"subscribe","project_id":"{ID}","since":{{"seq":-1}}}}"#),
            &format!(r#"{{"type":"subscribe","project_id":"{ID}","since":{{"seq":1.5}}}}"#),
            &format!(r#"{{"type":"subscribe","project_id":"{ID}","since":{{"seq":9223372036854775808}}}}"#),
            &format!(r#"{{"type":"subscribe","project_id":"{ID}","since":{{"seq":1,"x":1}}}}"#),
            &format!(r#"{{"type":"subscribe","project_id":"{ID}","x":1}}"#),
            r#"{"type":"refresh"}"#,
            r#"{"type":"hello","token":1}"#,
            &long,
        ] {
            assert_eq!(refusal(text), "bad_request", "{text}");
        }
    }

    #[test]
    fn what_is_said_in_a_room_is_bounded() {
        let publish = |name: &str, data: &str| {
            format!(r#"{{"type":"publish","project_id":"{ID}","name":"{name}","data":{data}}}"#)
        };
        let Ok(ClientMessage::Publish(said)) = message(&publish("saved", r#"{"a": 1.50}"#)) else { panic!() };
        assert_eq!(said.data.get(), r#"{"a": 1.50}"#, "as it was written");
        let text = |length: usize| format!("\"{}\"", "a".repeat(length - 2));
        assert!(message(&publish("a", &text(MAX_MESSAGE_BYTES))).is_ok());
        assert_eq!(refusal(&publish("a", &text(MAX_MESSAGE_BYTES + 1))), "too_large");
        for name in ["", &"a".repeat(65), "a\\n"] {
            assert_eq!(refusal(&publish(name, "1")), "bad_request", "{name}");
        }
        let presence = |state: &str| format!(r#"{{"type":"presence","project_id":"{ID}","state":{state}}}"#);
        assert!(message(&presence("null")).is_ok());
        assert_eq!(refusal(&presence(&text(MAX_STATE_BYTES + 1))), "too_large");
        let cursor = |more: &str| format!(r#"{{"type":"cursor","project_id":"{ID}"{more}}}"#);
        let Ok(ClientMessage::Cursor(pointed)) = message(&cursor(r#","x":1.5,"y":-2"#)) else { panic!() };
        assert_eq!((pointed.x, pointed.y), (Number::from_f64(1.5), Some(Number::from(-2))));
        assert!(message(&cursor(&format!(r#","file_id":"{ID}","line":1,"column":0,"selection":{{"to":3}}"#))).is_ok());
        assert_eq!(refusal(&cursor(&format!(r#","selection":{}"#, text(MAX_SELECTION_BYTES + 1)))), "too_large");
        for wrong in [r#","x":"1""#, r#","line":-1"#, r#","line":1.5"#, r#","x":1e999"#, r#","z":1"#] {
            assert_eq!(refusal(&cursor(wrong)), "bad_request", "{wrong}");
        }
        assert_eq!(refusal(&cursor(&format!(r#","color":"{}""#, "a".repeat(33)))), "bad_request");
    }
}
