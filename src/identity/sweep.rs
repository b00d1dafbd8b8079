//! What has had its time is deleted: it serves nobody, and some of it is personal.

use sqlx::PgPool;

use super::{Identity, revocations};
use crate::application::{Context, Error, accounts::LeaveEverything};
use uuid::Uuid;
use workroom_domain::{actor::Actor, ids::AccountId};

/// An ended session is listed nowhere; its row only tells an old refresh token from one that never was.
const STATEMENTS: [&str; 4] = [
    "DELETE FROM sessions WHERE expires_at < now() - interval '1 day' OR ended_at < now() - interval '30 days'",
    "DELETE FROM personal_tokens WHERE expires_at < now() - interval '30 days'",
    "DELETE FROM mail_tokens WHERE expires_at < now()",
    "DELETE FROM webhook_messages WHERE received_at < now() - interval '1 day'",
];

impl Identity {
    /// Deletes what has had its time, and takes erased accounts off rosters that somebody put them on at the last moment.
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
        for account_id in left_behind(pool).await? {
            let context = Context::new(Actor::Account(account_id), Uuid::now_v7());
            self.inner.app.run(&context, &LeaveEverything { account_id }).await?;
        }
        Ok(())
    }
}

async fn left_behind(pool: &PgPool) -> Result<Vec<AccountId>, sqlx::Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "SELECT DISTINCT m.account_id FROM members m
         WHERE NOT EXISTS (SELECT FROM accounts a WHERE a.id = m.account_id) LIMIT 100",
    )
    .fetch_all(pool)
    .await?;
    Ok(ids.into_iter().map(AccountId).collect())
}
