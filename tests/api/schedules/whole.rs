//! What holds for schedules that run each second and make up for all that they miss, whatever happens to those who run them.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgPool;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// Insists that every schedule in the log has run once at each second from its creation to its last run, and that each run has
/// submitted one job. Returns the ids of the events that tell of runs.
pub async fn assert_run_each_second(pool: &PgPool) -> BTreeSet<String> {
    let runs: Vec<(String, OffsetDateTime, OffsetDateTime, Option<String>, Uuid)> = sqlx::query_as(
        "SELECT t.aggregate_id, (c.payload->>'counted_from')::timestamptz, (t.payload->>'tick_at')::timestamptz,
                t.payload->>'job_id', t.event_id
         FROM events t JOIN events c
              ON c.aggregate_type = 'schedule' AND c.aggregate_id = t.aggregate_id AND c.sequence = 1
         WHERE t.aggregate_type = 'schedule' AND t.event_type = 'ScheduleTicked' ORDER BY t.aggregate_id, t.sequence",
    )
    .fetch_all(pool)
    .await
    .expect("runs");
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    for (schedule, counted_from, tick_at, ..) in &runs {
        let count = counts.entry(schedule).or_default();
        *count += 1;
        assert_eq!(*tick_at, *counted_from + Duration::seconds(*count), "run {count} of {schedule}");
    }
    let mut told: Vec<(String, String)> = runs
        .iter()
        .map(|(schedule, _, tick_at, job, _)| {
            let job = job.clone().unwrap_or_else(|| panic!("no job at {tick_at} of {schedule}"));
            (job, schedule.clone())
        })
        .collect();
    let mut asked: Vec<(String, String)> = sqlx::query_as(
        "SELECT aggregate_id, payload->>'schedule_id' FROM events
         WHERE aggregate_type = 'job' AND event_type = 'JobRequested' AND payload->>'schedule_id' IS NOT NULL",
    )
    .fetch_all(pool)
    .await
    .expect("jobs");
    told.sort();
    asked.sort();
    assert_eq!(told, asked, "the jobs of runs, as their schedules tell them and as they were asked for");
    runs.into_iter().map(|(.., event)| event.to_string()).collect()
}
