//! Extractors: what a handler needs of a request, checked, with the service's own errors.

use std::time::Duration;

use axum::{
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, Method, StatusCode, header, request::Parts},
};
use bytes::Bytes;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use uuid::Uuid;
use workroom_domain::actor::Actor;
use workroom_domain::refusal::{Code, FORBIDDEN_CHARACTER, NOT_FOUND};

use super::{State, problem::Problem, rate_limit::Usage, request::RequestMeta};
use crate::clock::now;
use crate::http::problem::codes::{
    BODY_TIMEOUT, INVALID_VALUE, MALFORMED, MISSING_FIELD, TOO_LARGE, UNKNOWN_FIELD, UNSUPPORTED_MEDIA_TYPE, WRONG_TYPE,
};
use crate::identity::codes::CREDENTIALS_MISSING;
use crate::{
    application::{Context, Error, IdempotencyKey, IfVersion},
    identity::{self, Scope},
};

/// How long a client may take over a request's body: so long that the service has time left to answer.
fn body_timeout(state: &State) -> Duration {
    let request = Duration::from_secs(state.config.request_timeout_seconds);
    (request / 2).min(Duration::from_secs(15))
}

/// A JSON body: of the right media type, well-formed, with known fields of the right types, without NUL.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<State> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &State) -> Result<Self, Problem> {
        Body::<T>::from_request(request, state).await.map(|body| Self(body.value))
    }
}

/// A JSON body, together with its bytes.
pub struct Body<T> {
    /// What it says.
    pub value: T,
    /// As it came.
    pub bytes: Bytes,
}

impl<T: DeserializeOwned> FromRequest<State> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &State) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(
                UNSUPPORTED_MEDIA_TYPE,
                "the body must be JSON, with Content-Type: application/json",
            ));
        }
        let bytes = read_body(request, state).await?;
        let value = parse(&bytes)?;
        Ok(Self { value, bytes })
    }
}

async fn read_body(request: Request, state: &State) -> Result<Bytes, Problem> {
    let read = tokio::time::timeout(body_timeout(state), Bytes::from_request(request, state)).await;
    read.map_err(|_| BODY_TIMEOUT)?.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => TOO_LARGE.into(),
        _ => Problem::new(MALFORMED, "the request body could not be read"),
    })
}

/// A body of plain text, in UTF-8: declared as that, or as nothing at all.
pub struct PlainText(pub Bytes);

impl FromRequest<State> for PlainText {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &State) -> Result<Self, Problem> {
        if !is_plain_text(request.headers()) {
            let detail = "the body must be plain text in UTF-8, with Content-Type: text/plain; charset=utf-8";
            return Err(Problem::new(UNSUPPORTED_MEDIA_TYPE, detail));
        }
        let bytes = read_body(request, state).await?;
        if std::str::from_utf8(&bytes).is_err() {
            return Err(Problem::new(MALFORMED, "the body is not UTF-8"));
        }
        Ok(Self(bytes))
    }
}

fn is_plain_text(headers: &HeaderMap) -> bool {
    let Some(media_type) = headers.get(header::CONTENT_TYPE) else { return true };
    let media_type = media_type.to_str().unwrap_or_default().to_ascii_lowercase();
    let mut parts = media_type.split(';').map(str::trim);
    let is_plain = parts.next() == Some("text/plain");
    let charset = parts.find_map(|part| part.strip_prefix("charset=")).unwrap_or("utf-8").trim_matches('"');
    is_plain && matches!(charset, "utf-8" | "utf8" | "us-ascii")
}

fn is_json(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // serde would take a list for an object, its items for the fields in their order.
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'[') && serde_json::from_slice::<serde_json::Value>(bytes).is_ok() {
        return Err(Error::invalid("", WRONG_TYPE, "must be a JSON object").into());
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let pointer = pointer(error.path());
        refuse(&error.into_inner(), &pointer, bytes)
    })?;
    deserializer.end().map_err(|error| refuse(&error, "", bytes))?;
    if has_nul(bytes) {
        return Err(Error::invalid("", FORBIDDEN_CHARACTER, "text must not contain NUL characters").into());
    }
    Ok(value)
}

fn refuse(error: &serde_json::Error, pointer: &str, bytes: &[u8]) -> Problem {
    if error.is_data() {
        // serde_json ends its message with the place in the text, which the pointer says better.
        let text = error.to_string();
        let detail = text.split(" at line ").next().unwrap_or(&text).to_owned();
        return Error::invalid(pointer, code_of(&detail), detail).into();
    }
    // serde_json calls it a syntax error, too, when a value of another type stands where an enum is expected.
    if serde_json::from_slice::<serde_json::Value>(bytes).is_ok() {
        return Error::invalid(pointer, WRONG_TYPE, "is not of the expected type").into();
    }
    Problem::new(MALFORMED, format!("the body is not well-formed JSON: {error}"))
}

/// What serde's sentence is about; serde has nothing but the sentence.
fn code_of(detail: &str) -> &'static Code {
    let is = |word: &str| detail.contains(word);
    if is("unknown field") {
        UNKNOWN_FIELD
    } else if is("missing field") {
        MISSING_FIELD
    } else if is("invalid type") {
        WRONG_TYPE
    } else {
        INVALID_VALUE
    }
}

/// A path as a JSON pointer (RFC 6901).
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(format!("/{index}")),
            Segment::Map { key } => Some(format!("/{}", key.replace('~', "~0").replace('/', "~1"))),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

