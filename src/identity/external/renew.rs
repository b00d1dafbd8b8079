//! News of somebody whom another issuer vouches for.

use time::OffsetDateTime;
use uuid::Uuid;
use workroom_credentials::webhook::event::ExternalProfile;
use workroom_domain::{
    account::ProfileField,
    actor::{Actor, SystemActor},
    ids::AccountId,
};
use workroom_projections::accounts;

use super::{
    ROUNDS, overtaken,
    profile::{full_name, verified_email},
    store::{Known, Renew},
};
use crate::{
    application::{Context, Error},
    identity::{
        Identity,
        accounts::{ChangeProfile, changes, is_picture},
        codes::{EMAIL_TAKEN, USERNAME_TAKEN},
        username::Username,
    },
};

impl Identity {
    /// Changes an account's profile to what its issuer says now, unless something newer is known.
    pub(in crate::identity) async fn renew(
        &self,
        issuer: &str,
        subject: &str,
        known: &Known,
        profile: &ExternalProfile,
        updated_at: OffsetDateTime,
    ) -> Result<(), Error> {
        let before = accounts::find(self.inner.app.pool(), known.account_id).await?.ok_or_else(|| Error::Overtaken)?;
        let context = Context::new(Actor::System(SystemActor::Identity), Uuid::now_v7());
        let mut email = verified_email(profile);
        let mut given_username = profile.username.as_deref().and_then(|name| Username::parse(name).ok());
        for _ in 0..ROUNDS {
            let mut after = before.clone();
            if let Some(email) = &email {
                after.email = Some(email.as_str().to_owned());
            }
            if let Some(username) = &given_username {
                username.as_str().clone_into(&mut after.username);
            }
            after.full_name = full_name(profile).or(after.full_name);
            let picture = profile.image_url.clone().filter(|address| is_picture(address));
            after.image_url = picture.or(after.image_url);
            let mut command = ChangeProfile { account_id: AccountId(after.id), fields: changes(&before, &after) };
            // The same address, but proven now.
            if email.is_some() && !before.email_verified && !command.fields.contains(&ProfileField::Email) {
                command.fields.push(ProfileField::Email);
            }
            after.version += 1;
            after.updated_at = context.now;
            let tables = Renew {
                account: after,
                email: email.clone(),
                issuer: issuer.to_owned(),
                subject: subject.to_owned(),
                known_at: known.updated_at,
                updated_at,
            };
            let outcome = if command.fields.is_empty() {
                tables.note(self.inner.app.pool()).await
            } else {
                self.inner.app.run_with_tables(&context, &command, &tables).await.map(drop)
            };
            match outcome {
                Err(error) if error.code() == EMAIL_TAKEN && email.is_some() => {
                    email = self.take_address(&context, email).await?;
                }
                Err(error) if error.code() == USERNAME_TAKEN && given_username.is_some() => {
                    given_username = None;
                }
                outcome => return outcome,
            }
        }
        Err(overtaken())
    }
}
