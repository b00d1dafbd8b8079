//! How many jobs may wait or run. The numbers are read now and then, so that for a second a burst may pass, and what is over
//! may still count: they keep one tenant from filling the service, and decide about nobody's rights.

use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use moka::sync::Cache;
use sqlx::PgPool;
use uuid::Uuid;

use crate::application::{Error, Unit, codes::TOO_MANY_JOBS};

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

    /// Lets one more in. An attempt of a command that comes to nothing counts no longer.
    ///
    /// # Errors
    /// `Kind::Throttled` when there are too many already.
    pub(super) async fn admit(
        &self,
        unit: &mut Unit<'_>,
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
                let counted = count(unit.pool(), of, limit).await?;
                // Another may have counted meanwhile: then that number goes on.
                self.counted.get_with(of, || counted)
            };
            if count.load(Ordering::Relaxed) >= i64::from(limit) {
                return Err(Error::later(TOO_MANY_JOBS, RETRY));
            }
            counts.push(count);
        }
        unit.room().take(counts);
        Ok(())
    }
}

/// Room that an attempt of a command has taken for jobs, in each of these counts. It is free again when this is dropped: the
/// command was refused, or is decided anew.
#[derive(Debug, Default)]
pub struct Room(Vec<Arc<AtomicI64>>);

impl Room {
    fn take(&mut self, counts: Vec<Arc<AtomicI64>>) {
        for count in &counts {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.0.extend(counts);
    }

    /// Keeps it: the attempt is on its way to the log.
    pub fn keep(mut self) -> KeptRoom {
        KeptRoom(mem::take(&mut self.0))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        for count in &self.0 {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Room that stays taken when this is dropped: whoever has asked may be gone before the log answers.
#[derive(Debug)]
pub struct KeptRoom(Vec<Arc<AtomicI64>>);

impl KeptRoom {
    /// Gives it back: nothing was committed.
    pub fn give_back(self) {
        drop(Room(self.0));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_to_nothing_counts_no_longer() {
        let count = Arc::new(AtomicI64::new(7));
        let counted = || count.load(Ordering::Relaxed);
        let take = || {
            let mut room = Room::default();
            room.take(vec![Arc::clone(&count)]);
            room
        };
        let room = take();
        assert_eq!(counted(), 8);
        drop(room);
        assert_eq!(counted(), 7, "refused, or decided anew");
        take().keep().give_back();
        assert_eq!(counted(), 7, "not committed");
        drop(take().keep());
        assert_eq!(counted(), 8, "committed, or nobody knows");
    }
}
