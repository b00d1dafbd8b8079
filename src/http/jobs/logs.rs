//! `GET /jobs/{job_id}/logs`

use std::{convert::Infallible, fmt::Write, time::Duration};

use axum::{
    body::Body,
    extract::State as Extract,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures::stream;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};
use workroom_domain::ids::JobId;
use workroom_projections::jobs::{self, JobStanding, OutputPiece};

use super::{model::JobStatus, read::visible};
use crate::{
    application::{Error, codes::OUT_OF_RANGE},
    clock::now,
    http::{
        State,
        client_address::ClientAddress,
        extract::{Caller, JobPath, Query},
        openapi::{
            operation::{OperationDoc, Output, text},
            schemas::Use,
        },
        problem::codes::{INVALID_VALUE, TOO_MANY_SOCKETS, UNAVAILABLE},
        reply::at_position,
    },
    identity,
    jobs::output_bell::Follower,
};

/// Pieces that are read at a time.
const PAGE: i64 = 100;
/// How often is looked whether the caller may still see the job, how far that is, and for more although nobody has told
/// of it.
const REVIEW: Duration = Duration::from_secs(1);
/// How long a worker may take, beside the grace that it gives to the program, until it has stopped an attempt and stored what that has
/// printed. It says when it has; this is for a worker that is lost, and for one that is not heard.
const STOPPING: Duration = Duration::from_secs(2);
/// By how much clocks of two processes may differ.
const CLOCKS_DIFFER: Duration = Duration::from_mins(1);
/// The longest that is waited for that.
const LONGEST: Duration = Duration::from_hours(1);
/// After how long without news a comment is sent, so that nobody in between takes the stream for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The query parameters of `GET /jobs/{job_id}/logs`.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct LogParams {
    /// The attempt; the latest when not given.
    #[param(minimum = 1)]
    attempt: Option<i32>,
    /// Only what was printed behind the piece of this number.
    #[param(minimum = 0)]
    after: Option<i32>,
    /// Most pieces to return, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 100)]
    limit: Option<i64>,
    /// Whether to follow what is printed, as server-sent events, until the job is over. Each piece is an event `stdout` or `stderr` with the
    /// fields of a piece; its `id` is `<attempt>.<seq>`, and `Last-Event-ID` resumes behind it. When an attempt is followed by another, so
    /// is the stream, unless `attempt` is given. The last event is `end`, with the job's `status`.
    follow: Option<bool>,
    /// Wait, for a bounded time, until the job's state is at least that of this log position.
    min_position: Option<i64>,
}

/// A piece of what a job has printed.
#[derive(Serialize, ToSchema)]
pub struct LogPiece {
    /// Its number within the attempt, from 1.
    seq: i32,
    /// Where it was printed.
    #[schema(value_type = LogStream)]
    stream: String,
    /// What was printed. What is no UTF-8 shows as U+FFFD.
    text: String,
    /// When it was stored.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

/// Where a program prints.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code, reason = "only its schema is used")]
enum LogStream {
    Stdout,
    Stderr,
}

impl From<OutputPiece> for LogPiece {
    fn from(OutputPiece { seq, stream, text, created_at }: OutputPiece) -> Self {
        Self { seq, stream, text, created_at }
    }
}

/// What an attempt of a job has printed.
#[derive(Serialize, ToSchema)]
pub struct JobLogs {
    /// The attempt; 0 before the first.
    attempt: i32,
    /// What it has printed, in the order in which it came.
    items: Vec<LogPiece>,
    /// The number of the last piece here, to go on from with `after`; null when there is none.
    next_after: Option<i32>,
    /// How far the job is. As long as it runs, there may be more.
    #[schema(value_type = JobStatus)]
    status: String,
    /// Whether some of the output was dropped, where that is known already.
    truncated: Option<bool>,
}

/// What was printed: at once, or as it comes.
pub struct Logs(Response);

impl IntoResponse for Logs {
    fn into_response(self) -> Response {
        self.0
    }
}

impl Output for Logs {
    fn describe(doc: &mut OperationDoc) {
        let body = doc.component::<JobLogs>(Use::Reply);
        doc.gives("200", "What the attempt has printed.", Some(("application/json", body)));
        doc.also_gives("200", "text/event-stream", text());
    }
}

/// What a job prints.
#[utoipa::path(get, path = "/jobs/{job_id}/logs", tag = "jobs", operation_id = "getJobLogs",
    responses((status = 403), (status = 429), (status = 503)))]
