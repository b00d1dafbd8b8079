//! When a schedule runs: cron expressions by the clocks of a time zone, intervals by elapsed time.
//!
//! A cron expression names minutes of the calendar, and each of them is one moment. Where clocks are put forward and
//! leave a minute out, that is the first moment behind the gap; all minutes that are left out are that one moment, so
//! that no two runs come of them. Where clocks are put back and show a minute twice, it is the first time. The time
//! zones are those that are built into the service, not those of its machine: all processes of one version agree.

use std::sync::LazyLock;

use jiff::{
    civil::DateTime,
    tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase},
};
use time::{Date, Duration, Month, OffsetDateTime};
use workroom_domain::{
    schedule::{Cron, Minute, ScheduleFields, TimeZoneName, Timing, UnknownTimeZone},
    timestamp::Timestamp,
};

use crate::application::Error;

static TIME_ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// The time zone of this name, in whatever case; its name is as the database writes it.
///
/// # Errors
/// There is none.
pub fn time_zone(name: &str) -> Result<TimeZoneName, UnknownTimeZone> {
    let zone = find(&TimeZoneName::parse(name)?)?;
    TimeZoneName::parse(zone.iana_name().ok_or(UnknownTimeZone)?)
}

fn find(name: &TimeZoneName) -> Result<TimeZone, UnknownTimeZone> {
    let zone = TIME_ZONES.get(name.as_str()).map_err(|_| UnknownTimeZone)?;
    // `Etc/Unknown` is found, and stands for none.
    if zone.iana_name().is_some() { Ok(zone) } else { Err(UnknownTimeZone) }
}

/// When a schedule runs.
pub struct Calendar(Rule);

enum Rule {
    Cron { cron: Cron, zone: TimeZone },
    Every { period: Duration, from: OffsetDateTime },
}

impl Calendar {
    /// The calendar of these fields; an interval is counted from a moment.
    ///
    /// # Errors
    /// An unknown time zone.
    pub fn of(fields: &ScheduleFields, counted_from: Timestamp) -> Result<Self, Error> {
        Self::new(&fields.timing, &fields.time_zone, counted_from)
    }

    /// As [`Calendar::of`].
    ///
    /// # Errors
    /// An unknown time zone.
    pub fn new(timing: &Timing, time_zone: &TimeZoneName, counted_from: Timestamp) -> Result<Self, Error> {
        Ok(Self(match timing {
            Timing::Cron(expression) => Rule::Cron { cron: expression.cron()?, zone: find(time_zone)? },
            Timing::EverySeconds(seconds) => {
                let period = Duration::seconds(seconds.number().into());
                Rule::Every { period, from: counted_from.get() }
            }
        }))
    }

    /// The first run behind a moment; none where there is none for decades.
    pub fn next(&self, after: OffsetDateTime) -> Option<Timestamp> {
        let next = match &self.0 {
            Rule::Cron { cron, zone } => next_by_clock(cron, zone, after),
            Rule::Every { period, from } => next_period(*period, *from, after),
        };
        next.and_then(|next| Timestamp::new(next).ok())
    }

    /// The run at a moment and those behind it, so many at most.
    pub fn upcoming(&self, first: Option<Timestamp>, count: usize) -> Vec<Timestamp> {
        std::iter::successors(first, |run| self.next(run.get())).take(count).collect()
    }
}

fn next_period(period: Duration, from: OffsetDateTime, after: OffsetDateTime) -> Option<OffsetDateTime> {
    // In whole microseconds: those of the moments are no more exact.
    let (period, elapsed) = (period.whole_microseconds(), (after - from).whole_microseconds());
    let next = if elapsed < 0 { period } else { (elapsed / period + 1) * period };
    let (seconds, rest) = (next.div_euclid(1_000_000), next.rem_euclid(1_000_000));
    let next = Duration::seconds(i64::try_from(seconds).ok()?) + Duration::microseconds(i64::try_from(rest).ok()?);
    from.checked_add(next)
}

/// The first moment behind another at which the clocks of a zone show a minute of the expression.
fn next_by_clock(cron: &Cron, zone: &TimeZone, after: OffsetDateTime) -> Option<OffsetDateTime> {
    let shown = zone.to_datetime(jiff::Timestamp::from_second(after.unix_timestamp()).ok()?);
    let mut minute = minute_of(shown)?;
    loop {
        minute = cron.next(minute)?;
        let moment = moment_of(minute, zone)?;
        // What clocks show for the second time was there before; so was what they left out.
        if moment > after {
            return Some(moment);
        }
    }
}

fn minute_of(shown: DateTime) -> Option<Minute> {
    let small = |number: i8| u8::try_from(number).ok();
    let month = Month::try_from(small(shown.month())?).ok()?;
    let date = Date::from_calendar_date(shown.year().into(), month, small(shown.day())?).ok()?;
    Some(Minute { date, hour: small(shown.hour())?, minute: small(shown.minute())? })
}

