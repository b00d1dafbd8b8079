//! From a bearer token, of whichever kind, to who brings it. The one place where credentials are judged.

use time::OffsetDateTime;
use workroom_domain::ids::AccountId;

use super::{
    Caller, CredentialKind, Identity, Scope, Watch, access_token::TokenRejected, personal_token, revocations::OnEnd,
};
use crate::application::Error;
use crate::identity::codes::{SESSION_ENDED, TOKEN_EXPIRED, TOKEN_INVALID};

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

    /// Whether what a caller came with, or the account, has ended before its time.
    pub fn has_ended(&self, caller: &Caller) -> bool {
        let ids = [caller.credential_id, caller.account_id.into(), caller.rests_on];
        ids.into_iter().any(|id| self.inner.revocations.has_ended(id))
    }

    /// Watches what a caller came with: `ended` is called when it, or the account, ends before its time.
    pub fn watch(&self, caller: &Caller, ended: &OnEnd) -> Watch {
        self.inner.revocations.watch(&[caller.credential_id, caller.account_id.into(), caller.rests_on], ended)
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
}
