//! Cron expressions: which minutes of a calendar they name. A calendar has no time zone; who asks has to bring one.
//!
//! Five fields, as Vixie cron reads them: minute, hour, day of the month, month, day of the week. A field is a list
//! of values, names (`jan`, `mon`), ranges (`1-5`) and steps (`*/15`, `10-20/2`). Beyond that: `L` is the last day of
//! a month, `5L` its last Friday, `5#3` its third. Where neither of the two fields of days begins with `*`, a day has
//! to be in one of them, else in both.

use serde::{Deserialize, Serialize};
use time::{Date, Month, OffsetDateTime};

use super::CronRefused;

/// A cron expression that names at least one minute, such as `30 3 * * mon-fri` or `@daily`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(min_length = 1, max_length = 255))]
#[serde(transparent)]
pub struct CronExpression(String);

impl CronExpression {
    /// Most bytes of an expression.
    pub const LIMIT: usize = 255;

    /// Checks an expression, and that it names a minute at all. It is kept as given, without white space at its ends.
    pub fn parse(text: &str) -> Result<Self, CronRefused> {
        let text = text.trim();
        if text.len() > Self::LIMIT {
            return Err(CronRefused::TooLong);
        }
        let cron = Cron::parse(text)?;
        // Any moment will do: what a calendar has once it has again.
        cron.next(Minute::of(OffsetDateTime::UNIX_EPOCH)).ok_or(CronRefused::Never)?;
        Ok(Self(text.to_owned()))
    }

    /// The minutes that it names.
    ///
    /// # Errors
    /// None for an expression that this version has checked.
    pub fn cron(&self) -> Result<Cron, CronRefused> {
        Cron::parse(&self.0)
    }

    /// The expression as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A minute of a calendar, wherever that hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Minute {
    /// The day.
    pub date: Date,
    /// The hour, 0 to 23.
    pub hour: u8,
    /// The minute of the hour, 0 to 59.
    pub minute: u8,
}

impl Minute {
    /// The minute that a moment lies in, by the moment's own offset.
    pub fn of(at: OffsetDateTime) -> Self {
        Self { date: at.date(), hour: at.hour(), minute: at.minute() }
    }
}

/// The minutes that an expression names. A set of values is a number: each value is a bit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    minutes: u64,
    hours: u64,
    months: u64,
    days: Days,
}

/// Which days it names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Days {
    of_month: u64,
    last_of_month: bool,
    /// Sunday is 0.
    of_week: u64,
    last_of_week: u64,
    /// The n-th weekday of a month, from 0, is bit 7n + weekday.
    nth_of_week: u64,
    /// Whether a day has to be one of the month's and one of the week's.
    is_both: bool,
}

/// A field of an expression.
struct Field {
    name: &'static str,
    first: u8,
    last: u8,
    /// The most that can be written; 7 is a Sunday, too.
    highest: u8,
    /// Names of the values, from the first on.
    names: &'static [&'static str],
}

const MINUTE: Field = Field { name: "minute", first: 0, last: 59, highest: 59, names: &[] };
const HOUR: Field = Field { name: "hour", first: 0, last: 23, highest: 23, names: &[] };
const DAY_OF_MONTH: Field = Field { name: "day of the month", first: 1, last: 31, highest: 31, names: &[] };
const MONTH: Field = Field {
    name: "month",
    first: 1,
    last: 12,
    highest: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
const DAY_OF_WEEK: Field = Field {
    name: "day of the week",
    first: 0,
    last: 6,
    highest: 7,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
};

/// Names of whole expressions.
const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// The most years between two days that an expression names: the 29th of February is on the same weekday again after
/// 28 years, and after 40 where a leap year is left out between them.
const HORIZON_YEARS: i32 = 41;

impl Field {
    fn refuse(&self, item: &str) -> CronRefused {
        CronRefused::Item { field: self.name, item: item.to_owned() }
    }

    fn value(&self, item: &str, text: &str) -> Result<u8, CronRefused> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let value = match named.and_then(|place| u8::try_from(place).ok()) {
            Some(place) => Some(self.first + place),
            // `parse` alone would take a sign.
            None if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
            None => None,
        };
        value.filter(|value| (self.first..=self.highest).contains(value)).ok_or_else(|| self.refuse(item))
    }

    /// The values that an item of the list names: one, a range, or each so many of a range.
    fn values(&self, item: &str) -> Result<u64, CronRefused> {
        let (span, step) = match item.split_once('/') {
            Some((span, step)) => {
                let is_number = step.bytes().all(|byte| byte.is_ascii_digit());
                let step: Option<usize> = if is_number { step.parse().ok() } else { None };
                (span, Some(step.filter(|step| *step > 0).ok_or_else(|| self.refuse(item))?))
            }
            None => (item, None),
        };
        let (first, last) = match span.split_once('-') {
            _ if span == "*" => (self.first, self.last),
            Some((first, last)) => {
                let (first, last) = (self.value(item, first)?, self.value(item, last)?);
                // From a later day to Sunday: to the end of the week.
                (first, if last == 0 && first > 0 && self.highest > self.last { self.highest } else { last })
            }
            None => {
                let value = self.value(item, span)?;
                (value, if step.is_some() { self.last } else { value })
            }
        };
        if first > last {
            return Err(self.refuse(item));
        }
        Ok((first..=last).step_by(step.unwrap_or(1)).fold(0, |values, value| values | bit(self.folded(value))))
    }

    /// The value itself, but for the other Sunday.
    fn folded(&self, value: u8) -> u8 {
        if value > self.last { self.first } else { value }
    }

    fn list(&self, text: &str) -> Result<u64, CronRefused> {
        text.split(',').try_fold(0, |values, item| Ok(values | self.values(item)?))
    }
}

