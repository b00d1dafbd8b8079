//! What is in a file of a workspace. Where it lies, the workspace knows.

mod aggregate;
mod event;

pub use aggregate::{File, FileCommand, FileRefusal};
pub use event::{Content, FileEvent, Sha256};
