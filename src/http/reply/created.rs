//! Replies to commands that create: kept under the client's `Idempotency-Key`, and given again.

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Typed, etag, insert, mark, position_headers};
use crate::{
    application::{Answer, Error, Rendered},
    http::openapi::{
        operation::{OperationDoc, Output},
        schemas::Use,
    },
};

/// 201 with a new resource, its address and its version.
pub struct Created<T>(Typed<T>);

/// 202 with a resource whose work goes on.
pub struct Accepted<T>(Typed<T>);

/// 202 with a resource whose work goes on; 200 with an earlier one in its place.
pub struct AcceptedOrEarlier<T>(Typed<T>);

impl<T> From<Answer> for AcceptedOrEarlier<T> {
    fn from(answer: Answer) -> Self {
        Self(Typed::of(answer))
    }
}

impl<T> IntoResponse for AcceptedOrEarlier<T> {
    fn into_response(self) -> Response {
        self.0.response
    }
}

impl<T: ToSchema> Output for AcceptedOrEarlier<T> {
    fn describe(doc: &mut OperationDoc) {
        Accepted::<T>::describe(doc);
        let body = doc.component::<T>(Use::Reply);
        doc.gives("200", "An earlier one, in place of what was asked for.", Some(("application/json", body)));
        tell(doc, "200");
    }
}

impl<T> From<Answer> for Created<T> {
    fn from(answer: Answer) -> Self {
        Self(Typed::of(answer))
    }
}

impl<T> From<Answer> for Accepted<T> {
    fn from(answer: Answer) -> Self {
        Self(Typed::of(answer))
    }
}

impl<T> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        self.0.response
    }
}

impl<T> IntoResponse for Accepted<T> {
    fn into_response(self) -> Response {
        self.0.response
    }
}

/// Tells of the headers of a new resource.
fn tell(doc: &mut OperationDoc, status: &str) {
    doc.tells(status, &["Location", "ETag", "Workroom-Position", "Workroom-Visible"]);
    if doc.takes_header("Idempotency-Key") {
        doc.tells(status, &["Idempotent-Replayed"]);
    }
}

impl<T: ToSchema> Output for Created<T> {
    fn describe(doc: &mut OperationDoc) {
        let body = doc.component::<T>(Use::Reply);
        doc.gives("201", "Created.", Some(("application/json", body)));
        tell(doc, "201");
    }
}

impl<T: ToSchema> Output for Accepted<T> {
    fn describe(doc: &mut OperationDoc) {
        let body = doc.component::<T>(Use::Reply);
        doc.gives("202", "Accepted: the work goes on.", Some(("application/json", body)));
        tell(doc, "202");
    }
}

/// 201 with what is told this once, and is no resource with an address.
pub struct CreatedBody<T>(Typed<T>);

/// 202 with a body that says no more than that.
pub struct AcceptedBody<T>(Typed<T>);

impl<T: Serialize> CreatedBody<T> {
    /// With this body.
    pub fn new(body: T) -> Self {
        Self(Typed::of((StatusCode::CREATED, Json(body))))
    }

    /// Says whether it was created before, under the same key.
    #[must_use]
    pub fn replayed(mut self, replayed: bool) -> Self {
        mark(self.0.response.headers_mut(), replayed);
        self
    }
}

impl<T: Serialize> AcceptedBody<T> {
    /// With this body.
    pub fn new(body: T) -> Self {
        Self(Typed::of((StatusCode::ACCEPTED, Json(body))))
    }
}

impl<T> IntoResponse for CreatedBody<T> {
    fn into_response(self) -> Response {
        self.0.response
    }
}

impl<T> IntoResponse for AcceptedBody<T> {
    fn into_response(self) -> Response {
        self.0.response
    }
}

impl<T: ToSchema> Output for CreatedBody<T> {
    fn describe(doc: &mut OperationDoc) {
        let body = doc.component::<T>(Use::Reply);
        doc.gives("201", "Created.", Some(("application/json", body)));
        if doc.takes_header("Idempotency-Key") {
            doc.tells("201", &["Idempotent-Replayed"]);
        }
    }
}

/// 201 with what a command appended: an event, which has an address, and no version.
pub struct CreatedEvent<T>(Typed<T>);

impl<T: Serialize> CreatedEvent<T> {
    /// The event at this position. Without an address, if that could not be read.
    pub fn new(position: i64, visible: bool, location: Option<String>, body: &T) -> Self {
        let mut response = (StatusCode::CREATED, Json(body)).into_response();
        if let Some(location) = location {
            insert(response.headers_mut(), header::LOCATION, &location);
        }
        position_headers(response.headers_mut(), position, visible);
        Self(Typed::of(response))
    }

    /// Says whether it was appended before, under the same key.
    #[must_use]
    pub fn replayed(mut self, replayed: bool) -> Self {
        mark(self.0.response.headers_mut(), replayed);
        self
    }
}

impl<T> IntoResponse for CreatedEvent<T> {
    fn into_response(self) -> Response {
        self.0.response
    }
}

impl<T: ToSchema> Output for CreatedEvent<T> {
    fn describe(doc: &mut OperationDoc) {
        let body = doc.component::<T>(Use::Reply);
        doc.gives("201", "Created.", Some(("application/json", body)));
        doc.tells("201", &["Location", "Workroom-Position", "Workroom-Visible"]);
        if doc.takes_header("Idempotency-Key") {
            doc.tells("201", &["Idempotent-Replayed"]);
        }
    }
}

impl<T: ToSchema> Output for AcceptedBody<T> {
    fn describe(doc: &mut OperationDoc) {
        let body = doc.component::<T>(Use::Reply);
        doc.gives("202", "Accepted.", Some(("application/json", body)));
    }
}

/// Puts a new resource into the form that can be kept: 201 (or 202) with its address and version.
///
/// # Errors
/// A body that JSON cannot hold.
pub fn rendered(
    status: StatusCode,
    location: Option<String>,
    version: Option<i64>,
    body: &impl Serialize,
) -> Result<Rendered, Error> {
    let mut headers = Vec::new();
    if let Some(location) = location {
        headers.push((header::LOCATION.as_str().to_owned(), location));
    }
    if let Some(version) = version {
        headers.push((header::ETAG.as_str().to_owned(), etag(version)));
    }
    let body = serde_json::to_string(body).map_err(Error::failure)?;
    Ok(Rendered { status: status.as_u16(), headers, body })
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let Rendered { status, headers, body } = self.rendered;
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
        let mut response = (status, body).into_response();
        let out = response.headers_mut();
        out.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in headers {
            if let Ok(name) = name.parse::<HeaderName>() {
                insert(out, name, &value);
            }
        }
        position_headers(out, self.position, self.visible);
        mark(out, self.replayed);
        response
    }
}
