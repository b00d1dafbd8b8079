//! Which feed.

use serde::{Serialize, Serializer};
use uuid::Uuid;
use workroom_domain::ids::{AccountId, OrganizationId, ProjectId};

/// A feed that can be followed. In a frame it is the field that the client named it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub(in crate::live) enum FeedId {
    /// A project's.
    #[serde(rename = "project_id")]
    Project(ProjectId),
    /// An organization's.
    #[serde(rename = "organization_id")]
    Organization(OrganizationId),
    /// That of the client's own account.
    #[serde(rename = "account", serialize_with = "own")]
    Account(AccountId),
}

fn own<S: Serializer>(_: &AccountId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bool(true)
}

impl FeedId {
    /// The feed's id in the log.
    pub(in crate::live) fn uuid(self) -> Uuid {
        match self {
            Self::Project(id) => id.uuid(),
            Self::Organization(id) => id.uuid(),
            Self::Account(id) => id.uuid(),
        }
    }
}
