//! An account as the log knows it: an opaque id whose registrations, logins and sessions are events. Everything
//! personal (e-mail, name, password hash) lives in tables that can be erased (law 6).

mod aggregate;
mod command;
mod event;
pub mod refusal;

pub use aggregate::Account;
pub use command::AccountCommand;
pub use event::{AccountEvent, Closer, PasswordChange, ProfileField, SessionEnd};
pub use refusal::AccountRefusal;
