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
//! Another kind of stored hash is another variant of `Stored`, told apart by its prefix.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::rand;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::password_policy::Password;

/// The most hashes at a time: each has a thread.
const MAX_PERMITS: usize = 1024;

/// What bcrypt may cost, as a power of two of its rounds: an imported hash must not hold a thread for seconds.
const BCRYPT_COSTS: std::ops::RangeInclusive<u32> = 4..=14;

const SALT_LENGTH: usize = 16;
const OUTPUT_LENGTH: usize = 32;

/// The most memory a stored hash may ask for, in KiB: a row must not be able to exhaust the machine.
const MAX_STORED_MEMORY: u32 = 64 * 1024;

/// The most passes × lanes a stored hash may ask for.
const MAX_STORED_WORK: u64 = 16;

/// What a hash costs, and how many may run and wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordHasherConfig {
    /// Memory of one hash, in KiB; 19456 (19 MiB).
    pub memory_kib: u32,
    /// Passes over the memory; 2.
    pub passes: u32,
    /// Lanes; 1.
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

/// Hashes and compares passwords. Cloning shares the permits.
#[derive(Clone)]
pub struct PasswordHasher(Arc<Inner>);

struct Inner {
    params: Params,
    dummy: String,
    max_waiting: usize,
    max_wait: Duration,
    retry_after: Duration,
    permits: Arc<Semaphore>,
    places: [Semaphore; 3],
    idle: Mutex<Vec<Vec<Block>>>,
    /// As many as there are permits, and nothing else runs on them: their low priority is for good.
    threads: Option<Runtime>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(threads) = self.threads.take() {
            threads.shutdown_background();
        }
    }
}

/// Threads that get what processor time the others leave: a flood of sign-ins must not slow down those who are signed in.
fn threads(permits: usize) -> Result<Runtime, InvalidCost> {
    Builder::new_multi_thread()
        .worker_threads(permits)
        .max_blocking_threads(1)
        .thread_name("workroom-hash")
        .on_thread_start(yield_to_others)
        .build()
        .map_err(|_| InvalidCost)
}

/// On Linux the thread runs when no other wants to (`SCHED_IDLE`, sched(7)): whoever wakes interrupts it at once, where
/// they would wait for the end of a merely nicer thread's slice. Elsewhere it runs as others do.
fn yield_to_others() {
    #[cfg(target_os = "linux")]
    {
        use thread_priority::{
            NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
            thread_native_id,
        };
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        if let Err(error) = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle) {
            tracing::debug!(?error, "password hashing competes with other work");
        }
    }
}

impl PasswordHasher {
    /// A hasher of that cost and with those bounds.
    ///
    /// # Errors
    /// [`InvalidCost`], also for a cost that [`Self::verify`] would refuse.
    pub fn new(config: &PasswordHasherConfig) -> Result<Self, InvalidCost> {
        let bounds = 1..=MAX_PERMITS;
        if !bounds.contains(&config.permits) || config.max_waiting > Semaphore::MAX_PERMITS {
            return Err(InvalidCost);
        }
        let params = Params::new(config.memory_kib, config.passes, config.lanes, Some(OUTPUT_LENGTH))
            .map_err(|_| InvalidCost)?;
        if !is_bearable(&params) {
            return Err(InvalidCost);
        }
        // No password has this hash: nobody can find one whose Argon2id is 32 zero bytes.
        let dummy = encode(&params, &[0; SALT_LENGTH], &[0; OUTPUT_LENGTH]).map_err(|_| InvalidCost)?;
        Ok(Self(Arc::new(Inner {
            params,
            dummy,
            max_waiting: config.max_waiting,
            max_wait: config.max_wait,
            retry_after: config.retry_after,
            permits: Arc::new(Semaphore::new(config.permits)),
            places: std::array::from_fn(|_| Semaphore::new(config.max_waiting)),
            idle: Mutex::new(Vec::new()),
            threads: Some(threads(config.permits)?),
        })))
    }

