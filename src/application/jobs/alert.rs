//! Telling whoever submitted a job that it has failed for good.
//!
//! The history has it as `JobDeadLettered`, which live subscribers and webhooks get. Beside that the submitter gets a mail, at
//! most one an hour for each project: what fails in between is counted in the next. The mail is a row of the outbox; what it
//! says is read when it is sent, and nobody is told of jobs that are done again by then.

use workroom_domain::ids::JobId;

use crate::{
    application::{App, EmailProof, Error},
    notify::outbox,
};

/// An address that nobody has proven may be a stranger's, who is not to be told of somebody's jobs. The job's last event
/// says when it has failed, by the database's clock: `completed_at` is by the worker's, which may be wrong.
const TELL: &str = "
    SELECT tell_of_failed_job(j.submitted_by, j.project_id, e.recorded_at)
    FROM jobs j JOIN accounts a ON a.id = j.submitted_by
    JOIN events e ON e.aggregate_type = 'job' AND e.aggregate_id = j.id::text AND e.sequence = j.version
    WHERE j.id = $1 AND j.status = 'failed' AND j.job_type <> 'webhook_delivery'
      AND a.email IS NOT NULL AND (a.email_verified_at IS NOT NULL OR $2)";

impl App {
    /// Has the submitter of a job that was given up told of it. It may be asked for twice: a mail tells of all that has failed
    /// up to its time.
    ///
    /// # Errors
    /// The database's.
    pub(in crate::application) async fn alert(&self, job_id: JobId) -> Result<(), Error> {
        let added: Option<bool> = sqlx::query_scalar(TELL)
            .bind(job_id.uuid())
            .bind(self.email_proof() == EmailProof::Trusted)
            .fetch_optional(self.pool())
            .await?;
        if added == Some(true) {
            outbox::wake();
        }
        Ok(())
    }
}
