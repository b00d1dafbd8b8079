//! Errors as their reader sees them: RFC 9457 `application/problem+json`, for the service's own and the framework's.

use std::{borrow::Cow, time::Duration};

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;
use workroom_domain::refusal::Code;

pub mod codes;

use crate::application::{Error, Violation};

/// An error, as RFC 9457 has it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProblemDetails {
    /// What was refused, as a URN that stays the same: `urn:workroom:problem:` and the code.
    #[schema(example = "urn:workroom:problem:last-owner")]
    pub r#type: String,
    /// What the status means, for people.
    #[schema(example = "Conflict with the current state")]
    pub title: &'static str,
    /// The HTTP status.
    #[schema(example = 409)]
    pub status: u16,
    /// What was refused: a word that stays the same, so that nobody has to parse sentences.
    #[schema(schema_with = codes::problem_code)]
    pub code: &'static str,
    /// What happened this time, for people.
    #[schema(example = "the last owner of a project can neither leave nor be demoted")]
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
    /// Where: a JSON pointer (RFC 6901) into the body, or the name of a query parameter after a slash.
    #[schema(example = "/email")]
    pub pointer: String,
    /// What is wrong with it: a word that stays the same.
    #[schema(schema_with = codes::field_code)]
    pub code: &'static str,
    /// What is wrong with it, for people.
    #[schema(example = "an e-mail address has exactly one @")]
    pub detail: String,
}

/// An error on its way out; [`written`] writes it.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static Code,
    detail: Cow<'static, str>,
    errors: Vec<FieldProblem>,
    retry_after: Option<Duration>,
}

impl Problem {
    /// A refusal of HTTP's own.
    pub fn new(code: &'static Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status: codes::status(code), code, detail: detail.into(), errors: Vec::new(), retry_after: None }
    }
}

impl From<&'static Code> for Problem {
    fn from(code: &'static Code) -> Self {
        Self::new(code, code.meaning)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let (code, detail) = (error.code(), error.to_string());
        match error {
            Error::Refused(refused) => Self { retry_after: refused.retry_after, ..Self::new(code, refused.detail) },
            Error::Overtaken => Self::new(code, detail),
            Error::Invalid(violations) => {
                let errors: Vec<_> = violations
                    .into_iter()
                    .map(|Violation { pointer, code, detail }| FieldProblem {
                        pointer,
                        code: code.name,
                        detail: detail.into_owned(),
                    })
                    .collect();
                let detail = match errors.as_slice() {
                    [only] if only.pointer.is_empty() => only.detail.clone(),
                    _ => detail,
                };
                Self { errors, ..Self::new(code, detail) }
            }
            Error::Failure(source) => {
                tracing::error!(error = source.as_ref() as &dyn std::error::Error, "a request failed");
                Self::new(code, detail)
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

/// What a status means, for people.
fn title(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "Malformed request",
        401 => "Not signed in",
        403 => "Not allowed",
        404 => "Not found",
        405 => "Method not allowed",
        408 => "Request took too long",
        409 => "Conflict with the current state",
        412 => "Precondition failed",
        413 => "Request too large",
        415 => "Unsupported media type",
        422 => "Invalid request",
        426 => "Upgrade required",
        429 => "Too many requests",
        431 => "Headers too large",
        503 => "Temporarily unavailable",
        500..=599 => "Internal error",
        _ => "Request refused",
    }
}

/// Writes an error as a problem document, whoever made it; anything else stays as it is.
pub(super) fn written(mut response: Response, instance: &str) -> Response {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let problem = response.extensions_mut().remove::<Problem>().unwrap_or_else(|| codes::of_status(status).into());
    let details = ProblemDetails {
        r#type: format!("urn:workroom:problem:{}", problem.code.name),
        title: title(status),
        status: status.as_u16(),
        code: problem.code.name,
        detail: problem.detail.into_owned(),
        instance: instance.to_owned(),
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
