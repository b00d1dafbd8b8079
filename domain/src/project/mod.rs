//! A project: its fields and its life. Who belongs to it is told by its [membership](crate::membership).

mod aggregate;
mod command;
mod event;
mod fields;
pub mod refusal;

pub use aggregate::Project;
pub use command::ProjectCommand;
pub use event::ProjectEvent;
pub use fields::{
    EditPolicy, Priority, ProjectChanges, ProjectFields, ProjectPatch, ProjectStatus, Schedule, SchedulePatch,
};
pub use refusal::ProjectRefusal;
