//! Accounts as clients name them: by id or by e-mail address.

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use workroom_domain::account::Account;
use workroom_projections::accounts::{self, AccountRow};

use super::{App, Error, Unit};
use crate::application::codes::EMAIL_UNPROVEN;

/// When an address counts as its account's: only then do rights that are given to the address go to the account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmailProof {
    /// Once the account has shown that it reads mail to the address, or an issuer that is configured has vouched for it.
    #[default]
    Mail,
    /// At once: whoever types an address first is taken for its owner. For trials and tests.
    Trusted,
}

impl EmailProof {
    fn counts(self, account: &AccountRow) -> bool {
        account.email_verified || self == Self::Trusted
    }
}

/// An account as a client names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountRef {
    /// By its id.
    Id(Uuid),
    /// By its e-mail address, normalized.
    Email(String),
}

impl AccountRef {
    /// The account, if there is one; by an address only the one that the address counts as. The append is guarded by that.
    pub async fn find(&self, unit: &mut Unit<'_>) -> Result<Option<AccountRow>, Error> {
        let email = match self {
            Self::Id(id) => return Ok(accounts::find(unit.pool(), *id).await?),
            Self::Email(email) => email,
        };
        let Some(first) = accounts::find_by_email(unit.pool(), email).await? else { return Ok(None) };
        // An address that comes or goes is an event of its account. So what is found behind this holds as long as the
        // account does not move.
        unit.read_committed::<Account>(first.id).await?;
        let found = accounts::find_by_email(unit.pool(), email).await?;
        Ok(found.filter(|found| found.id == first.id && unit.email_proof().counts(found)))
    }
}

/// Insists that who asks has proven their own address, if they have one, before they write to others' in the service's name.
pub(super) async fn require_own_proof(unit: &mut Unit<'_>) -> Result<(), Error> {
    let account_id = unit.context().account()?;
    unit.read_committed::<Account>(account_id).await?;
    match accounts::find(unit.pool(), account_id.into()).await? {
        Some(own) if own.email.is_some() && !unit.email_proof().counts(&own) => {
            Err(Error::refused(EMAIL_UNPROVEN, "prove your own e-mail address before you invite others"))
        }
        _ => Ok(()),
    }
}

impl App {
    /// When an address counts as its account's.
    pub fn email_proof(&self) -> EmailProof {
        self.email_proof
    }

    /// The account that an address counts as, at the moment.
    pub async fn account_of_address(&self, email_normalized: &str) -> Result<Option<AccountRow>, Error> {
        let found = accounts::find_by_email(self.pool(), email_normalized).await?;
        Ok(found.filter(|found| self.email_proof.counts(found)))
    }
}
