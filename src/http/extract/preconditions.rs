//! `If-Match` and `If-None-Match` (RFC 9110, 13.1).

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};

use crate::{
    application::IfVersion,
    http::{
        State,
        openapi::operation::{Input, OperationDoc, text},
        problem::Problem,
    },
};

/// The versions that `If-Match` allows, if the header was sent (RFC 9110, 13.1.1). An entity tag of foreign make
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
impl Input for IfMatch {
    fn describe(doc: &mut OperationDoc) {
        let about = "Carry the command out only if the resource has this version: an `ETag` that was read, or `*`.";
        doc.header_parameter("If-Match", about, text().examples(["\"7\""]));
        doc.refuses(&["412"]);
    }
}

impl Input for IfNoneMatch {
    fn describe(doc: &mut OperationDoc) {
        let about = "Send the resource only if it differs from this `ETag`; else the reply is 304.";
        doc.header_parameter("If-None-Match", about, text().examples(["\"7\""]));
        doc.gives("304", "The client has it: `If-None-Match` names what is there.", None);
        doc.tells("304", &["ETag", "Cache-Control"]);
    }
}
