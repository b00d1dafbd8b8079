//! An account for somebody whom another issuer vouches for.

use time::OffsetDateTime;
use uuid::Uuid;
use workroom_credentials::webhook::event::ExternalProfile;
use workroom_domain::{
    account::AccountCommand,
    actor::{Actor, SystemActor},
    ids::{AccountId, OrganizationId},
};
use workroom_projections::accounts::AccountRow;

use super::{
    ROUNDS,
    profile::{full_name, username, verified_email},
    store::{self, InsertExternal},
};
use crate::{
    application::{Context, Error, accounts::RecordAccount},
    identity::{
        Identity,
        accounts::is_picture,
        codes::{EMAIL_TAKEN, USERNAME_TAKEN},
    },
};

impl Identity {
    /// Makes the account of an identity, or finds the one that another request made meanwhile.
    pub(in crate::identity) async fn provision(
        &self,
        issuer: &str,
        subject: &str,
        profile: &ExternalProfile,
        updated_at: OffsetDateTime,
    ) -> Result<Uuid, Error> {
        let account_id = AccountId(Uuid::now_v7());
        let personal_organization_id = OrganizationId(Uuid::now_v7());
        let context = Context::new(Actor::System(SystemActor::Identity), Uuid::now_v7());
        let mut email = verified_email(profile);
        for attempt in 0..ROUNDS {
            let account = AccountRow {
                id: account_id.into(),
                email: email.as_ref().map(|email| email.as_str().to_owned()),
                email_verified: email.is_some(),
                username: username(profile, email.as_ref(), attempt),
                full_name: full_name(profile),
                image_url: profile.image_url.clone().filter(|address| is_picture(address)),
                personal_organization_id: personal_organization_id.into(),
                created_at: context.now,
                updated_at: context.now,
                version: 1,
            };
            let tables = InsertExternal {
                account,
                email: email.clone(),
                issuer: issuer.to_owned(),
                subject: subject.to_owned(),
                digest: self.identity_digest(issuer, subject),
                updated_at,
            };
            let record = RecordAccount { account_id, command: AccountCommand::Register { personal_organization_id } };
            match self.inner.app.run_with_tables(&context, &record, &tables).await {
                Ok(_) => return Ok(account_id.into()),
                // Whose address it is was here before: this account is another one, without it.
                Err(error) if error.code() == EMAIL_TAKEN => {
                    email = self.take_address(&context, email).await?;
                }
                Err(error) if error.code() == USERNAME_TAKEN => {}
                Err(Error::Overtaken) => {
                    if let Some(known) = store::known(self.inner.app.pool(), issuer, subject).await? {
                        return Ok(known.account_id);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Err(Error::Overtaken)
    }
}
