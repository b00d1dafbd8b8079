//! How often anything may be asked: a sliding window a minute long by address and by account, for each class of requests.
//!
//! Counts are in memory, and a process tells the others what it has counted ([`share`]): a request costs no round trip, and
//! two processes together let no more than a tenth more pass than one. Without NATS each counts for itself.

mod share;
pub mod window;

use crate::clock;
use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;
use uuid::Uuid;

pub use share::Share;
use window::{Quota, Remaining, Window};

use crate::{config::RateLimitsConfig, network::network};

const WINDOW: Duration = Duration::from_mins(1);
/// Windows that are kept: about 30 MB. Those that are asked for least go first.
const KEPT: u64 = 200_000;
/// What others are told of at once, as a part of a quota.
const UNSHARED_PART: u32 = 50;

/// A class of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Class {
    /// Whatever changes nothing.
    Read = 0,
    /// Whatever may change something.
    Write = 1,
    /// Sign-ins, and refreshed tokens.
    SignIn = 2,
    /// Creating an account: `POST /api/v1/auth/register`.
    Registration = 3,
    /// Forgotten passwords, and proofs of addresses.
    Recovery = 4,
    /// Opening a socket.
    Socket = 5,
}

impl Class {
    const ALL: [Self; 6] = [Self::Read, Self::Write, Self::SignIn, Self::Registration, Self::Recovery, Self::Socket];

    /// Its name, in replies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::SignIn => "sign-in",
            Self::Registration => "registration",
            Self::Recovery => "recovery",
            Self::Socket => "socket",
        }
    }
}

/// Whose requests are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Those of an account.
    Account(Uuid),
    /// Those from an address, or its /64 network of IPv6.
    Address(IpAddr),
}

impl Subject {
    fn is_account(self) -> bool {
        matches!(self, Self::Account(_))
    }
}

/// What a window is kept under: class, whether of an account, and account or network.
type Key = (u8, bool, [u8; 16]);

fn key(class: Class, subject: Subject) -> Key {
    match subject {
        Subject::Account(id) => (class as u8, true, id.into_bytes()),
        Subject::Address(address) => (class as u8, false, network(address)),
    }
}

/// A quota, and how it stands after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Class of the request; each class has a quota of its own.
    pub class: Class,
    /// Whether it is an account's quota, or else an address'.
    pub of_account: bool,
    /// Requests in a window.
    pub requests: u32,
    /// Requests that are left.
    pub remaining: u32,
    /// Until the running window ends; for a refusal, until there is room for one more.
    pub reset: Duration,
}

impl Report {
    /// The length of the window.
    pub fn window(&self) -> Duration {
        WINDOW
    }

    /// Whether this one is nearer to its end than another.
    pub fn is_closer_to_limit_than(&self, other: &Self) -> bool {
        u64::from(self.remaining) * u64::from(other.requests) < u64::from(other.remaining) * u64::from(self.requests)
    }
}

/// Counts requests. Cheap to clone.
#[derive(Clone)]
pub struct RateLimits {
    inner: Arc<Inner>,
}

struct Inner {
    config: RateLimitsConfig,
    windows: moka::sync::Cache<Key, Arc<Mutex<Window>>>,
    /// Whose windows hold something that others have not been told of.
    unshared: Mutex<Vec<Key>>,
    /// There is much of it.
    hurry: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now_ms() -> u64 {
    u64::try_from(clock::now().unix_timestamp_nanos() / 1_000_000).unwrap_or_default()
}

impl RateLimits {
    /// Counts by these.
    pub fn new(config: RateLimitsConfig) -> Self {
        let windows = moka::sync::Cache::builder().max_capacity(KEPT).time_to_idle(2 * WINDOW).build();
        let (unshared, hurry) = (Mutex::default(), Notify::new());
        Self { inner: Arc::new(Inner { config, windows, unshared, hurry }) }
    }

    /// Counts a request; nothing where the class has no bound for such a subject.
    ///
    /// # Errors
    /// The quota is used up.
    pub fn take(&self, class: Class, subject: Subject) -> Result<Option<Report>, Report> {
        self.take_at(class, subject, now_ms())
    }

    fn take_at(&self, class: Class, subject: Subject, now_ms: u64) -> Result<Option<Report>, Report> {
        let requests = self.requests(class, subject);
        if requests == 0 {
            return Ok(None);
        }
        let window_ms = u64::try_from(WINDOW.as_millis()).unwrap_or(u64::MAX);
        let key = key(class, subject);
        let window = self.window(key);
        let (taken, unshared) = {
            let mut window = lock(&window);
            let taken = window.take(Quota { requests, window_ms }, now_ms);
            (taken, window.unshared())
        };
        let report = |remaining, reset_ms| Report {
            class,
            of_account: subject.is_account(),
            requests,
            remaining,
            reset: Duration::from_millis(reset_ms),
        };
        match taken {
            Ok(Remaining { remaining, reset_ms }) => {
                if unshared == 1 {
                    lock(&self.inner.unshared).push(key);
                }
                if unshared.is_multiple_of((requests / UNSHARED_PART).max(1)) {
                    self.inner.hurry.notify_one();
                }
                Ok(Some(report(remaining, reset_ms)))
            }
            Err(full) => Err(report(0, full.wait_ms)),
        }
    }

    fn window(&self, key: Key) -> Arc<Mutex<Window>> {
        self.inner.windows.get_with(key, Arc::default)
    }

    fn requests(&self, class: Class, subject: Subject) -> u32 {
        let config = &self.inner.config;
        match (class, subject) {
            (Class::Read, Subject::Account(_)) => config.reads_per_account,
            (Class::Read, Subject::Address(_)) => config.reads_per_address,
            (Class::Write, Subject::Account(_)) => config.writes_per_account,
            (Class::Write, Subject::Address(_)) => config.writes_per_address,
            (Class::SignIn, Subject::Address(_)) => config.sign_ins_per_address,
            (Class::Registration, Subject::Address(_)) => config.registrations_per_address,
            (Class::Recovery, Subject::Address(_)) => config.recoveries_per_address,
            (Class::Socket, Subject::Address(_)) => config.sockets_per_address,
            (Class::SignIn | Class::Registration | Class::Recovery | Class::Socket, Subject::Account(_)) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_and_subjects_are_counted_apart() {
        let config = RateLimitsConfig { reads_per_account: 2, writes_per_account: 0, ..RateLimitsConfig::default() };
        let limits = RateLimits::new(config);
        let (one, two) = (Subject::Account(Uuid::from_u128(1)), Subject::Account(Uuid::from_u128(2)));
        let left = |taken: Result<Option<Report>, Report>| taken.expect("room").map(|report| report.remaining);
        assert_eq!(left(limits.take_at(Class::Read, one, 60_000)), Some(1));
        assert_eq!(left(limits.take_at(Class::Read, one, 60_000)), Some(0));
        let full = limits.take_at(Class::Read, one, 60_000).expect_err("two were taken");
        assert_eq!((full.requests, full.remaining, full.reset), (2, 0, Duration::from_secs(90)));
        assert_eq!(left(limits.take_at(Class::Read, two, 60_000)), Some(1));
        assert_eq!(limits.take_at(Class::Write, one, 60_000), Ok(None), "without a bound");
        let (v6, same) = ("2001:db8::1".parse().expect("an address"), "2001:db8::2".parse().expect("an address"));
        assert_eq!(key(Class::Read, Subject::Address(v6)), key(Class::Read, Subject::Address(same)));
    }
}
