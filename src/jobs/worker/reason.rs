//! Logging what goes wrong again and again.

use workroom_projections::describe::describe;

/// What was wrong the last time. It is logged once for each reason, not once for each attempt.
#[derive(Default)]
pub(super) struct LastReason(String);

impl LastReason {
    pub(super) fn warn(&mut self, error: &dyn std::error::Error, message: &'static str) {
        let reason = describe(error);
        if reason != self.0 {
            tracing::warn!(reason, message);
            self.0 = reason;
        }
    }

    /// It went well: the same reason is worth telling again.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
