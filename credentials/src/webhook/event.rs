//! What the messages say: Clerk's form, and a plain one with the claims of `OpenID` Connect.

use serde::Deserialize;
use serde_json::Value;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};
use workroom_domain::refusal::{Code, Refusal};

workroom_domain::codes! {
    MALFORMED_MESSAGE = "malformed-message", Field,
        "the identity provider's message cannot be read",
        "send what the provider documents";
}

/// What an issuer says of somebody. What does not fit here is left out later, never an error: their people exist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExternalProfile {
    /// The e-mail address that the issuer gives. Its form is not checked. `None` if the issuer gives none.
    pub email: Option<String>,
    /// Whether the issuer has seen that the address is theirs.
    pub email_verified: bool,
    /// The full name that the issuer gives. Its form is not checked. `None` if the issuer gives none.
    pub full_name: Option<String>,
    /// The user name that the issuer gives. Its form is not checked. `None` if the issuer gives none.
    pub username: Option<String>,
    /// The address of a picture of the person. Its form is not checked. `None` if the issuer gives none.
    pub image_url: Option<String>,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityEvent {
    /// Somebody is there, and is like this.
    Upsert {
        /// Who, in the issuer's words.
        subject: String,
        /// Since when they are like this.
        updated_at: OffsetDateTime,
        /// What they are like.
        profile: ExternalProfile,
        /// Whether the issuer has locked them out.
        banned: bool,
    },
    /// Somebody is gone, for good.
    Deleted {
        /// Who, in the issuer's words.
        subject: String,
    },
    /// The message has another type, such as `session.created`. It changes nothing.
    Ignored,
}

/// The message does not read.
#[derive(Debug, thiserror::Error)]
pub enum MalformedEvent {
    /// It is no JSON object with a `type` and `data`.
    #[error("the message is not {{\"type\": …, \"data\": {{…}}}}")]
    Shape,
    /// It does not say who.
    #[error("the message does not say of whom it tells: `data.id` is missing or too long")]
    Subject,
}

impl Refusal for MalformedEvent {
    fn code(&self) -> &'static Code {
        MALFORMED_MESSAGE
    }
}

#[derive(Deserialize)]
struct Envelope {
    r#type: String,
    data: Value,
    #[serde(default)]
    timestamp: Value,
}

impl IdentityEvent {
    /// Reads a message; `now` is its time where it tells none.
    pub fn parse(body: &[u8], now: OffsetDateTime) -> Result<Self, MalformedEvent> {
        let Envelope { r#type, data, timestamp } = serde_json::from_slice(body).map_err(|_| MalformedEvent::Shape)?;
        match r#type.as_str() {
            "user.created" | "user.updated" => Ok(Self::Upsert {
                subject: subject(&data)?,
                updated_at: time_of(&data["updated_at"])
                    .or_else(|| time_of(&data["created_at"]))
                    .or_else(|| time_of(&timestamp))
                    // Nothing from the future: it would outlive all that comes after it.
                    .map_or(now, |at| at.min(now + Duration::minutes(5))),
                profile: profile(&data),
                banned: data["banned"] == true,
            }),
            "user.deleted" => Ok(Self::Deleted { subject: subject(&data)? }),
            _ => Ok(Self::Ignored),
        }
    }
}

fn subject(data: &Value) -> Result<String, MalformedEvent> {
    let subject = text(&data["id"]).or_else(|| text(&data["sub"])).ok_or(MalformedEvent::Subject)?;
    if subject.len() > 255 || subject.chars().any(char::is_control) {
        return Err(MalformedEvent::Subject);
    }
    Ok(subject)
}

/// Milliseconds or seconds since the epoch, or RFC 3339, to the microsecond that the database keeps.
fn time_of(value: &Value) -> Option<OffsetDateTime> {
    let at = match value {
        Value::Number(number) => {
            let count = number.as_i64()?;
            let milliseconds = if count.unsigned_abs() < 100_000_000_000 { count.checked_mul(1000)? } else { count };
            OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000).ok()?
        }
        Value::String(text) => OffsetDateTime::parse(text, &Rfc3339).ok()?.to_offset(time::UtcOffset::UTC),
        _ => return None,
    };
    at.replace_microsecond(at.microsecond()).ok()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn profile(data: &Value) -> ExternalProfile {
    let (email, email_verified) = address(data);
    let names = [text(&data["first_name"]), text(&data["last_name"])];
    let joined = names.into_iter().flatten().collect::<Vec<_>>().join(" ");
    ExternalProfile {
        email,
        email_verified,
        full_name: Some(joined)
            .filter(|name| !name.is_empty())
            .or_else(|| text(&data["full_name"]))
            .or_else(|| text(&data["name"])),
        username: text(&data["username"]).or_else(|| text(&data["preferred_username"])),
        image_url: text(&data["image_url"]).or_else(|| text(&data["picture"])),
    }
}

