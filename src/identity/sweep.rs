//! What has had its time is deleted: it serves nobody, and some of it is personal.

use super::{Identity, revocations};
use crate::application::Error;

/// An ended session is listed nowhere; its row only tells an old refresh token from one that never was.
const STATEMENTS: [&str; 4] = [
    "DELETE FROM sessions WHERE expires_at < now() - interval '1 day' OR ended_at < now() - interval '30 days'",
    "DELETE FROM personal_tokens WHERE expires_at < now() - interval '30 days'",
    "DELETE FROM mail_tokens WHERE expires_at < now()",
    "DELETE FROM webhook_messages WHERE received_at < now() - interval '1 day'",
];

impl Identity {
    /// Deletes what has had its time.
    ///
    /// # Errors
    /// The database's.
    pub async fn sweep(&self) -> Result<(), Error> {
        let pool = self.inner.app.pool();
        for statement in STATEMENTS {
            sqlx::query(statement).execute(pool).await?;
        }
        revocations::sweep(pool).await?;
        self.inner.throttle.sweep().await?;
        Ok(())
    }
}
