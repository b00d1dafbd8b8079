//! Which run of which server the views belong to.
//!
//! Views commit without waiting for the disk: after a crash they go back together with their checkpoint, and the runner makes
//! up for it. So how far they are is known within one *incarnation* only. Whoever tells a position tells its incarnation with
//! it, and a new one makes all that was known void (see [`Progress`](crate::progress::Progress)).

use std::{fmt, sync::Arc};

use sqlx::PgExecutor;

/// A run of a server, from its start or its recovery after a crash to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incarnation(Arc<str>);

impl Incarnation {
    /// Asks the server. Within one session the answer is always the same.
    pub async fn of(executor: impl PgExecutor<'_>) -> Result<Self, sqlx::Error> {
        let name: String = sqlx::query_scalar("SELECT view_incarnation()").fetch_one(executor).await?;
        Ok(name.as_str().into())
    }
}

impl From<&str> for Incarnation {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
