//! Codes of jobs.

use serde_json::json;

use super::Met;
use crate::support::World;

pub const MET: &[&str] =
    &["job-completed", "job-input-gone", "job-not-over", "job-over", "too-many-jobs", "unknown-language"];

#[tokio::test(flavor = "multi_thread")]
async fn a_job_cannot_be_submitted_cancelled_or_done_again() {
    let mut met = Met::default();
    let world = World::new().await;
    let server = world.server_with(&[], &[("WORKROOM_OPEN_JOBS_PER_ACCOUNT", "1")]).await;
    let (ada, bob, eve) = (server.person("ada").await, server.person("bob").await, server.person("eve").await);
    let done = ada.job(json!({"type": "noop"})).await;
    assert_eq!(ada.finished(&done).await["status"], "completed");
    met.refused(ada.cancel(&done).await, "job-over");
    met.refused(ada.retry(&done).await, "job-completed");
    let waiting = bob.job(json!({"type": "noop", "run_at": "2100-01-01T00:00:00Z"})).await;
    met.refused(bob.retry(&waiting).await, "job-not-over");
    met.refused(bob.post("/jobs", json!({"type": "noop"})).await, "too-many-jobs");
    let later = json!({"language": "bash", "code": "true", "run_at": "2100-01-01T00:00:00Z"});
    let lost = eve.job(later).await;
    eve.cancel(&lost).await.is(200);
    let requested = eve.get("/auth/me/events?type=JobRequested").await.is(200).items()[0]["seq"].clone();
    let redact = format!("/auth/me/events/{requested}/redact");
    eve.post(&redact, json!({"reason": "posted by mistake"})).await.is(201);
    met.refused(eve.retry(&lost).await, "job-input-gone");
    let cobol = json!({"language": "cobol", "code": "DISPLAY 1."});
    met.refused_field(ada.post("/jobs", cobol).await, "/language", "unknown-language");
    met.are(MET);
}
