//! What `./dev up` chooses for a developer's machine.

use figment::value::Dict;
use serde::Deserialize;

/// What `./dev up` tells the service about a developer's machine, as JSON in the variable `WORKROOM_DEVELOPMENT`: one, so that
/// nothing that somebody has set is lost among what it chooses.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Development {
    /// Settings that hold where nobody has set another.
    pub(super) defaults: Dict,
    /// Settings that hold in any case.
    pub(super) overrides: Dict,
}

impl Development {
    pub(super) const VARIABLE: &str = "WORKROOM_DEVELOPMENT";

    /// Whether `./dev up` has started this process.
    pub fn is_given() -> bool {
        std::env::var_os(Self::VARIABLE).is_some()
    }

    pub(super) fn read() -> anyhow::Result<Self> {
        let Some(text) = std::env::var_os(Self::VARIABLE) else { return Ok(Self::default()) };
        let text = text.to_str().unwrap_or_default();
        serde_json::from_str(text).map_err(|error| anyhow::anyhow!("{} does not fit: {error}", Self::VARIABLE))
    }
}
