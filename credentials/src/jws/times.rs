//! `exp`, `nbf` and `iat` (RFC 7519 §4.1.4 to §4.1.6).

use std::time::Duration;

use time::OffsetDateTime;

/// When a token holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// `iat`: when the token was made. `None` if the token does not tell.
    pub issued_at: Option<OffsetDateTime>,
    /// `nbf`: the token does not hold before this moment. `None` if the token does not tell.
    pub not_before: Option<OffsetDateTime>,
    /// `exp`: the token does not hold from this moment on.
    pub expires_at: OffsetDateTime,
}

/// Why a token does not hold at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untimely {
    /// `nbf` or `iat` is in the future.
    #[error("the token does not hold yet")]
    NotYet,
    /// It holds for longer than it may.
    #[error("the token holds for too long")]
    TooLong,
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
}

impl Times {
    /// Whether the token holds at `now`, where clocks may differ by `leeway`, and was made to hold for no longer than
    /// `max_lifetime`: from `iat` to `exp`; without `iat` from `nbf`, without both from `now`.
    ///
    /// # Errors
    /// [`Untimely`]; [`Untimely::Expired`] only for a token that was right in the other two.
    pub fn check(&self, now: OffsetDateTime, leeway: Duration, max_lifetime: Duration) -> Result<(), Untimely> {
        // Times are within the years 1970 to 9999: i128 nanoseconds cannot overflow.
        let nanoseconds = |duration: Duration| i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX / 2);
        let (leeway, max_lifetime) = (nanoseconds(leeway), nanoseconds(max_lifetime));
        let at = OffsetDateTime::unix_timestamp_nanos;
        let (now, ends) = (at(now), at(self.expires_at));
        // `None` is before every moment.
        if self.issued_at.max(self.not_before).is_some_and(|from| at(from) > now + leeway) {
            return Err(Untimely::NotYet);
        }
        if ends - self.issued_at.or(self.not_before).map_or(now, at) > max_lifetime {
            return Err(Untimely::TooLong);
        }
        if ends + leeway <= now {
            return Err(Untimely::Expired);
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-20 12:00 UTC);

    fn check(issued_at: Option<i64>, not_before: Option<i64>, expires_at: i64) -> Result<(), Untimely> {
        let at = |seconds: i64| NOW + time::Duration::seconds(seconds);
        let times = Times { issued_at: issued_at.map(at), not_before: not_before.map(at), expires_at: at(expires_at) };
        times.check(NOW, Duration::from_secs(5), Duration::from_hours(1))
    }

    #[test]
    fn each_bound_holds_to_the_second() {
        for (times, expected) in [
            ((None, None, 60), Ok(())),
            ((Some(0), Some(0), 3600), Ok(())),
            ((Some(5), Some(5), 3605), Ok(())),
            ((Some(6), None, 60), Err(Untimely::NotYet)),
            ((None, Some(6), 60), Err(Untimely::NotYet)),
            ((Some(0), Some(6), 60), Err(Untimely::NotYet)),
            ((Some(6), Some(0), 60), Err(Untimely::NotYet)),
            ((None, None, -4), Ok(())),
            ((None, None, -5), Err(Untimely::Expired)),
            ((None, None, 3600), Ok(())),
            ((None, None, 3601), Err(Untimely::TooLong)),
            ((Some(0), None, 3601), Err(Untimely::TooLong)),
            ((Some(-3600), Some(0), 1), Err(Untimely::TooLong)),
            ((None, Some(-3600), 1), Err(Untimely::TooLong)),
            ((Some(0), Some(-9999), 60), Ok(())),
            ((Some(-9999), None, -5000), Err(Untimely::TooLong)),
        ] {
            let (issued_at, not_before, expires_at) = times;
            assert_eq!(check(issued_at, not_before, expires_at), expected, "{times:?}");
        }
    }

    #[test]
    fn no_moment_overflows() {
        let ends = [0, 253_402_300_799].map(|seconds| OffsetDateTime::from_unix_timestamp(seconds).unwrap());
        for expires_at in ends {
            for issued_at in [None, Some(ends[0]), Some(ends[1])] {
                let times = Times { issued_at, not_before: issued_at, expires_at };
                for now in ends {
                    let _ = times.check(now, Duration::from_secs(5), Duration::MAX);
                }
            }
        }
    }
}
