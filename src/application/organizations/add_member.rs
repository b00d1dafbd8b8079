//! Add a member to an organization.

use time::{Duration, OffsetDateTime};
use uuid::Uuid;
use workroom_domain::{
    access::{OrganizationAction, OrganizationRole},
    account::{Account, AccountRefusal},
    ids::{AccountId, OrganizationId},
    organization::OrganizationCommand,
    text::Prose,
};
use workroom_projections::accounts::AccountRow;

use crate::application::codes::NO_SUCH_ACCOUNT;
use crate::{
    application::{Change, Command, Error, TableChange, Unit, people::AccountRef},
    notify::outbox::{self, MailKind, NewMail, Recipient},
};

/// Add a member to an organization.
#[derive(Clone, Debug)]
pub struct AddOrganizationMember {
    /// The organization to add to; the caller must hold the right to manage its members.
    pub organization_id: OrganizationId,
    /// By which address.
    pub account: AccountRef,
    /// Who that is.
    pub account_id: AccountId,
    /// The role of the new member: admin or member.
    pub role: OrganizationRole,
}

/// A member was added.
#[derive(Clone, Debug)]
pub struct AddedOrganizationMember {
    /// The new member's account, as it was found by the address.
    pub account: AccountRow,
    /// Sequence of the organization's last event.
    pub version: i64,
}

impl Command for AddOrganizationMember {
    type Reply = AddedOrganizationMember;

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.organization_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<AddedOrganizationMember, Error> {
        // The right first: who may not manage members must not learn which addresses have accounts.
        let organization =
            unit.authorize_in_organization(self.organization_id, OrganizationAction::ManageMembers).await?;
        let account = self.account.find(unit).await?;
        let account = account.filter(|found| found.id == self.account_id.0).ok_or_else(nobody)?;
        // Nobody is made a member after they were erased: the append is guarded by this.
        if unit.read::<Account>(account.id).await?.state.active() == Err(AccountRefusal::Erased) {
            return Err(nobody());
        }
        let add = OrganizationCommand::AddMember { account_id: self.account_id, role: self.role };
        let organization = unit.decide(&organization, add)?;
        Ok(AddedOrganizationMember { account, version: organization.sequence })
    }
}

fn nobody() -> Error {
    Error::invalid("/email", NO_SUCH_ACCOUNT, "no account has this e-mail address")
}

/// Tells a new member by mail.
#[derive(Clone, Debug)]
pub struct Welcome {
    /// The organization that the mail is about.
    pub organization_id: OrganizationId,
    /// Who belongs to it now.
    pub account_id: AccountId,
    /// What the adding person has to say.
    pub message: Option<Prose>,
    /// When the member is added; the mail is due at once.
    pub now: OffsetDateTime,
}

impl TableChange for Welcome {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let Self { organization_id, account_id, message, now } = self;
        let mail = NewMail {
            to: Recipient::Account((*account_id).into()),
            kind: MailKind::OrganizationJoined,
            about: Some((*organization_id).into()),
            note: message.as_ref().map(|message| message.as_str().to_owned()),
            // Who is added again after leaving is told again.
            reason: format!("organization_joined:{organization_id}:{account_id}:{}", now.unix_timestamp_nanos()),
            due_at: *now,
            expires_at: *now + Duration::days(1),
        };
        // Whoever is erased meanwhile has no account any more.
        Ok(vec![outbox::enqueue(&mail)?.unless(&[("mails_account_id_fkey", nobody)])])
    }
}
