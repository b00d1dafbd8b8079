//! The wall clock: the one place where it is read (`clippy.toml` keeps it so). Everything else is handed the moment.

use std::sync::atomic::{AtomicI32, Ordering};

use time::{Duration, OffsetDateTime};

/// By how many seconds the clock of this process is set wrong.
static SHIFT: AtomicI32 = AtomicI32::new(0);

/// The present moment, to the microsecond: Postgres keeps no more, and what was replied must equal what is read later.
#[expect(clippy::disallowed_methods, reason = "here it is read")]
pub fn now() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc() + Duration::seconds(SHIFT.load(Ordering::Relaxed).into());
    now.replace_microsecond(now.microsecond()).unwrap_or(now)
}

/// Sets the clock of this process wrong by so many seconds: what a test wants to know of processes that disagree about the time.
pub(crate) fn set_wrong_by(seconds: i32) {
    SHIFT.store(seconds, Ordering::Relaxed);
}
