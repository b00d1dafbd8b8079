//! The issuers that are configured, and the check of a token that says it is from one of them.

use std::{sync::Arc, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use time::OffsetDateTime;
use workroom_credentials::external::{self, ExternalClaims, ExternalIssuer, ExternalToken, VerifiedToken};

use super::{
    ExternalIssuerConfig,
    keys::{Fetched, IssuerKeys, Source},
};

/// Checked tokens that are remembered.
const CACHE_CAPACITY: u64 = 10_000;
/// A key that its issuer withdraws is noticed so late at most.
const CACHE_TTL: Duration = Duration::from_mins(5);

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExternalRejected {
    /// It has ended, and is right in everything else.
    #[error("the token has expired")]
    Expired,
    /// It is not right.
    #[error("the token is not valid: {0}")]
    Invalid(&'static str),
    /// The issuer's keys cannot be had.
    #[error("the keys of the issuer cannot be fetched")]
    Unavailable,
}

impl From<external::ExternalRejected> for ExternalRejected {
    fn from(rejected: external::ExternalRejected) -> Self {
        match rejected {
            external::ExternalRejected::Expired => Self::Expired,
            external::ExternalRejected::Invalid(reason) => Self::Invalid(reason),
        }
    }
}

pub(super) struct Issuer {
    conditions: ExternalIssuer,
    pub(super) keys: IssuerKeys,
}

/// The issuers whose tokens are accepted. Cheap to clone.
#[derive(Clone)]
pub struct ExternalIssuers {
    pub(super) issuers: Arc<[Issuer]>,
    verified: moka::sync::Cache<[u8; 32], VerifiedToken>,
}

impl ExternalIssuers {
    /// As configured. Keys are fetched when the first token comes.
    ///
    /// # Errors
    /// A configuration that does not hold.
    pub fn new(configs: &[ExternalIssuerConfig]) -> anyhow::Result<Self> {
        let issuers: anyhow::Result<Vec<_>> = configs.iter().map(issuer).collect();
        let verified = moka::sync::Cache::builder().max_capacity(CACHE_CAPACITY).time_to_live(CACHE_TTL).build();
        Ok(Self { issuers: issuers?.into(), verified })
    }

    /// Whether a token says that it comes from one of them. Believes nothing yet.
    pub fn recognizes(&self, token: &str) -> bool {
        !self.issuers.is_empty() && ExternalToken::parse(token).is_ok_and(|token| self.issuer_of(&token).is_some())
    }

    fn issuer_of(&self, token: &ExternalToken<'_>) -> Option<&Issuer> {
        self.issuers.iter().find(|known| known.conditions.name == token.issuer())
    }

    /// Checks a token.
    pub async fn verify(&self, token: &str, now: OffsetDateTime) -> Result<ExternalClaims, ExternalRejected> {
        let parsed = ExternalToken::parse(token)?;
        let Issuer { conditions, keys } = self.issuer_of(&parsed).ok_or(ExternalRejected::Invalid("unknown issuer"))?;
        let mut name = [0; 32];
        name.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        if let Some(verified) = self.verified.get(&name) {
            return Ok(conditions.claims_at(verified, now)?);
        }
        let key = match keys.key(parsed.key_name()).await {
            Fetched::Key(key) => key,
            Fetched::Unknown => return Err(ExternalRejected::Invalid("unknown key")),
            Fetched::Unavailable => return Err(ExternalRejected::Unavailable),
        };
        let verified = conditions.verify(&parsed, &key)?;
        let claims = conditions.claims_at(verified.clone(), now)?;
        self.verified.insert(name, verified);
        Ok(claims)
    }
}

fn issuer(config: &ExternalIssuerConfig) -> anyhow::Result<Issuer> {
    let ExternalIssuerConfig { issuer, audience, jwks_url, jwks_file, max_lifetime_seconds } = config;
    anyhow::ensure!(!issuer.is_empty(), "an external issuer has no name");
    anyhow::ensure!(!audience.is_empty(), "the external issuer {issuer} has no audience");
    let source = match (jwks_url, jwks_file) {
        (Some(address), None) => {
            let url = url::Url::parse(address)?;
            let is_local = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
            anyhow::ensure!(
                url.scheme() == "https" || (url.scheme() == "http" && is_local),
                "the keys of {issuer} must be fetched over https"
            );
            Source::Url(url)
        }
        (None, Some(file)) => Source::File(file.clone()),
        _ => anyhow::bail!("the external issuer {issuer} needs either jwks_url or jwks_file"),
    };
    let conditions = ExternalIssuer {
        name: issuer.clone(),
        audience: audience.clone(),
        max_lifetime: Duration::from_secs(u64::from(*max_lifetime_seconds)),
    };
    Ok(Issuer { conditions, keys: IssuerKeys::new(source)? })
}
