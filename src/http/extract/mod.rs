//! Extractors: what a handler needs of a request, checked, with the service's own errors. Each says of itself what the OpenAPI
//! document has to say of it.

mod body;
mod caller;
mod idempotency_key;
mod json;
mod paths;
mod preconditions;
mod query;

use serde::{Deserialize, Deserializer};

pub use body::{Body, Json, OptionalBody, PlainText, RequestBody};
pub use caller::{AccountOwner, Caller, Correlation, MaybeCaller, UserAgent};
pub use idempotency_key::ClientKey;
pub use paths::{
    AccountEventPath, CommentPath, DeliveryPath, FilePath, InvitationPath, InvitationTokenPath, JobPath, MemberPath,
    OrganizationEventPath, OrganizationInvitationPath, OrganizationMemberPath, OrganizationPath, ProjectEventPath,
    ProjectPath, SchedulePath, SessionPath, TaskPath, TokenPath, WebhookPath, WorkspacePath,
};
pub use preconditions::{IfMatch, IfNoneMatch};
pub use query::Query;

/// A field that is there, its null included: outside, whether it is there; inside, whether it is null.
pub fn double_option<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