    /// Hashes a new password into a PHC string with a new salt.
    ///
    /// # Errors
    /// [`PasswordError::Busy`] or [`PasswordError::Failed`].
    pub async fn hash(&self, password: &Password, queue: Queue) -> Result<String, PasswordError> {
        let password = password.clone();
        self.run(queue, move |inner, memory| {
            let mut salt = [0; SALT_LENGTH];
            rand::fill(&mut salt).map_err(|_| PasswordError::Failed)?;
            let mut output = [0; OUTPUT_LENGTH];
            let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, inner.params.clone());
            compute(&argon2, &password, &salt, &mut output, memory)?;
            encode(&inner.params, &salt, &output)
        })
        .await
    }

    /// Compares a password with a stored hash. Takes as long for a wrong password as for the right one.
    ///
    /// # Errors
    /// [`PasswordError::UnusableHash`] for a hash of no known kind; [`PasswordError::Busy`], [`PasswordError::Failed`].
    pub async fn verify(&self, password: &Password, stored: &str) -> Result<Verified, PasswordError> {
        let stored = Stored::parse(stored)?;
        let password = password.clone();
        self.run(Queue::SignIn, move |inner, memory| stored.verify(&password, &inner.params, memory)).await
    }

    /// Does the work of [`Self::verify`] for an account that does not exist, so that the reply's time does not tell.
    ///
    /// # Errors
    /// [`PasswordError::Busy`] and [`PasswordError::Failed`], as for an account that does.
    pub async fn verify_dummy(&self, password: &Password) -> Result<(), PasswordError> {
        self.verify(password, &self.0.dummy).await.map(|_| ())
    }

    /// Whether whoever came now to sign in would be refused: worth a look before anything else is done for them.
    ///
    /// # Errors
    /// [`PasswordError::Busy`].
    pub fn check_room(&self) -> Result<(), PasswordError> {
        if self.0.permits.available_permits() == 0 && self.places(Queue::SignIn).available_permits() == 0 {
            return Err(PasswordError::Busy { retry_after: self.0.retry_after });
        }
        Ok(())
    }

    /// How many callers wait for a permit: for metrics.
    pub fn waiting(&self) -> usize {
        self.0.places.iter().map(|places| self.0.max_waiting.saturating_sub(places.available_permits())).sum()
    }

    fn places(&self, queue: Queue) -> &Semaphore {
        let [sign_in, registration, recovery] = &self.0.places;
        match queue {
            Queue::SignIn => sign_in,
            Queue::Registration => registration,
            Queue::Recovery => recovery,
        }
    }

    async fn run<T: Send + 'static>(
        &self,
        queue: Queue,
        work: impl FnOnce(&Inner, &mut Vec<Block>) -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let lane = Lane::new(Arc::clone(&self.0), self.permit(queue).await?);
        // Dropping the handle does not stop the thread, and the lane with its permit belongs to the thread.
        let threads = self.0.threads.as_ref().ok_or(PasswordError::Failed)?;
        let running = threads.spawn(async move {
            let mut lane = lane;
            let inner = Arc::clone(&lane.inner);
            work(&inner, &mut lane.memory)
        });
        running.await.map_err(|_| PasswordError::Failed)?
    }

    async fn permit(&self, queue: Queue) -> Result<OwnedSemaphorePermit, PasswordError> {
        let busy = PasswordError::Busy { retry_after: self.0.retry_after };
        let permits = Arc::clone(&self.0.permits);
        if let Ok(permit) = Arc::clone(&permits).try_acquire_owned() {
            return Ok(permit);
        }
        let _place = self.places(queue).try_acquire().map_err(|_| busy)?;
        match timeout(self.0.max_wait, permits.acquire_owned()).await {
            Ok(permit) => permit.map_err(|_| PasswordError::Failed),
            Err(_) => Err(busy),
        }
    }
}

impl fmt::Debug for PasswordHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordHasher").field("params", &self.0.params).finish_non_exhaustive()
    }
}

/// A permit and the memory that goes with it.
struct Lane {
    memory: Vec<Block>,
    inner: Arc<Inner>,
    _permit: OwnedSemaphorePermit,
}

