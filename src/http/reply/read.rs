//! Replies to reads.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Typed, etag, insert};
use crate::{
    application::Error,
    http::{
        extract::IfNoneMatch,
        openapi::{
            operation::{OperationDoc, Output, list_of},
            schemas::Use,
        },
        page::Items,
    },
};

/// What a version tells of what its reader sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Representation {
    /// Everything: a reader sees the same for as long as the version is the same.
    ByVersion,
    /// Not everything: names of others, counts and the like change without a new version, and tell representations of one
    /// version apart.
    ByContent,
}

impl Representation {
    /// [`Self::ByContent`] where that holds.
    pub fn by_content_if(there_is_more: bool) -> Self {
        if there_is_more { Self::ByContent } else { Self::ByVersion }
    }
}

/// 200 with a resource, or 304 where the client has it (RFC 9110, 15.4.5).
pub struct OkOrNotModified<T>(Typed<T>);

impl<T: Serialize> OkOrNotModified<T> {
    /// A resource that was read. Its tag tells the version, and where there is more to see, a hash of what is seen behind a dot.
    ///
    /// # Errors
    /// What JSON cannot hold.
    pub fn new(known: &IfNoneMatch, version: i64, representation: Representation, body: &T) -> Result<Self, Error> {
        let body = serde_json::to_string(body).map_err(Error::failure)?;
        let etag = match representation {
            Representation::ByVersion => etag(version),
            Representation::ByContent => format!("\"{version}.{:08x}\"", crc32fast::hash(body.as_bytes())),
        };
        Ok(Self(Typed::of(tagged(known, &etag, "application/json", body))))
    }
}

impl OkOrNotModified<String> {
    /// A text that was read.
    pub fn text(known: &IfNoneMatch, version: i64, text: impl IntoResponse) -> Self {
        Self(Typed::of(tagged(known, &etag(version), "text/plain; charset=utf-8", text)))
    }
}

fn tagged(known: &IfNoneMatch, etag: &str, media_type: &'static str, body: impl IntoResponse) -> Response {
    let mut response = if known.has(etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, HeaderValue::from_static(media_type))], body).into_response()
    };
    insert(response.headers_mut(), header::ETAG, etag);
    // It may be kept by its reader alone, and asked for again each time.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    response
}

impl<T> IntoResponse for OkOrNotModified<T> {
    fn into_response(self) -> Response {
        self.0.response
    }
}

impl<T: ToSchema> Output for OkOrNotModified<T> {
    fn describe(doc: &mut OperationDoc) {
        let is_text = T::name() == "String";
        let (media_type, body) = if is_text {
            ("text/plain", crate::http::openapi::operation::text().into())
        } else {
            ("application/json", doc.component::<T>(Use::Reply))
        };
        doc.gives("200", "The resource.", Some((media_type, body)));
        doc.tells("200", &["ETag", "Cache-Control"]);
    }
}

/// 200 with what has no version.
pub struct Shown<T>(pub T);

impl<T: Serialize> IntoResponse for Shown<T> {
    fn into_response(self) -> Response {
        Json(self.0).into_response()
    }
}

impl<T: ToSchema> Output for Shown<T> {
    fn describe(doc: &mut OperationDoc) {
        let body = doc.component::<T>(Use::Reply);
        doc.gives("200", "What was asked for.", Some(("application/json", body)));
    }
}

/// 200 with a part of a list.
pub struct List<T> {
    items: Items<T>,
    version: Option<i64>,
}

impl<T> From<Items<T>> for List<T> {
    fn from(items: Items<T>) -> Self {
        Self { items, version: None }
    }
}

impl<T: Serialize> IntoResponse for List<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.items).into_response();
        if let Some(version) = self.version {
            insert(response.headers_mut(), header::ETAG, &etag(version));
        }
        response
    }
}

impl<T: ToSchema> Output for List<T> {
    fn describe(doc: &mut OperationDoc) {
        let list = list_of::<T>(doc);
        doc.gives("200", "A part of the list.", Some(("application/json", list)));
    }
}

/// [`List`] with the version of what it belongs to.
pub struct VersionedList<T>(List<T>);

impl<T> VersionedList<T> {
    /// A part of a list of what has this version.
    pub fn new(items: Items<T>, version: i64) -> Self {
        Self(List { items, version: Some(version) })
    }
}

impl<T: Serialize> IntoResponse for VersionedList<T> {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

impl<T: ToSchema> Output for VersionedList<T> {
    fn describe(doc: &mut OperationDoc) {
        List::<T>::describe(doc);
        doc.tells("200", &["ETag"]);
    }
}
