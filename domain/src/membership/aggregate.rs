//! The state of a project's membership, and its two functions.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{MembershipCommand, MembershipEvent, MembershipRefusal};
use crate::{Decide, access::Role, aggregate::cqrs_aggregate, ids::AccountId};

/// A project's members. While it is open there is an owner among them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    members: BTreeMap<AccountId, Role>,
    closed: bool,
    /// Who owned the project when it was deleted.
    former_owners: BTreeSet<AccountId>,
}

impl Membership {
    /// The account's role, if it is a member.
    pub fn role_of(&self, account_id: AccountId) -> Option<Role> {
        self.members.get(&account_id).copied()
    }

    /// Whether the account owned the project when it was deleted.
    pub fn was_owner(&self, account_id: AccountId) -> bool {
        self.former_owners.contains(&account_id)
    }

    /// All members, by account.
    pub fn members(&self) -> impl ExactSizeIterator<Item = (AccountId, Role)> {
        self.members.iter().map(|(id, role)| (*id, *role))
    }

    /// Whether it has begun and not ended.
    pub fn is_open(&self) -> bool {
        !self.closed && !self.members.is_empty()
    }

    fn is_last_owner(&self, account_id: AccountId) -> bool {
        self.members.iter().all(|(id, role)| (*id == account_id) == (*role == Role::Owner))
    }

    fn member(&self, account_id: AccountId) -> Result<Role, MembershipRefusal> {
        self.role_of(account_id).ok_or(MembershipRefusal::NotAMember)
    }
}

impl Decide for Membership {
    const TYPE: &'static str = "membership";
    const SHAPE: u32 = 2;
    type Command = MembershipCommand;
    type Event = MembershipEvent;
    type Refusal = MembershipRefusal;

    fn decide(&self, command: MembershipCommand) -> Result<Vec<MembershipEvent>, MembershipRefusal> {
        if let MembershipCommand::Create { owner } = command {
            if self.closed || !self.members.is_empty() {
                return Err(MembershipRefusal::AlreadyCreated);
            }
            return Ok(vec![MembershipEvent::MemberAdded { account_id: owner, role: Role::Owner }]);
        }
        if !self.is_open() {
            return Err(MembershipRefusal::Closed);
        }
        match command {
            MembershipCommand::Create { .. } => Err(MembershipRefusal::AlreadyCreated),
            MembershipCommand::Add { account_id, role } => {
                if self.role_of(account_id).is_some() {
                    return Err(MembershipRefusal::AlreadyMember);
                }
                Ok(vec![MembershipEvent::MemberAdded { account_id, role }])
            }
            MembershipCommand::ChangeRole { account_id, role } => {
                let from = self.member(account_id)?;
                if from == role {
                    return Ok(vec![]);
                }
                if self.is_last_owner(account_id) {
                    return Err(MembershipRefusal::LastOwner);
                }
                Ok(vec![MembershipEvent::MemberRoleChanged { account_id, from, to: role }])
            }
            MembershipCommand::Remove { account_id } => {
                let role = self.member(account_id)?;
                if self.is_last_owner(account_id) {
                    return Err(MembershipRefusal::LastOwner);
                }
                Ok(vec![MembershipEvent::MemberRemoved { account_id, role }])
            }
            MembershipCommand::Close => Ok(vec![MembershipEvent::MembershipClosed {}]),
        }
    }

    fn evolve(&mut self, event: &MembershipEvent) {
        match event {
            MembershipEvent::MemberAdded { account_id, role }
            | MembershipEvent::MemberRoleChanged { account_id, to: role, .. } => {
                self.members.insert(*account_id, *role);
            }
            MembershipEvent::MemberRemoved { account_id, .. } => {
                self.members.remove(account_id);
            }
            MembershipEvent::MembershipClosed {} => {
                let members = std::mem::take(&mut self.members).into_iter();
                self.former_owners = members.filter(|(_, role)| *role == Role::Owner).map(|(id, _)| id).collect();
                self.closed = true;
            }
        }
    }

    fn weight(&self) -> usize {
        (self.members.len() + self.former_owners.len()) * 32
    }
}

cqrs_aggregate!(Membership);
