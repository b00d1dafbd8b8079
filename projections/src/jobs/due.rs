//! When the next attempt of a job is due, as an event has it.
//!
//! Views show it, and the dispatcher goes by it: by the view when it begins, by the log from there on. Both ask the same function, so
//! that a new dispatcher lets nobody wait longer, or less long, than the one before it.

use time::OffsetDateTime;
use workroom_domain::job::JobEvent;

use crate::log::Recorded;

/// When something happened: by the clock of who tells of it, and by that of the database, which is one for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// By the clock of the process that tells of it.
    pub occurred_at: OffsetDateTime,
    /// By the clock of the database.
    pub recorded_at: OffsetDateTime,
}

/// When an attempt is due, by the clock of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Now: it has been since then.
    Since(OffsetDateTime),
    /// Then.
    At(OffsetDateTime),
}

impl Moment {
    /// When an event happened.
    pub fn of(recorded: &Recorded) -> Self {
        Self { occurred_at: recorded.metadata.occurred_at, recorded_at: recorded.recorded_at }
    }

    /// When an attempt is due that somebody wants to be made at that time: as long after the event, whatever their
    /// clock says.
    fn due(self, at: OffsetDateTime) -> Due {
        let pause = at - self.occurred_at;
        if pause.is_positive() {
            Due::At(self.recorded_at.checked_add(pause).unwrap_or(at))
        } else {
            Due::Since(self.recorded_at)
        }
    }
}

impl Due {
    /// When the next attempt is due after an event that tells where the job stands; none where it does not wait.
    pub fn after(event: &JobEvent, moment: Moment) -> Option<Self> {
        match event {
            // By whatever clock it was submitted, it is due as soon as it is seen.
            JobEvent::JobRequested(request) => Some(request.run_at.map_or(Self::Since(moment.recorded_at), Self::At)),
            JobEvent::JobAttemptFailed { retry_at, .. } | JobEvent::JobInterrupted { retry_at, .. } => {
                retry_at.map(|at| moment.due(at))
            }
            JobEvent::JobSnoozed { until, .. } => Some(moment.due(*until)),
            JobEvent::JobRedriven {} => Some(Self::Since(moment.recorded_at)),
            JobEvent::JobStarted { .. }
            | JobEvent::JobSucceeded { .. }
            | JobEvent::JobDeadLettered { .. }
            | JobEvent::JobCancelled { .. }
            | JobEvent::JobDeleted {}
            | JobEvent::PayloadRedacted(_) => None,
        }
    }

    /// The moment.
    pub fn at(self) -> OffsetDateTime {
        let (Self::Since(at) | Self::At(at)) = self;
        at
    }
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};

    use super::*;

    #[test]
    fn a_pause_is_as_long_as_who_tells_of_it_means_whatever_their_clock_says() {
        let recorded_at = datetime!(2026-11-23 10:00 UTC);
        for wrong_by in [Duration::ZERO, Duration::HOUR, -Duration::HOUR] {
            let moment = Moment { occurred_at: recorded_at + wrong_by, recorded_at };
            let until = |pause: Duration| moment.occurred_at + pause;
            let snoozed = |pause| JobEvent::JobSnoozed { attempt: 1, uncounted: 1, until: until(pause) };
            for (pause, due) in [
                (Duration::SECOND, Due::At(recorded_at + Duration::SECOND)),
                (Duration::ZERO, Due::Since(recorded_at)),
                (-Duration::SECOND, Due::Since(recorded_at)),
            ] {
                assert_eq!(Due::after(&snoozed(pause), moment), Some(due), "{wrong_by}");
            }
            assert_eq!(Due::after(&JobEvent::JobRedriven {}, moment), Some(Due::Since(recorded_at)), "{wrong_by}");
        }
    }
}
