//! Reads what jobs print, once for all who look at it: one task a process.
//!
//! A doorbell says which attempt has printed something, and the first of its new pieces. Whose the job is, and what it has
//! printed, is read from Postgres; what rings meanwhile is read together with the next. What an attempt prints is read from
//! where it was read last, so a doorbell that is lost delays its pieces until the next.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    convert::Infallible,
    time::Duration,
};

use async_nats::{Message, Subscriber};
use futures::{FutureExt, StreamExt};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use workroom_domain::ids::{JobId, ProjectId};
use workroom_projections::jobs::{self, OutputPiece, OutputPlace};

use crate::{
    jobs::output_bell::{ALL_RINGS, Ring},
    live::{feed::frames::Frame, hub::Hub},
};

/// How long to wait for a NATS or a database that did not answer.
const RETRY: Duration = Duration::from_millis(500);
/// Doorbells that are taken together.
const BATCH: usize = 1024;
/// Attempts that are read together, and pieces of each. An attempt has few hundred kilobytes in all.
const ATTEMPTS: usize = 16;
const PIECES: i64 = 32;
/// Attempts, and projects of jobs, that are remembered.
const REMEMBERED: usize = 4096;
/// How often what is old is let go of.
const EXPIRY: Duration = Duration::from_secs(5);

/// Reads what jobs print until the hub closes.
pub(in crate::live) async fn read_outputs(hub: Hub) {
    let stop = hub.stopped().clone();
    tokio::select! {
        () = stop.cancelled() => {}
        never = run(&hub) => match never {},
    }
}

async fn run(hub: &Hub) -> Infallible {
    let mut reader = Reader::default();
    let mut expiry = interval(EXPIRY);
    expiry.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        // async-nats subscribes again by itself after each reconnect.
        match hub.nats().subscribe(ALL_RINGS).await {
            Ok(mut rings) => loop {
                tokio::select! {
                    batch = next_batch(&mut rings) => match batch {
                        Some(batch) => reader.take(hub, &batch).await,
                        None => break,
                    },
                    now = expiry.tick() => hub.outputs().expire(now),
                }
            },
            Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "outputs are not heard of"),
        }
        sleep(RETRY).await;
    }
}

/// Whatever has come, up to [`BATCH`]; `None` when the subscription has ended.
async fn next_batch(rings: &mut Subscriber) -> Option<Vec<Message>> {
    let mut batch = vec![rings.next().await?];
    while batch.len() < BATCH
        && let Some(Some(ring)) = rings.next().now_or_never()
    {
        batch.push(ring);
    }
    Some(batch)
}

/// An attempt of a job.
type Attempt = (JobId, i32);

/// What is known of attempts that have printed something.
#[derive(Default)]
struct Reader {
    /// Of each the last piece that was read, and whether it waits to be read again.
    places: HashMap<Attempt, (i32, bool)>,
    waiting: VecDeque<Attempt>,
    /// The projects that jobs belong to; none, where it is none.
    projects: HashMap<JobId, Option<ProjectId>>,
}

