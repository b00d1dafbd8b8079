//! How access tokens are made and checked.

use std::time::Duration;

use super::{MAX_LEEWAY, MAX_LIFETIME};

/// How tokens are made and checked. The same on every instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessTokenConfig {
    /// `iss`: this service's public URL.
    pub issuer: String,
    /// `aud`: the one audience this service issues for and answers to.
    pub audience: String,
    /// How long a token is good for, whole seconds; 15 minutes unless configured.
    pub lifetime: Duration,
    /// How far clocks may disagree, whole seconds, 0 to 5.
    pub leeway: Duration,
}

impl AccessTokenConfig {
    /// Fifteen minutes of life and five seconds of leeway.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self { issuer: issuer.into(), audience: audience.into(), lifetime: Duration::from_mins(15), leeway: MAX_LEEWAY }
    }

    pub(super) fn check(&self) -> Result<(), InvalidConfig> {
        if self.issuer.is_empty() || self.audience.is_empty() {
            return Err(InvalidConfig::Unnamed);
        }
        if self.lifetime.as_secs() == 0 || self.lifetime > MAX_LIFETIME || self.lifetime.subsec_nanos() != 0 {
            return Err(InvalidConfig::Lifetime);
        }
        if self.leeway > MAX_LEEWAY || self.leeway.subsec_nanos() != 0 {
            return Err(InvalidConfig::Leeway);
        }
        Ok(())
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConfig {
    /// `iss` or `aud` is empty.
    #[error("the issuer and the audience of access tokens must not be empty")]
    Unnamed,
    /// The lifetime is zero, over [`MAX_LIFETIME`], or no whole number of seconds.
    #[error("access tokens must live for 1 to 3600 whole seconds")]
    Lifetime,
    /// The leeway is over [`MAX_LEEWAY`], or no whole number of seconds.
    #[error("the leeway of access tokens must be 0 to 5 whole seconds")]
    Leeway,
}
