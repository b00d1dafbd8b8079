//! The hasher: what it does for whoever sets a password, and for whoever shows one.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use aws_lc_rs::rand;
use tokio::{
    runtime::Runtime,
    sync::{OnceCell, Semaphore},
    time::Instant,
};

use super::{
    OUTPUT_LENGTH, SALT_LENGTH,
    config::{Comparison, InvalidCost, PasswordError, PasswordHasherConfig, Queue, Verified},
    queue::threads,
    refusal::{MEASURED_BCRYPT_COST, RefusalWait, Refusals, Speed, quickest},
    stored::{Stored, compute, encode, is_bearable},
};
use crate::password::Password;

/// The most hashes at a time: each has a thread.
const MAX_PERMITS: usize = 1024;

/// How much longer than all hashes take on an idle machine a refusal waits.
pub(super) const REFUSAL_MARGIN: u32 = 2;

/// Hashes and compares passwords. Cloning shares the permits.
#[derive(Clone)]
pub struct PasswordHasher(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) params: Params,
    pub(super) dummy: String,
    pub(super) speed: OnceCell<Speed>,
    refusals: RwLock<Arc<Refusals>>,
    pub(super) max_waiting: usize,
    pub(super) max_wait: Duration,
    pub(super) retry_after: Duration,
    pub(super) permits: Arc<Semaphore>,
    pub(super) places: [Semaphore; 3],
    pub(super) idle: Mutex<Vec<Vec<Block>>>,
    /// As many as there are permits, and nothing else runs on them: their low priority is for good.
    pub(super) threads: Option<Runtime>,
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

    pub(super) fn refusals(&self) -> Arc<Refusals> {
        Arc::clone(&self.refusals.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn somebody_waits(&self) -> bool {
        self.places.iter().any(|places| places.available_permits() < self.max_waiting)
    }
}

fn warn_of_unusable() {
    tracing::error!(
        "the password hash of an account is of no known kind, or costs too much: nobody can sign in with it"
    );
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
}

impl fmt::Debug for PasswordHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordHasher").field("params", &self.0.params).finish_non_exhaustive()
    }
}