impl Days {
    fn parse(of_month: &str, of_week: &str) -> Result<Self, CronRefused> {
        let mut days = Self { is_both: of_month.starts_with('*') || of_week.starts_with('*'), ..Self::default() };
        for item in of_month.split(',') {
            if item.eq_ignore_ascii_case("L") {
                days.last_of_month = true;
            } else {
                days.of_month |= DAY_OF_MONTH.values(item)?;
            }
        }
        for item in of_week.split(',') {
            let weekday = |text| DAY_OF_WEEK.value(item, text).map(|weekday| DAY_OF_WEEK.folded(weekday));
            if let Some((day, nth)) = item.split_once('#') {
                match nth {
                    "1" | "2" | "3" | "4" | "5" => {
                        let nth = nth.parse::<u8>().map_err(|_| DAY_OF_WEEK.refuse(item))?;
                        days.nth_of_week |= bit(7 * (nth - 1) + weekday(day)?);
                    }
                    "L" | "l" => days.last_of_week |= bit(weekday(day)?),
                    _ => return Err(DAY_OF_WEEK.refuse(item)),
                }
            } else if let Some(day) = item.strip_suffix(['L', 'l']) {
                days.last_of_week |= bit(weekday(day)?);
            } else {
                days.of_week |= DAY_OF_WEEK.values(item)?;
            }
        }
        Ok(days)
    }

    fn take(&self, date: Date) -> bool {
        let (day, length) = (date.day(), date.month().length(date.year()));
        let weekday = date.weekday().number_days_from_sunday();
        let in_month = has(self.of_month, day) || (self.last_of_month && day == length);
        let in_week = has(self.of_week, weekday)
            || has(self.nth_of_week, 7 * ((day - 1) / 7) + weekday)
            || (has(self.last_of_week, weekday) && day + 7 > length);
        if self.is_both { in_month && in_week } else { in_month || in_week }
    }
}

impl Cron {
    /// Reads an expression. It may name days that no calendar has.
    pub fn parse(text: &str) -> Result<Self, CronRefused> {
        let nickname = NICKNAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text.trim()));
        let fields: Vec<&str> = nickname.map_or(text, |(_, fields)| *fields).split_ascii_whitespace().collect();
        let [minutes, hours, days_of_month, months, days_of_week] = fields[..] else {
            return Err(CronRefused::Fields);
        };
        Ok(Self {
            minutes: MINUTE.list(minutes)?,
            hours: HOUR.list(hours)?,
            months: MONTH.list(months)?,
            days: Days::parse(days_of_month, days_of_week)?,
        })
    }

    /// The first minute behind another that it names; none where there is none within decades, and so none at all.
    pub fn next(&self, after: Minute) -> Option<Minute> {
        if self.takes(after.date)
            && let Some((hour, minute)) = self.later_on_day(after)
        {
            return Some(Minute { date: after.date, hour, minute });
        }
        let date = self.next_date(after.date)?;
        Some(Minute { date, hour: lowest(self.hours)?, minute: lowest(self.minutes)? })
    }

    fn takes(&self, date: Date) -> bool {
        has(self.months, u8::from(date.month())) && self.days.take(date)
    }

    /// The first hour and minute of the same day behind a minute.
    fn later_on_day(&self, after: Minute) -> Option<(u8, u8)> {
        if has(self.hours, after.hour)
            && let Some(minute) = lowest(behind(self.minutes, after.minute))
        {
            return Some((after.hour, minute));
        }
        Some((lowest(behind(self.hours, after.hour))?, lowest(self.minutes)?))
    }

    fn next_date(&self, after: Date) -> Option<Date> {
        let mut date = after.next_day()?;
        while date.year() <= after.year() + HORIZON_YEARS {
            if !has(self.months, u8::from(date.month())) {
                date = first_of_next_month(date)?;
            } else if self.days.take(date) {
                return Some(date);
            } else {
                date = date.next_day()?;
            }
        }
        None
    }
}

