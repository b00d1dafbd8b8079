//! Who was handed the history of a project or an organization: auditors are audited.
//!
//! There is one trail for each project and each organization, under the same id, and its events are in that feed.

mod aggregate;
mod event;

pub use aggregate::{AuditTrail, AuditTrailCommand};
pub use event::AuditTrailEvent;
