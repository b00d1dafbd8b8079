//! Which moment is meant: a place of the history, a place with its epoch, or a time.

use std::time::Duration;

use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::time::{Instant, sleep};
use uuid::Uuid;
use workroom_domain::{ids::ProjectId, timestamp::Timestamp};
use workroom_projections::{log, state::places};
use workroom_proofs::hash::Hash;

use super::{
    Moment,
    codes::{BEFORE_BEGINNING, MALFORMED_MOMENT, MOMENT_AHEAD, OTHER_EPOCH},
};
use crate::{
    application::Error,
    http::State,
    log_tree::{Tree, TreeError},
};

/// How long a read waits for the tree, for all of its moments together.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often it looks.
const LOOKING: Duration = Duration::from_millis(20);

/// A moment as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Now,
    Seq(i64),
    SeqOf(Uuid, i64),
    Time(OffsetDateTime),
}

/// What a parameter says.
fn read(text: &str) -> Option<Asked> {
    let seq = |digits: &str| {
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        // More than any history has is ahead of all.
        is_number.then(|| digits.parse().unwrap_or(i64::MAX))
    };
    if let Some(seq) = seq(text) {
        return Some(Asked::Seq(seq));
    }
    if let Some((epoch, digits)) = text.split_once('.')
        && let Ok(epoch) = Uuid::try_parse(epoch)
    {
        return Some(Asked::SeqOf(epoch, seq(digits)?));
    }
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    Some(Asked::Time(Timestamp::new(at).ok()?.get()))
}

/// The moments that parameters name, with what they are called. All of them are of one epoch.
pub(super) struct Moments {
    asked: Vec<(&'static str, Asked)>,
}

impl Moments {
    /// Reads parameters; none is now.
    ///
    /// # Errors
    /// One cannot be read.
    pub(super) fn of(parameters: &[(&'static str, Option<&str>)]) -> Result<Self, Error> {
        let asked = parameters.iter().map(|(pointer, text)| match text {
            None => Ok((*pointer, Asked::Now)),
            Some(text) => read(text).map(|asked| (*pointer, asked)).ok_or_else(|| {
                Error::invalid(pointer, MALFORMED_MOMENT, "is no place (`12`, `<epoch>.12`) and no time (RFC 3339)")
            }),
        });
        Ok(Self { asked: asked.collect::<Result<_, _>>()? })
    }

    /// Finds them in the history of a project that the caller may read. Also tells how long that is.
    ///
    /// # Errors
    /// One has not come yet, or is before the beginning, or of another epoch.
    pub(super) async fn find(self, state: &State, project_id: ProjectId) -> Result<(Vec<Moment>, i64), Error> {
        let (pool, id) = (state.app.pool(), Uuid::from(project_id));
        let epoch = log::epoch(pool).await?;
        let last = places::last(pool, id).await?.ok_or_else(|| Error::not_found("project"))?;
        let began = Instant::now();
        let mut found = Vec::new();
        for (pointer, asked) in self.asked {
            let ahead = || Error::invalid(pointer, MOMENT_AHEAD, format!("the last event has the place {}", last.seq));
            let before = || Error::invalid(pointer, BEFORE_BEGINNING, "is before the project's first event");
            let place = match asked {
                Asked::Now => last,
                Asked::SeqOf(other, _) if other != epoch => {
                    let detail = format!("the history is now of the epoch {epoch}");
                    return Err(Error::invalid(pointer, OTHER_EPOCH, detail));
                }
                Asked::Seq(0) | Asked::SeqOf(_, 0) => return Err(before()),
                Asked::Seq(seq) | Asked::SeqOf(_, seq) if seq > last.seq => return Err(ahead()),
                Asked::Seq(seq) | Asked::SeqOf(_, seq) => {
                    let hole = || Error::failure(format!("the history has no event at the place {seq}"));
                    places::of_seq(pool, id, seq).await?.ok_or_else(hole)?
                }
                Asked::Time(at) if at >= last.time => {
                    if places::is_ahead(pool, at).await? {
                        return Err(Error::invalid(pointer, MOMENT_AHEAD, "the time has not come yet"));
                    }
                    last
                }
                Asked::Time(at) => places::of_time(pool, id, at).await?.ok_or_else(before)?,
            };
            let feed_root = feed_root(state, id, place.seq, began).await?;
            found.push(Moment { project_id, place, epoch, feed_root });
        }
        Ok((found, last.seq))
    }
}

/// The root of the feed's tree as it was, once the tree, which is made behind the log, is that large.
async fn feed_root(state: &State, feed_id: Uuid, seq: i64, began: Instant) -> Result<Option<Hash>, Error> {
    loop {
        match state.app.trees().root(Tree::Feed(feed_id), seq.unsigned_abs()).await {
            Ok(root) => return Ok(Some(root)),
            Err(TreeError::Missing(_)) if began.elapsed() < PATIENCE => sleep(LOOKING).await,
            Err(TreeError::Missing(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_moment_is_a_place_or_a_time() {
        let epoch = Uuid::from_u128(7);
        assert_eq!(read("12"), Some(Asked::Seq(12)));
        assert_eq!(read("0"), Some(Asked::Seq(0)));
        assert_eq!(read("99999999999999999999"), Some(Asked::Seq(i64::MAX)));
        assert_eq!(read(&format!("{epoch}.3")), Some(Asked::SeqOf(epoch, 3)));
        let at = datetime!(2026-11-20 10:00 UTC);
        assert_eq!(read("2026-11-20T12:00:00+02:00"), Some(Asked::Time(at)));
        assert_eq!(read("2026-11-20T10:00:00.0Z"), Some(Asked::Time(at)));
        let dot = format!("{epoch}.");
        for garbage in ["", "-1", "+1", "1.5", "x", "yesterday", "2026-11-20", "2026-11-20T10:00:00", "7.3", &dot] {
            assert_eq!(read(garbage), None, "{garbage}");
        }
        assert_eq!(read("0000-01-01T00:00:00Z"), None, "no year that a log can have");
    }
}
