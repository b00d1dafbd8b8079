//! Headers of replies: one component each, which responses refer to.

use utoipa::openapi::{Header, OpenApi, Ref, RefOr, header::HeaderBuilder};

use super::operation::{integer, text};

/// Headers of every reply.
pub const ALWAYS: [&str; 3] = ["X-Request-Id", "RateLimit", "RateLimit-Policy"];

/// A reference to a header's component.
pub fn reference(name: &str) -> RefOr<Header> {
    RefOr::Ref(Ref::new(format!("#/components/headers/{name}")))
}

/// Adds the components.
pub fn add_to(document: &mut OpenApi) {
    let texts = [
        ("X-Request-Id", "The request's id: the client's `X-Request-Id`, or a new one."),
        (
            "RateLimit",
            "What is left of the quota that is nearest to its end (draft-ietf-httpapi-ratelimit-headers-10). Not sent by \
             operations without a quota.",
        ),
        ("RateLimit-Policy", "That quota: its name, its requests, and its window in seconds."),
        ("Location", "The address of the new resource; it can be read."),
        (
            "ETag",
            "The resource's version, as an entity tag (RFC 9110, 8.8.3). Send it as `If-Match` with a change, or as \
             `If-None-Match` with the next read.",
        ),
        ("Workroom-Visible", "`false` where a read may not show the command's effect yet; else not sent."),
        (
            "Idempotent-Replayed",
            "`true` where the reply is one that was given before under the same `Idempotency-Key`.",
        ),
        (
            "Workroom-Ended-Invitations",
            "Ids of open invitations that ended with the command, separated by commas; at most a hundred.",
        ),
        (
            "Set-Cookie",
            "The cookie by which a device is known that somebody has signed in from; only where it was not known.",
        ),
        ("WWW-Authenticate", "The way to sign in: `Bearer`."),
        ("Cache-Control", "A reader may keep the reply, and asks again each time: `private, no-cache`."),
    ];
    let numbers = [
        ("Workroom-Position", "The position in the log that the command's reply is about: pass it as `min_position`."),
        ("Retry-After", "Seconds to wait before the next attempt."),
    ];
    let components = document.components.get_or_insert_default();
    let texts = texts.map(|(name, description)| (name, description, text()));
    let numbers = numbers.map(|(name, description)| (name, description, integer()));
    for (name, description, schema) in texts.into_iter().chain(numbers) {
        let header = HeaderBuilder::new().description(Some(description)).schema(Some(schema)).build();
        components.headers.insert(name.to_owned(), RefOr::T(header));
    }
}
