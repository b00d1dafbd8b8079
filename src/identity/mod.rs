//! Identity: who somebody is, and how they prove it.
//!
//! What can be decided without a database, a request or a clock stands in `workroom_credentials`: above all [`password`]s
//! (argon2id, hashed off the async threads, a bounded number at a time), [`access_token`]s (Ed25519-signed, 15 minutes, checked
//! without a query) and [`refresh_token`]s (derived, so never stored; one live lineage a session). [`Identity`] joins them to
//! accounts and sessions; whatever it does is an event of the account's feed, written in the transaction of the rows it
//! changes.
//!
//! A noun is a folder, a verb a file; the SQL of a folder stands in its `store`.
//!
//! | folder | |
//! |---|---|
//! | `accounts` | registered, changed, closed, erased |
//! | [`email`] | the proof of an address |
//! | `passwords` | confirmed, changed, forgotten, set anew; hashes of imported accounts |
//! | `sessions` | sign-in, refresh, list, end |
//! | `tokens` | personal access tokens |
//! | [`tickets`] | for WebSockets |
//! | [`external`] | other issuers, their keys, and the accounts that they vouch for |
//! | [`webhook`] | what identity providers tell |
//! | [`mail_tokens`] | secrets of mailed links |
//! | `invitations` | how often, and to whom not |
//! | [`throttle`] | how often something may be tried |
//! | [`signing_keys`] | kept, followed, rotated |

mod accounts;
mod authenticate;
mod caller;
pub mod codes;
pub mod email;
pub mod external;
mod invitations;
pub mod mail_tokens;
mod passwords;
mod revocations;
mod sessions;
pub mod signing_keys;
pub mod throttle;
pub mod tickets;
mod tokens;
pub mod webhook;

use std::{path::PathBuf, sync::Arc, time::Duration};

use time::OffsetDateTime;
use tokio::sync::watch;
use uuid::Uuid;
use workroom_domain::ids::{AccountId, SessionId};

pub use accounts::{ProfilePatch, Registration};
pub use caller::{Caller, CredentialKind, Scope};
pub use invitations::RecipientDigest;
pub use passwords::{EndedCredentials, PasswordToChange};
pub use revocations::{KEPT as ENDED_CREDENTIALS_KEPT, Revocations, Watch};
pub use sessions::{SessionSummary, SignIn, SignedIn};
pub use tokens::{NewToken, TokenSummary};
pub use webhook::IdentityWebhook;
pub use workroom_credentials::{access_token, device::LIFETIME as DEVICE_LIFETIME, password, signing_key, username};
use workroom_credentials::{device, fingerprint::FingerprintKey, personal_token, refresh_token, ticket};

use crate::{
    application::{App, Error, IdempotencyKey},
    messaging::{Messaging, seal::Seal},
    secrets,
};
use access_token::{AccessTokenConfig, AccessTokenIssuer, AccessTokenVerifier};
use external::{ExternalIssuerConfig, ExternalIssuers};
use password::{PasswordHasher, PasswordHasherConfig, PasswordPolicy};
use refresh_token::{RefreshTokenKey, SessionSalt};
use signing_key::{Jwks, SharedKeyRing};
use throttle::{ConcurrencyLimits, Rule, Throttle};

/// Passwords that one network may have at work in a process.
const NETWORK_LIMIT: usize = 8;
/// Passwords that may be compared with one account's from one network at a time, in a process.
const ACCOUNT_LIMIT: usize = 2;

/// What identity is configured with.
#[derive(Clone, Debug)]
pub struct IdentityConfig {
    /// `iss` of access tokens.
    pub issuer: String,
    /// `aud` of access tokens.
    pub audience: String,
    /// How long an access token holds.
    pub access_token_lifetime: Duration,
    /// How long a session holds without a new sign-in.
    pub session_lifetime: Duration,
    /// Sessions that an account can have at a time; one more ends the oldest.
    pub session_limit: u32,
    /// Rules for new passwords.
    pub password_policy: PasswordPolicy,
    /// How long a personal access token can hold.
    pub personal_token_lifetime: Duration,
    /// How often signing in may fail from one address.
    pub address_attempts: Rule,
    /// How often signing in to one account may fail from one address.
    pub account_attempts: Rule,
    /// How often signing in to one account may fail from everywhere where nobody has signed in to it before.
    pub account_attempts_everywhere: Rule,
    /// How often somebody may invite.
    pub invitations_per_sender: Rule,
    /// How often an address may be invited, by whomever.
    pub invitations_per_recipient: Rule,
    /// Other issuers whose tokens are accepted.
    pub external_issuers: Vec<ExternalIssuerConfig>,
    /// What an identity provider may tell.
    pub webhook: Option<IdentityWebhook>,
    /// Where mails are written instead of being sent, if they are.
    pub mail_folder: Option<PathBuf>,
}

/// Signs people in. Cheap to clone.
#[derive(Clone)]
pub struct Identity {
    inner: Arc<Inner>,
}

