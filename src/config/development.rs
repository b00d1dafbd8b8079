//! What `./dev up` chooses for a developer's machine, and tests for a process.

use figment::value::Dict;
use serde::Deserialize;

use crate::clock;

/// What `./dev up` tells the service about a developer's machine, as JSON in the variable `WORKROOM_DEVELOPMENT`: one, so that
/// nothing that somebody has set is lost among what it chooses.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Development {
    /// Settings that hold where nobody has set another.
    pub(super) defaults: Dict,
    /// Settings that hold in any case.
    pub(super) overrides: Dict,
    /// By how many seconds the process' clock is wrong. Tests set it, and nobody else: it is no setting.
    clock_wrong_by_seconds: i32,
}

impl Development {
    pub(super) const VARIABLE: &str = "WORKROOM_DEVELOPMENT";

    /// Whether `./dev up` has started this process: it says where things are.
    pub fn is_given() -> bool {
        Self::read().is_ok_and(|development| !development.overrides.is_empty())
    }

    /// Sets the clock of this process as wrong as a test wants it to be.
    ///
    /// # Errors
    /// What the variable holds does not fit.
    pub fn set_clock() -> anyhow::Result<()> {
        let Self { clock_wrong_by_seconds, .. } = Self::read()?;
        if clock_wrong_by_seconds != 0 {
            tracing::warn!(clock_wrong_by_seconds, "THE CLOCK OF THIS PROCESS IS SET WRONG: this is for tests alone");
            clock::set_wrong_by(clock_wrong_by_seconds);
        }
        Ok(())
    }

    pub(super) fn read() -> anyhow::Result<Self> {
        let Some(text) = std::env::var_os(Self::VARIABLE) else { return Ok(Self::default()) };
        let text = text.to_str().unwrap_or_default();
        serde_json::from_str(text).map_err(|error| anyhow::anyhow!("{} does not fit: {error}", Self::VARIABLE))
    }
}
