//! What the service needs, and whether it has it.

use std::{sync::Arc, time::Duration};

use futures::FutureExt;
use sqlx::PgPool;
use tokio::sync::watch;
use workroom_projections::{log, progress::Progress};

use crate::{http::Readiness, messaging::Messaging, relay::RelayStatus};

const PATIENCE: Duration = Duration::from_secs(2);

type Check = (&'static str, Result<String, String>);

/// Asks each need in turn.
pub fn probe(
    pool: PgPool,
    messaging: Messaging,
    progress: Progress,
    relay: Option<watch::Receiver<RelayStatus>>,
    sandbox: Option<Result<String, String>>,
) -> Readiness {
    Arc::new(move || {
        let (pool, messaging, progress, relay) = (pool.clone(), messaging.clone(), progress.clone(), relay.clone());
        let sandbox = sandbox.clone();
        async move {
            let mut checks = vec![
                ("postgres", postgres(&pool).await),
                ("nats", nats(&messaging)),
                ("projections", projections(&pool, &progress).await),
            ];
            if let Some(status) = relay {
                checks.push(relay_check(&status.borrow()));
            }
            if let Some(sandbox) = sandbox {
                // Everything but running code works without one, so its absence is told but takes nobody out of service.
                checks.push(("sandbox", Ok(sandbox.unwrap_or_else(|reason| format!("code is refused: {reason}")))));
            }
            checks
        }
        .boxed()
    })
}

async fn postgres(pool: &PgPool) -> Result<String, String> {
    match tokio::time::timeout(PATIENCE, log::head(pool)).await {
        Ok(Ok(head)) => Ok(format!("log at position {head}")),
        Ok(Err(error)) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "Postgres is not ready");
            Err("Postgres cannot be reached".to_owned())
        }
        Err(_) => Err("Postgres does not answer".to_owned()),
    }
}

fn nats(messaging: &Messaging) -> Result<String, String> {
    if messaging.is_connected() { Ok("connected".to_owned()) } else { Err("NATS cannot be reached".to_owned()) }
}

async fn projections(pool: &PgPool, progress: &Progress) -> Result<String, String> {
    let halted = tokio::time::timeout(
        PATIENCE,
        sqlx::query_scalar::<_, String>(
            "SELECT projection_group FROM projection_checkpoints WHERE halted_at IS NOT NULL",
        )
        .fetch_all(pool),
    );
    let mut halts: Vec<String> = progress.halts().into_iter().map(|(group, _)| group.to_owned()).collect();
    if let Ok(Ok(stored)) = halted.await {
        halts.extend(stored);
    }
    halts.sort_unstable();
    halts.dedup();
    if !halts.is_empty() {
        return Err(format!("halted: {}", halts.join(", ")));
    }
    let positions = progress.positions().into_iter().map(|(group, position)| format!("{group} at {position}"));
    Ok(positions.collect::<Vec<_>>().join(", "))
}

fn relay_check(status: &RelayStatus) -> Check {
    let outcome = match &status.last_error {
        Some(error) if status.halted => Err(format!("halted: {error}")),
        _ if status.leading => Ok(format!("leading, at position {}", status.position)),
        _ => Ok("standing by".to_owned()),
    };
    ("relay", outcome)
}
