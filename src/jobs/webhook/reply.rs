//! What an answer means for the delivery.

use std::time::Duration;

use time::{OffsetDateTime, format_description::well_known::Rfc2822};

/// The least that is waited when somebody asks to come again later.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
/// The most: whoever asks for more is asked again by then.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// What was answered. Nothing but this is read of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status of HTTP.
    pub status: u16,
    /// How long to wait, as `Retry-After` says.
    pub retry_after: Option<Duration>,
}

/// What that means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was taken.
    Delivered,
    /// Nobody will ever take anything there.
    Gone,
    /// Whoever is there wants it later.
    Later(Duration),
    /// It was not taken.
    Failed,
}

impl Answer {
    /// What it means.
    pub fn verdict(&self) -> Verdict {
        match (self.status, self.retry_after) {
            (200..=299, _) => Verdict::Delivered,
            (410, _) => Verdict::Gone,
            (429 | 503, Some(wait)) => Verdict::Later(wait.clamp(SHORTEST_WAIT, LONGEST_WAIT)),
            _ => Verdict::Failed,
        }
    }
}

/// How long `Retry-After` asks to wait (RFC 9110, 10.2.3): seconds, or a date in the one form that is still written.
pub fn retry_after(value: &str, now: OffsetDateTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number holds are a long time.
        return Some(value.parse().map_or(LONGEST_WAIT, Duration::from_secs));
    }
    let at = OffsetDateTime::parse(&value.replace("GMT", "+0000"), &Rfc2822).ok()?;
    Some(Duration::try_from(at - now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn an_answer_is_taken_as_what_its_status_says() {
        let of =
            |status, seconds: Option<u64>| Answer { status, retry_after: seconds.map(Duration::from_secs) }.verdict();
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(of(status, Some(9)), Verdict::Delivered, "{status}");
        }
        for status in [100, 199, 300, 302, 304, 400, 401, 403, 404, 408, 409, 422, 500, 502, 504] {
            assert_eq!(of(status, Some(9)), Verdict::Failed, "{status}");
        }
        assert_eq!(of(410, None), Verdict::Gone);
        for status in [429, 503] {
            assert_eq!(of(status, None), Verdict::Failed);
            assert_eq!(of(status, Some(9)), Verdict::Later(Duration::from_secs(9)));
            assert_eq!(of(status, Some(0)), Verdict::Later(SHORTEST_WAIT));
            assert_eq!(of(status, Some(1_000_000)), Verdict::Later(LONGEST_WAIT));
        }
    }

    #[test]
    fn a_wait_is_seconds_or_a_date() {
        let now = datetime!(2026-11-23 04:35:00 UTC);
        let seconds = |value: &str| retry_after(value, now).map(|wait| wait.as_secs());
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds(" 7 "), Some(7));
        assert_eq!(seconds("99999999999999999999999"), Some(3600));
        assert_eq!(seconds("Mon, 23 Nov 2026 04:36:30 GMT"), Some(90));
        assert_eq!(seconds("Mon, 23 Nov 2026 04:00:00 GMT"), Some(0), "past");
        for bad in ["", "-1", "1.5", "soon", "Mon, 99 Nov 2026 04:36:30 GMT", "2026-11-23T04:36:30Z"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }
}
