//! Sign-in with e-mail address and password.

use sqlx::{FromRow, PgConnection};
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::{
    account::AccountCommand,
    actor::{Actor, SystemActor},
    ids::{AccountId, SessionId},
};

use super::{Identity, TokenPair, email::EmailAddress, password_policy::Password, refresh_token::SessionSalt};
use crate::application::{Context, Error, TableChange, accounts::RecordAccount};

/// One answer for an unknown address and a wrong password: nobody learns which addresses have accounts.
const WRONG: Error = Error::Unauthenticated("the e-mail address or the password is wrong");

/// How long a refusal takes after the password was compared. Recording a failure fits in; nobody learns by the clock
/// whether there was something to record.
const RECORDING: std::time::Duration = std::time::Duration::from_millis(50);

#[derive(FromRow)]
struct Credentials {
    id: Uuid,
    password_hash: Option<String>,
}

impl Identity {
    /// Signs an account in, and starts a session.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for whatever does not match; [`Error::Busy`] when too many sign in at once.
    pub async fn login(&self, correlation_id: Uuid, email: &str, password: &str) -> Result<TokenPair, Error> {
        let (Ok(email), Ok(password)) = (EmailAddress::parse(email), Password::new(password)) else {
            return Err(WRONG);
        };
        let credentials: Option<Credentials> =
            sqlx::query_as("SELECT id, password_hash FROM accounts WHERE email_normalized = $1")
                .bind(email.normalized())
                .fetch_optional(self.inner.app.pool())
                .await?;
        let Some(Credentials { id, password_hash: Some(password_hash) }) = credentials else {
            // As slow as for a known account.
            self.inner.hasher.verify_dummy(&password).await?;
            tokio::time::sleep(RECORDING).await;
            return Err(WRONG);
        };
        let account_id = AccountId(id);
        let context = Context::new(Actor::Account(account_id), correlation_id);
        if !self.inner.hasher.verify(&password, &password_hash).await?.ok {
            self.record_failure(correlation_id, account_id).await;
            return Err(WRONG);
        }
        self.start_session(&context, account_id).await
    }

    /// Records that somebody failed to be this account: the service says so, for the account itself did nothing. Takes
    /// as long as for an unknown account, whatever becomes of the record; the record goes on to its end.
    async fn record_failure(&self, correlation_id: Uuid, account_id: AccountId) {
        let answer_at = tokio::time::Instant::now() + RECORDING;
        let context = Context::new(Actor::System(SystemActor::Identity), correlation_id);
        let app = self.inner.app.clone();
        let record = tokio::spawn(async move {
            let failed = RecordAccount { account_id, command: AccountCommand::FailLogin };
            if let Err(error) = app.run(&context, &failed).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "a failed login could not be recorded");
            }
        });
        let _ = tokio::time::timeout_at(answer_at, record).await;
        tokio::time::sleep_until(answer_at).await;
    }

    async fn start_session(&self, context: &Context, account_id: AccountId) -> Result<TokenPair, Error> {
        let session_id = SessionId(Uuid::now_v7());
        let salt = SessionSalt::generate().map_err(Error::failure)?;
        let expires_at = context.now + self.inner.config.session_lifetime;
        let pair = self.pair(account_id, session_id, 0, &salt, context.now)?;
        let record = RecordAccount { account_id, command: AccountCommand::StartSession { session_id } };
        let tables = InsertSession { account_id, session_id, salt, created_at: context.now, expires_at };
        self.inner.app.run_with_tables(context, &record, &tables).await?;
        Ok(pair)
    }
}

struct InsertSession {
    account_id: AccountId,
    session_id: SessionId,
    salt: SessionSalt,
    created_at: OffsetDateTime,
    expires_at: OffsetDateTime,
}

impl TableChange for InsertSession {
    async fn apply(&self, connection: &mut PgConnection) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO sessions (id, account_id, salt, rotated_at, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $4, $5)",
        )
        .bind(Uuid::from(self.session_id))
        .bind(Uuid::from(self.account_id))
        .bind(self.salt.as_bytes().as_slice())
        .bind(self.created_at)
        .bind(self.expires_at)
        .execute(connection)
        .await?;
        Ok(())
    }
}
