//! A project: its fields and its life. Who belongs to it is told by its [membership](crate::membership).

mod aggregate;
mod command;
mod event;
mod fields;
pub mod refusal;

pub use aggregate::Project;
pub use command::{ProjectCommand, ProjectPatch};
pub use event::{ProjectChanges, ProjectEvent};
pub use fields::{EditPolicy, Priority, ProjectFields, ProjectStatus, Schedule};
pub use refusal::ProjectRefusal;
