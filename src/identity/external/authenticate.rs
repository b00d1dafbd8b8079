//! From a token of another issuer to who brings it.

use time::OffsetDateTime;
use workroom_credentials::webhook::event::ExternalProfile;
use workroom_domain::{
    account::refusal::{ACCOUNT_DEACTIVATED, ACCOUNT_ERASED},
    ids::AccountId,
};

use super::{ExternalRejected, store};
use crate::{
    application::Error,
    identity::{
        Caller, CredentialKind, Identity, Scope,
        codes::{ISSUER_AWAY, TOKEN_EXPIRED, TOKEN_INVALID},
    },
};

impl Identity {
    /// Finds out whose token it is. An account is made for whoever comes for the first time.
    pub(in crate::identity) async fn external(&self, token: &str, now: OffsetDateTime) -> Result<Caller, Error> {
        let claims = self.inner.external.verify(token, now).await.map_err(|rejected| match rejected {
            ExternalRejected::Expired => Error::from(TOKEN_EXPIRED),
            ExternalRejected::Invalid(reason) => {
                tracing::debug!(reason, "a token of another issuer was refused");
                TOKEN_INVALID.into()
            }
            ExternalRejected::Unavailable => Error::later(ISSUER_AWAY, std::time::Duration::from_secs(5)),
        })?;
        let pool = self.inner.app.pool();
        let known = if let Some(known) = store::known(pool, &claims.issuer, &claims.subject).await? {
            known
        } else {
            let profile = ExternalProfile {
                email: claims.email,
                email_verified: claims.email_verified,
                full_name: claims.name,
                username: claims.username,
                image_url: claims.picture,
            };
            // As old as can be: whatever the webhook tells is newer.
            self.provision(&claims.issuer, &claims.subject, &profile, OffsetDateTime::UNIX_EPOCH).await?;
            let known = store::known(pool, &claims.issuer, &claims.subject).await?;
            known.ok_or(ACCOUNT_ERASED)?
        };
        if known.is_deactivated {
            return Err(ACCOUNT_DEACTIVATED.into());
        }
        let account_id = known.account_id;
        Ok(Caller {
            account_id: AccountId(account_id),
            kind: CredentialKind::External,
            credential_id: account_id,
            rests_on: known.period_id,
            scope: Scope::Full,
            expires_at: claims.expires_at,
        })
    }
}
