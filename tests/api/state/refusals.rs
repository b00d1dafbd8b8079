//! Moments that there are not, and answers that are too large.

use serde_json::json;
use uuid::Uuid;

use crate::support::World;

pub const MET: &[&str] = &["before-beginning", "malformed-moment", "moment-ahead", "other-epoch", "state-too-large"];

#[tokio::test(flavor = "multi_thread")]
async fn a_moment_must_be_one_of_the_history() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let path = format!("/projects/{project}");
    let other = Uuid::now_v7();
    for (moment, code) in [
        ("x".to_owned(), "malformed-moment"),
        ("-1".to_owned(), "malformed-moment"),
        ("1.5".to_owned(), "malformed-moment"),
        (String::new(), "malformed-moment"),
        ("2026-11-20".to_owned(), "malformed-moment"),
        ("2026-11-20T10:00:00+02:00".to_owned(), "malformed-moment"),
        ("1000".to_owned(), "moment-ahead"),
        ("99999999999999999999".to_owned(), "moment-ahead"),
        ("9999-01-01T00:00:00Z".to_owned(), "moment-ahead"),
        ("0".to_owned(), "before-beginning"),
        ("0001-01-01T00:00:00Z".to_owned(), "before-beginning"),
        (format!("{other}.1"), "other-epoch"),
    ] {
        ada.get(&format!("{path}/state?as_of={moment}")).await.refused_field("/as_of", code);
        ada.get(&format!("{path}/diff?from={moment}")).await.refused_field("/from", code);
        ada.get(&format!("{path}/diff?to={moment}")).await.refused_field("/to", code);
    }
    for wrong in ["as_of=1&as_of=2", "at=1", "min_position=-1", "as_of=%00"] {
        ada.get(&format!("{path}/state?{wrong}")).await.problem(422);
    }
    // Another project's history is another.
    let longer = ada.project("Gemini").await;
    ada.patch(&format!("/projects/{longer}"), json!({"name": "B"})).await.is(200);
    ada.get(&format!("{path}/state?as_of=3")).await.refused_field("/as_of", "moment-ahead");
    ada.get(&format!("/projects/{}/state", Uuid::now_v7())).await.problem(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_is_too_large_is_refused() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let pool = world.pool().await;
    sqlx::query(
        r#"INSERT INTO events
           SELECT (SELECT max(position) FROM events) + n, gen_random_uuid(), $1::uuid,
                  (SELECT max(feed_seq) FROM events WHERE feed_id = $1::uuid) + n, 'task', gen_random_uuid()::text, 1, 'TaskCreated', '1',
                  json_build_object('type', 'TaskCreated', 'project_id', $1::uuid, 'title', 'Large',
                      'description', repeat('x', 20000), 'assignee_id', NULL, 'status', 'todo', 'task_type', 'task',
                      'priority', 'low', 'due_at', NULL),
                  metadata, recorded_at
           FROM (SELECT * FROM events ORDER BY position DESC LIMIT 1) last, generate_series(1, 3600) n"#,
    )
    .bind(Uuid::parse_str(&project).expect("an id"))
    .execute(&pool)
    .await
    .expect("events");
    let path = format!("/projects/{project}");
    ada.get(&format!("{path}/state?as_of=100")).await.is(200);
    ada.get(&format!("{path}/state?as_of=3602")).await.refused("state-too-large");
    ada.get(&format!("{path}/diff?from=1&to=3602")).await.refused("state-too-large");
}
