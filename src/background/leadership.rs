//! Work that one process at a time does for the whole deployment.

use std::{sync::Arc, time::Duration};

use sqlx::{PgConnection, postgres::PgConnectOptions};
use tokio::time::timeout;
use workroom_projections::{
    leader::{Election, Term},
    session,
};

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a process leads, if it is elected: the name, and how to stand for election.
#[derive(Clone)]
pub struct Lead {
    /// The name in the table `leaders`.
    pub name: &'static str,
    /// Where leaders are elected.
    pub election: Election,
    /// How to connect: a leader has a session of its own.
    pub options: PgConnectOptions,
}

/// Leads, or stands for election.
pub(super) struct Leadership {
    lead: Lead,
    held: Option<(PgConnection, Arc<Term>)>,
}

impl Leadership {
    pub(super) fn new(lead: Lead) -> Self {
        Self { lead, held: None }
    }

    /// Says that the leader is not stuck; `false` when this process does not lead, or no longer. To be called several times
    /// a minute.
    pub(super) fn goes_on(&self) -> bool {
        self.held.as_ref().is_some_and(|(_, term)| term.goes_on())
    }

    /// Returns while this process leads; waits until it does if it does not. It leads as long as its session lasts, so that is
    /// asked for.
    pub(super) async fn hold(&mut self) -> anyhow::Result<Arc<Term>> {
        if let Some((mut connection, term)) = self.held.take() {
            let asked = timeout(PATIENCE, sqlx::query("SELECT 1").execute(&mut connection)).await;
            if matches!(asked, Ok(Ok(_))) && term.goes_on() {
                self.held = Some((connection, Arc::clone(&term)));
                return Ok(term);
            }
            tracing::debug!(name = self.lead.name, "this process leads no longer");
        }
        let mut connection = timeout(PATIENCE, session::begin(&self.lead.options)).await??;
        let term = Arc::new(self.lead.election.win(&mut connection, self.lead.name).await?);
        self.held = Some((connection, Arc::clone(&term)));
        Ok(term)
    }
}
