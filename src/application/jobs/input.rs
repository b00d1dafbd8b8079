//! What a job works on: kept outside the log, named by its digest.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use uuid::Uuid;
use workroom_domain::{file::Sha256, ids::JobId, job::Input};

use crate::application::{Bytea, Change, Error, TableChange};

/// Most files of a program.
pub const MAX_FILES: usize = 1000;
/// Most bytes of a program's files together.
pub const MAX_BYTES: usize = 1024 * 1024;

/// A program, and all that it is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeInput {
    /// Its files.
    pub files: Vec<InputFile>,
    /// The path of the file that is run.
    pub entry: String,
    /// What it reads on its standard input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<String>,
    /// Its arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Its environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
}

/// A file of a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputFile {
    /// Where it lies, relative to the working folder.
    pub path: String,
    /// What is in it.
    pub content: String,
}

/// An input in the form in which it is kept.
#[derive(Clone, Debug)]
pub struct StoredInput {
    json: String,
    input: Input,
}

impl CodeInput {
    /// The form in which it is kept.
    ///
    /// # Errors
    /// None that a caller could cause.
    pub fn stored(&self) -> Result<StoredInput, Error> {
        StoredInput::of(self)
    }

    /// Reads a job's input; none when it is gone, or is not the one that the log names.
    ///
    /// # Errors
    /// The database's; an input that does not read.
    pub async fn read(pool: &PgPool, job_id: JobId, input: Input) -> Result<Option<Self>, Error> {
        let kept = kept(pool, job_id).await?.filter(|kept| digest(&SHA256, kept).as_ref() == input.sha256.0);
        kept.map(|kept| serde_json::from_slice(&kept)).transpose().map_err(Error::failure)
    }
}

/// What a job works on, as it is kept.
pub(super) async fn kept(pool: &PgPool, job_id: JobId) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar("SELECT content FROM job_inputs WHERE job_id = $1")
        .bind(job_id.uuid())
        .fetch_optional(pool)
        .await
}

impl StoredInput {
    /// The form in which something is kept.
    pub(super) fn of(input: &impl Serialize) -> Result<Self, Error> {
        let json = serde_json::to_string(input).map_err(Error::failure)?;
        let sha256 = Sha256(digest(&SHA256, json.as_bytes()).as_ref().try_into().map_err(Error::failure)?);
        let size = u32::try_from(json.len()).map_err(Error::failure)?;
        Ok(Self { json, input: Input { size, sha256 } })
    }

    /// What the log names it by.
    pub fn input(&self) -> Input {
        self.input
    }

    /// What is kept, as text.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// Keeps it for a job.
    pub(super) fn keep(&self, job_id: JobId) -> Result<Change, Error> {
        let row = InputRow { job_id: job_id.into(), sha256: Bytea(&self.input.sha256.0), content: &self.json };
        Change::new(
            "INSERT INTO job_inputs (job_id, sha256, content)
             SELECT job_id, sha256, convert_to(content, 'UTF8')
             FROM jsonb_to_record($1) AS a (job_id uuid, sha256 bytea, content text)",
            &row,
        )
    }
}

/// Keeps a job's input, with the event that names it.
#[derive(Clone, Debug)]
pub struct StoreInput {
    /// The job that it belongs to.
    pub job_id: JobId,
    /// What is kept; without any, there is nothing to keep.
    pub input: Option<StoredInput>,
}

#[derive(Serialize)]
struct InputRow<'a> {
    job_id: Uuid,
    sha256: Bytea<'a>,
    content: &'a str,
}

impl TableChange for StoreInput {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        self.input.iter().map(|input| input.keep(self.job_id)).collect()
    }

    fn is_empty(&self) -> bool {
        self.input.is_none()
    }
}
