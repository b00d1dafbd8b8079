//! What is left of the jobs of accounts that were closed, and of projects that were deleted: those that wait or run
//! end. What is kept of them outside the log goes, but for accounts that may be opened again. What a worker stores a
//! moment later, the cleanup finds.

use futures::future::try_join_all;
use uuid::Uuid;
use workroom_domain::ids::{AccountId, JobId};
use workroom_projections::jobs::{self, Owner};

use super::{AT_ONCE, BATCH, repeat_until_none};
use crate::application::{App, Context, Error, accounts::EndOwnJob, jobs::delete_job_data};

/// Jobs whose rows are deleted in one statement. Each has some thousand pieces of output at most.
const PORTION: i64 = 100;

impl App {
    /// Ends the jobs without a project of an account that was erased or is deactivated, or of all of those.
    pub(super) async fn end_own_jobs(&self, context: &Context, of: Option<AccountId>) -> Result<(), Error> {
        let find = || jobs::open_of_closed(self.pool(), of, BATCH);
        repeat_until_none(find, |job_id| async move { self.run(context, &EndOwnJob { job_id }).await }).await
    }

    /// Ends the first of them: a request waits for so many at most.
    pub(super) async fn end_some_own_jobs(&self, context: &Context, account_id: AccountId) -> Result<(), Error> {
        let found = jobs::open_of_closed(self.pool(), Some(account_id), AT_ONCE).await?;
        let ended = found.into_iter().map(|job_id| async move { self.run(context, &EndOwnJob { job_id }).await });
        try_join_all(ended).await.map(drop)
    }

    /// Deletes what is kept outside the log of the jobs of a deleted project, or of an erased account.
    pub(super) async fn delete_job_data(&self, owner: Owner) -> Result<(), Error> {
        let mut after = JobId(Uuid::nil());
        loop {
            let found = jobs::of_owner(self.pool(), owner, after, PORTION).await?;
            let Some(last) = found.last() else { return Ok(()) };
            after = *last;
            let ids: Vec<Uuid> = found.into_iter().map(JobId::uuid).collect();
            let delete = concat!("WITH ", delete_job_data!("job_id = ANY($1)"));
            sqlx::query(delete).bind(ids).execute(self.pool()).await?;
        }
    }

    /// Deletes what commands of an erased account have written beside the log between the erasure's own deletions and its event: what
    /// its schedules work on and count as, and replies to it that were kept.
    pub(super) async fn delete_rows_of_erased(&self, account_id: AccountId) -> Result<(), Error> {
        for delete in [
            "DELETE FROM schedule_inputs WHERE schedule_id IN
                 (SELECT id FROM schedules WHERE created_by = $1 AND project_id IS NULL)",
            "DELETE FROM schedule_slots WHERE owner_id = $1",
            "DELETE FROM idempotency_receipts WHERE principal = $1",
        ] {
            sqlx::query(delete).bind(account_id.uuid()).execute(self.pool()).await?;
        }
        Ok(())
    }
}
