//! Hashing passwords with Argon2id (RFC 9106), on all cores but one.
//!
//! A hash takes about 20 ms of a core and 19 MiB. Tokio would start 512 of them at once, so a permit is needed for each;
//! the permit travels into the blocking thread and is given back when the hash is done, even if whoever asked has hung up:
//! otherwise cutting connections would start hashes without bound. A bounded number of callers wait a bounded time for a
//! permit; the rest are told at once to come back later.
//!
//! The threads are their own, and give way to all others.
//!
//! The 19 MiB come with the permit and are kept between hashes. Given back to the allocator they stay in the arenas of
//! whichever threads ran last: 300 hashes, two at a time, left 860 MB resident that way, and 43 MB this way.
//!
//! Another kind of stored hash is another variant of `Stored`, told apart by its prefix. Hashes of imported accounts take
//! other times than ours. So that a refusal's time does not tell which kind an account has, or whether there is an
//! account, each refusal does the work of all kinds that are expected ([`PasswordHasher::expect`]), as long as nobody waits for
//! the permit; and it is told no sooner than that work takes twice, counted from the permit. The one holds however busy the
//! machine is, the other however many sign in. The wait holds no permit, and whoever waits has had a hash computed: there are
//! never more of them than can be computed in that time.

mod config;
mod hasher;
mod queue;
mod refusal;
mod stored;

pub use config::{Comparison, InvalidCost, PasswordError, PasswordHasherConfig, Queue, Verified};
pub use hasher::PasswordHasher;

const SALT_LENGTH: usize = 16;
const OUTPUT_LENGTH: usize = 32;

#[cfg(test)]
mod tests;