/// Whether well-formed JSON has a string with a NUL in it, which only the escape `\u0000` can write.
fn has_nul(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some(at) = rest.iter().position(|b| *b == b'\\') {
        let escape = &rest[at + 1..];
        if escape.starts_with(b"u0000") {
            return true;
        }
        rest = escape.get(1..).unwrap_or_default();
    }
    false
}

/// Parameters of the query string, all of them known.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<State> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Problem> {
        let refused = |code, detail: String| Problem::from(Error::invalid("", code, detail));
        let axum::extract::Query(value) = axum::extract::Query::try_from_uri(&parts.uri).map_err(|rejection| {
            let why = rejection.body_text();
            refused(code_of(&why), format!("the query string is not valid: {why}"))
        })?;
        if parts.uri.query().is_some_and(|query| query.contains("%00")) {
            return Err(refused(FORBIDDEN_CHARACTER, "text must not contain NUL characters".to_owned()));
        }
        Ok(Self(value))
    }
}

/// Ids in the path. What is no id names nothing: 404.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<State> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        axum::extract::Path::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(value)| Self(value))
            .map_err(|_| Problem::new(NOT_FOUND, "there is nothing at this address"))
    }
}

/// The signed-in caller, and what events of this request will say.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who calls.
    pub identity: identity::Caller,
    /// What events of this request will say.
    pub context: Context,
}

/// The token of an `Authorization: Bearer` header (RFC 6750).
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

impl FromRequestParts<State> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        let token = bearer(&parts.headers).ok_or_else(|| {
            Error::refused(CREDENTIALS_MISSING, "sign in first: send Authorization: Bearer <access token>")
        })?;
        let now = now();
        let identity = state.identity.authenticate(token, now).await?;
        let only_reads = matches!(parts.method, Method::GET | Method::HEAD);
        identity.require(if only_reads { Scope::Read } else { Scope::Write })?;
        if let Some(usage) = parts.extensions.get::<Usage>() {
            usage.take_account(identity.account_id.into())?;
        }
        let meta = meta(parts)?;
        let context = Context {
            actor: Actor::Account(identity.account_id),
            now,
            correlation_id: meta.correlation_id,
            causation_id: None,
            trace_id: meta.trace_id.clone(),
        };
        Ok(Self { identity, context })
    }
}

/// Who calls, if they say so. Nobody need; credentials that are not good are none.
pub struct MaybeCaller(pub Option<Caller>);

impl FromRequestParts<State> for MaybeCaller {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Self::Rejection> {
        Ok(Self(Caller::from_request_parts(parts, state).await.ok()))
    }
}

/// A caller whose credential opens all that the account may do: account, sessions and tokens are no matter for a personal
/// access token.
pub struct AccountOwner(pub Caller);

impl FromRequestParts<State> for AccountOwner {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        caller.identity.require(Scope::Full)?;
        Ok(Self(caller))
    }
}

/// What the client calls itself.
pub struct UserAgent(pub Option<String>);

impl FromRequestParts<State> for UserAgent {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Self::Rejection> {
        let name = parts.headers.get(header::USER_AGENT).and_then(|name| name.to_str().ok());
        Ok(Self(name.map(str::to_owned)))
    }
}

fn meta(parts: &Parts) -> Result<&RequestMeta, Problem> {
    parts.extensions.get::<RequestMeta>().ok_or_else(|| Error::failure("a request without an id").into())
}

/// The request's correlation id, for those who are not signed in yet.
pub struct Correlation(pub Uuid);

impl FromRequestParts<State> for Correlation {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Problem> {
        Ok(Self(meta(parts)?.correlation_id))
    }
}

/// The versions that `If-Match` insists on, if it insists on any (RFC 9110, 13.1.1). An entity tag of foreign make
/// matches none.
pub struct IfMatch(pub IfVersion);

impl FromRequestParts<State> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Problem> {
        let mut versions = None;
        for value in parts.headers.get_all(header::IF_MATCH) {
            let tags = value.to_str().unwrap_or_default();
            if tags.trim() == "*" {
                return Ok(Self(IfVersion(None)));
            }
            versions.get_or_insert_with(Vec::new).extend(tags.split(',').filter_map(version));
        }
        Ok(Self(IfVersion(versions)))
    }
}

/// The version in an entity tag. What may follow a dot tells representations apart, not versions.
fn version(tag: &str) -> Option<i64> {
    let tag = tag.trim().strip_prefix('"')?.strip_suffix('"')?;
    tag.split_once('.').map_or(tag, |(version, _)| version).parse().ok()
}

/// The representations that the client has (RFC 9110, 13.1.2).
pub struct IfNoneMatch(Vec<String>);

impl IfNoneMatch {
    /// Whether the client has this one.
    pub fn has(&self, etag: &str) -> bool {
        self.0.iter().any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == etag)
    }
}

impl FromRequestParts<State> for IfNoneMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Problem> {
        let values = parts.headers.get_all(header::IF_NONE_MATCH).iter();
        let tags = values.flat_map(|value| value.to_str().unwrap_or_default().split(','));
        Ok(Self(tags.map(|tag| tag.trim().to_owned()).collect()))
    }
}

/// Tells `null` from absent, with `#[serde(default, deserialize_with = "given")]`.
///
/// # Errors
/// The value's own.
pub fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nul_is_found_where_it_is_written_and_nowhere_else() {
        assert!(has_nul(br#"{"a":"x\u0000y"}"#));
        assert!(has_nul(br#"{"a":"\\\u0000"}"#));
        assert!(!has_nul(br#"{"a":"\\u0000"}"#));
        assert!(has_nul(br#"{"a":"\u00001"}"#), "a NUL and a digit");
        assert!(!has_nul(br#"{"a":"\""}"#));
    }
}
