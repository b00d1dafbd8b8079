//! Errors: one component a status, which operations refer to.

use utoipa::openapi::{Content, OpenApi, Ref, RefOr, Response, ResponseBuilder};

use super::headers;

/// Each status with the name of its component, and when it is sent.
const STATUSES: [(&str, &str, &str); 15] = [
    ("400", "BadRequest", "The request is malformed: no JSON, a header that is none, or a URL that is none."),
    ("401", "Unauthorized", "Not signed in, or with credentials that do not hold (any more)."),
    ("403", "Forbidden", "The caller may know of the resource, but not do this."),
    ("404", "NotFound", "There is no such resource, or none that the caller may know of."),
    (
        "408",
        "RequestTimeout",
        "The request took too long: its body did not arrive in time, or it could not be answered in time.",
    ),
    ("409", "Conflict", "The request conflicts with the current state; `code` says how."),
    ("412", "PreconditionFailed", "`If-Match` names a version that is not the current one."),
    ("413", "ContentTooLarge", "The body is larger than this operation takes."),
    ("415", "UnsupportedMediaType", "The body is not of the media type that this operation takes."),
    (
        "422",
        "UnprocessableContent",
        "The request is well-formed, but some of its values do not hold: `errors` says which.",
    ),
    ("426", "UpgradeRequired", "Only a WebSocket can be opened here."),
    ("429", "TooManyRequests", "A quota is used up; `Retry-After` says when to come again."),
    ("431", "RequestHeaderFieldsTooLarge", "The request has too many headers, or too large ones."),
    ("500", "InternalServerError", "The service failed; its log has more under `instance`."),
    ("503", "ServiceUnavailable", "The service cannot answer at the moment; `Retry-After` says when to come again."),
];

/// Statuses that every operation can answer with.
pub const ALWAYS: [&str; 7] = ["400", "408", "422", "429", "431", "500", "503"];

/// A reference to the component of a status, if that is an error's.
pub fn reference(status: &str) -> Option<RefOr<Response>> {
    let (_, name, _) = STATUSES.iter().find(|(known, ..)| *known == status)?;
    Some(RefOr::Ref(Ref::from_response_name(*name)))
}

/// Adds the components.
pub fn add_to(document: &mut OpenApi) {
    let components = document.components.get_or_insert_default();
    for (status, name, description) in STATUSES {
        let content = Content::new(Some(Ref::from_schema_name("ProblemDetails")));
        let mut response =
            ResponseBuilder::new().description(description).content("application/problem+json", content).build();
        let own: &[&str] = match status {
            "401" => &["WWW-Authenticate"],
            "409" | "429" | "503" => &["Retry-After"],
            _ => &[],
        };
        for header in headers::ALWAYS.iter().chain(own) {
            response.headers.insert((*header).to_owned(), headers::reference(header));
        }
        components.responses.insert(name.to_owned(), RefOr::T(response));
    }
}
