//! Mail: what the service tells people who are not there.
//!
//! ```text
//!   command's transaction ──► [`outbox`] (ids only) ──► [`sender`]: put together now ──► [`transport`]: SMTP, or a folder
//! ```
//!
//! Whoever wants a mail sent adds a row in the transaction of what it is about, under a reason that is its own: so each
//! is sent if that happened, and not twice. Address, text and tokens come to be at the moment of sending.
//!
//! To add a mail: a variant in [`outbox::MailKind`], what it reads in [`content`], a template in text and one in HTML in `templates/`.

mod content;
pub mod jobs;
pub mod outbox;
mod sender;
pub mod tasks;
mod templates;
mod transport;
mod unsubscribe;

pub use outbox::overdue;
pub use sender::Sender;
pub use transport::{MailConfig, Transport, erase_files};
