//! Who was handed the history of a project or an organization, or the whole log: auditors are audited.
//!
//! There is one trail for each project and each organization, under the same id, and its events are in that feed. The trail of the
//! whole log has the id of the log, and a feed of its own.

mod aggregate;
mod event;

pub use aggregate::{AuditTrail, AuditTrailCommand};
pub use event::AuditTrailEvent;
