//! `GET /jobs/{job_id}/artifacts`

use std::{io, time::Duration};

use axum::{
    body::Body,
    extract::State as Extract,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures::stream;
use serde::{Deserialize, Serialize};
use tokio::{
    sync::{Semaphore, SemaphorePermit, mpsc},
    time::timeout,
};
use utoipa::{IntoParams, ToSchema};
use workroom_domain::ids::{AccountId, JobId};
use workroom_projections::jobs;

use super::{model::JobArtifact, read::visible};
use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, JobPath, Query},
        openapi::{
            operation::{OperationDoc, Output, text},
            schemas::Use,
        },
        places::{AccountPlace, AccountPlaces, next_place},
        reply::at_position,
    },
};

/// Bytes of a file that are in memory at a time, however large it is.
const PART: i32 = 256 * 1024;
/// Files that this process sends at a time: 64 MiB of them are in memory at most.
static SENDING: Semaphore = Semaphore::const_new(256);
/// The same for an account, so that one whose clients read slowly does not keep out all others.
static SENDING_TO_ACCOUNTS: AccountPlaces = AccountPlaces::new(32, RETRY_AFTER);
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How long a part may wait for its reader: whoever reads slower gives up its place.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// The query parameters of `GET /jobs/{job_id}/artifacts`.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ArtifactParams {
    /// The path of the one to return; without it, all are listed.
    path: Option<String>,
    /// The attempt; the latest when not given.
    #[param(minimum = 1)]
    attempt: Option<i32>,
    /// Wait, for a bounded time, until the job's state is at least that of this log position.
    min_position: Option<i64>,
}

/// Files that an attempt of a job has left.
#[derive(Serialize, ToSchema)]
pub struct JobArtifacts {
    /// The attempt; 0 before the first.
    attempt: i32,
    /// The files, by their paths.
    items: Vec<JobArtifact>,
}

/// A list of files, or one of them.
pub struct Artifacts(Response);

impl IntoResponse for Artifacts {
    fn into_response(self) -> Response {
        self.0
    }
}

impl Output for Artifacts {
    fn describe(doc: &mut OperationDoc) {
        let body = doc.component::<JobArtifacts>(Use::Reply);
        doc.gives("200", "The files, or the content of the one that was asked for.", Some(("application/json", body)));
        doc.also_gives("200", "application/octet-stream", text());
    }
}

/// What a program has left below `artifacts` in the folder that it ran in.
#[utoipa::path(get, path = "/jobs/{job_id}/artifacts", tag = "jobs", operation_id = "getJobArtifacts",
    responses((status = 403)))]
pub async fn artifacts(
    Extract(state): Extract<State>,
    caller: Caller,
    JobPath { job_id }: JobPath,
    Query(params): Query<ArtifactParams>,
) -> Result<Artifacts, Error> {
    at_position(&state, params.min_position).await?;
    let job = visible(&state, caller.identity.account_id, job_id).await?;
    let attempt = params.attempt.unwrap_or(job.attempt);
    let Some(path) = params.path else {
        let found = jobs::artifacts(state.app.pool(), job_id, attempt).await?;
        let items = found.into_iter().map(|(path, size)| JobArtifact { path, size }).collect();
        return Ok(Artifacts(axum::Json(JobArtifacts { attempt, items }).into_response()));
    };
    let size = jobs::artifact_size(state.app.pool(), job_id, attempt, &path).await?;
    let size = size.ok_or_else(|| Error::not_found("artifact"))?;
    let permit = Permit::take(caller.identity.account_id).await?;
    // Whatever a stranger's program has written is not shown by a browser, but saved.
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment")),
        (header::CONTENT_LENGTH, size.into()),
    ];
    let file = File { state, job_id, attempt, path, sent: 0, size };
    // A task of its own: a body whose reader stands still is not asked for more, and could not give up its place.
    let (parts, sent) = mpsc::channel(1);
    tokio::spawn(async move {
        file.send(parts).await;
        drop(permit);
    });
    let body = stream::unfold(sent, async |mut sent| sent.recv().await.map(|part| (part, sent)));
    Ok(Artifacts((headers, Body::from_stream(body)).into_response()))
}

/// A file that is being sent.
struct File {
    state: State,
    job_id: JobId,
    attempt: i32,
    path: String,
    sent: i32,
    size: i32,
}

impl File {
    /// Sends all parts, as they are read. A reader that is told of fewer bytes than it expects sees that it ended too early.
    async fn send(mut self, parts: mpsc::Sender<io::Result<Vec<u8>>>) {
        while self.sent < self.size {
            let part = self.part().await;
            let is_error = part.is_err();
            let taken = timeout(READ_TIMEOUT, parts.send(part)).await;
            if is_error || !matches!(taken, Ok(Ok(()))) {
                return;
            }
        }
    }

    /// The next part. Files do not change, but one may be deleted meanwhile.
    async fn part(&mut self) -> io::Result<Vec<u8>> {
        let of = (self.job_id, self.attempt, self.path.as_str());
        let part = jobs::artifact_part(self.state.app.pool(), of, self.sent, PART).await.map_err(io::Error::other)?;
        let part = part.filter(|part| !part.is_empty()).ok_or(io::ErrorKind::UnexpectedEof)?;
        self.sent = self.sent.saturating_add(i32::try_from(part.len()).unwrap_or(i32::MAX));
        Ok(part)
    }
}

/// Lets a file be sent, as long as it is kept.
struct Permit {
    _of_account: AccountPlace,
    _any: SemaphorePermit<'static>,
}

impl Permit {
    /// The next permit.
    ///
    /// # Errors
    /// The account, or the process, sends as many files as it may.
    async fn take(account_id: AccountId) -> Result<Self, Error> {
        let of_account = SENDING_TO_ACCOUNTS.take(account_id)?;
        Ok(Self { _of_account: of_account, _any: next_place(&SENDING, RETRY_AFTER).await? })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::http::problem::codes::{TOO_MANY_REQUESTS, UNAVAILABLE};

    #[tokio::test]
    async fn an_account_sends_so_many_files_at_a_time_and_the_process_too() {
        let account = |number| AccountId(Uuid::from_u128(number));
        let mut permits = Vec::new();
        for _ in 0..32 {
            permits.push(Permit::take(account(1)).await.expect("a permit"));
        }
        assert!(Permit::take(account(1)).await.is_err_and(|error| error.code().name == TOO_MANY_REQUESTS.name));
        permits.push(Permit::take(account(2)).await.expect("a permit"));
        drop(permits);
        assert_eq!(SENDING.available_permits(), 256, "given back");

        let all = SENDING.try_acquire_many(256).expect("all");
        tokio::time::pause();
        assert!(Permit::take(account(1)).await.is_err_and(|error| error.code().name == UNAVAILABLE.name));
        drop(all);
        assert!(Permit::take(account(1)).await.is_ok());
    }
}
