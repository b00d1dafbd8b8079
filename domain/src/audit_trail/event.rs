//! What can have happened to an audit trail.

use serde::{Deserialize, Serialize};

use crate::event::domain_event;

/// What can have happened to an audit trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type")]
pub enum AuditTrailEvent {
    /// A history was exported: of a project, of an organization and all its projects, or the whole log.
    HistoryExported {
        /// The position of the log behind which the export begins; 0 for the beginning.
        after: i64,
        /// The position of the log up to which it goes.
        until: i64,
    },
    /// The whole project was read as it was at one moment.
    StateRead {
        /// That moment, as a place in the project's feed.
        as_of: i64,
    },
}

domain_event!(AuditTrailEvent { HistoryExported => "1", StateRead => "1" });
