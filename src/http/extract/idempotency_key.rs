//! `Idempotency-Key`.

use axum::{extract::FromRequestParts, http::request::Parts};
use uuid::Uuid;

use crate::{
    application::IdempotencyKey,
    http::{
        State,
        openapi::operation::{Input, OperationDoc, text},
        problem::{Problem, codes::MALFORMED},
    },
};

/// The client's `Idempotency-Key`, if it sent one.
pub struct ClientKey(Option<String>, String);

impl FromRequestParts<State> for ClientKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Problem> {
        let target = format!("{} {}", parts.method, parts.uri.path());
        let Some(value) = parts.headers.get("idempotency-key") else { return Ok(Self(None, target)) };
        let key = value.to_str().ok().filter(|key| (1..=255).contains(&key.len()));
        match key {
            Some(key) => Ok(Self(Some(key.to_owned()), target)),
            None => Err(Problem::new(MALFORMED, "Idempotency-Key must be 1 to 255 visible characters")),
        }
    }
}

impl ClientKey {
    /// The key of `principal`, bound to this request's address and body.
    pub fn bind(self, state: &State, principal: Uuid, body: &[u8]) -> Option<IdempotencyKey> {
        let Self(key, target) = self;
        let fingerprint = state.identity.fingerprint(&[target.as_bytes(), body]);
        key.map(|key| IdempotencyKey { principal, key, fingerprint })
    }

    /// The key of somebody who has no account yet: bound to what identifies them instead.
    pub fn bind_anonymous(self, state: &State, identifier: &str, body: &[u8]) -> Option<IdempotencyKey> {
        let digest = state.identity.fingerprint(&[b"anonymous", identifier.as_bytes()]);
        let principal = digest.first_chunk().map_or(Uuid::nil(), |bytes| Uuid::from_bytes(*bytes));
        self.bind(state, principal, body)
    }
}
impl Input for ClientKey {
    fn describe(doc: &mut OperationDoc) {
        let about = "A key of the client's choice. The same key and request again get the same reply, and nothing is done \
                     twice; kept for 24 hours.";
        let schema = text().min_length(Some(1)).max_length(Some(255));
        doc.header_parameter("Idempotency-Key", about, schema);
        doc.refuses(&["409"]);
    }
}