/// The first moment at which the clocks of a zone show a minute, or would have shown it.
fn moment_of(minute: Minute, zone: &TimeZone) -> Option<OffsetDateTime> {
    let small = |number: u8| i8::try_from(number).ok();
    let Minute { date, hour, minute } = minute;
    let year = i16::try_from(date.year()).ok()?;
    let (month, day) = (small(u8::from(date.month()))?, small(date.day())?);
    let shown = DateTime::new(year, month, day, small(hour)?, small(minute)?, 0, 0).ok()?;
    let moments = zone.to_ambiguous_timestamp(shown);
    let moment = match moments.offset() {
        AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => moments.earlier().ok()?,
        // By the offset behind the gap it lies before it.
        AmbiguousOffset::Gap { .. } => zone.following(moments.earlier().ok()?).next()?.timestamp(),
    };
    OffsetDateTime::from_unix_timestamp(moment.as_second()).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use time::{format_description::well_known::Rfc3339, macros::datetime};
    use workroom_domain::schedule::CronExpression;

    use super::*;

    /// The next so many runs, in UTC.
    fn runs(expression: &str, zone: &str, after: OffsetDateTime, count: usize) -> Vec<String> {
        let cron = CronExpression::parse(expression).unwrap().cron().unwrap();
        let calendar = Calendar(Rule::Cron { cron, zone: find(&TimeZoneName::parse(zone).unwrap()).unwrap() });
        let runs = calendar.upcoming(calendar.next(after), count);
        runs.iter().map(|run| run.get().format(&Rfc3339).unwrap()).collect()
    }

    #[test]
    fn a_minute_that_clocks_leave_out_is_the_first_moment_behind_the_gap() {
        // Berlin goes from 02:00 to 03:00 at 01:00 UTC.
        let before = datetime!(2026-03-28 12:00 UTC);
        let expected = ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"];
        assert_eq!(runs("30 2 * * *", "Europe/Berlin", before, 2), expected);
        let half_past_one = datetime!(2026-03-29 00:30 UTC);
        let expected = ["2026-03-29T00:40:00Z", "2026-03-29T00:50:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:10:00Z"];
        assert_eq!(runs("*/10 * * * *", "Europe/Berlin", half_past_one, 4), expected);
        // What is left out and what is behind it are one moment: one run.
        let expected = ["2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z", "2026-03-30T01:00:00Z"];
        assert_eq!(runs("0 2,3 * * *", "Europe/Berlin", half_past_one, 3), expected);
    }

    #[test]
    fn a_minute_that_clocks_show_twice_is_the_first_of_both() {
        // Berlin goes from 03:00 back to 02:00 at 01:00 UTC.
        let before = datetime!(2026-10-24 12:00 UTC);
        let expected = ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"];
        assert_eq!(runs("30 2 * * *", "Europe/Berlin", before, 2), expected);
        let expected = ["2026-10-25T00:30:00Z", "2026-10-25T02:00:00Z", "2026-10-25T02:30:00Z"];
        assert_eq!(runs("*/30 * * * *", "Europe/Berlin", datetime!(2026-10-25 00:00 UTC), 3), expected);
        // Asked while clocks show the hour for the second time.
        let again = datetime!(2026-10-25 01:10 UTC);
        assert_eq!(runs("*/30 * * * *", "Europe/Berlin", again, 1), ["2026-10-25T02:00:00Z"]);
    }

    #[test]
    fn clocks_may_be_put_by_half_an_hour() {
        // Lord Howe goes from 02:00 to 02:30 at 15:30 UTC, and from 02:00 back to 01:30 at 15:00 UTC.
        let zone = "Australia/Lord_Howe";
        let expected = ["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"];
        assert_eq!(runs("15 2 * * *", zone, datetime!(2026-10-03 00:00 UTC), 2), expected);
        let expected = ["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"];
        assert_eq!(runs("45 1 * * *", zone, datetime!(2026-04-04 00:00 UTC), 2), expected);
    }

    #[test]
    fn a_year_ends_by_the_clocks_of_the_zone() {
        let before = datetime!(2026-12-30 12:00 UTC);
        let expected = ["2026-12-31T22:59:00Z", "2027-01-31T22:59:00Z"];
        assert_eq!(runs("59 23 L * *", "Europe/Berlin", before, 2), expected);
        assert_eq!(runs("0 0 1 1 *", "Pacific/Kiritimati", before, 1), ["2026-12-31T10:00:00Z"]);
        assert_eq!(runs("0 0 1 1 *", "UTC", before, 1), ["2027-01-01T00:00:00Z"]);
    }

    #[test]
    fn a_day_that_a_zone_left_out_is_one_moment() {
        // Samoa went from the 29th to the 31st of December 2011.
        let expected = ["2011-12-29T22:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z"];
        assert_eq!(runs("0 12 * * *", "Pacific/Apia", datetime!(2011-12-29 12:00 UTC), 3), expected);
    }

    #[test]
    fn an_interval_is_counted_from_its_beginning() {
        let from = datetime!(2026-03-29 00:59:58.25 UTC);
        let calendar = Calendar(Rule::Every { period: Duration::seconds(5), from });
        let next = |after| calendar.next(after).unwrap().get();
        assert_eq!(next(from), datetime!(2026-03-29 01:00:03.25 UTC));
        assert_eq!(next(datetime!(2026-03-29 01:00:03.249_999 UTC)), datetime!(2026-03-29 01:00:03.25 UTC));
        assert_eq!(next(datetime!(2026-03-29 01:00:03.25 UTC)), datetime!(2026-03-29 01:00:08.25 UTC));
        assert_eq!(next(datetime!(2026-03-29 02:00:00 UTC)), datetime!(2026-03-29 02:00:03.25 UTC));
        assert_eq!(next(datetime!(2026-03-28 00:00 UTC)), datetime!(2026-03-29 01:00:03.25 UTC));
    }

    #[test]
    fn time_zones_are_known_by_the_names_of_the_database() {
        for (given, name) in [("europe/berlin", "Europe/Berlin"), ("utc", "UTC"), ("Asia/Kolkata", "Asia/Kolkata")] {
            assert_eq!(time_zone(given).unwrap().as_str(), name);
        }
        for unknown in ["Europe/Atlantis", "", "+02:00", "CEST-2", "Etc/Unknown", "../etc/passwd"] {
            assert_eq!(time_zone(unknown), Err(UnknownTimeZone), "{unknown}");
        }
    }
}