impl Reader {
    /// Reads what these doorbells tell of.
    async fn take(&mut self, hub: &Hub, rings: &[Message]) {
        if hub.outputs().are_deserted() {
            // Whoever comes next is told what comes next.
            *self = Self::default();
            return;
        }
        let epoch = hub.epoch();
        for message in rings {
            if let Some((job_id, ring)) = Ring::read(&message.subject, &message.payload, epoch) {
                self.hear(job_id, ring);
            }
        }
        while !self.waiting.is_empty() {
            match timeout(hub.config().query, self.read(hub)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "what jobs print could not be read");
                    sleep(RETRY).await;
                }
                Err(_) => tracing::warn!("what jobs print could not be read in time"),
            }
        }
    }

    /// Notes that an attempt has printed something.
    fn hear(&mut self, job_id: JobId, Ring { attempt, seq }: Ring) {
        let key = (job_id, attempt);
        if !self.places.contains_key(&key) && self.places.len() >= REMEMBERED {
            self.places.retain(|_, (_, is_waiting)| *is_waiting);
            if self.places.len() >= REMEMBERED {
                // As with those whose clients lag: it is read by request.
                tracing::debug!(%job_id, attempt, "too many jobs print at once");
                return;
            }
        }
        let (_, is_waiting) = self.places.entry(key).or_insert((seq - 1, false));
        if !std::mem::replace(is_waiting, true) {
            self.waiting.push_back(key);
        }
    }

    /// Reads some of what waits. What is read is noted at once: where this is cut short, nothing is told twice.
    async fn read(&mut self, hub: &Hub) -> Result<(), sqlx::Error> {
        let _turn = hub.turn().await;
        let next: Vec<Attempt> = self.waiting.iter().take(ATTEMPTS).copied().collect();
        self.find_projects(hub, &next).await?;
        let project = |(job_id, _): &Attempt| self.projects.get(job_id).copied().flatten();
        let is_wanted = |attempt: &Attempt| project(attempt).is_some_and(|id| hub.outputs().channel(id).is_some());
        let (wanted, others): (Vec<Attempt>, Vec<Attempt>) = next.iter().partition(|attempt| is_wanted(attempt));
        let place = |key: &Attempt| {
            let seq = self.places.get(key).map_or(0, |(seq, _)| *seq);
            OutputPlace { job_id: key.0, attempt: key.1, seq }
        };
        let places: Vec<OutputPlace> = wanted.iter().map(place).collect();
        let pieces =
            if places.is_empty() { Vec::new() } else { jobs::output_behind(hub.pool(), &places, PIECES).await? };
        // Nothing is awaited from here on.
        self.waiting.drain(..next.len());
        for key in others {
            self.places.remove(&key);
        }
        self.tell(hub, &pieces);
        for key in wanted {
            let read = pieces.iter().filter(|(place, _)| (place.job_id, place.attempt) == key);
            let has_more = i64::try_from(read.count()).unwrap_or(PIECES) >= PIECES;
            if let Some((_, is_waiting)) = self.places.get_mut(&key) {
                *is_waiting = has_more;
            }
            if has_more {
                self.waiting.push_back(key);
            }
        }
        Ok(())
    }

    /// Puts pieces into the channels of their projects.
    fn tell(&mut self, hub: &Hub, pieces: &[(OutputPlace, OutputPiece)]) {
        let now = Instant::now();
        let mut told = HashMap::new();
        for (OutputPlace { job_id, attempt, seq }, OutputPiece { stream, text, .. }) in pieces {
            if let Some((read, _)) = self.places.get_mut(&(*job_id, *attempt)) {
                *read = *seq;
            }
            let Some(project_id) = self.projects.get(job_id).copied().flatten() else { continue };
            let channel = told.entry(project_id).or_insert_with(|| hub.outputs().channel(project_id));
            if let Some(channel) = channel {
                let (job_id, attempt, seq) = (*job_id, *attempt, *seq);
                let frame = Frame::JobOutput { project_id, job_id, attempt, stream, seq, data: text };
                channel.push(job_id, frame.text(), now);
            }
        }
        told.values().flatten().for_each(|channel| channel.wake());
    }

    /// Finds out which projects jobs belong to.
    async fn find_projects(&mut self, hub: &Hub, attempts: &[Attempt]) -> Result<(), sqlx::Error> {
        let jobs: HashSet<JobId> = attempts.iter().map(|(job_id, _)| *job_id).collect();
        let unknown: Vec<JobId> = jobs.into_iter().filter(|job_id| !self.projects.contains_key(job_id)).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let feeds = jobs::feeds(hub.pool(), &unknown).await?;
        if self.projects.len() + unknown.len() > REMEMBERED {
            self.projects.retain(|job_id, _| attempts.iter().any(|(other, _)| other == job_id));
        }
        self.projects.extend(unknown.into_iter().map(|job_id| (job_id, None)));
        // An account's feed has no channel.
        self.projects.extend(feeds.into_iter().map(|(job_id, feed_id)| (job_id, Some(ProjectId(feed_id)))));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_attempt_is_read_from_where_it_rang_first_and_waits_once() {
        let mut reader = Reader::default();
        let job_id = JobId(Uuid::from_u128(1));
        for seq in [4, 6] {
            reader.hear(job_id, Ring { attempt: 1, seq });
        }
        reader.hear(job_id, Ring { attempt: 2, seq: 1 });
        assert_eq!(reader.waiting, [(job_id, 1), (job_id, 2)]);
        assert_eq!((reader.places[&(job_id, 1)], reader.places[&(job_id, 2)]), ((3, true), (0, true)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut reader = Reader::default();
        let job = |number| JobId(Uuid::from_u128(number));
        for number in 0..2 * REMEMBERED as u128 {
            reader.hear(job(number), Ring { attempt: 1, seq: 1 });
        }
        assert_eq!((reader.places.len(), reader.waiting.len()), (REMEMBERED, REMEMBERED));
        reader.waiting.clear();
        reader.places.values_mut().for_each(|(_, is_waiting)| *is_waiting = false);
        reader.hear(job(u128::MAX), Ring { attempt: 1, seq: 1 });
        assert_eq!((reader.places.len(), reader.waiting.len()), (1, 1));
    }
}