impl Lane {
    fn new(inner: Arc<Inner>, permit: OwnedSemaphorePermit) -> Self {
        let memory = inner.idle.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        Self { memory, inner, _permit: permit }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        // Runs before the permit is dropped: there is never more memory than permits.
        let mut memory = std::mem::take(&mut self.memory);
        let usual = self.inner.params.block_count();
        if memory.len() > usual {
            memory.truncate(usual);
            memory.shrink_to_fit();
        }
        self.inner.idle.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
    }
}

/// A stored hash, taken apart. Its kind follows from its prefix.
enum Stored {
    /// `$argon2id$`, `$argon2i$` or `$argon2d$`: a PHC string.
    Argon2 {
        argon2: Box<Argon2<'static>>,
        /// Whether algorithm and version are those of new hashes.
        is_latest: bool,
        salt: Salt,
        output: Output,
    },
    /// `$2a$`, `$2b$` or `$2y$`: of an account that was imported.
    Bcrypt(String),
}

impl Stored {
    fn parse(stored: &str) -> Result<Self, PasswordError> {
        if stored.starts_with("$argon2") {
            return Self::parse_argon2(stored).ok_or(PasswordError::UnusableHash);
        }
        if ["$2a$", "$2b$", "$2y$"].iter().any(|prefix| stored.starts_with(prefix)) {
            let cost = stored.get(4..6).and_then(|cost| cost.parse().ok());
            let is_sound = stored.len() == 60 && cost.is_some_and(|cost| BCRYPT_COSTS.contains(&cost));
            return if is_sound { Ok(Self::Bcrypt(stored.to_owned())) } else { Err(PasswordError::UnusableHash) };
        }
        Err(PasswordError::UnusableHash)
    }

    fn parse_argon2(stored: &str) -> Option<Self> {
        let hash = PasswordHash::new(stored).ok()?;
        let algorithm = Algorithm::try_from(hash.algorithm.as_str()).ok()?;
        // The first version had no field for it (the reference implementation still reads such strings as 0x10).
        let version = hash.version.map_or(Ok(Version::V0x10), Version::try_from).ok()?;
        let params = Params::try_from(&hash).ok().filter(is_bearable)?;
        Some(Self::Argon2 {
            is_latest: algorithm == Algorithm::Argon2id && version == Version::V0x13,
            argon2: Box::new(Argon2::new(algorithm, version, params)),
            salt: hash.salt?,
            output: hash.hash?,
        })
    }

    fn verify(&self, password: &Password, today: &Params, memory: &mut Vec<Block>) -> Result<Verified, PasswordError> {
        match self {
            Self::Argon2 { argon2, is_latest, salt, output: expected } => {
                let mut buffer = [0; Output::MAX_LENGTH];
                let output = buffer.get_mut(..expected.len()).ok_or(PasswordError::UnusableHash)?;
                compute(argon2, password, salt, output, memory)?;
                let ok = verify_slices_are_equal(output, expected.as_bytes()).is_ok();
                let is_current = *is_latest && argon2.params() == today && salt.len() >= SALT_LENGTH;
                Ok(Verified { ok, needs_rehash: ok && !is_current })
            }
            Self::Bcrypt(stored) => {
                // It was made of what was typed, elsewhere: of its first 72 bytes, as bcrypt has it.
                let matches = |text: &str| bcrypt::verify(text, stored).map_err(|_| PasswordError::UnusableHash);
                let ok = matches(password.typed())?
                    || (password.typed() != password.normalized() && matches(password.normalized())?);
                Ok(Verified { ok, needs_rehash: ok })
            }
        }
    }
}

fn is_bearable(params: &Params) -> bool {
    let work = u64::from(params.t_cost()) * u64::from(params.p_cost());
    params.m_cost() <= MAX_STORED_MEMORY && work <= MAX_STORED_WORK
}

fn compute(
    argon2: &Argon2<'_>,
    password: &Password,
    salt: &[u8],
    output: &mut [u8],
    memory: &mut Vec<Block>,
) -> Result<(), PasswordError> {
    let needed = argon2.params().block_count();
    if memory.len() < needed {
        memory.try_reserve_exact(needed - memory.len()).map_err(|_| PasswordError::Failed)?;
        memory.resize(needed, Block::new());
    }
    // The first pass overwrites every block, so that nothing of the hash before matters.
    argon2
        .hash_password_into_with_memory(password.normalized().as_bytes(), salt, output, memory.as_mut_slice())
        .map_err(|_| PasswordError::Failed)
}

