//! Snapshots: written now and then, used when they fit, ignored when they do not.

use std::collections::HashMap;

use cqrs_es::CqrsFramework;
use sqlx::PgPool;
use uuid::Uuid;
use workroom::event_store::{AppendLimits, LogEventStore};
use workroom_domain::{
    ids::OrganizationId,
    project::{Project, ProjectCommand, ProjectFields, ProjectPatch},
    text::Name,
};

use super::{
    log::{assert_whole, open},
    stock::metadata,
};
use crate::support::{World, eventually};

/// A project with this many events, made through cqrs-es.
async fn project(pool: &PgPool, events: i64) -> Uuid {
    let log = open(pool, AppendLimits::default()).await;
    let cqrs = CqrsFramework::new(LogEventStore::<Project>::new(log), vec![], ());
    let id = Uuid::now_v7();
    let execute = async |command| {
        let metadata: HashMap<_, _> = metadata();
        cqrs.execute_with_metadata(&id.to_string(), command, metadata).await.expect("a commit");
    };
    execute(ProjectCommand::Create { organization_id: OrganizationId(Uuid::now_v7()), fields: fields("name 1") }).await;
    for number in 2..=events {
        let name = Name::parse(&format!("name {number}")).expect("a name");
        execute(ProjectCommand::Update(ProjectPatch { name: Some(name), ..ProjectPatch::default() })).await;
    }
    id
}

pub fn fields(name: &str) -> ProjectFields {
    serde_json::from_value(serde_json::json!({
        "name": name, "description": "", "is_public": false, "status": "planning", "priority": "medium",
        "start_date": null, "end_date": null,
    }))
    .expect("fields")
}

async fn snapshot(pool: &PgPool, id: Uuid) -> Option<i64> {
    sqlx::query_scalar(
        "SELECT sequence FROM aggregate_snapshots WHERE aggregate_type = 'project' AND aggregate_id = $1",
    )
    .bind(id.to_string())
    .fetch_optional(pool)
    .await
    .expect("an answer")
}

/// The name that a process sees which knows nothing yet.
async fn name(pool: &PgPool, id: Uuid) -> (String, i64) {
    let loaded = open(pool, AppendLimits::default()).await.load::<Project>(id).await.expect("a project");
    let (_, fields) = loaded.state.active().expect("alive");
    (fields.name.as_str().to_owned(), loaded.sequence)
}

#[tokio::test]
async fn a_snapshot_is_written_at_a_hundred_events_and_used_only_when_it_fits() {
    let world = World::new().await;
    let pool = world.pool().await;
    let id = project(&pool, 103).await;
    eventually("a snapshot at 100", || async { snapshot(&pool, id).await == Some(100) }).await;
    assert_eq!(name(&pool, id).await, ("name 103".to_owned(), 103));

    let change = async |statement: &str| {
        let changed = sqlx::query(statement).bind(id.to_string()).execute(&pool).await.expect("a change");
        assert_eq!(changed.rows_affected(), 1);
    };
    // That it is used at all shows when it lies.
    change(
        "UPDATE aggregate_snapshots SET sequence = 103, state = replace(state::text, 'name 100', 'a lie')::json
         WHERE aggregate_id = $1",
    )
    .await;
    assert_eq!(name(&pool, id).await, ("a lie".to_owned(), 103));
    // Of another shape: ignored.
    change("UPDATE aggregate_snapshots SET shape = shape + 1 WHERE aggregate_id = $1").await;
    assert_eq!(name(&pool, id).await, ("name 103".to_owned(), 103));
    // Of this shape, but unreadable: ignored.
    change(r#"UPDATE aggregate_snapshots SET shape = shape - 1, state = '{"what": "ever"}' WHERE aggregate_id = $1"#)
        .await;
    assert_eq!(name(&pool, id).await, ("name 103".to_owned(), 103));
    assert_eq!(assert_whole(&pool).await, 103);
}

#[tokio::test]
async fn a_lost_snapshot_is_written_again_when_a_long_history_is_read() {
    let world = World::new().await;
    let pool = world.pool().await;
    let id = project(&pool, 130).await;
    eventually("a snapshot", || async { snapshot(&pool, id).await == Some(100) }).await;
    sqlx::query("DELETE FROM aggregate_snapshots").execute(&pool).await.expect("a loss");
    assert_eq!(name(&pool, id).await, ("name 130".to_owned(), 130));
    eventually("a snapshot again", || async { snapshot(&pool, id).await == Some(130) }).await;
}
