//! Commands on a project's members.

mod add;
mod change_role;
pub mod departures;
mod remove;

pub use add::{AddMember, AddedMember};
pub use change_role::ChangeMemberRole;
pub use remove::RemoveMember;
