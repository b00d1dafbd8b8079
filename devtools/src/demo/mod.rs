//! `./dev demo`: the whole story against a running service, through its public API only.
//!
//! It prints what each of the three kinds of user sees, and fails at the first thing that is not as it should be:
//!
//! - [`client`]: the REST client: sends a request, insists on the status;
//! - [`socket`] and [`subscriber`]: the WebSocket subscriber: insists on every place in the feed, once;
//! - [`auditor`]: reads the history, and compares it with what the subscriber saw;
//! - [`story`] and [`removal`]: who does what, act by act; [`cast`]: the people;
//! - [`task`], [`file`], [`job`] and [`invitation`]: what they do together;
//! - [`event`]: an event, and its words; [`narrator`]: the one place that knows what the page looks like.

mod auditor;
mod cast;
mod event;
mod file;
mod invitation;
mod job;
mod narrator;
mod removal;
mod socket;
mod story;
mod subscriber;
mod task;

use std::time::Instant;

use super::client::{self, Api};
use cast::Stage;

/// Plays the story against the service at `url`, such as `http://127.0.0.1:8080`.
///
/// # Errors
/// The first thing that was not as expected: nothing listens there, another status, a missing or doubled event.
pub async fn run(url: &str) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut stage = Stage::new(Api::new(url)?);
    let ending = Box::pin(story::play(&mut stage)).await?;
    let proof = format!(
        "Proved in {:.1} s: {} events, none lost or doubled, live = audit; {} requests, {} sockets, {} refused",
        began.elapsed().as_secs_f64(),
        ending.events,
        stage.api.requests(),
        stage.sockets,
        stage.refusals,
    );
    stage.narrator.close(ending.not_shown, &proof);
    Ok(())
}
