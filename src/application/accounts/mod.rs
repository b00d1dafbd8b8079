//! Commands on accounts. They only record what [`crate::identity`] has found out and stores beside the log.

mod erase;
mod own_jobs;

pub(super) use erase::first_to_act;
pub(super) use erase::lives;
pub use erase::{EraseAccount, LeaveEverything, Portion};
pub use own_jobs::EndOwnJob;

use workroom_domain::{
    account::{Account, AccountCommand},
    ids::AccountId,
    organization::Organization,
};

use super::{Command, Error, Unit, organizations};

super::error::from_refusals!(workroom_domain::account::AccountRefusal);

/// Record something that happened to an account.
#[derive(Clone, Debug)]
pub struct RecordAccount {
    /// The account that it happened to; the event stands in its feed.
    pub account_id: AccountId,
    /// What happened; `Register` creates the personal organization, too.
    pub command: AccountCommand,
}

impl Command for RecordAccount {
    type Reply = ();

    fn lock_key(&self) -> Option<uuid::Uuid> {
        Some(self.account_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<(), Error> {
        let account = unit.read::<Account>(self.account_id).await?;
        unit.decide(&account, self.command.clone())?;
        if let AccountCommand::Register { personal_organization_id } = self.command {
            let create = organizations::personal(personal_organization_id, self.account_id)?;
            unit.decide::<Organization>(&Unit::new_aggregate(personal_organization_id), create)?;
        }
        Ok(())
    }
}
