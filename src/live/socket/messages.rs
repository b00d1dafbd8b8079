//! What a client says. Unknown types and unknown fields are refused, so that a slip of the pen is not silence.

use std::borrow::Cow;

use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;
use uuid::Uuid;
use workroom_domain::ids::{AccountId, OrganizationId, ProjectId};

use crate::live::feed::{FeedId, frames::MessageId};

/// A message of the client.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(in crate::live) enum ClientMessage {
    /// Signs in with an access token. Without a token it is ignored when the client is signed in, else the socket is closed.
    Hello { token: Option<String>, id: Option<IgnoredAny> },
    /// Follow a feed.
    Subscribe(Subscribe),
    /// Stop following it.
    Unsubscribe(Named),
    /// A new access token for a live socket.
    Refresh { token: String, id: Option<IgnoredAny> },
    /// Are you there?
    Ping { id: Option<IgnoredAny> },
}

/// Follow a feed.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::live) struct Subscribe {
    project_id: Option<ProjectId>,
    organization_id: Option<OrganizationId>,
    account: Option<bool>,
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
    id: Option<IgnoredAny>,
}

impl Subscribe {
    /// The feed that is meant.
    pub(in crate::live) fn feed(&self, own: AccountId) -> Result<FeedId, &'static str> {
        named(self.project_id, self.organization_id, self.account, own)
    }
}

/// A feed, by one of its names.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::live) struct Named {
    project_id: Option<ProjectId>,
    organization_id: Option<OrganizationId>,
    account: Option<bool>,
    id: Option<IgnoredAny>,
}

impl Named {
    /// The feed that is meant.
    pub(in crate::live) fn feed(&self, own: AccountId) -> Result<FeedId, &'static str> {
        named(self.project_id, self.organization_id, self.account, own)
    }
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

/// Why a message was not understood.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::live) enum ParseError {
    /// Part of the protocol, but not of this version.
    Unsupported,
    /// Not part of the protocol.
    Bad { detail: String },
}

/// Types of the protocol that a later issue brings.
const UNSUPPORTED: [&str; 2] = ["cursor", "publish"];

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    id: Option<Value>,
}

/// Characters in the id of a message.
const MAX_ID: usize = 64;

/// A message, and the id that it is answered with.
#[derive(Debug, PartialEq)]
pub(in crate::live) struct Received {
    pub(in crate::live) id: Option<MessageId>,
    pub(in crate::live) message: Result<ClientMessage, ParseError>,
}

/// Reads a message.
pub(in crate::live) fn read(text: &str) -> Received {
    let bad = |detail: String| Received { id: None, message: Err(ParseError::Bad { detail }) };
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        return bad(format!("not JSON: {error}"));
    }
    if !text.trim_start().starts_with('{') {
        return bad("a message is a JSON object".to_owned());
    }
    let envelope = match serde_json::from_str::<Envelope<'_>>(text) {
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
    Received { id, message: message(envelope.kind.as_deref(), text) }
}

fn message(kind: Option<&str>, text: &str) -> Result<ClientMessage, ParseError> {
    if kind.is_some_and(|kind| UNSUPPORTED.contains(&kind)) {
        return Err(ParseError::Unsupported);
    }
    let message = serde_json::from_str(text).map_err(|error| ParseError::Bad { detail: error.to_string() })?;
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
    const OWN: AccountId = AccountId(Uuid::nil());

    fn message(text: &str) -> Result<ClientMessage, ParseError> {
        read(text).message
    }

    #[test]
    fn what_the_protocol_knows_is_read() {
        let subscribe = message(&format!(r#"{{"project_id":"{ID}","type":"subscribe","since":{{"seq":4}}}}"#)).unwrap();
        let ClientMessage::Subscribe(subscribe) = subscribe else { panic!("{subscribe:?}") };
        assert_eq!(subscribe.since, Some(Since { epoch: None, seq: 4 }));
        assert!(subscribe.events);
        assert_eq!(subscribe.feed(OWN), Ok(FeedId::Project(ProjectId(ID.parse().unwrap()))));
        assert_eq!(message(r#"{"type":"ping"}"#), Ok(ClientMessage::Ping { id: None }));
        assert_eq!(message(r#"{"type":"hello"}"#), Ok(ClientMessage::Hello { token: None, id: None }));
    }

    #[test]
    fn a_feed_has_one_name() {
        let feed = |names: &str| {
            let ClientMessage::Unsubscribe(named) = message(&format!(r#"{{"type":"unsubscribe"{names}}}"#)).unwrap()
            else {
                panic!("{names}")
            };
            named.feed(OWN)
        };
        let organization = format!(r#","organization_id":"{ID}""#);
        assert_eq!(feed(&organization), Ok(FeedId::Organization(OrganizationId(ID.parse().unwrap()))));
        assert_eq!(feed(r#","account":true"#), Ok(FeedId::Account(OWN)));
        for names in ["", r#","account":false"#, &format!(r#"{organization},"account":true"#)] {
            assert!(feed(names).is_err(), "{names}");
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
            assert!(matches!(id(wrong), Received { id: None, message: Err(ParseError::Bad { .. }) }), "{wrong}");
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
            assert!(matches!(message(text), Err(ParseError::Bad { .. })), "{text}");
        }
    }

    #[test]
    fn what_comes_later_is_named() {
        for kind in UNSUPPORTED {
            let text = format!(r#"{{"type":"{kind}","project_id":"{ID}","x":1}}"#);
            assert_eq!(message(&text), Err(ParseError::Unsupported), "{kind}");
        }
    }
}
