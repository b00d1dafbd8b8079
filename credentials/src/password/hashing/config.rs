//! What hashing costs, how many may run and wait, and what comes of it.

use std::time::Duration;

use tokio::time::Instant;

/// What a hash costs, and how many may run and wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordHasherConfig {
    /// Memory of one hash, in KiB; 19456 (19 MiB).
    pub memory_kib: u32,
    /// Passes over the memory; 2.
    pub passes: u32,
    /// Argon2's degree of parallelism. The default is 1.
    pub lanes: u32,
    /// Hashes at a time; one less than there are cores, and at least one: the core that is left keeps everybody else's
    /// replies as quick as ever while sign-ins flood in.
    pub permits: usize,
    /// Callers of each queue that may wait for a permit; 64.
    pub max_waiting: usize,
    /// How long a caller waits for a permit; 5 s.
    pub max_wait: Duration,
    /// What a caller who cannot be served is told to wait; 2 s.
    pub retry_after: Duration,
}

impl Default for PasswordHasherConfig {
    fn default() -> Self {
        Self {
            memory_kib: 19 * 1024,
            passes: 2,
            lanes: 1,
            permits: std::thread::available_parallelism().map_or(1, |cores| (usize::from(cores) - 1).max(1)),
            max_waiting: 64,
            max_wait: Duration::from_secs(5),
            retry_after: Duration::from_secs(2),
        }
    }
}

/// The configured cost or number of permits is out of Argon2's or the semaphore's bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the configured cost of password hashing is out of bounds")]
pub struct InvalidCost;

/// What a password is hashed for. Each has a queue of its own, so that a flood of one refuses nobody of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    /// A sign-in, or the proof of a password.
    SignIn,
    /// A new account.
    Registration,
    /// A new password of an account.
    Recovery,
}

/// Why a password was neither hashed nor compared. None of it depends on the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Too many others are waiting: 503 with `Retry-After`.
    #[error("too many passwords are being hashed")]
    Busy {
        /// When to come back.
        retry_after: Duration,
    },
    /// The stored hash is of no known kind, damaged, or asks for more than is allowed.
    #[error("the stored password hash cannot be used")]
    UnusableHash,
    /// The random generator, the memory or the thread failed.
    #[error("the password could not be hashed")]
    Failed,
}

/// What comparing a password with a stored hash gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Whether it was the password.
    pub ok: bool,
    /// Whether it was, and its hash should be replaced by a new one at today's cost.
    pub needs_rehash: bool,
}

/// What comparing a password gave, and when it may be told.
#[derive(Debug, Clone, Copy)]
pub struct Comparison {
    /// What it gave.
    pub verified: Verified,
    /// When a refusal may be answered: the same time after the permit was given, whatever was compared. A success need not
    /// wait.
    pub refuse_from: Instant,
}
