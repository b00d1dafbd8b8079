//! Request bodies: JSON, with known fields of the right types, or plain text.

use std::time::Duration;

use axum::{
    extract::{FromRequest, Request},
    http::{HeaderMap, StatusCode, header},
};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use utoipa::{ToSchema, openapi::ObjectBuilder};

use super::json;
use crate::http::{
    State,
    openapi::operation::{Input, OperationDoc, text},
    problem::{
        Problem,
        codes::{BODY_TIMEOUT, MALFORMED, TOO_LARGE, UNSUPPORTED_MEDIA_TYPE},
    },
};

/// What a client sends as JSON.
pub trait RequestBody: DeserializeOwned + ToSchema {
    /// The fields that null clears, or leaves empty: those that are null in the resource where there is nothing. Elsewhere null is
    /// refused: what is not meant is left out.
    const CLEARABLE: &'static [&'static str] = &[];
}

/// How long a client may take over a request's body: so long that the service has time left to answer.
fn body_timeout(state: &State) -> Duration {
    let request = Duration::from_secs(state.config.requests.request_timeout_seconds);
    (request / 2).min(Duration::from_secs(15))
}

/// A JSON body: of the right media type, well-formed, with known fields of the right types, without NUL.
pub struct Json<T>(pub T);

impl<T: RequestBody> FromRequest<State> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &State) -> Result<Self, Problem> {
        Body::<T>::from_request(request, state).await.map(|body| Self(body.value))
    }
}

impl<T: RequestBody> Input for Json<T> {
    fn describe(doc: &mut OperationDoc) {
        doc.takes_json::<T>(T::CLEARABLE);
        doc.refuses(&["413", "415"]);
    }
}

/// A JSON body, together with its bytes.
pub struct Body<T> {
    /// What it says.
    pub value: T,
    /// As it came.
    pub bytes: Bytes,
}

impl<T: RequestBody> FromRequest<State> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &State) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(
                UNSUPPORTED_MEDIA_TYPE,
                "the body must be JSON, with Content-Type: application/json",
            ));
        }
        let bytes = read_body(request, state).await?;
        let value = json::parse(&bytes, T::CLEARABLE)?;
        Ok(Self { value, bytes })
    }
}

impl<T: RequestBody> Input for Body<T> {
    fn describe(doc: &mut OperationDoc) {
        Json::<T>::describe(doc);
    }
}

/// A JSON body that may be left out, or be null: then it is as if it had no field.
pub struct OptionalBody<T> {
    /// What it says.
    pub value: T,
    /// As it came; nothing, when it was left out.
    pub bytes: Bytes,
}

impl<T: RequestBody + Default> FromRequest<State> for OptionalBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &State) -> Result<Self, Problem> {
        let is_json = is_json(request.headers());
        let bytes = read_body(request, state).await?;
        if matches!(bytes.trim_ascii(), b"" | b"null") {
            return Ok(Self { value: T::default(), bytes: Bytes::new() });
        }
        if !is_json {
            let detail = "the body must be JSON, with Content-Type: application/json, or be left out";
            return Err(Problem::new(UNSUPPORTED_MEDIA_TYPE, detail));
        }
        let value = json::parse(&bytes, T::CLEARABLE)?;
        Ok(Self { value, bytes })
    }
}

impl<T: RequestBody> Input for OptionalBody<T> {
    fn describe(doc: &mut OperationDoc) {
        Json::<T>::describe(doc);
        doc.body_is_optional();
    }
}

async fn read_body(request: Request, state: &State) -> Result<Bytes, Problem> {
    let read = tokio::time::timeout(body_timeout(state), Bytes::from_request(request, state)).await;
    read.map_err(|_| BODY_TIMEOUT)?.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => TOO_LARGE.into(),
        _ => Problem::new(MALFORMED, "the request body could not be read"),
    })
}

/// A body of plain text, in UTF-8: declared as that, or as nothing at all. It may be empty, but has to be there.
pub struct PlainText(pub Bytes);

impl FromRequest<State> for PlainText {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &State) -> Result<Self, Problem> {
        let headers = request.headers();
        if !is_plain_text(headers) {
            let detail = "the body must be plain text in UTF-8, with Content-Type: text/plain; charset=utf-8";
            return Err(Problem::new(UNSUPPORTED_MEDIA_TYPE, detail));
        }
        // A request without a body says neither of what kind it is nor how long (RFC 9112, 6.3).
        let has_body = [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::TRANSFER_ENCODING]
            .iter()
            .any(|name| headers.contains_key(name));
        let bytes = read_body(request, state).await?;
        if bytes.is_empty() && !has_body {
            return Err(Problem::new(MALFORMED, "the body is missing; send an empty one with Content-Length: 0"));
        }
        if std::str::from_utf8(&bytes).is_err() {
            return Err(Problem::new(MALFORMED, "the body is not UTF-8"));
        }
        Ok(Self(bytes))
    }
}

impl Input for PlainText {
    fn describe(doc: &mut OperationDoc) {
        let schema: ObjectBuilder = text().description(Some("Text in UTF-8."));
        doc.takes("text/plain", schema);
        doc.refuses(&["413", "415"]);
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
