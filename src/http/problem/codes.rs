//! What HTTP refuses by itself, the status of every refusal, and the list of all codes that a client may meet.

use axum::http::StatusCode;
use utoipa::openapi::{
    Schema,
    schema::{ObjectBuilder, SchemaType, Type},
};
use workroom_credentials::{codes as credentials, webhook::event as identity_provider};
use workroom_domain::refusal::{self, Code, Kind};

pub use crate::application::codes::MISSING_FIELD;
use crate::{application, identity};

workroom_domain::codes! {
    MALFORMED = "malformed", Malformed,
        "the request cannot be read",
        "correct it; the detail names what is wrong with it";
    METHOD_NOT_ALLOWED = "method-not-allowed", Malformed,
        "this address does not take this method; see the Allow header",
        "use one of the methods that `Allow` names";
    BODY_TIMEOUT = "body-timeout", Malformed,
        "the request body did not come in time",
        "send it again, faster";
    TOO_LARGE = "too-large", Malformed,
        "the request body is too large",
        "send less at once";
    UNSUPPORTED_MEDIA_TYPE = "unsupported-media-type", Malformed,
        "the body is of a media type that this address does not take",
        "send the media type that the detail names";
    UPGRADE_REQUIRED = "upgrade-required", Malformed,
        "this address speaks WebSocket only",
        "open it with a WebSocket client, version 13";
    HEADERS_TOO_LARGE = "headers-too-large", Malformed,
        "the request's headers are too large",
        "send fewer or shorter headers";
    ORIGIN_REFUSED = "origin-refused", Forbidden,
        "pages of this origin may not open sockets here",
        "have whoever runs the service add the origin to `WORKROOM_ALLOWED_ORIGINS`";
    TOO_MANY_REQUESTS = "too-many-requests", Throttled,
        "the account or the address asks too often",
        "try again after `Retry-After`";
    TOO_MANY_SOCKETS = "too-many-sockets", Throttled,
        "this address or account has too many sockets open",
        "close some, or try again after `Retry-After`";
    UNAVAILABLE = "unavailable", Unavailable,
        "the service is starting, stopping or full",
        "try again after `Retry-After`";
    NOT_READY = "not-ready", Unavailable,
        "the service cannot serve at the moment",
        "the detail names what is missing, to whoever may know";
    UNKNOWN_FIELD = "unknown-field", Field,
        "the request has a field or parameter that does not exist",
        "remove it, or correct its name";
    WRONG_TYPE = "wrong-type", Field,
        "the value is not of the type that the field takes",
        "send the type that the document of the interface names";
    INVALID_VALUE = "invalid-value", Field,
        "the value is none that the field takes",
        "send one of those that the detail names";
}

/// Every code that a client may meet.
pub fn all() -> impl Iterator<Item = &'static Code> {
    let own = [
        application::codes::CODES,
        application::job_rules::codes::CODES,
        application::redaction::codes::CODES,
        application::webhooks::codes::CODES,
        crate::http::project_state::codes::CODES,
        credentials::CODES,
        identity::codes::CODES,
        identity_provider::CODES,
        CODES,
    ];
    refusal::all().chain(own.into_iter().flatten().copied())
}

/// The status that a refusal is answered with.
pub fn status(code: &Code) -> StatusCode {
    match code.kind {
        Kind::Malformed if code == METHOD_NOT_ALLOWED => StatusCode::METHOD_NOT_ALLOWED,
        Kind::Malformed if code == BODY_TIMEOUT => StatusCode::REQUEST_TIMEOUT,
        Kind::Malformed if code == TOO_LARGE => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::Malformed if code == UNSUPPORTED_MEDIA_TYPE => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Kind::Malformed if code == UPGRADE_REQUIRED => StatusCode::UPGRADE_REQUIRED,
        Kind::Malformed if code == HEADERS_TOO_LARGE => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Kind::Malformed => StatusCode::BAD_REQUEST,
        Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::Stale => StatusCode::PRECONDITION_FAILED,
        Kind::Invalid | Kind::Field => StatusCode::UNPROCESSABLE_ENTITY,
        Kind::Throttled => StatusCode::TOO_MANY_REQUESTS,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Failure => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// What a bare status of the framework means.
pub(super) fn of_status(status: StatusCode) -> &'static Code {
    match status.as_u16() {
        401 => identity::codes::CREDENTIALS_MISSING,
        403 => application::codes::FORBIDDEN,
        404 => refusal::NOT_FOUND,
        405 => METHOD_NOT_ALLOWED,
        408 => BODY_TIMEOUT,
        413 => TOO_LARGE,
        415 => UNSUPPORTED_MEDIA_TYPE,
        426 => UPGRADE_REQUIRED,
        431 => HEADERS_TOO_LARGE,
        503 => application::codes::OUTCOME_UNKNOWN,
        500..=599 => application::codes::INTERNAL,
        _ => MALFORMED,
    }
}

/// The schema of a problem's code: an enumeration of all, with what each means.
pub(super) fn problem_code() -> Schema {
    schema(false, "last-owner")
}

/// The schema of a field's code: an enumeration of all, with what each means.
pub(super) fn field_code() -> Schema {
    schema(true, "malformed-email")
}

fn schema(of_field: bool, example: &str) -> Schema {
    let codes: Vec<_> = all().filter(|code| (code.kind == Kind::Field) == of_field).collect();
    let list: Vec<_> = codes.iter().map(|code| format!("- `{}`: {}.", code.name, code.meaning)).collect();
    ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::String))
        .enum_values(Some(codes.iter().map(|code| code.name)))
        .description(Some(format!(
            "A word that stays the same, so that nobody has to parse sentences.\n\n{}",
            list.join("\n")
        )))
        .examples([serde_json::json!(example)])
        .build()
        .into()
}
