//! Seals: proof that a message of NATS comes from a process that may read the deployment's secrets.
//!
//! Whoever may publish on a subject could say anything on it. So what is believed without asking Postgres (copies of events, ended
//! credentials, how far log and views are) carries a seal: HMAC-SHA256, under a key that lies in the database, over the subject, the
//! [`SEALED`] headers and the payload. What is not sealed is a doorbell at best: it makes the receiver look into Postgres.
//!
//! A seal does not keep a message from being sent again. It need not: each kind says to which history (epoch) it belongs, and within
//! one every receiver passes over what it knows already.

use async_nats::{HeaderMap, HeaderValue, Message};
use aws_lc_rs::{constant_time::verify_slices_are_equal, hmac};
use sqlx::PgPool;

use crate::{
    messaging::header::{DATA_OMITTED, EPOCH, EVENT_ID, FEED_SEQ, POSITION},
    secrets,
};

/// The header that carries the seal, as hexadecimal digits.
pub const HEADER: &str = "Workroom-Seal";

/// The headers under the seal. The one that names the sequence before binds an event's copy to its place in the stream.
pub const SEALED: [&str; 6] = [EPOCH, POSITION, FEED_SEQ, EVENT_ID, DATA_OMITTED, "Nats-Expected-Last-Sequence"];

/// The name of the key among the deployment's secrets.
const SECRET: &str = "messages";

/// Seals messages, and tells whether others are sealed. Cheap to clone.
#[derive(Clone)]
pub struct Seal {
    key: hmac::Key,
}

impl Seal {
    /// The seal of the deployment that this database belongs to; its key is made on first start.
    pub async fn open(pool: &PgPool) -> anyhow::Result<Self> {
        Ok(Self::from_bytes(secrets::secret(pool, SECRET).await?))
    }

    fn from_bytes(key: [u8; 32]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, &key) }
    }

    /// Adds the seal to a message's headers. Nothing under it may be changed afterwards.
    pub fn put(&self, subject: &str, headers: &mut HeaderMap, payload: &[u8]) {
        let seal = hex::encode(self.sign(subject, Some(headers), payload));
        headers.insert(HEADER, seal);
    }

    /// Headers with nothing but the seal.
    pub fn headers(&self, subject: &str, payload: &[u8]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        self.put(subject, &mut headers, payload);
        headers
    }

    /// Whether a message is sealed, and as it was sealed.
    pub fn holds(&self, message: &Message) -> bool {
        self.holds_for(&message.subject, message.headers.as_ref(), &message.payload)
    }

    /// As [`Seal::holds`], of a message in parts.
    pub fn holds_for(&self, subject: &str, headers: Option<&HeaderMap>, payload: &[u8]) -> bool {
        let seal = headers.and_then(|headers| headers.get(HEADER)).and_then(|seal| hex::decode(seal.as_str()).ok());
        let signed = self.sign(subject, headers, payload);
        seal.is_some_and(|seal| verify_slices_are_equal(&seal, signed.as_ref()).is_ok())
    }

    /// Each part goes in with its length before it, so that no two messages are the same bytes.
    fn sign(&self, subject: &str, headers: Option<&HeaderMap>, payload: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.key);
        let mut part = |bytes: Option<&[u8]>| match bytes {
            Some(bytes) => {
                context.update(&u64::try_from(bytes.len()).unwrap_or(u64::MAX - 1).to_be_bytes());
                context.update(bytes);
            }
            None => context.update(&u64::MAX.to_be_bytes()),
        };
        part(Some(subject.as_bytes()));
        for name in SEALED {
            let value = headers.and_then(|headers| headers.get(name)).map(HeaderValue::as_str);
            part(value.map(str::as_bytes));
        }
        part(Some(payload));
        context.sign()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_holds_for_what_it_was_put_on_and_for_nothing_else() {
        let (seal, another) = (Seal::from_bytes([1; 32]), Seal::from_bytes([2; 32]));
        let mut headers = HeaderMap::new();
        headers.insert(EPOCH, "one");
        seal.put("events.a", &mut headers, b"payload");
        assert!(seal.holds_for("events.a", Some(&headers), b"payload"));

        assert!(!another.holds_for("events.a", Some(&headers), b"payload"), "another key");
        assert!(!seal.holds_for("events.b", Some(&headers), b"payload"), "another subject");
        assert!(!seal.holds_for("events.a", Some(&headers), b"payloads"), "another payload");
        assert!(!seal.holds_for("events.a", None, b"payload"), "no headers");
        for (name, value) in [(EPOCH, "two"), (POSITION, "1"), (HEADER, "00"), (HEADER, "no digits")] {
            let mut changed = headers.clone();
            changed.insert(name, value);
            assert!(!seal.holds_for("events.a", Some(&changed), b"payload"), "{name}: {value}");
        }
        // A header that NATS adds is not under it.
        headers.insert("Nats-Msg-Id", "1");
        assert!(seal.holds_for("events.a", Some(&headers), b"payload"));
    }

    #[test]
    fn the_seal_knows_where_a_part_ends() {
        let seal = Seal::from_bytes([1; 32]);
        let headers = seal.headers("ab", b"c");
        assert!(seal.holds_for("ab", Some(&headers), b"c"));
        assert!(!seal.holds_for("a", Some(&headers), b"bc"));
    }
}