/// The PHC string of an Argon2id hash.
fn encode(params: &Params, salt: &[u8], output: &[u8]) -> Result<String, PasswordError> {
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params).map_err(|_| PasswordError::Failed)?,
        salt: Some(Salt::new(salt).map_err(|_| PasswordError::Failed)?),
        hash: Some(Output::new(output).map_err(|_| PasswordError::Failed)?),
    };
    Ok(hash.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::time::Instant;

    /// Cheap, so that the tests are quick.
    fn cheap() -> PasswordHasherConfig {
        PasswordHasherConfig { memory_kib: 64, passes: 1, permits: 2, ..PasswordHasherConfig::default() }
    }

    fn one_at_a_time() -> PasswordHasherConfig {
        PasswordHasherConfig { permits: 1, ..cheap() }
    }

    fn hasher(config: &PasswordHasherConfig) -> PasswordHasher {
        PasswordHasher::new(config).unwrap()
    }

    fn password(text: &str) -> Password {
        Password::new(text).unwrap()
    }

    const RIGHT: Verified = Verified { ok: true, needs_rehash: false };
    const WRONG: Verified = Verified { ok: false, needs_rehash: false };
    const OUTDATED: Verified = Verified { ok: true, needs_rehash: true };

    async fn until(what: impl Fn() -> bool) {
        timeout(Duration::from_secs(30), async {
            while !what() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await
        .unwrap();
    }

    #[test]
    fn the_defaults_are_the_documented_cost() {
        let config = PasswordHasherConfig::default();
        assert_eq!((config.memory_kib, config.passes, config.lanes), (19456, 2, 1));
        let cores = std::thread::available_parallelism().unwrap().get();
        assert_eq!(config.permits, if cores == 1 { 1 } else { cores - 1 });
    }

    #[tokio::test]
    async fn the_right_password_verifies_and_others_do_not() {
        let hasher = hasher(&PasswordHasherConfig::default());
        let stored = hasher.hash(&password("a quiet harbour"), Queue::SignIn).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert_eq!(hasher.verify(&password("a quiet harbour"), &stored).await, Ok(RIGHT));
        for other in ["a quiet harbou", "a quiet harbour ", "A quiet harbour", ""] {
            assert_eq!(hasher.verify(&password(other), &stored).await, Ok(WRONG));
        }
    }

    #[tokio::test]
    async fn every_way_to_type_a_password_verifies() {
        let hasher = hasher(&cheap());
        let stored = hasher.hash(&password("Zo\u{eb} \u{c5}ngstr\u{f6}m"), Queue::SignIn).await.unwrap();
        let typed = password("Zoe\u{308} \u{212B}ngstro\u{308}m");
        assert_eq!(hasher.verify(&typed, &stored).await, Ok(RIGHT));
    }

    #[tokio::test]
    async fn one_password_has_many_hashes() {
        let hasher = hasher(&cheap());
        let p = password("a quiet harbour");
        assert_ne!(hasher.hash(&p, Queue::SignIn).await.unwrap(), hasher.hash(&p, Queue::SignIn).await.unwrap());
    }

    /// The memory is used again without being cleared: the library's own hash must still come out.
    #[tokio::test]
    async fn hashes_are_those_of_the_library() {
        use argon2::PasswordVerifier;
        let hasher = hasher(&one_at_a_time());
        for text in ["first", "second", "third"] {
            let stored = hasher.hash(&password(text), Queue::SignIn).await.unwrap();
            let parsed = PasswordHash::new(&stored).unwrap();
            assert!(Argon2::default().verify_password(text.as_bytes(), &parsed).is_ok());
        }
    }

    /// Made by the reference implementation: its tests, `password` and `somesalt`.
    #[tokio::test]
    async fn foreign_hashes_verify_and_are_to_be_replaced() {
        let hasher = hasher(&PasswordHasherConfig::default());
        for stored in [
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
            "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8",
            "$argon2i$m=256,t=2,p=1$c29tZXNhbHQ$/U3YPXYsSb3q9XxHvc0MLxur+GP960kN9j7emXX8zwY",
        ] {
            assert_eq!(hasher.verify(&password("password"), stored).await, Ok(OUTDATED), "{stored}");
            assert_eq!(hasher.verify(&password("passwore"), stored).await, Ok(WRONG), "{stored}");
        }
    }

    #[tokio::test]
    async fn a_changed_cost_makes_old_hashes_outdated() {
        let stored = hasher(&cheap()).hash(&password("a quiet harbour"), Queue::SignIn).await.unwrap();
        for config in [
            PasswordHasherConfig { memory_kib: 128, ..cheap() },
            PasswordHasherConfig { passes: 2, ..cheap() },
            PasswordHasherConfig { lanes: 2, ..cheap() },
        ] {
            assert_eq!(hasher(&config).verify(&password("a quiet harbour"), &stored).await, Ok(OUTDATED));
        }
    }

    #[tokio::test]
    async fn unusable_hashes_are_errors_not_wrong_passwords() {
        let hasher = hasher(&cheap());
        for stored in [
            "",
            "password",
            "$",
            "$argon2id$",
            "$argon2id$v=19$m=64,t=1,p=1",
            "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ",
            "$argon2id$v=18$m=64,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            "$argon2x$v=19$m=64,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            "$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            "$argon2id$v=19$m=64,t=4294967295,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            "$pbkdf2-sha256$i=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        ] {
            assert_eq!(hasher.verify(&password("x"), stored).await, Err(PasswordError::UnusableHash), "{stored}");
        }
    }

    #[test]
    fn costs_out_of_bounds_are_refused() {
        for config in [
            PasswordHasherConfig { permits: 0, ..cheap() },
            PasswordHasherConfig { permits: usize::MAX, ..cheap() },
            PasswordHasherConfig { max_waiting: usize::MAX, ..cheap() },
            PasswordHasherConfig { memory_kib: 1, ..cheap() },
            PasswordHasherConfig { memory_kib: u32::MAX, ..cheap() },
            PasswordHasherConfig { passes: 0, ..cheap() },
            PasswordHasherConfig { passes: u32::MAX, lanes: u32::MAX, ..cheap() },
            PasswordHasherConfig { lanes: 0, ..cheap() },
        ] {
            assert_eq!(PasswordHasher::new(&config).err(), Some(InvalidCost), "{config:?}");
        }
    }

    #[tokio::test]
    async fn the_dummy_costs_as_much_as_an_account() {
        let hasher = hasher(&PasswordHasherConfig { permits: 1, ..PasswordHasherConfig::default() });
        let p = password("a quiet harbour");
        let stored = hasher.hash(&p, Queue::SignIn).await.unwrap();
        // Algorithm, version and cost, and the lengths of salt and hash.
        let shape = |hash: &str| {
            let parts: Vec<String> = hash.split('$').map(str::to_owned).collect();
            (parts[..4].to_vec(), parts[4].len(), parts[5].len())
        };
        assert_eq!(shape(&hasher.0.dummy), shape(&stored));
        let start = Instant::now();
        hasher.verify_dummy(&p).await.unwrap();
        assert!(start.elapsed() > Duration::from_millis(1), "a dummy that does nothing takes microseconds");
        assert_eq!(hasher.verify(&p, &hasher.0.dummy).await, Ok(WRONG));
    }

    #[tokio::test]
    async fn a_caller_who_hangs_up_does_not_free_the_permit() {
        let hasher = hasher(&one_at_a_time());
        let (finish, finished) = std::sync::mpsc::channel::<()>();
        let (started, mut start) = tokio::sync::mpsc::unbounded_channel();
        let task = tokio::spawn({
            let hasher = hasher.clone();
            async move {
                let work = move |_: &Inner, _: &mut Vec<Block>| {
                    started.send(()).map_err(|_| PasswordError::Failed)?;
                    finished.recv().map_err(|_| PasswordError::Failed)
                };
                hasher.run(Queue::SignIn, work).await
            }
        });
        start.recv().await.unwrap();
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(hasher.0.permits.available_permits(), 0);
        finish.send(()).unwrap();
        until(|| hasher.0.permits.available_permits() == 1).await;
        assert_eq!(hasher.0.idle.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_hash_that_panics_gives_its_permit_back() {
        let hasher = hasher(&one_at_a_time());
        let outcome = hasher.run(Queue::SignIn, |_, _| -> Result<(), PasswordError> { panic!("of this test") }).await;
        assert_eq!(outcome, Err(PasswordError::Failed));
        assert!(hasher.hash(&password("a quiet harbour"), Queue::SignIn).await.is_ok());
    }

    #[tokio::test]
    async fn no_more_wait_than_may() {
        let hasher =
            hasher(&PasswordHasherConfig { max_waiting: 2, max_wait: Duration::from_mins(1), ..one_at_a_time() });
        let p = password("a quiet harbour");
        let spawn = || {
            let (hasher, p) = (hasher.clone(), p.clone());
            tokio::spawn(async move { hasher.hash(&p, Queue::SignIn).await })
        };
        let held = hasher.permit(Queue::SignIn).await.unwrap();
        let (leaves, stays) = (spawn(), spawn());
        until(|| hasher.waiting() == 2).await;
        let busy = PasswordError::Busy { retry_after: Duration::from_secs(2) };
        assert_eq!(hasher.hash(&p, Queue::SignIn).await, Err(busy));
        assert_eq!(hasher.verify_dummy(&p).await, Err(busy));
        let other = {
            let (hasher, p) = (hasher.clone(), p.clone());
            tokio::spawn(async move { hasher.hash(&p, Queue::Registration).await })
        };
        until(|| hasher.waiting() == 3).await;
        other.abort();
        leaves.abort();
        until(|| hasher.waiting() == 1).await;
        let comes = spawn();
        until(|| hasher.waiting() == 2).await;
        drop(held);
        assert!(stays.await.unwrap().is_ok());
        assert!(comes.await.unwrap().is_ok());
        assert_eq!(hasher.waiting(), 0);
    }

    #[tokio::test]
    async fn nobody_waits_for_ever() {
        let hasher = hasher(&PasswordHasherConfig { max_wait: Duration::from_millis(1), ..one_at_a_time() });
        let held = hasher.permit(Queue::SignIn).await.unwrap();
        let refused = hasher.hash(&password("a quiet harbour"), Queue::SignIn).await;
        assert!(matches!(refused, Err(PasswordError::Busy { .. })));
        assert_eq!(hasher.waiting(), 0);
        drop(held);
        assert!(hasher.hash(&password("a quiet harbour"), Queue::SignIn).await.is_ok());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn memory_is_bounded_by_the_permits() {
        let hasher = hasher(&cheap());
        let tasks: Vec<_> = (0..60)
            .map(|_| {
                let hasher = hasher.clone();
                tokio::spawn(async move { hasher.hash(&password("a quiet harbour"), Queue::SignIn).await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        until(|| hasher.0.permits.available_permits() == 2).await;
        // A foreign hash may need more, but does not keep it.
        let foreign = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        assert_eq!(hasher.verify(&password("password"), foreign).await, Ok(OUTDATED));
        until(|| hasher.0.permits.available_permits() == 2).await;
        let idle = hasher.0.idle.lock().unwrap();
        assert!(idle.len() <= 2);
        assert!(idle.iter().all(|memory| memory.capacity() == 64));
    }

    /// `cargo test --release -- --ignored --nocapture cost`
    #[tokio::test]
    #[ignore = "a measurement"]
    #[allow(clippy::print_stdout)]
    async fn cost() {
        let hasher = hasher(&PasswordHasherConfig::default());
        let p = password("a quiet harbour");
        for _ in 0..2 {
            let start = Instant::now();
            for _ in 0..50 {
                hasher.hash(&p, Queue::SignIn).await.unwrap();
            }
            println!("hash: {:?}", start.elapsed() / 50);
        }
        let start = Instant::now();
        for _ in 0..50 {
            let mut output = [0; OUTPUT_LENGTH];
            Argon2::default().hash_password_into(b"a quiet harbour", &[0; 16], &mut output).unwrap();
        }
        println!("hash with fresh memory: {:?}", start.elapsed() / 50);
    }
}
