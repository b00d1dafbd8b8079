//! What of an issuer's words can stand in an account. What cannot is left out: its people exist all the same.

use workroom_credentials::webhook::event::ExternalProfile;

use crate::identity::{
    accounts::derived_username,
    email::EmailAddress,
    username::{FullName, Username},
};

/// Only an address that the issuer has verified: another could be taken from its owner.
pub(super) fn verified_email(profile: &ExternalProfile) -> Option<EmailAddress> {
    let email = profile.email.as_deref().filter(|_| profile.email_verified)?;
    EmailAddress::parse(email).ok()
}

pub(super) fn full_name(profile: &ExternalProfile) -> Option<String> {
    let name = FullName::parse(profile.full_name.as_deref()?).ok()?;
    Some(name.as_str().to_owned())
}

pub(super) fn username(profile: &ExternalProfile, email: Option<&EmailAddress>, attempt: u32) -> String {
    if let (0, Some(Ok(username))) = (attempt, profile.username.as_deref().map(Username::parse)) {
        return username.as_str().to_owned();
    }
    derived_username(email.map_or("user", EmailAddress::local_part), attempt)
}
