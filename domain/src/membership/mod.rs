//! A project's membership: who belongs to it, in which role. One membership a project, under the project's own id, so that one
//! expected sequence guards every right in the project.

mod aggregate;
mod command;
mod event;
pub mod refusal;

pub use aggregate::Membership;
pub use command::MembershipCommand;
pub use event::MembershipEvent;
pub use refusal::MembershipRefusal;
