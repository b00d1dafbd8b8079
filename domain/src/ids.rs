//! One type per id, so that a project's id can never stand where an account's is meant.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id_types {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// The id without its type: for SQL, and where things of several kinds stand side by side.
            pub fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    )+};
}

id_types! {
    /// A person's account; also the id of its feed.
    AccountId,
    /// The tenant boundary; everyone has a personal one.
    OrganizationId,
    /// A project; also the id of its membership and of its feed.
    ProjectId,
    /// A piece of background work.
    JobId,
    /// A job that is submitted again and again.
    ScheduleId,
    /// One sign-in of an account on one device.
    SessionId,
    /// A personal access token; not its secret.
    TokenId,
    /// Something to be done in a project.
    TaskId,
    /// A remark on a task.
    CommentId,
    /// A room inside a project.
    WorkspaceId,
    /// A file of a workspace.
    FileId,
    /// An invitation; not its token.
    InvitationId,
    /// A place that a project's events are sent to.
    WebhookId,
}
