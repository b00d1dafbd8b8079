//! What a client says. Unknown types and unknown fields are refused, so that a slip of the pen is not silence.

use std::borrow::Cow;

use serde::{Deserialize, de::IgnoredAny};
use uuid::Uuid;
use workroom_domain::ids::ProjectId;

/// A message of the client.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(in crate::live) enum ClientMessage {
    /// Signs in with an access token. Without a token it is ignored when the client is signed in, else the socket is closed.
    Hello { token: Option<String> },
    /// Follow a project.
    Subscribe(Subscribe),
    /// Stop following it.
    Unsubscribe { project_id: ProjectId },
    /// A new access token for a live socket.
    Refresh { token: String },
    /// Are you there?
    Ping {},
}

/// Follow a project.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::live) struct Subscribe {
    pub(in crate::live) project_id: ProjectId,
    /// The last event the client has; none: only what comes.
    pub(in crate::live) since: Option<Since>,
    /// Whether to send durable events.
    #[serde(default = "yes")]
    pub(in crate::live) events: bool,
    /// Whether to tell who is there (with a later issue).
    #[serde(default)]
    presence: bool,
    /// Whether to send cursors (with a later issue).
    #[serde(default)]
    cursors: bool,
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

/// Why a message was not understood.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::live) enum ParseError {
    /// Part of the protocol, but not of this version.
    Unsupported { project_id: Option<ProjectId> },
    /// Not part of the protocol.
    Bad { detail: String },
}

/// Types of the protocol that a later issue brings.
const UNSUPPORTED: [&str; 2] = ["cursor", "publish"];

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct About {
    project_id: Option<ProjectId>,
}

/// Reads a message.
pub(in crate::live) fn read(text: &str) -> Result<ClientMessage, ParseError> {
    let bad = |error: serde_json::Error| ParseError::Bad { detail: error.to_string() };
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        return Err(ParseError::Bad { detail: format!("not JSON: {error}") });
    }
    if !text.trim_start().starts_with('{') {
        return Err(ParseError::Bad { detail: "a message is a JSON object".to_owned() });
    }
    let kind = serde_json::from_str::<Envelope<'_>>(text).map_err(bad)?.kind;
    if kind.is_some_and(|kind| UNSUPPORTED.contains(&kind.as_ref())) {
        let project_id = serde_json::from_str::<About>(text).ok().and_then(|about| about.project_id);
        return Err(ParseError::Unsupported { project_id });
    }
    let message = serde_json::from_str(text).map_err(bad)?;
    match &message {
        ClientMessage::Subscribe(Subscribe { since: Some(since), .. }) if since.seq < 0 => {
            Err(ParseError::Bad { detail: "since.seq must not be negative".to_owned() })
        }
        _ => Ok(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "018f6b5a-0000-7000-8000-000000000001";

    #[test]
    fn what_the_protocol_knows_is_read() {
        let subscribe = read(&format!(r#"{{"project_id":"{ID}","type":"subscribe","since":{{"seq":4}}}}"#)).unwrap();
        let ClientMessage::Subscribe(subscribe) = subscribe else { panic!("{subscribe:?}") };
        assert_eq!(subscribe.since, Some(Since { epoch: None, seq: 4 }));
        assert!(subscribe.events);
        assert_eq!(read(r#"{"type":"ping"}"#), Ok(ClientMessage::Ping {}));
        assert_eq!(read(r#"{"type":"hello"}"#), Ok(ClientMessage::Hello { token: None }));
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
            r#"{"type":"subscribe"}"#,
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
            assert!(matches!(read(text), Err(ParseError::Bad { .. })), "{text}");
        }
    }

    #[test]
    fn what_comes_later_is_named() {
        let cursor = format!(r#"{{"type":"cursor","project_id":"{ID}","x":1}}"#);
        assert_eq!(read(&cursor), Err(ParseError::Unsupported { project_id: Some(ProjectId(ID.parse().unwrap())) }));
        assert_eq!(read(r#"{"type":"publish"}"#), Err(ParseError::Unsupported { project_id: None }));
    }
}
