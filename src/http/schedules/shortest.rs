//! How soon one run of a schedule may follow another: a setting.

use std::iter::successors;

use time::OffsetDateTime;
use workroom_domain::schedule::{Cron, CronExpression, EverySeconds, Minute};

use crate::{
    application::{Error, at_pointer, codes::OUT_OF_RANGE},
    http::State,
};

/// Runs of a cron expression that are looked at: those of a day, if it runs each minute.
const RUNS: usize = 24 * 60;
/// The days that they are looked for in: there is a 29th of February among them.
const DAYS: i64 = 5 * 366;

/// The fewest seconds between two runs of a schedule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shortest(u32);

impl Shortest {
    /// As it is set. What was created before goes on as it is.
    pub(super) fn of(state: &State) -> Self {
        Self(state.config.jobs.shortest_schedule_seconds.clamp(1, EverySeconds::LIMIT))
    }

    /// An interval that is long enough.
    ///
    /// # Errors
    /// One that is not, or is too long.
    pub(super) fn admit_seconds(self, seconds: u32) -> Result<EverySeconds, Error> {
        let every = EverySeconds::from_number(seconds).filter(|_| seconds >= self.0);
        let detail = || format!("must be from {} to {}", self.0, EverySeconds::LIMIT);
        every.ok_or_else(|| Error::invalid("/every_seconds", OUT_OF_RANGE, detail()))
    }

    /// Insists that the runs of an expression are far enough apart.
    ///
    /// # Errors
    /// They are not.
    pub(super) fn admit_cron(self, expression: &CronExpression) -> Result<(), Error> {
        // No two minutes are closer.
        if self.0 <= 60 {
            return Ok(());
        }
        let cron = expression.cron().map_err(at_pointer("/cron"))?;
        match shortest_gap(&cron) {
            Some(gap) if gap < i64::from(self.0) => {
                let detail = format!("names minutes {gap} seconds apart; they must be at least {} apart", self.0);
                Err(Error::invalid("/cron", OUT_OF_RANGE, detail))
            }
            _ => Ok(()),
        }
    }
}

/// The fewest seconds between two of the first runs by an even calendar: summer time may bring two closer together.
fn shortest_gap(cron: &Cron) -> Option<i64> {
    let first = cron.next(Minute::of(OffsetDateTime::UNIX_EPOCH));
    let runs = successors(first, |run| cron.next(*run)).take(RUNS).map(seconds);
    let until = seconds(Minute::of(OffsetDateTime::UNIX_EPOCH)) + DAYS * 86_400;
    let runs: Vec<i64> = runs.take_while(|run| *run < until).collect();
    runs.windows(2).map(|pair| pair[1] - pair[0]).min()
}

fn seconds(minute: Minute) -> i64 {
    let Minute { date, hour, minute } = minute;
    i64::from(date.to_julian_day()) * 86_400 + i64::from(hour) * 3600 + i64::from(minute) * 60
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn gap(expression: &str) -> Option<i64> {
        shortest_gap(&CronExpression::parse(expression).unwrap().cron().unwrap())
    }

    #[test]
    fn the_shortest_gap_is_found_wherever_it_is() {
        for (expression, seconds) in [
            ("* * * * *", 60),
            ("*/7 * * * *", 4 * 60),
            ("0 * * * *", 3600),
            ("59 23,0 * * *", 3600),
            ("@daily", 86_400),
            ("0,1 0 29 2 *", 60),
            ("0 0 L,1 * *", 86_400),
        ] {
            assert_eq!(gap(expression), Some(seconds), "{expression}");
        }
        // `*` in one of the fields of days makes it rare: once in a few years is once.
        assert_eq!(gap("0 0 29 2 *"), None);
    }

    #[test]
    fn what_comes_too_often_is_refused() {
        let (often, hourly) = ("*/5 * * * *", "0 * * * *");
        let admits =
            |seconds, expression| Shortest(seconds).admit_cron(&CronExpression::parse(expression).unwrap()).is_ok();
        assert!(admits(60, "* * * * *") && admits(300, often) && admits(3600, hourly));
        assert!(!admits(61, "* * * * *") && !admits(301, often) && !admits(3601, hourly));
        assert!(Shortest(10).admit_seconds(9).is_err() && Shortest(10).admit_seconds(10).is_ok());
    }
}
