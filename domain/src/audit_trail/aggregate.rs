//! The state of an audit trail, and its two functions.

use std::convert::Infallible;

use serde::{Deserialize, Serialize};

use super::AuditTrailEvent;
use crate::{Decide, aggregate::cqrs_aggregate};

/// An audit trail. Nothing is decided by what it holds, so only the history tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditTrail {}

/// What may be asked of an audit trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditTrailCommand {
    /// Note that a history is exported.
    RecordExport {
        /// The position of the log behind which the export begins.
        after: i64,
        /// The position of the log up to which it goes.
        until: i64,
    },
    /// Note that a project is read as it was.
    RecordStateRead {
        /// The place in the project's feed that it is read at.
        as_of: i64,
    },
}

impl Decide for AuditTrail {
    const TYPE: &'static str = "audit_trail";
    const SHAPE: u32 = 1;
    type Command = AuditTrailCommand;
    type Event = AuditTrailEvent;
    type Refusal = Infallible;

    fn decide(&self, command: AuditTrailCommand) -> Result<Vec<AuditTrailEvent>, Infallible> {
        Ok(vec![match command {
            AuditTrailCommand::RecordExport { after, until } => AuditTrailEvent::HistoryExported { after, until },
            AuditTrailCommand::RecordStateRead { as_of } => AuditTrailEvent::StateRead { as_of },
        }])
    }

    fn evolve(&mut self, _event: &AuditTrailEvent) {}
}

cqrs_aggregate!(AuditTrail);
