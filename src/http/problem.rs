//! Errors as their reader sees them: RFC 9457 `application/problem+json`, for the service's own and the framework's.

use std::time::Duration;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::application::Error;

/// An error, as RFC 9457 has it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProblemDetails {
    /// What kind of problem it is: a URN that stays the same.
    #[schema(example = "urn:workroom:problem:not-found")]
    pub r#type: &'static str,
    /// The kind, for people.
    pub title: &'static str,
    /// The HTTP status.
    #[schema(example = 404)]
    pub status: u16,
    /// What happened this time.
    pub detail: String,
    /// The request's id, under which the log has more.
    pub instance: String,
    /// The fields that do not hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
}

/// A field that does not hold.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FieldProblem {
    /// Where: a JSON pointer (RFC 6901).
    #[schema(example = "/email")]
    pub pointer: String,
    /// What is wrong with it.
    pub detail: String,
}

/// An error on its way out; [`render`] writes it.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    detail: String,
    errors: Vec<FieldProblem>,
    retry_after: Option<Duration>,
}

impl Problem {
    /// An error of this status.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), errors: Vec::new(), retry_after: None }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::Unauthenticated(_) => Self::new(StatusCode::UNAUTHORIZED, detail),
            Error::Forbidden => Self::new(StatusCode::FORBIDDEN, detail),
            Error::NotFound(_) => Self::new(StatusCode::NOT_FOUND, detail),
            Error::Conflict(_) => Self::new(StatusCode::CONFLICT, detail),
            Error::Stale => Self::new(StatusCode::PRECONDITION_FAILED, detail),
            Error::Invalid(violations) => {
                let errors: Vec<_> = violations
                    .into_iter()
                    .map(|violation| FieldProblem { pointer: violation.pointer, detail: violation.detail })
                    .collect();
                let detail = match errors.as_slice() {
                    [only] if only.pointer.is_empty() => only.detail.clone(),
                    _ => detail,
                };
                Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail) }
            }
            Error::Throttled { retry_after, .. } => {
                Self { retry_after: Some(retry_after), ..Self::new(StatusCode::TOO_MANY_REQUESTS, detail) }
            }
            Error::Busy { retry_after, .. } => {
                Self { retry_after: Some(retry_after), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail) }
            }
            Error::Failure(source) => {
                tracing::error!(error = source.as_ref() as &dyn std::error::Error, "a request failed");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
            }
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if let Some(after) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// The kind of a status: its URN and its title.
fn kind(status: StatusCode) -> (&'static str, &'static str) {
    match status.as_u16() {
        400 => ("urn:workroom:problem:malformed", "Malformed request"),
        401 => ("urn:workroom:problem:unauthenticated", "Not signed in"),
        403 => ("urn:workroom:problem:forbidden", "Not allowed"),
        404 => ("urn:workroom:problem:not-found", "Not found"),
        405 => ("urn:workroom:problem:method-not-allowed", "Method not allowed"),
        408 => ("urn:workroom:problem:timeout", "Request took too long"),
        409 => ("urn:workroom:problem:conflict", "Conflict with the current state"),
        412 => ("urn:workroom:problem:stale", "Precondition failed"),
        413 => ("urn:workroom:problem:too-large", "Request too large"),
        415 => ("urn:workroom:problem:unsupported-media-type", "Unsupported media type"),
        422 => ("urn:workroom:problem:invalid", "Invalid request"),
        426 => ("urn:workroom:problem:upgrade-required", "Upgrade required"),
        429 => ("urn:workroom:problem:too-many-requests", "Too many requests"),
        431 => ("urn:workroom:problem:headers-too-large", "Headers too large"),
        503 => ("urn:workroom:problem:unavailable", "Temporarily unavailable"),
        500..=599 => ("urn:workroom:problem:internal", "Internal error"),
        _ => ("urn:workroom:problem:refused", "Request refused"),
    }
}

/// What to say where the framework says nothing.
fn standard_detail(status: StatusCode) -> &'static str {
    match status.as_u16() {
        404 => "there is nothing at this address",
        405 => "this address does not take this method; see the Allow header",
        408 => "the request was not complete, or not answered, in time",
        413 => "the request body is too large",
        426 => "this address speaks WebSocket only",
        503 => "the service did not answer in time; a command may or may not have been carried out",
        500..=599 => "an internal error occurred",
        _ => "the request was refused",
    }
}

/// Writes an error as a problem document, whoever made it; anything else stays as it is.
pub(super) fn written(mut response: Response, instance: &str) -> Response {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let problem =
        response.extensions_mut().remove::<Problem>().unwrap_or_else(|| Problem::new(status, standard_detail(status)));
    let (r#type, title) = kind(status);
    let instance = instance.to_owned();
    let details = ProblemDetails {
        r#type,
        title,
        status: status.as_u16(),
        detail: problem.detail,
        instance,
        errors: problem.errors,
    };
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    let (written, body) = Json(details).into_response().into_parts();
    parts.headers.extend(written.headers);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        parts.headers.entry(header::RETRY_AFTER).or_insert(HeaderValue::from_static("2"));
    }
    Response::from_parts(parts, body)
}
