//! Invite somebody who has no account.

use time::{Duration, OffsetDateTime};
use workroom_domain::{
    ids::{AccountId, InvitationId},
    invitation::{Invitation, InvitationCommand, Place},
    text::Prose,
    timestamp::Timestamp,
};

use super::{Host, role_name, store};
use crate::application::codes::ALREADY_INVITED;
use crate::{
    application::{
        Change, Command, Error, TableChange, Unit,
        members::{authorize_to_add, require_belonging},
        people::require_own_proof,
    },
    identity::RecipientDigest,
    notify::outbox::{self, MailKind, NewMail, Recipient},
};

/// How long an invitation can be accepted.
const LIFETIME: Duration = Duration::hours(48);

/// Invite somebody who has no account.
#[derive(Clone, Debug)]
pub struct Invite {
    /// The new invitation's id.
    pub invitation_id: InvitationId,
    /// What it invites to, and as what.
    pub place: Place,
    /// The account that has typed the address, and not proven it, if there is one.
    pub account_id: Option<AccountId>,
}

impl Invite {
    /// When an invitation of now can no longer be accepted.
    pub fn expiry(now: OffsetDateTime) -> OffsetDateTime {
        now + LIFETIME
    }
}

impl Command for Invite {
    /// Sequence of its last event.
    type Reply = i64;

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<i64, Error> {
        match self.place {
            Place::Project { project_id, role } => {
                authorize_to_add(unit, project_id, role).await?;
                require_belonging(unit, project_id, self.account_id).await?;
            }
            Place::Organization { .. } => Host::of(self.place).authorize(unit).await?,
        }
        require_own_proof(unit).await?;
        let expires_at = Timestamp::new(Self::expiry(unit.context().now)).map_err(Error::failure)?;
        let invited_by = unit.context().account()?;
        let send = InvitationCommand::Send { place: self.place, expires_at, invited_by };
        Ok(unit.decide::<Invitation>(&Unit::new_aggregate(self.invitation_id), send)?.sequence)
    }
}

/// The row that says whom an invitation goes to, and its mail.
#[derive(Clone, Debug)]
pub struct InvitationRowToAdd {
    /// The new invitation's id, the same as in the log.
    pub id: InvitationId,
    /// What it invites to, and as what.
    pub place: Place,
    /// The address, as it was given.
    pub email: String,
    /// The address, normalized.
    pub email_normalized: String,
    /// The address, as one that may want no invitations.
    pub recipient: RecipientDigest,
    /// What the inviting person has to say.
    pub message: Option<Prose>,
    /// The account that sends the invitation.
    pub invited_by: AccountId,
    /// When the invitation is made; it can be accepted for 48 hours, and its mail is due at once.
    pub now: OffsetDateTime,
}

impl TableChange for InvitationRowToAdd {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let expires_at = Invite::expiry(self.now);
        let invited = store::NewInvitation {
            id: self.id.into(),
            host: Host::of(self.place),
            role: role_name(self.place),
            email: &self.email,
            email_normalized: &self.email_normalized,
            message: self.message.as_ref().map(Prose::as_str),
            invited_by: self.invited_by.into(),
            created_at: self.now,
            expires_at,
        };
        let taken = || ALREADY_INVITED.into();
        let [expire, insert] = store::insert(&invited)?;
        let mail = NewMail {
            to: Recipient::Invitation(self.id.into()),
            kind: MailKind::Invitation,
            about: None,
            note: None,
            reason: format!("invitation:{}", self.id),
            due_at: self.now,
            expires_at,
        };
        Ok(vec![self.recipient.require_welcome()?, expire, insert.or(taken), outbox::enqueue(&mail)?])
    }
}
