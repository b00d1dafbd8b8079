//! Which history the log tells, followed while the process runs.
//!
//! The epoch changes when the relay finds that Postgres was restored to an earlier state. Every process has to hear of
//! it: doorbell subjects carry the epoch, and clients' cursors are void. It is asked for, not announced: it changes
//! once in years, and an announcement could be missed.

use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::watch;
use uuid::Uuid;
use workroom_projections::log;

const INTERVAL: Duration = Duration::from_secs(2);

/// Follows the log's epoch. The returned task runs until it is aborted; without it the epoch stays as it was.
///
/// # Errors
/// The database cannot be asked for the epoch now. Later failures keep the last one known.
pub async fn follow(pool: PgPool) -> Result<(watch::Receiver<Uuid>, impl Future<Output = ()> + Send), sqlx::Error> {
    let (sender, receiver) = watch::channel(log::epoch(&pool).await?);
    let task = async move {
        loop {
            tokio::time::sleep(INTERVAL).await;
            match log::epoch(&pool).await {
                Ok(epoch) => {
                    let changed = sender.send_if_modified(|known| std::mem::replace(known, epoch) != epoch);
                    if changed {
                        tracing::warn!(%epoch, "the log has begun another epoch");
                    }
                }
                Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "the epoch is not known"),
            }
        }
    };
    Ok((receiver, task))
}
