//! What a refusal takes, so that all take the same, whatever kind of hash an account has.

use std::time::Duration;

use argon2::{Block, Params};

use super::{config::PasswordError, hasher::Inner, stored::Stored};
use crate::password::Password;

/// The cost that bcrypt's speed is measured at: a few milliseconds.
pub(super) const MEASURED_BCRYPT_COST: u32 = 6;

/// Measurements of a kind of hash; the quickest counts.
const MEASUREMENTS: usize = 3;

/// How long refusals wait, counted from the permit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct RefusalWait {
    /// For a password in normal form.
    pub(super) plain: Duration,
    /// For one that was typed in another form: bcrypt is then computed for both.
    pub(super) both_forms: Duration,
}

impl RefusalWait {
    pub(super) fn of(self, password: &Password) -> Duration {
        if password.typed() == password.normalized() { self.plain } else { self.both_forms }
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self {
            plain: self.plain.saturating_add(other.plain),
            both_forms: self.both_forms.saturating_add(other.both_forms),
        }
    }

    pub(super) fn times(self, factor: u32) -> Self {
        Self { plain: self.plain.saturating_mul(factor), both_forms: self.both_forms.saturating_mul(factor) }
    }
}

/// What a refusal takes, so that all take the same.
#[derive(Default)]
pub(super) struct Refusals {
    pub(super) wait: RefusalWait,
    /// A hash of each kind that accounts have, ours among them, that no password matches; none where all are ours.
    pub(super) stand_ins: Vec<Stored>,
}

impl Refusals {
    /// Does what a refusal would have taken with the other kinds, as long as nobody waits; returns for how many.
    pub(super) fn make_up(
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
pub(super) struct Speed {
    /// Of a hash of ours.
    pub(super) own: Duration,
    /// Of bcrypt at [`MEASURED_BCRYPT_COST`].
    pub(super) bcrypt: Duration,
}

/// What a hash costs to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// By its memory in KiB, its passes and its lanes.
    Argon2(u32, u32, u32),
    /// By the power of two of its rounds.
    Bcrypt(u32),
}

impl Kind {
    /// What it takes at that speed, where ours has these parameters.
    pub(super) fn cost(self, own: &Params, speed: Speed) -> RefusalWait {
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

/// The shortest time that some work takes, of a few.
pub(super) fn quickest(mut work: impl FnMut() -> Result<(), PasswordError>) -> Result<Duration, PasswordError> {
    let mut shortest = Duration::MAX;
    for _ in 0..MEASUREMENTS {
        let begun = std::time::Instant::now();
        work()?;
        shortest = shortest.min(begun.elapsed());
    }
    Ok(shortest)
}
