//! An invitation: somebody without an account, or without a place here, is asked to join a project or an organization.
//! Whom it went to is no part of the history: that is a row which can be erased.

mod aggregate;
mod command;
mod event;
pub mod refusal;

pub use aggregate::Invitation;
pub use command::InvitationCommand;
pub use event::{InvitationEvent, Place};
pub use refusal::InvitationRefusal;
