//! Replies to commands that change or delete.

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;
use workroom_domain::ids::InvitationId;

use super::{ENDED_INVITATIONS, Typed, etag, insert, position_headers};
use crate::http::openapi::{
    operation::{OperationDoc, Output},
    schemas::Use,
};

/// Ids that fit into a header.
const MAX_IDS: usize = 100;

/// 200 with a resource after a command changed it.
pub struct Updated<T>(Typed<T>);

impl<T: Serialize> Updated<T> {
    /// The resource as the command has left it.
    pub fn new(position: i64, visible: bool, version: i64, body: &T) -> Self {
        let mut response = Json(body).into_response();
        insert(response.headers_mut(), header::ETAG, &etag(version));
        position_headers(response.headers_mut(), position, visible);
        Self(Typed::of(response))
    }
}

impl<T> IntoResponse for Updated<T> {
    fn into_response(self) -> Response {
        self.0.response
    }
}

impl<T: ToSchema> Output for Updated<T> {
    fn describe(doc: &mut OperationDoc) {
        let body = doc.component::<T>(Use::Reply);
        doc.gives("200", "The resource as the command has left it.", Some(("application/json", body)));
        doc.tells("200", &["ETag", "Workroom-Position", "Workroom-Visible"]);
    }
}

/// 200 with what a command on several resources has to say.
pub struct Done<T>(Typed<T>);

impl<T: Serialize> Done<T> {
    /// What the command has done.
    pub fn new(position: i64, visible: bool, body: &T) -> Self {
        let mut response = Json(body).into_response();
        position_headers(response.headers_mut(), position, visible);
        Self(Typed::of(response))
    }
}

impl<T> IntoResponse for Done<T> {
    fn into_response(self) -> Response {
        self.0.response
    }
}

impl<T: ToSchema> Output for Done<T> {
    fn describe(doc: &mut OperationDoc) {
        let body = doc.component::<T>(Use::Reply);
        doc.gives("200", "What the command has done.", Some(("application/json", body)));
        doc.tells("200", &["Workroom-Position", "Workroom-Visible"]);
    }
}

/// 204 after a command ended a resource, with the version of what it was.
pub struct Deleted(Response);

impl Deleted {
    /// After the command that made this version.
    pub fn new(position: i64, visible: bool, version: i64) -> Self {
        let mut response = StatusCode::NO_CONTENT.into_response();
        insert(response.headers_mut(), header::ETAG, &etag(version));
        position_headers(response.headers_mut(), position, visible);
        Self(response)
    }
}

impl IntoResponse for Deleted {
    fn into_response(self) -> Response {
        self.0
    }
}

impl Output for Deleted {
    fn describe(doc: &mut OperationDoc) {
        doc.gives("204", "Deleted.", None);
        doc.tells("204", &["ETag", "Workroom-Position", "Workroom-Visible"]);
    }
}

/// 204 after a command that has no resource of its own to tell the version of.
pub struct NoContent(Response);

impl NoContent {
    /// After a command.
    pub fn new(position: i64, visible: bool) -> Self {
        let mut response = StatusCode::NO_CONTENT.into_response();
        position_headers(response.headers_mut(), position, visible);
        Self(response)
    }

    /// Where there was nothing to be done.
    pub fn unchanged() -> Self {
        Self(StatusCode::NO_CONTENT.into_response())
    }
}

impl IntoResponse for NoContent {
    fn into_response(self) -> Response {
        self.0
    }
}

impl Output for NoContent {
    fn describe(doc: &mut OperationDoc) {
        doc.gives("204", "Done; there is nothing to be told.", None);
        doc.tells("204", &["Workroom-Position", "Workroom-Visible"]);
    }
}

/// A reply that also says which invitations ended: the first hundred.
pub struct WithEndedInvitations<R> {
    /// The reply to the command; it gets the header `Workroom-Ended-Invitations` where an invitation ended.
    pub reply: R,
    /// The invitations that ended with the command; the header names the first hundred of them.
    pub ended: Vec<InvitationId>,
}

impl<R: IntoResponse> IntoResponse for WithEndedInvitations<R> {
    fn into_response(self) -> Response {
        let mut response = self.reply.into_response();
        if !self.ended.is_empty() {
            let ids: Vec<String> = self.ended.iter().take(MAX_IDS).map(InvitationId::to_string).collect();
            insert(response.headers_mut(), ENDED_INVITATIONS.clone(), &ids.join(", "));
        }
        response
    }
}

impl<R: Output> Output for WithEndedInvitations<R> {
    fn describe(doc: &mut OperationDoc) {
        R::describe(doc);
        for status in ["200", "204"] {
            doc.tells(status, &["Workroom-Ended-Invitations"]);
        }
    }
}