struct Inner {
    app: App,
    config: IdentityConfig,
    hasher: PasswordHasher,
    issuer: AccessTokenIssuer,
    verifier: AccessTokenVerifier,
    keys: SharedKeyRing,
    revocations: Revocations,
    external: ExternalIssuers,
    throttle: Throttle,
    /// Who compares or makes passwords from one network at a time.
    network_limits: ConcurrencyLimits,
    /// Who compares passwords with one account's from one network at a time.
    account_limits: ConcurrencyLimits,
    refresh_key: RefreshTokenKey,
    fingerprint_key: FingerprintKey,
}

/// A pair of tokens, fresh from sign-in or refresh.
#[derive(Clone, Debug)]
pub struct TokenPair {
    /// Proves who its bearer is, for a few minutes.
    pub access_token: String,
    /// Can be exchanged for a new pair, once.
    pub refresh_token: String,
    /// Seconds that the access token holds.
    pub expires_in: u64,
    /// Whose they are.
    pub account_id: AccountId,
}

impl Identity {
    /// Loads the deployment's keys, or makes them on first start.
    ///
    /// # Errors
    /// The database's, a stored key that does not read, or a configuration out of bounds.
    pub async fn open(app: App, config: IdentityConfig) -> anyhow::Result<Self> {
        let keys = SharedKeyRing::new(signing_keys::open(app.pool()).await?);
        let mut tokens = AccessTokenConfig::new(&config.issuer, &config.audience);
        tokens.lifetime = config.access_token_lifetime;
        let refresh_key = RefreshTokenKey::from_bytes(secrets::secret(app.pool(), "refresh_token").await?);
        let fingerprint_key = secrets::secret(app.pool(), "fingerprint").await?;
        let hasher = PasswordHasher::new(&PasswordHasherConfig::default())?;
        passwords::imported::expect(app.pool(), &hasher).await?;
        let inner = Inner {
            hasher,
            issuer: AccessTokenIssuer::new(tokens.clone(), keys.clone())?,
            verifier: AccessTokenVerifier::new(tokens, keys.clone())?,
            keys,
            revocations: Revocations::open(app.pool()).await?,
            external: ExternalIssuers::new(&config.external_issuers)?,
            throttle: Throttle::new(app.pool().clone()),
            network_limits: ConcurrencyLimits::new(NETWORK_LIMIT),
            account_limits: ConcurrencyLimits::new(ACCOUNT_LIMIT),
            refresh_key,
            fingerprint_key: FingerprintKey::from_bytes(&fingerprint_key),
            app,
            config,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Takes up the signing keys as they are stored now.
    ///
    /// # Errors
    /// The database's, or a stored key that does not read.
    pub async fn refresh_keys(self) -> anyhow::Result<()> {
        signing_keys::refresh(self.inner.app.pool(), &self.inner.keys).await
    }

    /// Takes up which kinds of password hashes accounts have now: they can be imported while the service runs.
    ///
    /// # Errors
    /// The database's, or a hasher that is busy.
    pub async fn refresh_hash_kinds(self) -> anyhow::Result<()> {
        passwords::imported::expect(self.inner.app.pool(), &self.inner.hasher).await
    }

    /// Tells other processes of ended sessions, and hears of theirs. Runs until the task is aborted.
    pub async fn share_revocations(self, messaging: Messaging, seal: Seal, epoch: watch::Receiver<Uuid>) {
        let pool = self.inner.app.pool().clone();
        self.inner.revocations.clone().run(pool, messaging, seal, epoch).await;
    }

    /// The public keys that access tokens can be checked with.
    pub fn jwks(&self) -> Jwks {
        self.inner.keys.load().jwks()
    }

    /// A digest of a request, keyed so that it gives nothing away about a password inside.
    pub fn fingerprint(&self, parts: &[&[u8]]) -> Vec<u8> {
        self.inner.fingerprint_key.digest(parts).to_vec()
    }

    /// The secret of what `reply` tells of, made under a client's key. Whoever has the key and the reply, and not this
    /// deployment's own key, learns nothing of it; so neither the log nor a receipt holds it, and it can be told again.
    pub(crate) fn derived_secret(&self, kind: &str, key: &IdempotencyKey, reply: &str) -> [u8; 32] {
        let IdempotencyKey { principal, key, fingerprint } = key;
        let parts = [kind.as_bytes(), principal.as_bytes(), key.as_bytes(), fingerprint, reply.as_bytes()];
        self.inner.fingerprint_key.digest(&parts)
    }

    fn pair(
        &self,
        account_id: AccountId,
        session_id: SessionId,
        generation: u32,
        salt: &SessionSalt,
        now: OffsetDateTime,
    ) -> Result<TokenPair, Error> {
        let account: Uuid = account_id.into();
        let issued = self.inner.issuer.issue(account, session_id.into(), now).map_err(Error::failure)?;
        Ok(TokenPair {
            access_token: issued.token,
            refresh_token: self.inner.refresh_key.mint(session_id.into(), generation, salt),
            expires_in: issued.expires_in,
            account_id,
        })
    }
}
