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

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::rand;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::password_policy::Password;

/// The most hashes at a time: each has a thread.
const MAX_PERMITS: usize = 1024;

/// What bcrypt may cost, as a power of two of its rounds: an imported hash must not hold a thread for seconds.
const BCRYPT_COSTS: std::ops::RangeInclusive<u32> = 4..=14;

/// The cost that bcrypt's speed is measured at: a few milliseconds.
const MEASURED_BCRYPT_COST: u32 = 6;

/// Measurements of a kind of hash; the quickest counts.
const MEASUREMENTS: usize = 3;

/// How much longer than all hashes take on an idle machine a refusal waits.
const REFUSAL_MARGIN: u32 = 2;

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

/// What comparing a password gave, and when it may be told.
#[derive(Debug, Clone, Copy)]
pub struct Comparison {
    /// What it gave.
    pub verified: Verified,
    /// When a refusal may be answered: the same time after the permit was given, whatever was compared. A success need not
    /// wait.
    pub refuse_from: Instant,
}

/// How long refusals wait, counted from the permit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct RefusalWait {
    /// For a password in normal form.
    plain: Duration,
    /// For one that was typed in another form: bcrypt is then computed for both.
    both_forms: Duration,
}

impl RefusalWait {
    fn of(self, password: &Password) -> Duration {
        if password.typed() == password.normalized() { self.plain } else { self.both_forms }
    }

    fn and(self, other: Self) -> Self {
        Self {
            plain: self.plain.saturating_add(other.plain),
            both_forms: self.both_forms.saturating_add(other.both_forms),
        }
    }

    fn times(self, factor: u32) -> Self {
        Self { plain: self.plain.saturating_mul(factor), both_forms: self.both_forms.saturating_mul(factor) }
    }
}

/// What a refusal takes, so that all take the same.
#[derive(Default)]
struct Refusals {
    wait: RefusalWait,
    /// A hash of each kind that accounts have, ours among them, that no password matches; none where all are ours.
    stand_ins: Vec<Stored>,
}

impl Refusals {
    /// Does what a refusal would have taken with the other kinds, as long as nobody waits; returns for how many.
    fn make_up(
        &self,
        compared: Kind,
        inner: &Inner,
        password: &Password,
        memory: &mut Vec<Block>,
    ) -> Result<usize, PasswordError> {
        let mut made_up = 0;
        for other in self.stand_ins.iter().filter(|other| other.kind() != compared) {
            if inner.somebody_waits() {
                break;
            }
            other.verify(password, &inner.params, memory)?;
            made_up += 1;
        }
        Ok(made_up)
    }
}

/// What kinds of hashes cost here.
#[derive(Debug, Clone, Copy)]
struct Speed {
    /// Of a hash of ours.
    own: Duration,
    /// Of bcrypt at [`MEASURED_BCRYPT_COST`].
    bcrypt: Duration,
}

/// Hashes and compares passwords. Cloning shares the permits.
#[derive(Clone)]
pub struct PasswordHasher(Arc<Inner>);

struct Inner {
    params: Params,
    dummy: String,
    speed: OnceCell<Speed>,
    refusals: RwLock<Arc<Refusals>>,
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

impl Inner {
    fn hash(&self, password: &Password, memory: &mut Vec<Block>) -> Result<String, PasswordError> {
        let mut salt = [0; SALT_LENGTH];
        rand::fill(&mut salt).map_err(|_| PasswordError::Failed)?;
        let mut output = [0; OUTPUT_LENGTH];
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone());
        compute(&argon2, password, &salt, &mut output, memory)?;
        encode(&self.params, &salt, &output)
    }

