//! The state of an organization, and its two functions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ImageUrl, OrganizationCommand, OrganizationEvent, OrganizationFields, OrganizationRefusal, Slug, fields};
use crate::{
    Decide,
    access::OrganizationRole,
    aggregate::cqrs_aggregate,
    ids::AccountId,
    redaction::{PayloadRedacted, Texts, redactable},
    text::Name,
};

/// The state of an organization, computed from its events. A deleted organization is never created again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Organization {
    /// Not created yet.
    #[default]
    Absent,
    /// The organization exists and can be changed.
    Active(OrganizationState),
    /// The organization was deleted, and no other organization can have its id.
    Deleted,
}

/// What is known of a living organization. It always has an admin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrganizationState {
    /// Whether it is an account's own, from registration.
    pub is_personal: bool,
    /// The values that its fields have after the latest event.
    pub fields: OrganizationFields,
    members: BTreeMap<AccountId, OrganizationRole>,
}

impl OrganizationState {
    /// The account's role, if it is a member.
    pub fn role_of(&self, account_id: AccountId) -> Option<OrganizationRole> {
        self.members.get(&account_id).copied()
    }

    /// All members, by account.
    pub fn members(&self) -> impl ExactSizeIterator<Item = (AccountId, OrganizationRole)> {
        self.members.iter().map(|(id, role)| (*id, *role))
    }

    /// Whether an account may belong to its projects. Auditors may not, whether it takes guests or not: they change
    /// nothing there. In a personal organization they have nothing to audit, and are members like others.
    pub fn allows_in_projects(&self, account_id: AccountId) -> bool {
        match self.role_of(account_id) {
            Some(OrganizationRole::Auditor) => self.is_personal,
            Some(OrganizationRole::Member | OrganizationRole::Admin) => true,
            None => self.allows_guests(),
        }
    }

    /// Whether people may belong to its projects who do not belong to it.
    pub fn allows_guests(&self) -> bool {
        self.fields.settings.allow_guests.unwrap_or(true)
    }

    fn is_last_admin(&self, account_id: AccountId) -> bool {
        self.members.iter().all(|(id, role)| (*id == account_id) == (*role == OrganizationRole::Admin))
    }

    fn member(&self, account_id: AccountId) -> Result<OrganizationRole, OrganizationRefusal> {
        self.role_of(account_id).ok_or(OrganizationRefusal::NotAMember)
    }
}

impl Organization {
    /// What is known of a living organization.
    ///
    /// # Errors
    /// [`OrganizationRefusal::Absent`] before it is created and after it is deleted.
    pub fn active(&self) -> Result<&OrganizationState, OrganizationRefusal> {
        match self {
            Self::Active(state) => Ok(state),
            Self::Absent | Self::Deleted => Err(OrganizationRefusal::Absent),
        }
    }

    fn tell_texts(&self, texts: &mut Texts) {
        if let Self::Active(OrganizationState { fields, .. }) = self {
            texts.add("name", fields.name.as_str());
            texts.add("slug", fields.slug.as_str());
            texts.add_some("image_url", fields.image_url.as_ref().map(ImageUrl::as_str));
        }
    }
}

impl OrganizationFields {
    fn redact(&mut self, redacted: &PayloadRedacted) {
        if redacted.has("name") {
            self.name = Name::redacted();
        }
        if redacted.has("slug") {
            self.slug = Slug::redacted(redacted.position);
        }
        if redacted.has("image_url") {
            self.image_url = Some(ImageUrl::redacted());
        }
    }
}

impl Decide for Organization {
    const TYPE: &'static str = "organization";
    const SHAPE: u32 = fields::SHAPE;
    type Command = OrganizationCommand;
    type Event = OrganizationEvent;
    type Refusal = OrganizationRefusal;

    fn decide(&self, command: OrganizationCommand) -> Result<Vec<OrganizationEvent>, OrganizationRefusal> {
        if let OrganizationCommand::Create { is_personal, admin, fields } = command {
            return match self {
                Self::Absent => {
                    Ok(vec![OrganizationEvent::OrganizationCreated { is_personal, admin_id: admin, fields }])
                }
                Self::Active(_) | Self::Deleted => Err(OrganizationRefusal::AlreadyExists),
            };
        }
        let state = self.active()?;
        match command {
            OrganizationCommand::Create { .. } => Err(OrganizationRefusal::AlreadyExists),
            OrganizationCommand::Update(patch) => {
                let changes = state.fields.changes(patch);
                Ok(if changes.is_empty() { vec![] } else { vec![OrganizationEvent::OrganizationUpdated { changes }] })
            }
            OrganizationCommand::AddMember { account_id, role } => match state.role_of(account_id) {
                Some(_) => Err(OrganizationRefusal::AlreadyMember),
                None => Ok(vec![OrganizationEvent::OrganizationMemberAdded { account_id, role }]),
            },
            OrganizationCommand::ChangeRole { account_id, role } => {
                let from = state.member(account_id)?;
                if from == role {
                    return Ok(vec![]);
                }
                if state.is_last_admin(account_id) {
                    return Err(OrganizationRefusal::LastAdmin);
                }
                Ok(vec![OrganizationEvent::OrganizationMemberRoleChanged { account_id, from, to: role }])
            }
            OrganizationCommand::RemoveMember { account_id } => {
                let role = state.member(account_id)?;
                if state.is_last_admin(account_id) {
                    return Err(OrganizationRefusal::LastAdmin);
                }
                Ok(vec![OrganizationEvent::OrganizationMemberRemoved { account_id, role }])
            }
            OrganizationCommand::Delete if state.is_personal => Err(OrganizationRefusal::Personal),
            OrganizationCommand::Delete => Ok(vec![OrganizationEvent::OrganizationDeleted {}]),
        }
    }

    fn evolve(&mut self, event: &OrganizationEvent) {
        match (event, &mut *self) {
            (OrganizationEvent::OrganizationCreated { is_personal, admin_id, fields }, _) => {
                let members = BTreeMap::from([(*admin_id, OrganizationRole::Admin)]);
                *self = Self::Active(OrganizationState { is_personal: *is_personal, fields: fields.clone(), members });
            }
            (OrganizationEvent::OrganizationDeleted {}, _) => *self = Self::Deleted,
            (_, Self::Absent | Self::Deleted) => {}
            (OrganizationEvent::OrganizationUpdated { changes }, Self::Active(state)) => state.fields.apply(changes),
            (OrganizationEvent::PayloadRedacted(redacted), Self::Active(state)) => state.fields.redact(redacted),
            (
                OrganizationEvent::OrganizationMemberAdded { account_id, role }
                | OrganizationEvent::OrganizationMemberRoleChanged { account_id, to: role, .. },
                Self::Active(state),
            ) => {
                state.members.insert(*account_id, *role);
            }
            (OrganizationEvent::OrganizationMemberRemoved { account_id, .. }, Self::Active(state)) => {
                state.members.remove(account_id);
            }
        }
    }

    fn weight(&self) -> usize {
        self.active().map_or(0, |state| {
            let fields = &state.fields;
            let image = fields.image_url.as_ref().map_or(0, |url| url.as_str().len());
            state.members.len() * 32 + fields.name.as_str().len() + fields.slug.as_str().len() + image
        })
    }
}

cqrs_aggregate!(Organization);
redactable!(Organization, OrganizationEvent);
