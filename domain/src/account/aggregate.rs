//! The state of an account, and its two functions.

use serde::{Deserialize, Serialize};

use super::{AccountCommand, AccountEvent, AccountRefusal, Closer};
use crate::{Decide, aggregate::cqrs_aggregate, ids::OrganizationId};

/// An account. Sessions and tokens are rows with secrets (hence outside the log); the aggregate only needs to know
/// whether there is somebody to have them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    personal_organization_id: Option<OrganizationId>,
    is_closed_by_operator: bool,
    is_closed_by_issuer: bool,
    erased: bool,
}

impl Account {
    /// The account's personal organization, once registered.
    pub fn personal_organization_id(&self) -> Option<OrganizationId> {
        self.personal_organization_id
    }

    /// Whether the account can act, and be made a member of something.
    pub fn active(&self) -> Result<(), AccountRefusal> {
        match self {
            Self { personal_organization_id: None, .. } => Err(AccountRefusal::Absent),
            Self { erased: true, .. } => Err(AccountRefusal::Erased),
            Self { is_closed_by_operator: true, .. } | Self { is_closed_by_issuer: true, .. } => {
                Err(AccountRefusal::Deactivated)
            }
            Self { .. } => Ok(()),
        }
    }
}

impl Account {
    fn is_closed_by(&self, closer: Closer) -> bool {
        match closer {
            Closer::Operator => self.is_closed_by_operator,
            Closer::Issuer => self.is_closed_by_issuer,
        }
    }

    fn can_be_opened_by(&self, closer: Closer) -> bool {
        self.is_closed_by(closer) || (closer == Closer::Operator && self.is_closed_by_issuer)
    }
}

impl Decide for Account {
    const TYPE: &'static str = "account";
    const SHAPE: u32 = 3;
    type Command = AccountCommand;
    type Event = AccountEvent;
    type Refusal = AccountRefusal;

    fn decide(&self, command: AccountCommand) -> Result<Vec<AccountEvent>, AccountRefusal> {
        if let AccountCommand::Register { personal_organization_id } = command {
            return match self.personal_organization_id {
                None => Ok(vec![AccountEvent::AccountRegistered { personal_organization_id }]),
                Some(_) => Err(AccountRefusal::AlreadyRegistered),
            };
        }
        match self.active() {
            Ok(()) => {}
            // Closing the doors, and what others do to them, is possible while the owner is locked out.
            Err(AccountRefusal::Deactivated) if command.needs_nobody() => {}
            Err(refusal) => return Err(refusal),
        }
        Ok(match command {
            AccountCommand::Register { .. } => vec![],
            AccountCommand::StartSession { session_id } => vec![AccountEvent::SessionStarted { session_id }],
            AccountCommand::ChangeProfile { fields } if fields.is_empty() => vec![],
            AccountCommand::ChangeProfile { fields } => vec![AccountEvent::ProfileChanged { fields }],
            AccountCommand::ChangePassword { change } => vec![AccountEvent::PasswordChanged { change }],
            AccountCommand::RequestPasswordReset => vec![AccountEvent::PasswordResetRequested {}],
            AccountCommand::VerifyEmail => vec![AccountEvent::EmailVerified {}],
            AccountCommand::CreateToken { token_id } => vec![AccountEvent::TokenCreated { token_id }],
            AccountCommand::RevokeToken { token_id } => vec![AccountEvent::TokenRevoked { token_id }],
            AccountCommand::Deactivate { by } if self.is_closed_by(by) => vec![],
            AccountCommand::Deactivate { by } => vec![AccountEvent::AccountDeactivated { by }],
            AccountCommand::Reactivate { by } if !self.can_be_opened_by(by) => vec![],
            AccountCommand::Reactivate { by } => vec![AccountEvent::AccountReactivated { by }],
            AccountCommand::Erase { content_redacted } => vec![AccountEvent::AccountErased { content_redacted }],
            AccountCommand::RefreshSession { session_id, generation } => {
                vec![AccountEvent::SessionRefreshed { session_id, generation }]
            }
            AccountCommand::EndSession { session_id, reason } => {
                vec![AccountEvent::SessionEnded { session_id, reason }]
            }
            AccountCommand::FailLogin => vec![AccountEvent::LoginFailed {}],
        })
    }

    fn evolve(&mut self, event: &AccountEvent) {
        match event {
            AccountEvent::AccountRegistered { personal_organization_id } => {
                self.personal_organization_id = Some(*personal_organization_id);
            }
            AccountEvent::AccountDeactivated { by: Closer::Issuer } => self.is_closed_by_issuer = true,
            AccountEvent::AccountDeactivated { by: Closer::Operator } => self.is_closed_by_operator = true,
            AccountEvent::AccountReactivated { by } => {
                self.is_closed_by_issuer = false;
                self.is_closed_by_operator &= *by == Closer::Issuer;
            }
            AccountEvent::AccountErased { .. } => self.erased = true,
            AccountEvent::SessionStarted { .. }
            | AccountEvent::SessionRefreshed { .. }
            | AccountEvent::SessionEnded { .. }
            | AccountEvent::LoginFailed {}
            | AccountEvent::ProfileChanged { .. }
            | AccountEvent::PasswordChanged { .. }
            | AccountEvent::PasswordResetRequested {}
            | AccountEvent::EmailVerified {}
            | AccountEvent::TokenCreated { .. }
            | AccountEvent::TokenRevoked { .. } => {}
        }
    }
}

cqrs_aggregate!(Account);