    fn refusals(&self) -> Arc<Refusals> {
        Arc::clone(&self.refusals.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn somebody_waits(&self) -> bool {
        self.places.iter().any(|places| places.available_permits() < self.max_waiting)
    }
}

fn warn_of_unusable() {
    tracing::error!(
        "the password hash of an account is of no known kind, or costs too much: nobody can sign in with it"
    );
}

/// The shortest time that some work takes, of a few.
fn quickest(mut work: impl FnMut() -> Result<(), PasswordError>) -> Result<Duration, PasswordError> {
    let mut shortest = Duration::MAX;
    for _ in 0..MEASUREMENTS {
        let begun = std::time::Instant::now();
        work()?;
        shortest = shortest.min(begun.elapsed());
    }
    Ok(shortest)
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
            speed: OnceCell::new(),
            refusals: RwLock::default(),
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
        self.run(queue, move |inner, memory| inner.hash(&password, memory)).await
    }

    /// Hashes a new password if `approve` does, whose work is done on the same threads, under the same permit.
    ///
    /// # Errors
    /// [`PasswordError::Busy`] or [`PasswordError::Failed`]; within, why `approve` did not.
    pub async fn hash_approved<E: Send + 'static>(
        &self,
        password: &Password,
        queue: Queue,
        approve: impl FnOnce(&Password) -> Result<(), E> + Send + 'static,
    ) -> Result<Result<String, E>, PasswordError> {
        let password = password.clone();
        self.run(queue, move |inner, memory| match approve(&password) {
            Ok(()) => inner.hash(&password, memory).map(Ok),
            Err(refused) => Ok(Err(refused)),
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

    /// Compares a password with the hash of an account, or with a dummy where there is no account, and says from when on a
    /// refusal may be told without its time telling which it was. A hash that cannot be used is no reason to answer
    /// otherwise: nobody's password matches it.
    ///
    /// # Errors
    /// [`PasswordError::Busy`] and [`PasswordError::Failed`].
    pub async fn compare(&self, password: &Password, stored: Option<&str>) -> Result<Comparison, PasswordError> {
        let dummy = Stored::parse(&self.0.dummy)?;
        let stored = stored.and_then(|stored| Stored::parse(stored).inspect_err(|_| warn_of_unusable()).ok());
        let stored = stored.unwrap_or_else(|| dummy.clone());
        let (refusals, compared) = (self.0.refusals(), password.clone());
        let wait = refusals.wait.of(password);
        let permit = self.permit(Queue::SignIn).await?;
        let begun = Instant::now();
        let verified = self
            .run_under(permit, move |inner, memory| {
                let mut kind = stored.kind();
                let mut verified = stored.verify(&compared, &inner.params, memory);
                if verified == Err(PasswordError::UnusableHash) {
                    warn_of_unusable();
                    kind = dummy.kind();
                    verified = dummy.verify(&compared, &inner.params, memory);
                }
                if verified.is_ok_and(|verified| !verified.ok) {
                    refusals.make_up(kind, inner, &compared, memory)?;
                }
                verified
            })
            .await?;
        Ok(Comparison { verified, refuse_from: Instant::now().max(begun + wait) })
    }

    /// Says which kinds of hashes accounts have, by what precedes the salt. Where there are others than ours, each refusal takes
    /// from now on what all of them take.
    ///
    /// # Errors
    /// [`PasswordError::Busy`] and [`PasswordError::Failed`]; then nothing changes.
    pub async fn expect(&self, kinds: &[String]) -> Result<(), PasswordError> {
        let own = Stored::parse(&self.0.dummy)?;
        let mut stand_ins = vec![own];
        // A kind that is not accepted is compared with no password.
        for other in kinds.iter().filter_map(|kind| Stored::stand_in(kind)) {
            if stand_ins.iter().all(|known| known.kind() != other.kind()) {
                stand_ins.push(other);
            }
        }
        let refusals = if stand_ins.len() > 1 {
            let speed = *self.0.speed.get_or_try_init(|| self.measure()).await?;
            let costs = stand_ins.iter().map(|stored| stored.kind().cost(&self.0.params, speed));
            Refusals { wait: costs.fold(RefusalWait::default(), RefusalWait::and).times(REFUSAL_MARGIN), stand_ins }
        } else {
            Refusals::default()
        };
        *self.0.refusals.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(refusals);
        Ok(())
    }

    async fn measure(&self) -> Result<Speed, PasswordError> {
        let dummy = Stored::parse(&self.0.dummy)?;
        self.run(Queue::SignIn, move |inner, memory| {
            let password = Password::new("a password to measure with").map_err(|_| PasswordError::Failed)?;
            let own = quickest(|| dummy.verify(&password, &inner.params, memory).map(drop))?;
            let bcrypt = quickest(|| {
                let hash = bcrypt::hash_with_salt(password.typed(), MEASURED_BCRYPT_COST, [0; SALT_LENGTH]);
                hash.map(drop).map_err(|_| PasswordError::Failed)
            })?;
            Ok(Speed { own, bcrypt })
        })
        .await
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
        let permit = self.permit(queue).await?;
        self.run_under(permit, work).await
    }

    async fn run_under<T: Send + 'static>(
        &self,
        permit: OwnedSemaphorePermit,
        work: impl FnOnce(&Inner, &mut Vec<Block>) -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let lane = Lane::new(Arc::clone(&self.0), permit);
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

/// What a hash costs to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// By its memory in KiB, its passes and its lanes.
    Argon2(u32, u32, u32),
    /// By the power of two of its rounds.
    Bcrypt(u32),
}

impl Kind {
    /// What it takes at that speed, where ours has these parameters.
    fn cost(self, own: &Params, speed: Speed) -> RefusalWait {
        match self {
            Self::Argon2(memory, passes, _) => {
                // Lanes share the memory: they do not add to the work.
                let work = f64::from(memory) * f64::from(passes);
                let plain = speed.own.mul_f64(work / (f64::from(own.m_cost()) * f64::from(own.t_cost())));
                RefusalWait { plain, both_forms: plain }
            }
            Self::Bcrypt(cost) => {
                let rounds = 1_u32 << (cost.max(MEASURED_BCRYPT_COST) - MEASURED_BCRYPT_COST);
                let plain = speed.bcrypt.saturating_mul(rounds);
                RefusalWait { plain, both_forms: plain.saturating_mul(2) }
            }
        }
    }
}

/// A stored hash, taken apart. Its kind follows from its prefix.
#[derive(Clone)]
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
    Bcrypt {
        /// The power of two of its rounds.
        cost: u32,
        /// All of it.
        hash: String,
    },
}

impl Stored {
    /// A hash of the kind that begins so, which no password is known to match; none if that is no accepted kind.
    fn stand_in(kind: &str) -> Option<Self> {
        let (salt, output) = if kind.starts_with("$argon2") {
            ("A".repeat(22), format!("${}", "A".repeat(43)))
        } else {
            ("O".repeat(22), "O".repeat(31))
        };
        Self::parse(&format!("{kind}${salt}{output}")).ok()
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Argon2 { argon2, .. } => {
                let params = argon2.params();
                Kind::Argon2(params.m_cost(), params.t_cost(), params.p_cost())
            }
            Self::Bcrypt { cost, .. } => Kind::Bcrypt(*cost),
        }
    }

    fn parse(stored: &str) -> Result<Self, PasswordError> {
        if stored.starts_with("$argon2") {
            return Self::parse_argon2(stored).ok_or(PasswordError::UnusableHash);
        }
        match bcrypt_cost(stored).filter(|_| stored.len() == 60) {
            Some(cost) => Ok(Self::Bcrypt { cost, hash: stored.to_owned() }),
            None => Err(PasswordError::UnusableHash),
        }
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
            Self::Bcrypt { hash: stored, .. } => {
                // It was made of what was typed, elsewhere: of its first 72 bytes, as bcrypt has it.
                let matches = |text: &str| bcrypt::verify(text, stored).map_err(|_| PasswordError::UnusableHash);
                let ok = matches(password.typed())?
                    || (password.typed() != password.normalized() && matches(password.normalized())?);
                Ok(Verified { ok, needs_rehash: ok })
            }
        }
    }
}