fn first_of_next_month(date: Date) -> Option<Date> {
    let year = if date.month() == Month::December { date.year() + 1 } else { date.year() };
    Date::from_calendar_date(year, date.month().next(), 1).ok()
}

/// The set of one value, which is below 64.
fn bit(value: u8) -> u64 {
    1 << value
}

fn has(values: u64, value: u8) -> bool {
    values & bit(value) != 0
}

/// The values of a set that are greater than one.
fn behind(values: u64, value: u8) -> u64 {
    values & !(bit(value) | (bit(value) - 1))
}

fn lowest(values: u64) -> Option<u8> {
    if values == 0 { None } else { u8::try_from(values.trailing_zeros()).ok() }
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;

    /// The next so many minutes, written as `MM-DD HH:MM`.
    fn next(expression: &str, after: OffsetDateTime, count: usize) -> Vec<String> {
        let cron = CronExpression::parse(expression).unwrap().cron().unwrap();
        let mut at = Minute::of(after);
        let mut found = Vec::new();
        for _ in 0..count {
            at = cron.next(at).unwrap();
            let (month, day) = (u8::from(at.date.month()), at.date.day());
            found.push(format!("{month:02}-{day:02} {:02}:{:02}", at.hour, at.minute));
        }
        found
    }

    #[test]
    fn fields_are_lists_of_values_names_ranges_and_steps() {
        let monday = datetime!(2026-06-01 12:00 UTC);
        for (expression, expected) in [
            ("* * * * *", ["06-01 12:01", "06-01 12:02", "06-01 12:03"]),
            ("*/20 * * * *", ["06-01 12:20", "06-01 12:40", "06-01 13:00"]),
            ("5/25 12 * * *", ["06-01 12:05", "06-01 12:30", "06-01 12:55"]),
            ("0 9-17/4 * * *", ["06-01 13:00", "06-01 17:00", "06-02 09:00"]),
            ("15,45 8,20 * * *", ["06-01 20:15", "06-01 20:45", "06-02 08:15"]),
            ("0 0 1 * *", ["07-01 00:00", "08-01 00:00", "09-01 00:00"]),
            ("0 0 1 JAN,jul *", ["07-01 00:00", "01-01 00:00", "07-01 00:00"]),
            ("0 0 * * Mon-Fri", ["06-02 00:00", "06-03 00:00", "06-04 00:00"]),
            ("0 0 * * sat-sun", ["06-06 00:00", "06-07 00:00", "06-13 00:00"]),
            ("0 0 * * 7", ["06-07 00:00", "06-14 00:00", "06-21 00:00"]),
            ("0 0 * * 0", ["06-07 00:00", "06-14 00:00", "06-21 00:00"]),
            ("0 0 * * 5-7/2", ["06-05 00:00", "06-07 00:00", "06-12 00:00"]),
            ("59 23 L * *", ["06-30 23:59", "07-31 23:59", "08-31 23:59"]),
            ("0 0 * * 5L", ["06-26 00:00", "07-31 00:00", "08-28 00:00"]),
            ("0 0 * * fri#L", ["06-26 00:00", "07-31 00:00", "08-28 00:00"]),
            ("0 0 * * tue#2", ["06-09 00:00", "07-14 00:00", "08-11 00:00"]),
            ("0 0 * * 1#5", ["06-29 00:00", "08-31 00:00", "11-30 00:00"]),
            ("@hourly", ["06-01 13:00", "06-01 14:00", "06-01 15:00"]),
            ("@Daily", ["06-02 00:00", "06-03 00:00", "06-04 00:00"]),
            ("@weekly", ["06-07 00:00", "06-14 00:00", "06-21 00:00"]),
            ("@monthly", ["07-01 00:00", "08-01 00:00", "09-01 00:00"]),
            ("@yearly", ["01-01 00:00", "01-01 00:00", "01-01 00:00"]),
        ] {
            assert_eq!(next(expression, monday, 3), expected, "{expression}");
        }
    }

    #[test]
    fn the_last_day_of_a_year_is_a_last_day_too() {
        let november = datetime!(2026-11-30 23:59 UTC);
        assert_eq!(next("59 23 L * *", november, 2), ["12-31 23:59", "01-31 23:59"]);
        assert_eq!(next("0 0 * * thuL", november, 2), ["12-31 00:00", "01-28 00:00"]);
        assert_eq!(next("0 0 31 * *", november, 3), ["12-31 00:00", "01-31 00:00", "03-31 00:00"]);
        assert_eq!(next("*/30 * * * *", datetime!(2026-12-31 23:30 UTC), 1), ["01-01 00:00"]);
    }

    #[test]
    fn days_are_of_both_fields_where_one_begins_with_a_star_and_else_of_either() {
        let first = datetime!(2026-06-01 12:00 UTC);
        assert_eq!(next("0 0 13 * 5", first, 3), ["06-05 00:00", "06-12 00:00", "06-13 00:00"]);
        assert_eq!(next("0 0 */2 * 5", first, 3), ["06-05 00:00", "06-19 00:00", "07-03 00:00"]);
        assert_eq!(next("0 0 13 * *", first, 1), ["06-13 00:00"]);
    }

    #[test]
    fn leap_days_are_found_however_far_they_are() {
        let cron = CronExpression::parse("0 0 29 2 *").unwrap().cron().unwrap();
        let at = |date| Minute { date, hour: 12, minute: 0 };
        assert_eq!(cron.next(at(date!(2026 - 06 - 01))).unwrap().date, date!(2028 - 02 - 29));
        assert_eq!(cron.next(at(date!(2096 - 02 - 29))).unwrap().date, date!(2104 - 02 - 29));
        // The fifth Monday of a February.
        let cron = CronExpression::parse("0 0 * 2 1#5").unwrap().cron().unwrap();
        assert_eq!(cron.next(at(date!(2026 - 06 - 01))).unwrap().date, date!(2044 - 02 - 29));
        assert_eq!(cron.next(at(date!(2072 - 02 - 29))).unwrap().date, date!(2112 - 02 - 29));
    }

    #[test]
    fn what_never_comes_is_refused() {
        for never in ["0 0 31 2 *", "0 0 30 feb *", "0 0 31 4,6,9,11 *"] {
            assert_eq!(CronExpression::parse(never), Err(CronRefused::Never), "{never}");
        }
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for bad in ["", "* * * *", "* * * * * *", "@reboot", "@", "every day", "0 0 * * * Europe/Berlin"] {
            assert_eq!(CronExpression::parse(bad), Err(CronRefused::Fields), "{bad}");
        }
        for (bad, field, item) in [
            ("60 * * * *", "minute", "60"),
            ("* 24 * * *", "hour", "24"),
            ("* * 0 * *", "day of the month", "0"),
            ("* * 32 * *", "day of the month", "32"),
            ("* * * 13 *", "month", "13"),
            ("* * * * 8", "day of the week", "8"),
            ("*/0 * * * *", "minute", "*/0"),
            ("*/x * * * *", "minute", "*/x"),
            ("+5 * * * *", "minute", "+5"),
            ("-5 * * * *", "minute", "-5"),
            ("5- * * * *", "minute", "5-"),
            ("30-10 * * * *", "minute", "30-10"),
            ("1,,2 * * * *", "minute", ""),
            ("256 * * * *", "minute", "256"),
            ("* * * * mon#0", "day of the week", "mon#0"),
            ("* * * * mon#6", "day of the week", "mon#6"),
            ("* * * * L", "day of the week", "L"),
            ("* * 5L * *", "day of the month", "5L"),
            ("* * * monday *", "month", "monday"),
            ("? * * * *", "minute", "?"),
        ] {
            let expected = CronRefused::Item { field, item: item.to_owned() };
            assert_eq!(CronExpression::parse(bad), Err(expected), "{bad}");
        }
        assert_eq!(CronExpression::parse(&"1,".repeat(200)), Err(CronRefused::TooLong));
    }
}
