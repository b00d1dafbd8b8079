//! How an account stands to a project: one answer, computed from facts.
//!
//! Whoever asks composes [`Facts`] and calls [`Facts::relation`]: commands and live subscriptions from aggregates, the audit
//! from its replay. Queries ask the function `project_relation` in Postgres (`migrations/0046_auditors_projects.sql`)
//! for the same answer; `tests/api/access/relation` compares the two on random worlds.
//!
//! Whether the account can act at all is another question: see [`Account::active`](crate::account::Account::active).

use super::{Decision, OrganizationAction, OrganizationRole, Role, decide_in_organization};
use crate::{ids::AccountId, membership::Membership, organization::Organization, project::Project};

/// Who may know of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Visibility {
    /// Its members, and the admins and auditors of its organization.
    Private,
    /// Every account. One that is no member may read the project, its tasks and its history.
    Public,
}

/// How an account stands to a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    /// An admin of its organization, which is not a personal one: has an owner's rights, member or not.
    Admin,
    /// A member. Guests are members, too: they do not belong to the organization.
    Member(Role),
    /// An auditor of its organization, which is not a personal one, and no member: reads the whole history, and else
    /// what a visitor may, of private projects too.
    Auditor,
    /// No member of a public project.
    Visitor,
    /// To this account the project does not exist: it is private, or deleted, or was never created.
    Stranger,
}

/// A name that is no relation's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown relation {0}")]
pub struct UnknownRelation(String);

impl Relation {
    /// Every relation, for exhaustive tests and for queries.
    pub const ALL: [Self; 7] = [
        Self::Admin,
        Self::Member(Role::Owner),
        Self::Member(Role::Collaborator),
        Self::Member(Role::Viewer),
        Self::Auditor,
        Self::Visitor,
        Self::Stranger,
    ];

    /// Its name in queries; a stranger has none.
    pub fn as_str(self) -> Option<&'static str> {
        match self {
            Self::Admin => Some("admin"),
            Self::Member(role) => Some(role.as_str()),
            Self::Auditor => Some("auditor"),
            Self::Visitor => Some("visitor"),
            Self::Stranger => None,
        }
    }

    /// The role whose rights the account has: an owner's for an admin; none for an auditor, a visitor, a stranger.
    pub fn role(self) -> Option<Role> {
        match self {
            Self::Admin => Some(Role::Owner),
            Self::Member(role) => Some(role),
            Self::Auditor | Self::Visitor | Self::Stranger => None,
        }
    }

    /// Whether the account sees of every event of the project what happened, and not only, as visitors, that something
    /// did.
    pub fn reads_whole_history(self) -> bool {
        match self {
            Self::Admin | Self::Member(_) | Self::Auditor => true,
            Self::Visitor | Self::Stranger => false,
        }
    }
}

/// Whether an account may read the whole history of an organization and of all its projects. In a personal organization
/// nobody may: its admin has no right above the memberships of its projects.
pub fn decide_to_audit(account_id: AccountId, organization: &Organization) -> Decision {
    let Ok(state) = organization.active() else { return Decision::Hidden };
    match decide_in_organization(state.role_of(account_id), false, OrganizationAction::Audit) {
        Decision::Allowed if state.is_personal => Decision::Forbidden,
        decision => decision,
    }
}

impl TryFrom<Option<String>> for Relation {
    type Error = UnknownRelation;

    /// The relation of a name, as [`Relation::as_str`] gives it.
    fn try_from(name: Option<String>) -> Result<Self, UnknownRelation> {
        let known = Self::ALL.into_iter().find(|relation| relation.as_str() == name.as_deref());
        known.ok_or_else(|| UnknownRelation(name.unwrap_or_default()))
    }
}

/// What the relation of an account to a project follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Facts {
    /// The project's; none when it was deleted, or never created.
    pub visibility: Option<Visibility>,
    /// The account's role as a member of the project.
    pub membership: Option<Role>,
    /// The account's role in the project's organization.
    pub organization_role: Option<OrganizationRole>,
    /// Whether that is a personal organization. Its admin, and whomever the admin makes an auditor, has no right above
    /// the membership: whoever creates a project there, makes somebody else its owner and leaves it, has left.
    pub organization_is_personal: bool,
}

impl Facts {
    /// All facts, from the aggregates. `organization` is the project's.
    pub fn of(account_id: AccountId, project: &Project, membership: &Membership, organization: &Organization) -> Self {
        let visibility = project
            .active()
            .ok()
            .map(|(_, fields)| if fields.is_public { Visibility::Public } else { Visibility::Private });
        Self { visibility, ..Self::of_member(membership.role_of(account_id)) }
            .with_organization(account_id, organization)
    }

    /// The facts when nothing but the membership is known: a private project, and no role in its organization. The other facts
    /// only add rights. So what this relation allows is allowed, and whoever asks need not look further.
    pub fn of_member(membership: Option<Role>) -> Self {
        let visibility = Some(Visibility::Private);
        Self { visibility, membership, organization_role: None, organization_is_personal: false }
    }

    /// The facts as they were when the project was deleted; nothing is kept of members who did not own it.
    pub fn at_deletion(account_id: AccountId, membership: &Membership, organization: &Organization) -> Self {
        let owned = membership.was_owner(account_id).then_some(Role::Owner);
        Self::of_member(owned).with_organization(account_id, organization)
    }

    /// The same facts, with the account's role in the project's organization.
    #[must_use]
    pub fn with_organization(self, account_id: AccountId, organization: &Organization) -> Self {
        let state = organization.active().ok();
        let organization_role = state.and_then(|state| state.role_of(account_id));
        Self { organization_role, organization_is_personal: state.is_some_and(|state| state.is_personal), ..self }
    }

    /// The relation that follows.
    pub fn relation(self) -> Relation {
        let Some(visibility) = self.visibility else { return Relation::Stranger };
        if self.organization_role == Some(OrganizationRole::Admin) && !self.organization_is_personal {
            return Relation::Admin;
        }
        let audits = self.organization_role == Some(OrganizationRole::Auditor) && !self.organization_is_personal;
        match (self.membership, visibility) {
            (Some(role), _) => Relation::Member(role),
            (None, _) if audits => Relation::Auditor,
            (None, Visibility::Public) => Relation::Visitor,
            (None, Visibility::Private) => Relation::Stranger,
        }
    }
}
