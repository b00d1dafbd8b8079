//! Who may follow a feed: the aggregates that say so, as they were read last, and what events change of it.
//!
//! An event that may take a right from somebody suspends that account's subscriptions before anybody can see the event or a later
//! one. Then the aggregates are read from the log, and the subscriptions go on or end. So nothing is decided by what is old: who
//! was added again meanwhile stays, and who comes while the rights are in doubt waits for them.

use std::sync::Arc;

use workroom_domain::{
    Decide,
    access::{self, Action, Decision, Facts, OrganizationAction},
    ids::AccountId,
    membership::{Membership, MembershipEvent},
    organization::{Organization, OrganizationEvent},
    project::Project,
};
use workroom_projections::history::PublishedEvent;

use crate::{
    event_store::{EventLog, LoadError, Versioned},
    live::feed::FeedId,
};

/// What an event changes of who may follow a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::live) enum Change {
    /// Somebody may have a right now.
    Given,
    /// An account may have lost its right, or has another role.
    Taken(AccountId),
    /// There is nothing left to follow.
    Closed,
    /// It cannot be read: anybody may have lost a right.
    Unknown,
}

impl Change {
    /// What an event changes, if anything.
    pub(in crate::live) fn of(event: &PublishedEvent) -> Option<Self> {
        let data = event.data.get();
        let change = match event.aggregate_type.as_str() {
            Membership::TYPE => serde_json::from_str(data).map(|event| match event {
                MembershipEvent::MemberAdded { .. } => Some(Self::Given),
                MembershipEvent::MemberRemoved { account_id, .. }
                | MembershipEvent::MemberRoleChanged { account_id, .. } => Some(Self::Taken(account_id)),
                MembershipEvent::MembershipClosed {} => Some(Self::Closed),
            }),
            Organization::TYPE => serde_json::from_str(data).map(|event| match event {
                OrganizationEvent::OrganizationMemberAdded { .. } => Some(Self::Given),
                OrganizationEvent::OrganizationMemberRemoved { account_id, .. }
                | OrganizationEvent::OrganizationMemberRoleChanged { account_id, .. } => Some(Self::Taken(account_id)),
                OrganizationEvent::OrganizationDeleted { .. } => Some(Self::Closed),
                OrganizationEvent::OrganizationCreated { .. }
                | OrganizationEvent::OrganizationUpdated { .. }
                | OrganizationEvent::PayloadRedacted { .. } => None,
            }),
            _ => return None,
        };
        change.unwrap_or_else(|error| {
            // Of a newer version, perhaps.
            tracing::warn!(%error, position = event.position, "an event that changes rights cannot be read");
            Some(Self::Unknown)
        })
    }
}

/// What somebody who may follow a feed may do there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::live) struct Follower {
    /// The account's role, where there are roles.
    pub(in crate::live) role: Option<&'static str>,
    /// Whether it may publish messages.
    pub(in crate::live) may_publish: bool,
}

/// How an account stands to a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::live) enum Access {
    /// It may follow the feed.
    Follower(Follower),
    /// It knows of the feed, and may not follow it.
    Forbidden,
    /// The feed does not exist for it.
    Hidden,
    /// There is nothing left to follow.
    Closed,
}

/// Who may follow a feed.
#[derive(Clone)]
pub(in crate::live) enum Rights {
    /// A project's feed.
    Project {
        project: Arc<Versioned<Project>>,
        membership: Arc<Versioned<Membership>>,
        organization: Arc<Versioned<Organization>>,
    },
    /// An organization's.
    Organization(Arc<Versioned<Organization>>),
    /// An account's own.
    Account(AccountId),
}

impl Rights {
    /// As the log says now.
    ///
    /// # Errors
    /// The log cannot be read.
    pub(in crate::live) async fn load(log: &EventLog, feed: FeedId) -> Result<Self, LoadError> {
        Ok(match feed {
            FeedId::Project(id) => {
                let project = log.reload::<Project>(id.into()).await?;
                let membership = log.reload::<Membership>(id.into()).await?;
                let organization = match project.state.active() {
                    Ok((organization_id, _)) => log.reload::<Organization>(organization_id.into()).await?,
                    Err(_) => Arc::new(Versioned { id: id.uuid(), state: Organization::Absent, sequence: 0 }),
                };
                Self::Project { project, membership, organization }
            }
            FeedId::Organization(id) => Self::Organization(log.reload(id.into()).await?),
            FeedId::Account(id) => Self::Account(id),
        })
    }

    /// The feed whose events change these rights, too.
    pub(in crate::live) fn depend_on(&self) -> Option<FeedId> {
        let Self::Project { project, .. } = self else { return None };
        let (organization_id, _) = project.state.active().ok()?;
        Some(FeedId::Organization(organization_id))
    }

    /// Whether there is nothing left to follow.
    pub(in crate::live) fn are_closed(&self) -> bool {
        match self {
            Self::Project { project, .. } => project.state.active().is_err(),
            Self::Organization(organization) => organization.state.active().is_err(),
            Self::Account(_) => false,
        }
    }

    /// How an account stands to the feed.
    pub(in crate::live) fn of(&self, account_id: AccountId) -> Access {
        match self {
            Self::Project { project, membership, organization } => {
                if self.are_closed() {
                    return Access::Closed;
                }
                let facts = Facts::of(account_id, &project.state, &membership.state, &organization.state);
                let relation = facts.relation();
                match access::decide(relation, Action::JoinLive) {
                    Decision::Allowed => Access::Follower(Follower {
                        role: relation.role().map(access::Role::as_str),
                        may_publish: access::decide(relation, Action::PublishLive) == Decision::Allowed,
                    }),
                    Decision::Forbidden => Access::Forbidden,
                    Decision::Hidden => Access::Hidden,
                }
            }
            Self::Organization(organization) => {
                let Ok(state) = organization.state.active() else { return Access::Closed };
                let role = state.role_of(account_id);
                match access::decide_in_organization(role, false, OrganizationAction::View) {
                    Decision::Allowed => Access::Follower(Follower {
                        role: role.map(access::OrganizationRole::as_str),
                        may_publish: false,
                    }),
                    Decision::Forbidden => Access::Forbidden,
                    Decision::Hidden => Access::Hidden,
                }
            }
            Self::Account(own) if *own == account_id => Access::Follower(Follower::default()),
            Self::Account(_) => Access::Hidden,
        }
    }
}
