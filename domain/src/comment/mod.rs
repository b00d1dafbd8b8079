//! A comment on a task.

mod aggregate;
mod command;
mod event;
mod refusal;

pub use aggregate::{Comment, CommentState};
pub use command::CommentCommand;
pub use event::CommentEvent;
pub use refusal::CommentRefusal;
