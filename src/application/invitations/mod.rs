//! Invitations to projects and organizations, of whoever reads mail to an address.
//!
//! That somebody was invited, and as what, is an event. Whom the invitation went to is a row that can be erased, and so
//! are the secrets that were mailed.

mod accept;
mod invite;
mod lapse;
mod revoke;
mod store;

pub use accept::{AcceptInvitation, MarkAccepted};
pub use invite::{InvitationRowToAdd, Invite};
pub use lapse::LapseInvitation;
pub use revoke::{DeleteInvitation, RevokeInvitation};
pub use store::{InvitationRow, find, find_invited, issue_token, list, of_departed};

use lapse::may_invite;

use uuid::Uuid;
use workroom_domain::{
    access::{Action, OrganizationAction, OrganizationRole, Role},
    ids::{OrganizationId, ProjectId},
    invitation::Place,
};

use super::{Error, Unit};

super::error::from_refusals!(workroom_domain::invitation::InvitationRefusal);

/// What people are invited to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// A project; whoever accepts becomes its member.
    Project(ProjectId),
    /// An organization; whoever accepts becomes its member.
    Organization(OrganizationId),
}

impl Host {
    /// The host of a place.
    pub fn of(place: Place) -> Self {
        match place {
            Place::Project { project_id, .. } => Self::Project(project_id),
            Place::Organization { organization_id, .. } => Self::Organization(organization_id),
        }
    }

    /// The id of the project or the organization.
    pub fn id(self) -> Uuid {
        match self {
            Self::Project(id) => id.into(),
            Self::Organization(id) => id.into(),
        }
    }

    /// Its address, below the API's.
    pub fn path(self) -> String {
        match self {
            Self::Project(id) => format!("/projects/{id}"),
            Self::Organization(id) => format!("/organizations/{id}"),
        }
    }

    /// Whether the caller manages its members; the append is guarded by that.
    async fn authorize(self, unit: &mut Unit<'_>) -> Result<(), Error> {
        match self {
            Self::Project(id) => unit.authorize(id, Action::ManageMembers).await.map(drop),
            Self::Organization(id) => {
                unit.authorize_in_organization(id, OrganizationAction::ManageMembers).await.map(drop)
            }
        }
    }
}

/// The name of the role that a place is about.
pub fn role_name(place: Place) -> &'static str {
    match place {
        Place::Project { role, .. } => Role::as_str(role),
        Place::Organization { role, .. } => OrganizationRole::as_str(role),
    }
}
