//! Replies: the resource itself, with the headers that a client goes on with. A handler's reply type says its status, its headers
//! and its body, to the client and to the OpenAPI document.

mod command;
mod created;
mod read;

use std::{marker::PhantomData, pin::Pin, time::Duration};

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue},
    response::{IntoResponse, Response},
};
use tokio::sync::oneshot;
use tracing::Instrument;

use super::State;
use crate::application::{
    Error,
    codes::{OUT_OF_RANGE, VIEWS_BEHIND},
};

pub use command::{Deleted, Done, NoContent, Updated, WithEndedInvitations};
pub use created::{Accepted, AcceptedBody, AcceptedOrEarlier, Created, CreatedBody, CreatedEvent, rendered};
pub use read::{List, OkOrNotModified, Representation, Shown, VersionedList};

/// The log position that a command's reply is about.
pub static POSITION: HeaderName = HeaderName::from_static("workroom-position");
/// `false` where the reply went out before every read model showed it.
pub static VISIBLE: HeaderName = HeaderName::from_static("workroom-visible");
/// Whether the reply is one that was given before.
pub static REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// Open invitations of somebody who may not invite any more, which ended with the command: their ids, separated by commas.
pub static ENDED_INVITATIONS: HeaderName = HeaderName::from_static("workroom-ended-invitations");

/// A response whose body is a `T`.
struct Typed<T> {
    response: Response,
    body: PhantomData<fn() -> T>,
}

impl<T> Typed<T> {
    fn of(response: impl IntoResponse) -> Self {
        Self { response: response.into_response(), body: PhantomData }
    }
}

/// An aggregate's version as an entity tag.
pub fn etag(version: i64) -> String {
    format!("\"{version}\"")
}

fn insert(headers: &mut HeaderMap, name: impl Into<HeaderName>, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name.into(), value);
    }
}

fn position_headers(headers: &mut HeaderMap, position: i64, visible: bool) {
    headers.insert(POSITION.clone(), HeaderValue::from(position));
    if !visible {
        headers.insert(VISIBLE.clone(), HeaderValue::from_static("false"));
    }
}

/// Says that the reply is one that was given before.
fn mark(headers: &mut HeaderMap, replayed: bool) {
    if replayed {
        headers.insert(REPLAYED.clone(), HeaderValue::from_static("true"));
    }
}

/// Waits until reads show a log position, for a read that requires one.
///
/// # Errors
/// `Kind::Unavailable` when they do not in time, [`Error::Invalid`] when the log itself does not come so far meanwhile.
pub async fn at_position(state: &State, min_position: Option<i64>) -> Result<(), Error> {
    let Some(position) = min_position else { return Ok(()) };
    if position < 0 {
        return Err(Error::invalid("/min_position", OUT_OF_RANGE, "must not be negative"));
    }
    if state.app.visible(position).await {
        return Ok(());
    }
    // Nobody was ever told of a position that the log has not come to.
    if workroom_projections::log::head(state.app.pool()).await? < position {
        return Err(Error::invalid("/min_position", OUT_OF_RANGE, "the log has not come so far"));
    }
    Err(Error::later(VIEWS_BEHIND, Duration::from_secs(1)))
}

/// Does work that must not be left in the middle when its client goes away: in a task of its own, which nobody cancels.
///
/// # Errors
/// The work's own, or that it panicked.
pub async fn uncancellable<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    let (reply, replied) = oneshot::channel();
    // One type for all, so that tokio's task is not compiled for each of them.
    let task: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(
        async move {
            // Nobody may be waiting any more.
            let _ = reply.send(work.await);
        }
        .in_current_span(),
    );
    tokio::spawn(task);
    replied.await.map_err(Error::failure)?
}
