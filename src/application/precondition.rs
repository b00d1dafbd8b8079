//! Preconditions: the versions of a resource that a caller means a change for (RFC 9110, `If-Match`).

use super::Error;
use crate::application::codes::STALE;

/// The versions that a change is meant for; `None`: whichever it finds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IfVersion(pub Option<Vec<i64>>);

impl IfVersion {
    /// Checks the version that the change would be made to.
    ///
    /// # Errors
    /// `Kind::Stale` for another one.
    pub fn check(&self, version: i64) -> Result<(), Error> {
        match &self.0 {
            Some(versions) if !versions.contains(&version) => Err(STALE.into()),
            _ => Ok(()),
        }
    }
}
