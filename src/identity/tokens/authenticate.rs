//! From a personal access token to who brings it.

use time::{Duration, OffsetDateTime};
use workroom_domain::ids::AccountId;

use super::store;
use crate::{
    application::Error,
    identity::{
        Caller, CredentialKind, Identity, Scope,
        codes::{TOKEN_EXPIRED, TOKEN_INVALID},
        personal_token,
    },
};

/// A token without an end of its own is judged anew after this long, where it opened something that lasts.
const LONGEST: Duration = Duration::days(1);

impl Identity {
    /// Finds out whose token it is, and notes its use.
    pub(in crate::identity) async fn personal(&self, token: &str, now: OffsetDateTime) -> Result<Caller, Error> {
        let hash = personal_token::hash(token).ok_or(TOKEN_INVALID)?;
        let found = store::find(self.inner.app.pool(), hash, now).await?.ok_or(TOKEN_INVALID)?;
        if found.expires_at.is_some_and(|at| at <= now) {
            return Err(TOKEN_EXPIRED.into());
        }
        if !found.is_noted {
            store::note_use(self.inner.app.pool(), found.id, now).await?;
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