/// The primary address of a list, or the one that is told plainly.
fn address(data: &Value) -> (Option<String>, bool) {
    let Some(addresses) = data["email_addresses"].as_array() else {
        return (text(&data["email"]), data["email_verified"] == true);
    };
    let primary = &data["primary_email_address_id"];
    let chosen = addresses.iter().find(|address| !primary.is_null() && address["id"] == *primary);
    let Some(chosen) = chosen.or(if primary.is_null() { addresses.first() } else { None }) else {
        return (None, false);
    };
    (text(&chosen["email_address"]), chosen["verification"]["status"] == "verified")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn now() -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap()
    }

    fn parse(message: &Value) -> IdentityEvent {
        IdentityEvent::parse(message.to_string().as_bytes(), now()).unwrap()
    }

    #[test]
    fn a_time_beyond_all_times_is_none() {
        for beyond in [i64::MIN, i64::MAX] {
            assert_eq!(time_of(&json!(beyond)), None);
        }
    }

    #[test]
    fn clerks_form_is_read() {
        let event = parse(&json!({
            "type": "user.updated", "object": "event", "timestamp": 1_654_012_591_835_i64,
            "data": {
                "id": "user_29w83sxmDNGwOuEthce5gg56FcC", "first_name": "Ada", "last_name": "Lovelace",
                "username": "ada", "image_url": "https://img.example.com/a.png", "banned": false,
                "primary_email_address_id": "idn_2", "updated_at": 1_654_012_591_514_i64,
                "email_addresses": [
                    {"id": "idn_1", "email_address": "old@example.com", "verification": {"status": "verified"}},
                    {"id": "idn_2", "email_address": "ada@example.com", "verification": {"status": "verified"}},
                ],
            },
        }));
        let IdentityEvent::Upsert { subject, updated_at, profile, banned } = event else { panic!("{event:?}") };
        assert_eq!(subject, "user_29w83sxmDNGwOuEthce5gg56FcC");
        assert_eq!(updated_at.unix_timestamp_nanos(), 1_654_012_591_514_000_000);
        assert_eq!(profile.email.as_deref(), Some("ada@example.com"));
        assert!(profile.email_verified && !banned);
        assert_eq!(profile.full_name.as_deref(), Some("Ada Lovelace"));
    }

    #[test]
    fn the_plain_form_is_read() {
        let event = parse(&json!({"type": "user.created", "data": {
            "sub": "42", "email": "bob@example.com", "email_verified": false, "name": "Bob",
            "updated_at": "2026-01-02T03:04:05+01:00"}}));
        let IdentityEvent::Upsert { subject, updated_at, profile, .. } = event else { panic!("{event:?}") };
        assert_eq!((subject.as_str(), updated_at.unix_timestamp()), ("42", 1_767_319_445));
        assert!(!profile.email_verified);
    }

    #[test]
    fn a_deletion_needs_no_more_than_whom() {
        let event = parse(&json!({"type": "user.deleted", "data": {"id": "user_1", "deleted": true}}));
        assert_eq!(event, IdentityEvent::Deleted { subject: "user_1".to_owned() });
        assert_eq!(parse(&json!({"type": "session.created", "data": {}})), IdentityEvent::Ignored);
    }

    #[test]
    fn what_tells_of_nobody_does_not_read() {
        for message in [
            "",
            "[]",
            "{}",
            r#"{"type":"user.created"}"#,
            r#"{"type":"user.created","data":{}}"#,
            r#"{"type":"user.deleted","data":{"id":"a\u0000b"}}"#,
            r#"{"type":"user.deleted","data":{"id":7}}"#,
        ] {
            assert!(IdentityEvent::parse(message.as_bytes(), now()).is_err(), "{message}");
        }
    }

    #[test]
    fn nothing_is_newer_than_now() {
        let event = parse(&json!({"type": "user.created", "data": {"id": "1", "updated_at": 9_999_999_999_999_i64}}));
        let IdentityEvent::Upsert { updated_at, .. } = event else { panic!("{event:?}") };
        assert_eq!(updated_at, now() + Duration::minutes(5));
    }
}
