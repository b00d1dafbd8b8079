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
    error::{EMPTYING_EVENTS, RelayError, answer},
    streams::{self, Stamp},
};
use crate::messaging::seal::Seal;

/// Where the copy stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The history that is copied.
    pub(super) epoch: Uuid,
    /// The last position that was put into the stream of events.
    pub(super) position: i64,
    /// The stream's last sequence: of that position's message, or of one that is gone.
    pub(super) sequence: u64,
}

/// What the stream of events shows, compared with the log.
#[derive(Debug, PartialEq, Eq)]
enum Comparison {
    /// The last message that was put there was the event at this position.
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
        return begin(config, connection, epoch, &stream).await;
    };
    match compare(&stream, epoch, seal, connection).await? {
        Comparison::Holds(position) => {
            limit(jetstream, config, &stream, epoch).await?;
            Ok(cursor(epoch, &stream, position))
        }
        Comparison::Empty => {
            limit(jetstream, config, &stream, epoch).await?;
            begin(config, connection, epoch, &stream).await
        }
        Comparison::Unusable(reason) => {
            tracing::warn!(stream = config.events_stream, reason, "the copy of the log is not usable: emptying it");
            stream.purge().await.map_err(RelayError::nats(EMPTYING_EVENTS))?;
            limit(jetstream, config, &stream, epoch).await?;
            let stream = find(jetstream, config).await?;
            begin(config, connection, epoch, &stream).await
        }
        Comparison::Contradicts(reason) => {
            let epoch = begin_epoch(connection, epoch, reason).await?;
            jetstream.delete_stream(&config.events_stream).await.map_err(RelayError::nats("deleting a stream"))?;
            let stream = create(jetstream, config, epoch).await?;
            begin(config, connection, epoch, &stream).await
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
    Ok(cursor(epoch, stream, position))
}

fn cursor(epoch: Uuid, stream: &Stream<Info>, position: i64) -> Cursor {
    Cursor { epoch, position, sequence: stream.cached_info().state.last_sequence }
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
    let Some((last, gone)) = last(stream, seal).await? else {
        return Ok(Comparison::Unusable("its last message is gone, or is not the relay's"));
    };
    let recorded = sqlx::query_scalar("SELECT event_id FROM events WHERE position = $1").bind(last.position);
    let recorded: Option<Uuid> = answer(recorded.fetch_optional(&mut *connection)).await?;
    match recorded {
        None => return Ok(Comparison::Contradicts("the stream is ahead of the log")),
        Some(recorded) if recorded != last.event_id => {
            return Ok(Comparison::Contradicts("the stream holds another event than the log"));
        }
        Some(_) => {}
    }
    if bound.is_none() {
        return Ok(Comparison::Unusable("another made it"));
    }
    let position = last.position.saturating_add(gone);
    if gone > 0 && !are_redacted(connection, last.position, position).await? {
        return Ok(Comparison::Unusable("its last messages are gone, and not all of their events were redacted"));
    }
    Ok(Comparison::Holds(position))
}

/// The last message that is there, and how many behind it are gone; none where it is not the relay's.
async fn last(stream: &Stream<Info>, seal: &Seal) -> Result<Option<(Stamp, i64)>, RelayError> {
    let end = stream.cached_info().state.last_sequence;
    if let Some(stamp) = streams::stamp(stream, end, seal).await? {
        return Ok(stamp.map(|stamp| (stamp, 0)));
    }
    let Some(sequence) = streams::last_sequence(stream).await? else { return Ok(None) };
    let Some(gone) = end.checked_sub(sequence) else {
        return Err(RelayError::Doubt("another leader fills it".to_owned()));
    };
    let stamp = streams::stamp(stream, sequence, seal).await?.flatten();
    Ok(stamp.map(|stamp| (stamp, i64::try_from(gone).unwrap_or(i64::MAX))))
}

/// Whether all events behind a position, up to another, were redacted. A relay deletes their messages before it publishes what says
/// so, and may have died in between.
async fn are_redacted(connection: &mut PgConnection, after: i64, until: i64) -> Result<bool, RelayError> {
    let redacted = sqlx::query_scalar(
        "SELECT count(DISTINCT (payload->>'position')::bigint) FROM events
         WHERE event_type = 'PayloadRedacted' AND (payload->>'position')::bigint > $1 AND (payload->>'position')::bigint <= $2",
    )
    .bind(after)
    .bind(until);
    let redacted: i64 = answer(redacted.fetch_one(connection)).await?;
    Ok(redacted == until.saturating_sub(after))
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
