//! What an account says of itself.

use uuid::Uuid;
use workroom_domain::account::refusal::ACCOUNT_ERASED;
use workroom_domain::text::NOT_A_WEB_ADDRESS;
use workroom_domain::{
    account::{Account, AccountCommand, ProfileField},
    ids::AccountId,
};
use workroom_projections::accounts::{self, AccountRow};

use super::store::UpdateProfile;
use crate::{
    application::{Command, Context, Done, Error, IfVersion, Unit, Violation},
    identity::{
        Identity,
        username::{FullName, Username},
    },
};

const IMAGE_URL_LIMIT: usize = 2048;
/// Each lost round means that somebody else got through.
const ROUNDS: usize = 200;

/// The parts of a profile to change; an inner `None` clears.
#[derive(Clone, Debug, Default)]
pub struct ProfilePatch {
    /// The new full name, up to 200 characters; `Some(None)` removes it.
    pub full_name: Option<Option<String>>,
    /// The new user name: 3 to 32 characters, stored in lower case.
    pub username: Option<String>,
    /// Address of a picture, http or https.
    pub image_url: Option<Option<String>>,
}

impl Identity {
    /// Changes the given parts of the profile.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming every part that does not hold, `Kind::Conflict` for a taken user name,
    /// `Kind::Stale`.
    pub async fn change_profile(
        &self,
        context: &Context,
        patch: &ProfilePatch,
        if_version: &IfVersion,
    ) -> Result<(AccountRow, Done<()>), Error> {
        let account_id = context.account()?;
        let patch = checked(patch)?;
        for _ in 0..ROUNDS {
            let before = accounts::find(self.inner.app.pool(), account_id.into()).await?.ok_or(ACCOUNT_ERASED)?;
            if_version.check(before.version)?;
            let mut after = before.clone();
            if let Some(full_name) = &patch.full_name {
                after.full_name.clone_from(full_name);
            }
            if let Some(username) = &patch.username {
                after.username.clone_from(username);
            }
            if let Some(image_url) = &patch.image_url {
                after.image_url.clone_from(image_url);
            }
            let fields = changes(&before, &after);
            if !fields.is_empty() {
                after.version += 1;
                after.updated_at = context.now;
            }
            let command = ChangeProfile { account_id, fields };
            let tables = UpdateProfile { account: after.clone(), from: before.version };
            match self.inner.app.run_with_tables(context, &command, &tables).await {
                Ok(done) => return Ok((after, done)),
                Err(Error::Overtaken) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Overtaken)
    }
}

/// Which parts of a profile differ.
pub(in crate::identity) fn changes(before: &AccountRow, after: &AccountRow) -> Vec<ProfileField> {
    [
        (ProfileField::Email, before.email != after.email),
        (ProfileField::Username, before.username != after.username),
        (ProfileField::FullName, before.full_name != after.full_name),
        (ProfileField::ImageUrl, before.image_url != after.image_url),
    ]
    .into_iter()
    .filter_map(|(field, differs)| differs.then_some(field))
    .collect()
}

fn checked(patch: &ProfilePatch) -> Result<ProfilePatch, Error> {
    let mut violations = Vec::new();
    let mut sound = ProfilePatch::default();
    if let Some(full_name) = &patch.full_name {
        match full_name.as_deref().map(FullName::parse).transpose() {
            Ok(parsed) => sound.full_name = Some(parsed.map(|name| name.as_str().to_owned())),
            Err(error) => violations.push(Violation::of("/full_name", &error)),
        }
    }
    if let Some(username) = &patch.username {
        match Username::parse(username) {
            Ok(parsed) => sound.username = Some(parsed.as_str().to_owned()),
            Err(error) => violations.push(Violation::of("/username", &error)),
        }
    }
    match &patch.image_url {
        Some(Some(address)) if !is_picture(address) => {
            let detail = format!("must be an http or https address of at most {IMAGE_URL_LIMIT} bytes");
            violations.push(Violation::new("/image_url", NOT_A_WEB_ADDRESS, detail));
        }
        image_url => sound.image_url.clone_from(image_url),
    }
    if violations.is_empty() { Ok(sound) } else { Err(Error::Invalid(violations)) }
}

/// Whether an address may stand as a picture's: never `javascript:` or `data:`.
pub(in crate::identity) fn is_picture(address: &str) -> bool {
    address.len() <= IMAGE_URL_LIMIT
        && !address.chars().any(|c| c.is_control() || c.is_whitespace())
        && url::Url::parse(address).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

pub(in crate::identity) struct ChangeProfile {
    pub(in crate::identity) account_id: AccountId,
    pub(in crate::identity) fields: Vec<ProfileField>,
}

impl Command for ChangeProfile {
    type Reply = ();

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.account_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<(), Error> {
        let account = unit.read::<Account>(self.account_id).await?;
        unit.decide(&account, AccountCommand::ChangeProfile { fields: self.fields.clone() })?;
        Ok(())
    }
}