pub async fn logs(
    Extract(state): Extract<State>,
    caller: Caller,
    JobPath { job_id }: JobPath,
    Query(params): Query<LogParams>,
    address: ClientAddress,
    headers: HeaderMap,
) -> Result<Logs, Error> {
    at_position(&state, params.min_position).await?;
    if params.attempt.is_some_and(|attempt| attempt < 1) || params.after.is_some_and(|after| after < 0) {
        return Err(Error::invalid("", OUT_OF_RANGE, "attempt must be at least 1, after at least 0"));
    }
    let job = visible(&state, caller.identity.account_id, job_id).await?;
    if params.follow == Some(true) {
        return follow(state, caller.identity, (job_id, job), &params, address, &headers).map(Logs);
    }
    let limit = params.limit.unwrap_or(PAGE).clamp(1, PAGE);
    let attempt = params.attempt.unwrap_or(job.attempt);
    let pieces = jobs::output(state.app.pool(), job_id, attempt, params.after.unwrap_or_default(), limit).await?;
    let logs = JobLogs {
        attempt,
        next_after: pieces.last().map(|piece| piece.seq),
        items: pieces.into_iter().map(Into::into).collect(),
        status: job.status,
        truncated: job.truncated,
    };
    Ok(Logs(axum::Json(logs).into_response()))
}

