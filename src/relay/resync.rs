//! Where the streams stand, and what to do when that is not where the log says they may.

use async_nats::jetstream::{
    Context,
    stream::{Info, Stream},
};
use sqlx::PgConnection;
use uuid::Uuid;
use workroom_projections::log;

use super::{
    RelayConfig,
    error::{EMPTYING_EVENTS, EMPTYING_JOBS, RelayError, answer},
    streams::{self, Stamp},
};
use crate::messaging::seal::Seal;

/// Where the copy stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The history that is copied.
    pub(super) epoch: Uuid,
    /// The last position in the stream of events.
    pub(super) position: i64,
    /// The stream's last sequence: of that position's message, or of one that is gone.
    pub(super) sequence: u64,
    /// The last position whose job was handed on.
    pub(super) jobs_position: i64,
    /// Whether the stream may be expected to hold every event up to `position`.
    pub(super) complete: bool,
}

/// What the stream of events shows, compared with the log.
#[derive(Debug, PartialEq, Eq)]
enum Comparison {
    /// It holds the log up to this position.
    Holds(i64),
    /// Something of the log is missing in it, or something else is in it: fill it again.
    Incomplete(&'static str),
    /// It holds what the log does not: the log was restored to an earlier state.
    Contradicts(&'static str),
}

/// Asks the streams where they stand; makes, fills again or replaces what is not in order.
pub(super) async fn resync(
    jetstream: &Context,
    config: &RelayConfig,
    seal: &Seal,
    connection: &mut PgConnection,
) -> Result<Cursor, RelayError> {
    let epoch = answer(log::epoch(&mut *connection)).await?;
    let Some(stream) = streams::find(jetstream, &config.events_stream).await? else {
        let stream = streams::create(jetstream, streams::events_config(config, epoch)).await?;
        return finish(jetstream, config, connection, epoch, &stream, 0).await;
    };
    match compare(&stream, epoch, seal, connection).await? {
        Comparison::Holds(position) => finish(jetstream, config, connection, epoch, &stream, position).await,
        Comparison::Incomplete(reason) => {
            tracing::warn!(stream = config.events_stream, reason, "the copy of the log is incomplete: filling it anew");
            stream.purge().await.map_err(RelayError::nats(EMPTYING_EVENTS))?;
            if streams::epoch_of(&stream.cached_info().config).is_none() {
                let adopted = streams::events_config(config, epoch);
                jetstream.update_stream(adopted).await.map_err(RelayError::nats("updating a stream"))?;
            }
            let Some(stream) = streams::find(jetstream, &config.events_stream).await? else {
                return Err(RelayError::Doubt("it vanished".to_owned()));
            };
            finish(jetstream, config, connection, epoch, &stream, 0).await
        }
        Comparison::Contradicts(reason) => {
            let epoch = begin_epoch(connection, epoch, reason).await?;
            jetstream.delete_stream(&config.events_stream).await.map_err(RelayError::nats("deleting a stream"))?;
            let stream = streams::create(jetstream, streams::events_config(config, epoch)).await?;
            finish(jetstream, config, connection, epoch, &stream, 0).await
        }
    }
}

async fn finish(
    jetstream: &Context,
    config: &RelayConfig,
    connection: &mut PgConnection,
    epoch: Uuid,
    stream: &Stream<Info>,
    position: i64,
) -> Result<Cursor, RelayError> {
    ensure_jobs(jetstream, config, epoch).await?;
    let stored =
        sqlx::query_scalar("SELECT position FROM relay_checkpoints WHERE stream = $1").bind(&config.jobs_stream);
    let stored: Option<i64> = answer(stored.fetch_optional(&mut *connection)).await?;
    let info = stream.cached_info();
    if position == 0 && info.state.messages > 0 {
        // A leader that was deposed, and does not know it yet, filled what was just made or emptied: its events are not
        // to be copied again behind themselves.
        return Err(RelayError::Doubt("another leader fills it".to_owned()));
    }
    Ok(Cursor {
        epoch,
        position,
        sequence: info.state.last_sequence,
        jobs_position: stored.unwrap_or(0).min(answer(log::head(connection)).await?),
        complete: !streams::is_limited(&info.config),
    })
}

/// Compares the stream with the log.
async fn compare(
    stream: &Stream<Info>,
    epoch: Uuid,
    seal: &Seal,
    connection: &mut PgConnection,
) -> Result<Comparison, RelayError> {
    let info = stream.cached_info();
    let (state, bound) = (&info.state, streams::epoch_of(&info.config));
    if bound.is_some_and(|bound| bound != epoch) {
        return Ok(Comparison::Contradicts("the stream carries another epoch"));
    }
    if state.messages == 0 {
        return Ok(if bound.is_some() { Comparison::Holds(0) } else { Comparison::Incomplete("another made it") });
    }
    let Some(Some(last)) = streams::stamp(stream, state.last_sequence, seal).await? else {
        return Ok(Comparison::Incomplete("its last message is gone, or is not the relay's"));
    };
    let recorded = sqlx::query_scalar("SELECT event_id FROM events WHERE position = $1").bind(last.position);
    let recorded: Option<Uuid> = answer(recorded.fetch_optional(connection)).await?;
    match recorded {
        None => return Ok(Comparison::Contradicts("the stream is ahead of the log")),
        Some(recorded) if recorded != last.event_id => {
            return Ok(Comparison::Contradicts("the stream holds another event than the log"));
        }
        Some(_) => {}
    }
    if bound.is_none() {
        return Ok(Comparison::Incomplete("another made it"));
    }
    if streams::is_limited(&info.config) {
        return Ok(Comparison::Holds(last.position));
    }
    let first = streams::stamp(stream, state.first_sequence, seal).await?;
    if !matches!(first, Some(Some(Stamp { position: 1, .. }))) {
        return Ok(Comparison::Incomplete("its beginning is gone"));
    }
    if !holds_everything(state.messages, last.position) {
        return Ok(Comparison::Incomplete("messages are missing within it"));
    }
    Ok(Comparison::Holds(last.position))
}

/// Whether a stream with so many messages, the last of this position, can hold every event.
pub(super) fn holds_everything(messages: u64, position: i64) -> bool {
    i64::try_from(messages).is_ok_and(|messages| messages == position)
}

/// Begins a new epoch of the log. Guarded, so that of several relays only one does.
async fn begin_epoch(connection: &mut PgConnection, old: Uuid, reason: &str) -> Result<Uuid, RelayError> {
    let begun = sqlx::query_scalar(
        "UPDATE log_epoch SET epoch = gen_random_uuid(), started_at = now() WHERE epoch = $1 RETURNING epoch",
    )
    .bind(old);
    let begun: Option<Uuid> = answer(begun.fetch_optional(connection)).await?;
    let Some(new) = begun else {
        return Err(RelayError::Doubt("another process began a new epoch".to_owned()));
    };
    tracing::error!(
        reason,
        %old,
        %new,
        "THE LOG WAS RESTORED TO AN EARLIER STATE: it begins a new epoch, and its copy is made anew"
    );
    Ok(new)
}

/// Sees to it that the work queue exists and belongs to this history. It is not filled again: a reconciler re-publishes
/// what is due and not running.
async fn ensure_jobs(jetstream: &Context, config: &RelayConfig, epoch: Uuid) -> Result<(), RelayError> {
    let Some(stream) = streams::find(jetstream, &config.jobs_stream).await? else {
        let stream = streams::create(jetstream, streams::jobs_config(config, epoch)).await?;
        return streams::ensure_workers(&stream).await;
    };
    streams::ensure_workers(&stream).await?;
    if streams::epoch_of(&stream.cached_info().config) == Some(epoch) {
        return Ok(());
    }
    // Jobs of a future that was lost. The stream stays, for the workers' consumer is bound to it.
    tracing::warn!(stream = config.jobs_stream, "the work queue belongs to another epoch: emptying it");
    stream.purge().await.map_err(RelayError::nats(EMPTYING_JOBS))?;
    jetstream
        .update_stream(streams::jobs_config(config, epoch))
        .await
        .map_err(RelayError::nats("updating a stream"))?;
    Ok(())
}