/// The cost of a bcrypt hash, if it is one and may cost that.
fn bcrypt_cost(stored: &str) -> Option<u32> {
    let rest = ["$2a$", "$2b$", "$2y$"].iter().find_map(|prefix| stored.strip_prefix(prefix))?;
    let cost = rest.get(..2)?.parse().ok()?;
    BCRYPT_COSTS.contains(&cost).then_some(cost)
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
        assert_eq!(hasher.compare(&p, None).await.unwrap().verified, WRONG);
        assert!(start.elapsed() > Duration::from_millis(1), "a dummy that does nothing takes microseconds");
        assert_eq!(hasher.verify(&p, &hasher.0.dummy).await, Ok(WRONG));
    }

    /// From the test vectors of `crypt_blowfish`: the password is `U*U*U`.
    const BCRYPT: &str = "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a";
    const FOREIGN_ARGON2: &str = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

    fn kinds(kinds: &[&str]) -> Vec<String> {
        kinds.iter().map(|&kind| kind.to_owned()).collect()
    }

    /// The clock stands still: what is compared is the moment that is decided on, not how long this machine takes.
    #[tokio::test(start_paused = true)]
    async fn all_refusals_are_told_at_one_moment_whatever_was_compared() {
        let hasher = hasher(&one_at_a_time());
        let own = hasher.hash(&password("a quiet harbour"), Queue::SignIn).await.unwrap();
        let dear = format!("$2b$31${}", &BCRYPT[7..]);
        let stored = [None, Some(own.as_str()), Some(BCRYPT), Some(FOREIGN_ARGON2), Some(&*dear), Some("no hash")];
        for expected in [vec![], kinds(&["$2a$05"]), kinds(&["$2b$05", "$argon2id$v=19$m=256,t=2,p=1", "$2y$08"])] {
            hasher.expect(&expected).await.unwrap();
            for typed in ["a wrong password", "e\u{301}in falsches Passwort"] {
                let wrong = password(typed);
                let wait = hasher.0.refusals().wait.of(&wrong);
                assert_eq!(wait.is_zero(), expected.is_empty(), "nobody waits where all hashes are ours");
                for stored in stored {
                    let Comparison { verified, refuse_from } = hasher.compare(&wrong, stored).await.unwrap();
                    assert_eq!((verified, refuse_from), (WRONG, Instant::now() + wait), "{stored:?}");
                    // Waiting for that moment keeps nobody from the hasher.
                    assert_eq!(hasher.0.permits.available_permits(), 1);
                }
            }
        }
    }

    #[tokio::test]
    async fn refusals_wait_for_all_kinds_there_are() {
        let hasher = hasher(&PasswordHasherConfig::default());
        let own = "$argon2id$v=19$m=19456,t=2,p=1";
        let mut waits = Vec::new();
        for expected in [&[own][..], &["$2a$11", "$2b$11"], &["$2a$11", "$2b$14", own], &["$2b$14", "$2b$15", "?", ""]]
        {
            hasher.expect(&kinds(expected)).await.unwrap();
            waits.push(hasher.0.refusals().wait);
        }
        let Speed { own, bcrypt } = *hasher.0.speed.get().unwrap();
        let with = |bcrypts: u32| RefusalWait {
            plain: REFUSAL_MARGIN * (own + bcrypts * bcrypt),
            both_forms: REFUSAL_MARGIN * (own + 2 * bcrypts * bcrypt),
        };
        // What is not accepted is not computed.
        assert_eq!(waits, [RefusalWait::default(), with(32), with(32 + 256), with(256)]);
    }

    #[tokio::test]
    async fn a_refusal_does_the_work_of_all_kinds_unless_somebody_waits() {
        let hasher = hasher(&one_at_a_time());
        let wrong = password("a wrong password");
        let make_up = |compared: Kind| {
            let inner = &hasher.0;
            inner.refusals().make_up(compared, inner, &wrong, &mut Vec::new()).unwrap()
        };
        let own = Stored::parse(&hasher.0.dummy).unwrap().kind();
        assert_eq!(make_up(own), 0, "there is no other kind");
        hasher.expect(&kinds(&["$2a$05", "$2y$05", "$2b$04", "$argon2id$v=19$m=256,t=2,p=1"])).await.unwrap();
        for compared in [own, Kind::Bcrypt(4), Kind::Bcrypt(5), Kind::Argon2(256, 2, 1)] {
            assert_eq!(make_up(compared), 3, "{compared:?}");
        }
        let waiting = hasher.0.places[0].try_acquire().unwrap();
        assert_eq!(make_up(own), 0);
        drop(waiting);
        assert_eq!(make_up(own), 3);
    }

    #[tokio::test]
    async fn what_is_not_approved_is_not_hashed() {
        let hasher = hasher(&one_at_a_time());
        let p = password("a quiet harbour");
        assert_eq!(hasher.hash_approved(&p, Queue::SignIn, |_| Err("no")).await, Ok(Err("no")));
        let stored = hasher.hash_approved(&p, Queue::SignIn, |_| Ok::<_, ()>(())).await.unwrap().unwrap();
        assert_eq!(hasher.verify(&p, &stored).await, Ok(RIGHT));
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
        assert_eq!(hasher.compare(&p, None).await.map(drop), Err(busy));
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
