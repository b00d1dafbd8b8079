//! `/projects/{project_id}/invitations`, `/organizations/{organization_id}/invitations` and
//! `/invitations/{token}/accept`

pub mod accept;
mod added_or_invited;
pub mod block;
pub mod list;
mod model;
pub mod read;
pub mod revoke;
pub mod send;

pub use added_or_invited::AddedOrInvited;
pub use model::Invitation;

use workroom_domain::access::{Action, OrganizationAction};

use super::{State, extract::Caller};
use crate::application::{Error, invitations::Host};

/// Whether the caller may look at the invitations to a host: who manages its members.
async fn check(state: &State, caller: &Caller, host: Host) -> Result<(), Error> {
    let account_id = caller.identity.account_id;
    match host {
        Host::Project(id) => state.app.project_for(account_id, id, Action::ManageMembers).await.map(drop),
        Host::Organization(id) => {
            let action = OrganizationAction::ManageMembers;
            state.app.organization_for_action(account_id, id, action).await.map(drop)
        }
    }
}
