//! Doorbells between workers and those who follow what jobs print: that there is more of it, not what it is. Nobody needs
//! to believe one: what was printed, and whose it is, is in the database. A lost one costs time only.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::{sync::watch, time::sleep};
use uuid::Uuid;
use workroom_domain::ids::JobId;

use crate::messaging::Messaging;

/// All doorbells, of whatever history.
pub const ALL_RINGS: &str = "workroom.*.output.*";
/// The pause before another try to listen.
const RETRY: Duration = Duration::from_millis(500);

/// Who follows what; of each job the latest attempt that is known to be over, 0 where none is.
type Followers = Arc<Mutex<HashMap<JobId, watch::Sender<i32>>>>;

/// What a doorbell tells beside the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ring {
    /// The attempt that has printed something.
    pub attempt: i32,
    /// The first of its pieces that are new.
    pub seq: i32,
}

/// What a doorbell tells of an attempt that was stopped: all that it has printed is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Over {
    /// The attempt.
    over: i32,
}

impl Ring {
    /// Reads a doorbell of this history; none, where it is none, or one of another version.
    pub fn read(subject: &str, payload: &[u8], epoch: Uuid) -> Option<(JobId, Self)> {
        let job_id = subject.strip_prefix(&prefix(epoch))?.parse().ok().map(JobId)?;
        let ring: Self = serde_json::from_slice(payload).ok()?;
        (ring.attempt >= 1 && ring.seq >= 1).then_some((job_id, ring))
    }
}

fn prefix(epoch: Uuid) -> String {
    format!("workroom.{epoch}.output.")
}

/// Rings when a job has printed something, and hears it. Cheap to clone.
#[derive(Clone)]
pub struct OutputBell {
    messaging: Messaging,
    epoch: watch::Receiver<Uuid>,
    followers: Followers,
}

/// Whoever follows a job's output; shared by all who follow the same.
pub struct Follower {
    job_id: JobId,
    rung: watch::Receiver<i32>,
    followers: Followers,
}

impl OutputBell {
    /// A bell of the history that `epoch` names.
    pub fn new(messaging: Messaging, epoch: watch::Receiver<Uuid>) -> Self {
        Self { messaging, epoch, followers: Arc::default() }
    }

    fn followers(&self) -> MutexGuard<'_, HashMap<JobId, watch::Sender<i32>>> {
        self.followers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A job has printed something.
    pub async fn ring(&self, job_id: JobId, ring: Ring) {
        self.tell(job_id, &ring).await;
    }

    /// An attempt was stopped, and all that it has printed is stored.
    pub async fn ring_over(&self, job_id: JobId, attempt: i32) {
        self.tell(job_id, &Over { over: attempt }).await;
    }

    async fn tell(&self, job_id: JobId, told: &impl Serialize) {
        if !self.messaging.is_connected() {
            return;
        }
        let subject = format!("{}{job_id}", prefix(*self.epoch.borrow()));
        let payload = serde_json::to_vec(told).unwrap_or_default();
        if let Err(error) = self.messaging.client().publish(subject, payload.into()).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "the doorbell of outputs is out of order");
        }
    }

    /// Follows a job's output from now on.
    pub fn follow(&self, job_id: JobId) -> Follower {
        let rung = self.followers().entry(job_id).or_insert_with(|| watch::channel(0).0).subscribe();
        Follower { job_id, rung, followers: Arc::clone(&self.followers) }
    }

    /// Listens until the task is aborted.
    pub async fn run(self) {
        let mut epoch = self.epoch.clone();
        loop {
            let prefix = prefix(*epoch.borrow_and_update());
            match self.messaging.client().subscribe(format!("{prefix}*")).await {
                Ok(mut rings) => loop {
                    tokio::select! {
                        ring = rings.next() => match ring {
                            Some(ring) => self.heard(ring.subject.strip_prefix(&*prefix), &ring.payload),
                            None => break,
                        },
                        Ok(()) = epoch.changed() => break,
                    }
                },
                Err(error) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "outputs are not heard of");
                    sleep(RETRY).await;
                }
            }
        }
    }

    fn heard(&self, job_id: Option<&str>, payload: &[u8]) {
        let Some(job_id) = job_id.and_then(|id| id.parse().ok()).map(JobId) else { return };
        if let Some(bell) = self.followers().get(&job_id) {
            let over = serde_json::from_slice(payload).map_or(0, |Over { over }| over);
            bell.send_modify(|known| *known = over.max(*known));
        }
    }
}

impl Follower {
    /// Waits until there may be more than at the last call, or for so long.
    pub async fn wait(&mut self, longest: Duration) {
        tokio::select! {
            // Who rings is there as long as this is.
            _ = self.rung.changed() => {}
            () = sleep(longest) => {}
        }
    }

    /// Whether its worker has said that an attempt was stopped, and that all is stored that it has printed.
    pub fn is_over(&self, attempt: i32) -> bool {
        *self.rung.borrow() >= attempt
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut followers = self.followers.lock().unwrap_or_else(PoisonError::into_inner);
        // This one is still counted.
        if followers.get(&self.job_id).is_some_and(|bell| bell.receiver_count() <= 1) {
            followers.remove(&self.job_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doorbell_of_this_history_is_read_and_nothing_else() {
        let (epoch, job_id) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let subject = format!("workroom.{epoch}.output.{job_id}");
        let ring = Ring { attempt: 2, seq: 7 };
        let payload = serde_json::to_vec(&ring).unwrap();
        assert_eq!(Ring::read(&subject, &payload, epoch), Some((JobId(job_id), ring)));
        assert_eq!(Ring::read(&subject, &payload, Uuid::from_u128(3)), None, "another history");
        for payload in ["", "1", r#"{"attempt":0,"seq":1}"#, r#"{"attempt":1,"seq":-1}"#] {
            assert_eq!(Ring::read(&subject, payload.as_bytes(), epoch), None, "{payload}");
        }
        assert_eq!(Ring::read("workroom.output", &payload, epoch), None);
    }

    #[test]
    fn that_an_attempt_is_over_is_no_news_of_output_nor_the_other_way_round() {
        let (epoch, job_id) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let over = serde_json::to_vec(&Over { over: 2 }).unwrap();
        assert_eq!(Ring::read(&format!("workroom.{epoch}.output.{job_id}"), &over, epoch), None);
        let ring = serde_json::to_vec(&Ring { attempt: 2, seq: 7 }).unwrap();
        assert!(serde_json::from_slice::<Over>(&ring).is_err());
    }
}
