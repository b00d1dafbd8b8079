//! An event that cannot be read halts the views that need it, and nothing else.

use std::time::{Duration, Instant};

use serde_json::json;
use uuid::Uuid;

use crate::{
    event_store::log::assert_whole,
    support::{Socket, World, eventually},
};

#[tokio::test]
async fn a_poisoned_event_halts_its_group_loudly_and_no_other() {
    let world = World::new().await;
    let (server, other) = tokio::join!(world.server(), world.server());
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let path = format!("/projects/{project}");
    let mut socket = Socket::open(&ada).await;
    socket.subscribe(&project, 0).await;
    let pool = world.pool().await;
    sqlx::query(
        r#"INSERT INTO events SELECT position + 1, gen_random_uuid(), gen_random_uuid(), 1, 'job', $1, 1, 'JobRequested',
                  '1', '{"type": "JobRequested", "nothing": "that fits"}', metadata, recorded_at
           FROM events ORDER BY position DESC LIMIT 1"#,
    )
    .bind(Uuid::now_v7().to_string())
    .execute(&pool)
    .await
    .expect("a poisoned event");
    for client in [ada.clone(), ada.at(&other.address)] {
        eventually("both say not ready", || async { client.get("//ready").await.status == 503 }).await;
        let not_ready = client.get("//ready").await.problem(503);
        let detail = not_ready.json["detail"].as_str().expect("a detail");
        assert!(detail.contains("jobs") && !detail.contains("workspace"), "{detail}");
    }
    // Projects, members and their readers go on, at their usual pace.
    let grace = server.person("grace").await;
    for (round, client) in [ada.clone(), ada.at(&other.address), ada.clone()].into_iter().enumerate() {
        let text = format!("round {round}");
        let asked = Instant::now();
        let reply = client.patch(&path, json!({"description": text})).await.is(200);
        assert_eq!(reply.json["description"], text.as_str());
        assert!(asked.elapsed() < Duration::from_secs(2), "a halted group held a command up for {:?}", asked.elapsed());
        assert_eq!(ada.at(&other.address).get(&path).await.is(200).json["description"], text.as_str());
        assert_eq!(socket.event().await["data"]["changes"]["description"]["to"], text.as_str());
    }
    let asked = Instant::now();
    ada.invite(&project, &grace, "viewer").await;
    assert!(asked.elapsed() < Duration::from_secs(2), "a halted group held a command up for {:?}", asked.elapsed());
    grace.get(&path).await.is(200);
    let halted: Vec<(String, bool, Option<String>)> = sqlx::query_as(
        "SELECT projection_group, halted_at IS NOT NULL, halt_reason FROM projection_checkpoints ORDER BY 1",
    )
    .fetch_all(&pool)
    .await
    .expect("checkpoints");
    assert_eq!(
        halted.iter().map(|(name, halted, _)| (name.as_str(), *halted)).collect::<Vec<_>>(),
        [("jobs", true), ("workspace", false)]
    );
    assert!(halted[0].2.as_deref().is_some_and(|reason| reason.contains("position")), "{halted:?}");
    // A rebuild reaches to where the group stands; it makes nobody forget that the group has halted.
    let (rebuilt, text) = world.command(&["projections", "rebuild", "--group", "jobs"]).await;
    assert!(rebuilt, "{text}");
    assert!(ada.get("//ready").await.problem(503).text.contains("jobs"));
    assert_whole(&pool).await;
}
