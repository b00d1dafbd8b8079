//! Stored hashes: their kinds, their bounds, and their comparison with a password.

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{Output, ParamsString, PasswordHash, Salt},
};
use aws_lc_rs::constant_time::verify_slices_are_equal;

use super::{
    SALT_LENGTH,
    config::{PasswordError, Verified},
    refusal::Kind,
};
use crate::password::Password;

/// What bcrypt may cost, as a power of two of its rounds: an imported hash must not hold a thread for seconds.
const BCRYPT_COSTS: std::ops::RangeInclusive<u32> = 4..=14;

/// The most memory a stored hash may ask for, in KiB: a row must not be able to exhaust the machine.
const MAX_STORED_MEMORY: u32 = 64 * 1024;

/// The most passes × lanes a stored hash may ask for.
const MAX_STORED_WORK: u64 = 16;

/// A stored hash, taken apart. Its kind follows from its prefix.
#[derive(Clone)]
pub(super) enum Stored {
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
    pub(super) fn stand_in(kind: &str) -> Option<Self> {
        let (salt, output) = if kind.starts_with("$argon2") {
            ("A".repeat(22), format!("${}", "A".repeat(43)))
        } else {
            ("O".repeat(22), "O".repeat(31))
        };
        Self::parse(&format!("{kind}${salt}{output}")).ok()
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Argon2 { argon2, .. } => {
                let params = argon2.params();
                Kind::Argon2(params.m_cost(), params.t_cost(), params.p_cost())
            }
            Self::Bcrypt { cost, .. } => Kind::Bcrypt(*cost),
        }
    }

    pub(super) fn parse(stored: &str) -> Result<Self, PasswordError> {
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

    pub(super) fn verify(
        &self,
        password: &Password,
        today: &Params,
        memory: &mut Vec<Block>,
    ) -> Result<Verified, PasswordError> {
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

pub(super) fn is_bearable(params: &Params) -> bool {
    let work = u64::from(params.t_cost()) * u64::from(params.p_cost());
    params.m_cost() <= MAX_STORED_MEMORY && work <= MAX_STORED_WORK
}

pub(super) fn compute(
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
pub(super) fn encode(params: &Params, salt: &[u8], output: &[u8]) -> Result<String, PasswordError> {
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params).map_err(|_| PasswordError::Failed)?,
        salt: Some(Salt::new(salt).map_err(|_| PasswordError::Failed)?),
        hash: Some(Output::new(output).map_err(|_| PasswordError::Failed)?),
    };
    Ok(hash.to_string())
}
