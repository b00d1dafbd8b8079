//! What a mail says that a job sends: kept outside the log, as all that jobs work on.

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use workroom_domain::{ids::JobId, job::Input};

use super::input::{StoredInput, kept};
use crate::application::Error;

/// What a mail says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmailInput {
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub text: String,
}

impl EmailInput {
    /// The form in which it is kept.
    ///
    /// # Errors
    /// None that a caller could cause.
    pub fn stored(&self) -> Result<StoredInput, Error> {
        StoredInput::of(self)
    }

    /// Reads what the mail of a job says; none when it is gone.
    ///
    /// # Errors
    /// The database's; what does not read.
    pub async fn read(pool: &PgPool, job_id: JobId) -> Result<Option<Self>, Error> {
        let kept = kept(pool, job_id).await?;
        kept.map(|kept| serde_json::from_slice(&kept)).transpose().map_err(Error::failure)
    }

    /// Whether what the log names is still kept.
    ///
    /// # Errors
    /// The database's.
    pub async fn is_kept(pool: &PgPool, job_id: JobId, input: Input) -> Result<bool, sqlx::Error> {
        let kept = kept(pool, job_id).await?;
        Ok(kept.is_some_and(|kept| digest(&SHA256, &kept).as_ref() == input.sha256.0))
    }
}
