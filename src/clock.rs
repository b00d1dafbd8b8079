//! The wall clock: the one place where it is read (`clippy.toml` keeps it so). Everything else is handed the moment.

use time::OffsetDateTime;

/// The present moment, to the microsecond: Postgres keeps no more, and what was replied must equal what is read later.
#[expect(clippy::disallowed_methods, reason = "here it is read")]
pub fn now() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc();
    now.replace_microsecond(now.microsecond()).unwrap_or(now)
}
