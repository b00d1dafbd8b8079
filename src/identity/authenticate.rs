//! From a bearer token, of whichever kind, to who brings it. The one place where credentials are judged.

use sqlx::FromRow;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;
use workroom_domain::ids::AccountId;

use super::{Caller, CredentialKind, Identity, Scope, Watch, access_token::TokenRejected, personal_token};
use crate::application::Error;
use crate::identity::codes::{SESSION_ENDED, TOKEN_EXPIRED, TOKEN_INVALID};

/// A token without an end of its own is judged anew after this long, where it opened something that lasts.
const LONGEST: Duration = Duration::days(1);
/// How exactly the last use of a personal token is told.
const USED_WITHIN: &str = "1 minute";

#[derive(FromRow)]
struct PersonalToken {
    id: Uuid,
    account_id: Uuid,
    period_id: Uuid,
    scope: String,
    expires_at: Option<OffsetDateTime>,
    is_noted: bool,
}

impl Identity {
    /// Finds out who brings a bearer token.
    ///
    /// # Errors
    /// `Kind::Unauthenticated`, which tells an expired token and an ended session from any other.
    pub async fn authenticate(&self, token: &str, now: OffsetDateTime) -> Result<Caller, Error> {
        let caller = if token.starts_with(personal_token::PREFIX) {
            self.personal(token, now).await?
        } else if self.inner.external.recognizes(token) {
            self.external(token, now).await?
        } else {
            self.session(token, now)?
        };
        let revocations = &self.inner.revocations;
        if revocations.has_ended(caller.credential_id) || revocations.has_ended(caller.account_id.into()) {
            return Err(SESSION_ENDED.into());
        }
        Ok(caller)
    }

    /// Watches what a caller came with: the watch tells when it, or the account, ends before its time.
    pub fn watch(&self, caller: &Caller) -> Watch {
        self.inner.revocations.watch(&[caller.credential_id, caller.account_id.into(), caller.rests_on])
    }

    fn session(&self, token: &str, now: OffsetDateTime) -> Result<Caller, Error> {
        match self.inner.verifier.verify(token, now) {
            Ok(claims) => Ok(Caller {
                account_id: AccountId(claims.account),
                kind: CredentialKind::Session,
                credential_id: claims.session,
                rests_on: claims.key,
                scope: Scope::Full,
                expires_at: claims.expires_at,
            }),
            Err(TokenRejected::Expired) => Err(TOKEN_EXPIRED.into()),
            Err(TokenRejected::Invalid(reason)) => {
                tracing::debug!(%reason, "an access token was refused");
                Err(TOKEN_INVALID.into())
            }
        }
    }

    async fn personal(&self, token: &str, now: OffsetDateTime) -> Result<Caller, Error> {
        let hash = personal_token::hash(token).ok_or(TOKEN_INVALID)?;
        let found: PersonalToken = sqlx::query_as(&format!(
            "SELECT t.id, t.account_id, a.period_id, t.scope, t.expires_at,
                    COALESCE(t.last_used_at > $2 - interval '{USED_WITHIN}', false) AS is_noted
             FROM personal_tokens t JOIN accounts a ON a.id = t.account_id
             WHERE t.token_hash = $1 AND a.deactivated_at IS NULL"
        ))
        .bind(hash)
        .bind(now)
        .fetch_optional(self.inner.app.pool())
        .await?
        .ok_or(TOKEN_INVALID)?;
        if found.expires_at.is_some_and(|at| at <= now) {
            return Err(TOKEN_EXPIRED.into());
        }
        if !found.is_noted {
            sqlx::query("UPDATE personal_tokens SET last_used_at = $2 WHERE id = $1")
                .bind(found.id)
                .bind(now)
                .execute(self.inner.app.pool())
                .await?;
        }
        Ok(Caller {
            account_id: AccountId(found.account_id),
            kind: CredentialKind::PersonalToken,
            credential_id: found.id,
            rests_on: found.period_id,
            scope: Scope::parse(&found.scope)?,
            expires_at: found.expires_at.unwrap_or(now + LONGEST).min(now + LONGEST),
        })
    }
}
