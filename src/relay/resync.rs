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
    streams,
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
}

/// What the stream of events shows, compared with the log.
#[derive(Debug, PartialEq, Eq)]
enum Comparison {
    /// Its last message is the event at this position.
    Holds(i64),
    /// It holds nothing.
    Empty,
    /// Something is in it that is not the relay's, or its end is gone: empty it.
    Unusable(&'static str),
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
        let stream = create(jetstream, config, epoch).await?;
        return begin(jetstream, config, connection, epoch, &stream).await;
    };
    match compare(&stream, epoch, seal, connection).await? {
        Comparison::Holds(position) => {
            limit(jetstream, config, &stream, epoch).await?;
            finish(jetstream, config, connection, epoch, &stream, position).await
        }
        Comparison::Empty => {
            limit(jetstream, config, &stream, epoch).await?;
            begin(jetstream, config, connection, epoch, &stream).await
        }
        Comparison::Unusable(reason) => {
            tracing::warn!(stream = config.events_stream, reason, "the copy of the log is not usable: emptying it");
            stream.purge().await.map_err(RelayError::nats(EMPTYING_EVENTS))?;
            limit(jetstream, config, &stream, epoch).await?;
            let stream = find(jetstream, config).await?;
            begin(jetstream, config, connection, epoch, &stream).await
        }
        Comparison::Contradicts(reason) => {
            let epoch = begin_epoch(connection, epoch, reason).await?;
            jetstream.delete_stream(&config.events_stream).await.map_err(RelayError::nats("deleting a stream"))?;
            let stream = create(jetstream, config, epoch).await?;
            begin(jetstream, config, connection, epoch, &stream).await
        }
    }
}

/// Sees to it that the stream keeps as much as it should, and says which history it is of.
async fn limit(
    jetstream: &Context,
    config: &RelayConfig,
    stream: &Stream<Info>,
    epoch: Uuid,
) -> Result<(), RelayError> {
    let known = &stream.cached_info().config;
    if streams::has_limits(known, config) && streams::epoch_of(known).is_some() {
        return Ok(());
    }
    streams::limit_events(jetstream, config, epoch, Some(known)).await
}

async fn create(jetstream: &Context, config: &RelayConfig, epoch: Uuid) -> Result<Stream<Info>, RelayError> {
    streams::limit_events(jetstream, config, epoch, None).await?;
    find(jetstream, config).await
}

async fn find(jetstream: &Context, config: &RelayConfig) -> Result<Stream<Info>, RelayError> {
    let stream = streams::find(jetstream, &config.events_stream).await?;
    stream.ok_or_else(|| RelayError::Doubt("it vanished".to_owned()))
}

/// Goes on in an empty stream from where the copy was: what was copied before is not copied again, however long the log is.
async fn begin(
    jetstream: &Context,
    config: &RelayConfig,
    connection: &mut PgConnection,
    epoch: Uuid,
    stream: &Stream<Info>,
) -> Result<Cursor, RelayError> {
    if stream.cached_info().state.messages > 0 {
        // A leader that was deposed, and does not know it yet, filled what was just made or emptied: its events are not
        // to be copied again behind themselves.
        return Err(RelayError::Doubt("another leader fills it".to_owned()));
    }
    let position = stored(connection, &config.events_stream).await?;
    finish(jetstream, config, connection, epoch, stream, position).await
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
    let jobs_position = stored(connection, &config.jobs_stream).await?;
    Ok(Cursor { epoch, position, sequence: stream.cached_info().state.last_sequence, jobs_position })
}

/// How far a stream was, as it was stored last, and never behind the end of the log: that may have been restored.
async fn stored(connection: &mut PgConnection, stream: &str) -> Result<i64, RelayError> {
    let stored = sqlx::query_scalar("SELECT position FROM relay_checkpoints WHERE stream = $1").bind(stream);
    let stored: Option<i64> = answer(stored.fetch_optional(&mut *connection)).await?;
    Ok(stored.unwrap_or(0).min(answer(log::head(connection)).await?))
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
        return Ok(Comparison::Empty);
    }
    let Some(Some(last)) = streams::stamp(stream, state.last_sequence, seal).await? else {
        return Ok(Comparison::Unusable("its last message is gone, or is not the relay's"));
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
    Ok(if bound.is_some() { Comparison::Holds(last.position) } else { Comparison::Unusable("another made it") })
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
