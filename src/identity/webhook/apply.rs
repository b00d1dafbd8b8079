//! What a message tells, done.

use time::OffsetDateTime;
use uuid::Uuid;
use workroom_credentials::webhook::event::{ExternalProfile, IdentityEvent};
use workroom_domain::{
    account::refusal::ACCOUNT_ERASED,
    actor::{Actor, SystemActor},
    ids::AccountId,
    refusal::Kind,
};

use crate::{
    application::{Context, Error},
    identity::{
        Identity,
        accounts::{Manner, Told},
        external::{ROUNDS, store},
    },
};

impl Identity {
    /// Does what a webhook tells of.
    ///
    /// # Errors
    /// The database's; the sender tries again then.
    pub async fn apply_identity_event(&self, issuer: &str, event: &IdentityEvent) -> Result<(), Error> {
        for _ in 0..ROUNDS {
            let applied = match event {
                IdentityEvent::Ignored => return Ok(()),
                IdentityEvent::Deleted { subject } => self.delete(issuer, subject).await,
                IdentityEvent::Upsert { subject, updated_at, profile, banned } => {
                    self.upsert(issuer, subject, profile, *updated_at, *banned).await
                }
            };
            match applied {
                Err(Error::Overtaken) => {}
                Err(error) if error.code() == ACCOUNT_ERASED => return Ok(()),
                applied => return applied,
            }
        }
        Err(Error::Overtaken)
    }

    async fn upsert(
        &self,
        issuer: &str,
        subject: &str,
        profile: &ExternalProfile,
        updated_at: OffsetDateTime,
        banned: bool,
    ) -> Result<(), Error> {
        let account_id = match store::known(self.inner.app.pool(), issuer, subject).await? {
            None => self.provision(issuer, subject, profile, updated_at).await?,
            Some(known) if known.updated_at > updated_at => return Ok(()),
            // Told before; but whoever took it in may have died before the account was closed, or opened.
            Some(known) if known.updated_at == updated_at => known.account_id,
            Some(known) => {
                self.renew(issuer, subject, &known, profile, updated_at).await?;
                known.account_id
            }
        };
        let told = Told { issuer, subject, updated_at };
        self.set_deactivated_as_told(told, AccountId(account_id), banned).await
    }

    async fn delete(&self, issuer: &str, subject: &str) -> Result<(), Error> {
        // First the digest, under the lock that provisioning takes, so that nobody comes back between.
        let digest = self.identity_digest(issuer, subject);
        store::note_erased(self.inner.app.pool(), &digest).await?;
        let Some(known) = store::known(self.inner.app.pool(), issuer, subject).await? else { return Ok(()) };
        let account_id = AccountId(known.account_id);
        // Not in the account's name: it may be deactivated.
        let context = Context::new(Actor::System(SystemActor::Identity), Uuid::now_v7());
        let manner = Manner { hand_over: true, ..Manner::default() };
        match self.erase_account(&context, account_id, manner).await {
            // Somebody else was as fast.
            Ok(_) => Ok(()),
            Err(error) if error.kind() == Kind::Unauthenticated => Ok(()),
            Err(error) => Err(error),
        }
    }
}
