//! Commands that change tables outside the log (personal data, credentials) together with it: one transaction, so that
//! neither is ever there without the other.

use std::future::Future;

use sqlx::{Connection, PgConnection};

use super::{App, Error};
use crate::event_store::{AppendError, AppendRequest, Appended, EventLog};

/// A change of tables outside the log that commits with a command's events.
pub trait TableChange: Sync {
    /// Makes the change. May be called several times, each in a transaction of its own.
    fn apply(&self, connection: &mut PgConnection) -> impl Future<Output = Result<(), Error>> + Send;
}

/// How a command's events reach the log.
pub(super) trait Append: Sync {
    fn append(
        &self,
        app: &App,
        request: AppendRequest,
    ) -> impl Future<Output = Result<Result<Appended, AppendError>, Error>> + Send;
}

/// With everything else that waits, through the writer: nothing outside the log changes.
pub(super) struct ByTheBatch;

impl Append for ByTheBatch {
    async fn append(&self, app: &App, request: AppendRequest) -> Result<Result<Appended, AppendError>, Error> {
        Ok(app.log.append(request).await)
    }
}

impl<T: TableChange> Append for T {
    async fn append(&self, app: &App, request: AppendRequest) -> Result<Result<Appended, AppendError>, Error> {
        let mut connection = app.pool.acquire().await?;
        let mut transaction = connection.begin().await?;
        // The tables first: the log's lock, taken by the append, is held for as short as can be.
        self.apply(&mut transaction).await?;
        let appended = match EventLog::append_within(&mut transaction, &request).await {
            Ok(appended) => appended,
            Err(error) => {
                transaction.rollback().await?;
                return Ok(Err(error));
            }
        };
        if let Err(error) = transaction.commit().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "a commit was not confirmed");
            return Ok(Err(AppendError::OutcomeUnknown));
        }
        app.log.announce(appended.position);
        Ok(Ok(appended))
    }
}
