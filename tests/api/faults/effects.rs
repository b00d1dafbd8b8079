//! What the service does by itself beside a load: schedules that run each second, and a webhook that tells of each run.

use std::{collections::BTreeSet, time::Duration};

use reqwest::Method;
use serde_json::json;
use sqlx::PgPool;

use crate::{
    schedules::whole::assert_run_each_second,
    support::{Person, within},
    webhooks::Receiver,
};

const SCHEDULES: i64 = 3;

/// How many schedules have had a run of late.
const UP_TO_DATE: &str = "
    SELECT count(*) FROM (
        SELECT max((payload->>'tick_at')::timestamptz) AS latest FROM events
        WHERE aggregate_type = 'schedule' AND event_type = 'ScheduleTicked' GROUP BY aggregate_id) AS s
    WHERE latest > clock_timestamp() - interval '3 seconds'";
const RUNS: &str = "
    SELECT event_id::text FROM events WHERE aggregate_type = 'schedule' AND event_type = 'ScheduleTicked'";
const DELIVERIES: &str = "
    SELECT payload->>'event_id' FROM events
    WHERE aggregate_type = 'job' AND event_type = 'JobRequested' AND payload->>'job_type' = 'webhook_delivery'";

/// Schedules of a project, and who receives what its webhook sends.
pub struct Effects {
    schedules: Vec<String>,
    receiver: Receiver,
}

impl Effects {
    /// Begins with it.
    pub async fn begin(ada: &Person) -> Self {
        let (receiver, project) = (Receiver::start().await, ada.project("Apollo").await);
        let webhook = json!({"url": receiver.url(), "event_types": ["ScheduleTicked"]});
        ada.post(&format!("/projects/{project}/webhooks"), webhook).await.is(201);
        let noop = json!({"type": "noop"});
        let schedule = json!({"every_seconds": 1, "missed": "all", "project_id": project, "job": noop});
        let mut schedules = Vec::new();
        for _ in 0..SCHEDULES {
            schedules.push(format!("/schedules/{}", ada.post("/schedules", schedule.clone()).await.is(201).id()));
        }
        Self { schedules, receiver }
    }

    /// Once the schedules have made up for what they missed, they rest; returns when the receiver was told of all runs. Each
    /// step may take so long.
    pub async fn rest(&self, ada: &Person, pool: &PgPool, limit: Duration) {
        within(limit, "the schedules are up to date", async || {
            let count: Result<i64, _> = sqlx::query_scalar(UP_TO_DATE).fetch_one(pool).await;
            count.is_ok_and(|count| count == SCHEDULES)
        })
        .await;
        let paused = json!({"paused": true}).to_string();
        for schedule in &self.schedules {
            within(limit, "a schedule rests", async || {
                let asked = ada.try_send(Method::PATCH, schedule, Some(paused.clone())).await;
                asked.is_ok_and(|reply| reply.status == 200)
            })
            .await;
        }
        within(limit, "the receiver is told of each run", async || {
            let runs: Result<Vec<String>, _> = sqlx::query_scalar(RUNS).fetch_all(pool).await;
            runs.is_ok_and(|runs| BTreeSet::from_iter(runs).is_subset(&self.received()))
        })
        .await;
    }

    /// The ids of what was received: by them a receiver knows a repetition.
    fn received(&self) -> BTreeSet<String> {
        self.receiver.received().iter().map(|message| message.header("webhook-id").to_owned()).collect()
    }

    /// Insists that no run was missed or made twice, that each was asked to be told once, and that the receiver was told of these
    /// and of nothing else.
    pub async fn assert_once(&self, pool: &PgPool) {
        let runs = assert_run_each_second(pool).await;
        let asked: Vec<String> = sqlx::query_scalar(DELIVERIES).fetch_all(pool).await.expect("deliveries");
        assert_eq!(asked.len(), runs.len(), "deliveries, and runs");
        assert_eq!(BTreeSet::from_iter(asked), runs, "the deliveries are of the runs");
        let messages = self.receiver.received();
        for message in &messages {
            assert_eq!(message.json["id"], message.header("webhook-id"), "one event has one id, each time");
        }
        assert_eq!(self.received(), runs, "the receiver was told of the runs");
        eprintln!("{} runs of schedules, {} messages of a webhook", runs.len(), messages.len());
    }
}
