//! Sign-in with e-mail address and password.

use std::net::IpAddr;

use time::OffsetDateTime;
use tokio::time::{Instant, sleep_until, timeout_at};
use uuid::Uuid;
use workroom_domain::refusal::{Code, Kind};
use workroom_domain::{
    account::AccountCommand,
    actor::{Actor, SystemActor},
    ids::{AccountId, SessionId},
};

use super::store::InsertSession;
use crate::{
    application::{Context, Error, accounts::RecordAccount},
    identity::{
        Identity, TokenPair,
        codes::WRONG_CREDENTIALS,
        device,
        email::EmailAddress,
        password::{Comparison, Password, Queue},
        passwords,
        refresh_token::SessionSalt,
        throttle::Claim,
    },
    network::network,
};

/// One answer for an unknown address and a wrong password: nobody learns which addresses have accounts.
const WRONG: &Code = WRONG_CREDENTIALS;

/// How long a refusal takes after it could be told. Recording a failure fits in; nobody learns by the clock
/// whether there was something to record.
const RECORDING: std::time::Duration = std::time::Duration::from_millis(50);

/// Most characters that are kept of what a client calls itself.
const USER_AGENT: usize = 256;

/// Who wants to sign in, and from where.
pub struct SignIn {
    /// The e-mail address as it was typed; a malformed one is refused like a wrong password.
    pub email: String,
    /// The password as it was typed.
    pub password: String,
    /// The client's address.
    pub address: IpAddr,
    /// What the client calls itself.
    pub user_agent: Option<String>,
    /// What the client's cookie says about its device.
    pub device: Option<String>,
}

/// Somebody who has signed in.
pub struct SignedIn {
    /// The access token and the refresh token of the new session.
    pub pair: TokenPair,
    /// A cookie by which the device is known from now on, if it was not before.
    pub device: Option<String>,
}

impl Identity {
    /// Signs an account in, and starts a session. Wrong passwords count; see [`throttle`](crate::identity::throttle).
    ///
    /// # Errors
    /// `Kind::Unauthenticated` for whatever does not match; `Kind::Throttled` after too many failures;
    /// `Kind::Unavailable` when too many sign in at once.
    pub async fn login(&self, correlation_id: Uuid, sign_in: &SignIn) -> Result<SignedIn, Error> {
        self.inner.hasher.check_room()?;
        let email = EmailAddress::parse(&sign_in.email);
        let who = email.as_ref().map_or(sign_in.email.as_str(), EmailAddress::normalized);
        let (address, device, now) = (sign_in.address, sign_in.device.as_deref(), crate::clock::now());
        let attempt = self.attempt(Claim { who, address, device, now }).await?;
        let is_known = attempt.is_from_known_device();
        let outcome = match (&email, Password::new(&sign_in.password)) {
            (Ok(email), Ok(password)) => self.verify_credentials(correlation_id, email, &password, sign_in).await,
            _ => Err(WRONG.into()),
        };
        if matches!(&outcome, Err(error) if error.kind() == Kind::Unauthenticated) {
            attempt.failed().await;
        }
        let pair = outcome?;
        let device = if is_known { None } else { Some(self.device_cookie(who, now)?) };
        Ok(SignedIn { pair, device })
    }

    fn device_cookie(&self, who: &str, now: OffsetDateTime) -> Result<String, Error> {
        device::cookie(&self.inner.fingerprint_key, who, now).map_err(Error::failure)
    }

    async fn verify_credentials(
        &self,
        correlation_id: Uuid,
        email: &EmailAddress,
        password: &Password,
        sign_in: &SignIn,
    ) -> Result<TokenPair, Error> {
        let credentials = passwords::store::credentials(self.inner.app.pool(), email).await?;
        let known = credentials.and_then(|credentials| {
            let password_hash = credentials.password_hash?;
            Some((AccountId(credentials.id), password_hash, credentials.is_deactivated))
        });
        // As much work, and as slow an answer, for an unknown account as for a known one.
        let stored = known.as_ref().map(|(_, password_hash, _)| password_hash.as_str());
        let Comparison { verified, refuse_from } = self.inner.hasher.compare(password, stored).await?;
        let answer_at = refuse_from + RECORDING;
        let (account_id, password_hash) = match known {
            Some((account_id, password_hash, false)) if verified.ok => (account_id, password_hash),
            Some((account_id, ..)) => {
                self.record_failure(correlation_id, account_id, answer_at).await;
                return Err(WRONG.into());
            }
            None => {
                sleep_until(answer_at).await;
                return Err(WRONG.into());
            }
        };
        let needs_rehash = verified.needs_rehash;
        let proof = if needs_rehash { self.rehash(account_id, password, password_hash).await } else { password_hash };
        let context = Context::new(Actor::Account(account_id), correlation_id);
        self.start_session(&context, account_id, proof, sign_in).await
    }

    /// Replaces a hash of an older kind, now that the password is at hand; returns the one that is stored then. Where that
    /// fails, the next sign-in tries again.
    async fn rehash(&self, account_id: AccountId, password: &Password, old: String) -> String {
        let Ok(hash) = self.inner.hasher.hash(password, Queue::SignIn).await else { return old };
        match passwords::store::replace(self.inner.app.pool(), account_id, &old, &hash).await {
            Ok(()) => hash,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a password hash could not be renewed");
                old
            }
        }
    }

    /// Records that somebody failed to be this account: the service says so, for the account itself did nothing. Takes
    /// until then, as for an unknown account, whatever becomes of the record; the record goes on to its end.
    async fn record_failure(&self, correlation_id: Uuid, account_id: AccountId, answer_at: Instant) {
        let context = Context::new(Actor::System(SystemActor::Identity), correlation_id);
        let app = self.inner.app.clone();
        let record = tokio::spawn(async move {
            let failed = RecordAccount { account_id, command: AccountCommand::FailLogin };
            if let Err(error) = app.run(&context, &failed).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "a failed login could not be recorded");
            }
        });
        let _ = timeout_at(answer_at, record).await;
        sleep_until(answer_at).await;
    }

    async fn start_session(
        &self,
        context: &Context,
        account_id: AccountId,
        proof: String,
        sign_in: &SignIn,
    ) -> Result<TokenPair, Error> {
        let session_id = SessionId(Uuid::now_v7());
        let salt = SessionSalt::generate().map_err(Error::failure)?;
        let expires_at = context.now + self.inner.config.session_lifetime;
        let pair = self.pair(account_id, session_id, 0, &salt, context.now)?;
        let record = RecordAccount { account_id, command: AccountCommand::StartSession { session_id } };
        let user_agent = sign_in.user_agent.as_deref().map(|name| name.chars().take(USER_AGENT).collect());
        let network = self.network_digest(&network(sign_in.address));
        let created_at = context.now;
        let tables = InsertSession { account_id, session_id, salt, proof, user_agent, network, created_at, expires_at };
        self.inner.app.run_with_tables(context, &record, &tables).await?;
        self.end_excess(context, account_id).await?;
        Ok(pair)
    }
}