fn follow(
    state: State,
    caller: identity::Caller,
    (job_id, job): (JobId, JobStanding),
    params: &LogParams,
    ClientAddress(address): ClientAddress,
    headers: &HeaderMap,
) -> Result<Response, Error> {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).filter(|id| !id.is_empty());
    let place = match last {
        Some(id) => {
            let read = id.split_once('.').and_then(|(attempt, seq)| Some((attempt.parse().ok()?, seq.parse().ok()?)));
            let read = read.filter(|(attempt, seq): &(i32, i32)| *attempt >= 1 && *seq >= 0);
            read.ok_or_else(|| Error::invalid("", INVALID_VALUE, "Last-Event-ID has the form <attempt>.<seq>"))?
        }
        None => (params.attempt.unwrap_or(job.attempt.max(1)), params.after.unwrap_or_default()),
    };
    let hub = &state.live.hub;
    if hub.is_stopping() {
        return Err(Error::later(UNAVAILABLE, Duration::from_secs(1)));
    }
    let count = hub.admit_socket().ok_or_else(|| Error::later(UNAVAILABLE, Duration::from_secs(5)))?;
    let too_many = || Error::later(TOO_MANY_SOCKETS, Duration::from_secs(5));
    let of_address = hub.socket_quota().for_address(address).ok_or_else(too_many)?;
    let of_account = hub.socket_quota().for_account(caller.account_id).ok_or_else(too_many)?;
    let now = Instant::now();
    let mut ending = Ending::default();
    ending.begin(&job, state.config.jobs.sandbox_stop_grace_ms);
    let following = Following {
        follower: state.outputs.follow(job_id),
        job_id,
        one_attempt: params.attempt.is_some(),
        place,
        job,
        ending,
        reviewed_at: now,
        sent_at: now,
        caller,
        is_first: true,
        is_over: false,
        held: Box::new((count, of_address, of_account)),
        state,
    };
    let chunks = stream::unfold(following, |mut following| async move {
        following.next().await.map(|chunk| (Ok::<_, Infallible>(chunk), following))
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        // A proxy that gathers what it passes on would hold back what was printed.
        (header::HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    Ok((headers, Body::from_stream(chunks)).into_response())
}

/// Somebody who follows what a job prints.
struct Following {
    state: State,
    caller: identity::Caller,
    job_id: JobId,
    follower: Follower,
    one_attempt: bool,
    /// The attempt, and the last piece of it that was sent.
    place: (i32, i32),
    /// The job as it was looked at last.
    job: JobStanding,
    ending: Ending,
    reviewed_at: Instant,
    /// When something was sent last.
    sent_at: Instant,
    is_first: bool,
    is_over: bool,
    /// Counts as a socket, as long as it lasts.
    #[allow(dead_code, reason = "held")]
    held: Box<dyn std::any::Any + Send + Sync>,
}

/// How the latest attempt ends. What an attempt prints is stored before the log has its end; only one that is cancelled
/// may print on, until its worker has stopped it.
#[derive(Default)]
struct Ending {
    /// The latest attempt after which the job waited for another.
    ended: i32,
    /// Until when a job that is cancelled may print on.
    prints_until: Option<Instant>,
}

impl Ending {
    /// Takes in how far a job is when it is looked at first. One that was cancelled long ago prints nothing any more.
    fn begin(&mut self, job: &JobStanding, grace_ms: u64) {
        self.see(job, grace_ms);
        let since = job.completed_at.and_then(|at| Duration::try_from(now() - at).ok()).unwrap_or_default();
        // Clocks differ: only what is plainly over is.
        if since > CLOCKS_DIFFER {
            self.prints_until = self.prints_until.map(|until| until.checked_sub(since).unwrap_or_else(Instant::now));
        }
    }

    /// Takes in how far a job is; programs have so many milliseconds to end when they are stopped.
    fn see(&mut self, job: &JobStanding, grace_ms: u64) {
        match job.status.as_str() {
            "cancelled" => {
                let longest = Duration::from_millis(grace_ms).saturating_add(STOPPING).min(LONGEST);
                self.prints_until.get_or_insert_with(|| Instant::now() + longest);
            }
            status => {
                self.prints_until = None;
                if status == "pending" {
                    self.ended = job.attempt;
                }
            }
        }
    }

    /// Whether the latest attempt may print on although the job is over, as far as its worker says nothing.
    fn may_print(&self, job: &JobStanding) -> bool {
        job.attempt > self.ended && self.prints_until.is_some_and(|until| Instant::now() < until)
    }
}

impl Following {
    /// The next events; none at the end.
    async fn next(&mut self) -> Option<String> {
        if std::mem::take(&mut self.is_first) {
            return Some("retry: 1000\n\n".to_owned());
        }
        let stopping = self.state.live.shutdown.clone();
        while !self.is_over && !self.state.live.hub.is_stopping() {
            if self.state.identity.has_ended(&self.caller) || self.caller.expires_at <= now() {
                return None;
            }
            match self.read().await {
                Ok(Some(text)) => {
                    self.sent_at = Instant::now();
                    return Some(text);
                }
                Ok(None) if self.sent_at.elapsed() >= KEEP_ALIVE => {
                    self.sent_at = Instant::now();
                    return Some(": ping\n\n".to_owned());
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(%error, "a job's output is no longer followed");
                    return None;
                }
            }
            tokio::select! {
                () = self.follower.wait(REVIEW) => {}
                () = stopping.cancelled() => {}
            }
        }
        None
    }

    /// What there is to send now, if anything. A doorbell costs one small query, however often the bell rang meanwhile.
    async fn read(&mut self) -> Result<Option<String>, Error> {
        let hub = self.state.live.hub.clone();
        let _turn = hub.turn().await;
        // The job first: what it has printed by its end is there when its end is.
        let is_stopped = self.job.status == "running" && self.follower.is_over(self.job.attempt);
        if is_stopped || self.reviewed_at.elapsed() >= REVIEW {
            self.job = visible(&self.state, self.caller.account_id, self.job_id).await?;
            self.ending.see(&self.job, self.state.config.jobs.sandbox_stop_grace_ms);
            self.reviewed_at = Instant::now();
        }
        let may_print = self.ending.may_print(&self.job) && !self.follower.is_over(self.job.attempt);
        loop {
            let (attempt, after) = self.place;
            let pieces = jobs::output(self.state.app.pool(), self.job_id, attempt, after, PAGE).await?;
            if !pieces.is_empty() {
                return self.events(pieces).map(Some);
            }
            let is_past = attempt < self.job.attempt;
            if is_past && !self.one_attempt {
                self.place = (attempt + 1, 0);
                continue;
            }
            let is_over = !may_print && matches!(self.job.status.as_str(), "completed" | "failed" | "cancelled");
            if is_past || is_over {
                self.is_over = true;
                return Ok(Some(format!("event: end\ndata: {}\n\n", serde_json::json!({"status": self.job.status}))));
            }
            return Ok(None);
        }
    }

    fn events(&mut self, pieces: Vec<OutputPiece>) -> Result<String, Error> {
        let mut text = String::new();
        for piece in pieces {
            self.place.1 = piece.seq;
            let (attempt, seq) = self.place;
            let event = piece.stream.clone();
            let data = serde_json::to_string(&LogPiece::from(piece)).map_err(Error::failure)?;
            let _ = write!(text, "event: {event}\nid: {attempt}.{seq}\ndata: {data}\n\n");
        }
        Ok(text)
    }
}
