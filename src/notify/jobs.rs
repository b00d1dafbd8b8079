//! Mails about jobs: those that jobs send, and those that tell of jobs that have failed for good.

use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::{
    access::{self, Action},
    ids::{AccountId, JobId},
};

use super::outbox::{self, MailKind};
use crate::application::EmailProof;

/// Most mails that the jobs of an account send it in an hour.
const AN_HOUR: i64 = 20;

/// Whether the mail of a job was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It was, or had been.
    Yes,
    /// There have been too many within the hour.
    TooMany,
    /// There is nobody to send it to: the account has no address that is proven, or is gone.
    Nobody,
}

/// A function, for it counts behind a lock: each of its statements sees what was committed before.
const ADD: &str = "SELECT has_address, are_many FROM add_job_email($1, $2, $3, $4, $5)";

/// Adds the mail that a job sends to who has submitted it, unless it is there: the job is the reason, so there is one, however
/// often it is asked for. Nobody writes to an address that may be a stranger's.
///
/// # Errors
/// The database's.
pub async fn add(pool: &PgPool, job_id: JobId, account_id: AccountId, proof: EmailProof) -> Result<Added, sqlx::Error> {
    let (has_address, are_many): (bool, bool) = sqlx::query_as(ADD)
        .bind(account_id.uuid())
        .bind(proof == EmailProof::Trusted)
        .bind(MailKind::JobEmail.as_str())
        .bind(job_id.uuid())
        .bind(AN_HOUR)
        .fetch_one(pool)
        .await?;
    if !has_address {
        return Ok(Added::Nobody);
    }
    if are_many {
        return Ok(Added::TooMany);
    }
    outbox::wake();
    Ok(Added::Yes)
}

/// What jobs that have failed say to who has submitted them.
#[derive(Debug)]
pub(super) struct FailedJobs {
    /// How many have failed since the last mail.
    pub(super) number: i64,
    /// The last of them.
    pub(super) latest: Uuid,
    /// The project that they belong to; without one they are the account's own.
    pub(super) project: Option<String>,
}

/// Behind the time of the mail before, up to that of this one. The log says when a job has failed, by the database's
/// clock: the worker's, in `completed_at`, may be wrong. One that is slow by more than a day is not allowed for.
const FAILED: &str = "
    WITH before AS MATERIALIZED (
        SELECT COALESCE(max(due_at), $4::timestamptz - interval '1 hour') AS due_at FROM mails
        WHERE account_id = $1 AND kind = $3 AND about IS NOT DISTINCT FROM $2 AND due_at < $4
    ), failed AS (
        SELECT j.id, e.recorded_at FROM before b
        JOIN jobs j ON j.completed_at > b.due_at - interval '1 day'
        CROSS JOIN LATERAL (
            SELECT recorded_at FROM events
            WHERE aggregate_type = 'job' AND aggregate_id = j.id::text AND sequence = j.version LIMIT 1) e
        WHERE j.submitted_by = $1 AND j.project_id IS NOT DISTINCT FROM $2 AND j.status = 'failed'
          AND j.job_type <> 'webhook_delivery' AND e.recorded_at <= $4 AND e.recorded_at > b.due_at
    )
    SELECT count(*), (array_agg(id ORDER BY recorded_at DESC, id DESC))[1] FROM failed";

/// The name of a project whose jobs an account may see.
const PROJECT: &str = "
    SELECT p.name FROM projects p
    CROSS JOIN LATERAL project_relation(p.id, p.organization_id, p.is_public, p.deleted, $2) r
    WHERE p.id = $1 AND r.relation = ANY ($3)";

/// The jobs of an account, in a project or none, that a mail of this time tells of; none when there are none any more, or the
/// account may not see them any more.
pub(super) async fn failed(
    pool: &PgPool,
    account_id: Uuid,
    project_id: Option<Uuid>,
    until: OffsetDateTime,
) -> Result<Option<FailedJobs>, sqlx::Error> {
    let mut project = None;
    if let Some(project_id) = project_id {
        let name: Option<String> = sqlx::query_scalar(PROJECT)
            .bind(project_id)
            .bind(account_id)
            .bind(access::allowing(Action::ViewJobs))
            .fetch_optional(pool)
            .await?;
        if name.is_none() {
            return Ok(None);
        }
        project = name;
    }
    let (number, latest): (i64, Option<Uuid>) = sqlx::query_as(FAILED)
        .bind(account_id)
        .bind(project_id)
        .bind(MailKind::JobsFailed.as_str())
        .bind(until)
        .fetch_one(pool)
        .await?;
    Ok(latest.map(|latest| FailedJobs { number, latest, project }))
}
