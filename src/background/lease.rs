//! Work under a lease: a row says whose it is until when, and whoever works renews it in time.

use std::time::Duration;

/// Does `work` while `renew` keeps its lease, each time that `interval` has passed. `None` once `renew` says that the lease is
/// somebody else's: then the work is dropped where it is. A renewal that fails is no reason to stop; it is logged, and tried
/// again after the interval.
///
/// The renewal runs beside the work: nothing that the work waits for keeps the lease from being renewed.
pub async fn while_renewed<T, R, E>(
    interval: Duration,
    renew: impl Fn() -> R + Send,
    work: impl Future<Output = T> + Send,
) -> Option<T>
where
    R: Future<Output = Result<bool, E>> + Send,
    E: std::error::Error + 'static,
{
    let kept = async {
        loop {
            tokio::time::sleep(interval).await;
            match renew().await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "a lease could not be renewed");
                }
            }
        }
    };
    tokio::select! {
        done = work => Some(done),
        () = kept => None,
    }
}
