//! The state of an account, and its two functions.

use serde::{Deserialize, Serialize};

use super::{AccountCommand, AccountEvent, AccountRefusal};
use crate::{Decide, aggregate::cqrs_aggregate, ids::OrganizationId};

/// An account. Sessions are rows with secrets (hence outside the log); the aggregate only needs to know that it exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    personal_organization_id: Option<OrganizationId>,
}

impl Account {
    /// The account's personal organization, once registered.
    pub fn personal_organization_id(&self) -> Option<OrganizationId> {
        self.personal_organization_id
    }
}

impl Decide for Account {
    const TYPE: &'static str = "account";
    const SHAPE: u32 = 1;
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
        if self.personal_organization_id.is_none() {
            return Err(AccountRefusal::Absent);
        }
        Ok(match command {
            AccountCommand::Register { .. } => vec![],
            AccountCommand::StartSession { session_id } => vec![AccountEvent::SessionStarted { session_id }],
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
        if let AccountEvent::AccountRegistered { personal_organization_id } = event {
            self.personal_organization_id = Some(*personal_organization_id);
        }
    }
}

cqrs_aggregate!(Account);
