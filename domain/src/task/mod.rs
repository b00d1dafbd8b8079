//! A task: something to be done in a project, by somebody, by some time.

mod aggregate;
mod command;
mod event;
mod fields;
mod refusal;

pub use aggregate::Task;
pub use command::TaskCommand;
pub use event::TaskEvent;
pub use fields::{TaskChanges, TaskFields, TaskPatch, TaskStatus, TaskType};
pub use refusal::TaskRefusal;
