//! How many jobs may wait or run. The numbers are read now and then, so that for a second a burst may pass, and what is over
//! may still count: they keep one tenant from filling the service, and decide about nobody's rights.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use moka::sync::Cache;
use sqlx::PgPool;
use uuid::Uuid;

use crate::application::{Error, codes::TOO_MANY_JOBS};

/// How long a number is believed.
const FRESH: Duration = Duration::from_secs(1);
/// When to come again.
const RETRY: Duration = Duration::from_secs(5);
/// Numbers that are remembered.
const REMEMBERED: u64 = 100_000;

/// Whose jobs are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Of {
    Account(Uuid),
    Project(Uuid),
    Organization(Uuid),
}

/// How many jobs may wait or run; 0 is as many as one likes.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenLimits {
    /// Submitted by an account.
    pub per_account: u32,
    /// Of a project.
    pub per_project: u32,
    /// Of an organization.
    pub per_organization: u32,
}

/// Watches over how many jobs wait or run. Cheap to clone.
#[derive(Clone, Debug)]
pub struct OpenJobs {
    limits: OpenLimits,
    counted: Cache<Of, Arc<AtomicI64>>,
}

impl OpenJobs {
    /// With these limits.
    pub fn new(limits: OpenLimits) -> Self {
        Self { limits, counted: Cache::builder().max_capacity(REMEMBERED).time_to_live(FRESH).build() }
    }

    /// Lets everything in.
    #[must_use]
    pub(super) fn unlimited(&self) -> Self {
        Self { limits: OpenLimits::default(), counted: self.counted.clone() }
    }

    /// Lets one more in.
    ///
    /// # Errors
    /// `Kind::Throttled` when there are too many already.
    pub(super) async fn admit(
        &self,
        pool: &PgPool,
        account: Uuid,
        project: Option<Uuid>,
        organization: Option<Uuid>,
    ) -> Result<(), Error> {
        let OpenLimits { per_account, per_project, per_organization } = self.limits;
        let of = [
            Some((Of::Account(account), per_account)),
            project.map(|id| (Of::Project(id), per_project)),
            organization.map(|id| (Of::Organization(id), per_organization)),
        ];
        let mut counts = Vec::with_capacity(of.len());
        for (of, limit) in of.into_iter().flatten().filter(|(_, limit)| *limit > 0) {
            let count = if let Some(count) = self.counted.get(&of) {
                count
            } else {
                let counted = count(pool, of, limit).await?;
                // Another may have counted meanwhile: then that number goes on.
                self.counted.get_with(of, || counted)
            };
            if count.load(Ordering::Relaxed) >= i64::from(limit) {
                return Err(Error::later(TOO_MANY_JOBS, RETRY));
            }
            counts.push(count);
        }
        for count in counts {
            count.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

async fn count(pool: &PgPool, of: Of, limit: u32) -> Result<Arc<AtomicI64>, sqlx::Error> {
    let (column, id) = match of {
        Of::Account(id) => ("submitted_by", id),
        Of::Project(id) => ("project_id", id),
        Of::Organization(id) => ("organization_id", id),
    };
    let count = format!(
        "SELECT count(*) FROM (
             SELECT FROM jobs WHERE {column} = $1 AND status IN ('pending', 'running')
                 AND job_type <> 'webhook_delivery' LIMIT $2
         ) AS open"
    );
    let count: i64 = sqlx::query_scalar(&count).bind(id).bind(i64::from(limit)).fetch_one(pool).await?;
    Ok(Arc::new(AtomicI64::new(count)))
}
