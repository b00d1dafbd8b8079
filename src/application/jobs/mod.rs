//! Commands on jobs: people submit, cancel, retry and delete them; workers report what becomes of their attempts.

mod alert;
mod bulk;
mod cancel;
mod delete;
mod email;
mod input;
mod key;
mod limits;
mod report;
mod retry;
mod submit;
mod workspace;

use std::sync::Arc;

pub use bulk::{RESERVED_KEYS, SubmitControl};
pub use cancel::{CancelJob, ChangedJob, EndJob};
pub(crate) use delete::delete_job_data;
pub use delete::{DeleteJob, DeleteJobData};
pub use email::EmailInput;
pub use input::{CodeInput, InputFile, MAX_BYTES, MAX_FILES, StoreInput, StoredInput};
pub use key::{GrantKey, key_id, key_of};
pub(super) use limits::{KeptRoom, Room};
pub use limits::{OpenJobs, OpenLimits};
pub use report::{Progress, RecordAttempts, Report};
pub use retry::RetryJob;
pub use submit::{Repeat, SubmitJob, SubmittedJob};
pub use workspace::{SubmitWorkspaceJob, WorkspaceProgram};

use workroom_domain::{
    access::{Action, action_to_end},
    ids::JobId,
    job::{Job, JobStatus, Work},
};

use super::{Error, Unit};
use crate::event_store::Versioned;

super::error::from_refusals!(workroom_domain::job::JobRefusal, workroom_domain::job_key::JobKeyRefusal);

/// A job that the caller may cancel or delete.
///
/// # Errors
/// As [`authorize`].
async fn authorize_to_end(unit: &mut Unit<'_>, job_id: JobId) -> Result<Arc<Versioned<Job>>, Error> {
    let job = unit.read::<Job>(job_id).await?;
    let action = action_to_end(&job.state.requested()?.request, unit.context().account()?);
    authorize(unit, job_id, action).await
}

/// A job that the caller may do this with.
///
/// # Errors
/// `Kind::NotFound` where the caller may not know of it, `Kind::Forbidden`.
async fn authorize(unit: &mut Unit<'_>, job_id: JobId, action: Action) -> Result<Arc<Versioned<Job>>, Error> {
    let job = unit.read::<Job>(job_id).await?;
    let state = job.state.requested()?;
    let request = &state.request;
    match request.project_id {
        _ if state.status == JobStatus::Deleted => return Err(Error::not_found("job")),
        // Those who manage the webhook have it sent again.
        _ if matches!(request.work, Work::WebhookDelivery { .. }) => return Err(Error::not_found("job")),
        Some(project_id) => {
            let admitted = unit.authorize(project_id, action).await;
            admitted.map_err(|error| error.or_hidden(|| Error::not_found("job")))?;
        }
        None if request.submitted_by == unit.context().account()? => {}
        None => return Err(Error::not_found("job")),
    }
    Ok(job)
}
