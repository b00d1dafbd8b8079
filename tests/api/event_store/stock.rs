//! Stock cqrs-es and postgres-es over the same table, and cqrs-es driving the log.

use std::collections::HashMap;

use cqrs_es::{
    AggregateContext, AggregateError, CqrsFramework, EventStore,
    persist::{PersistedEventRepository, PersistedEventStore},
};
use postgres_es::PostgresEventRepository;
use serde_json::json;
use uuid::Uuid;
use workroom::event_store::{AppendLimits, LogEventStore, Stored};
use workroom_domain::{
    actor::Actor,
    ids::{AccountId, OrganizationId},
    job::Job,
    membership::Membership,
    metadata::Metadata,
    project::{Project, ProjectCommand, ProjectPatch},
    text::Name,
};

use super::{
    log::{assert_whole, open},
    snapshots::fields,
};
use crate::support::World;

/// Metadata as cqrs-es passes it.
pub fn metadata() -> HashMap<String, String> {
    let metadata = Metadata {
        actor: Actor::Account(AccountId(Uuid::now_v7())),
        occurred_at: workroom::clock::now(),
        correlation_id: Uuid::now_v7(),
        causation_id: None,
        trace_id: None,
    };
    metadata.to_map().expect("a map")
}

/// Rebuilds an aggregate with stock parts only, and compares with what the service's own loader makes of it.
async fn assert_same<A: Stored + PartialEq + std::fmt::Debug>(pool: &sqlx::PgPool, id: &str) -> usize {
    let repository = PostgresEventRepository::new(pool.clone());
    let events = repository.get_events::<A>(id).await.expect("a stream");
    assert!(events.iter().map(|event| event.sequence).eq(1..=events.len()));
    let store = PersistedEventStore::<_, A>::new_event_store(repository);
    let mut stock = store.load_aggregate(id).await.expect("an aggregate");
    let ours = open(pool, AppendLimits::default()).await.load::<A>(id.parse().expect("an id")).await.expect("it too");
    assert_eq!(*stock.aggregate(), ours.state);
    assert_eq!(usize::try_from(ours.sequence).expect("a count"), events.len());
    events.len()
}

#[tokio::test]
async fn a_stock_repository_and_a_stock_store_read_the_log() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &grace, "viewer").await;
    let path = format!("/projects/{project}");
    ada.patch(&path, json!({"description": "To the moon — \"now\"\n", "end_date": "2026-12-24"})).await.is(200);
    ada.patch(&path, json!({"end_date": null, "priority": "high"})).await.is(200);
    let job = ada.run_python("print(1)", Some(&project)).await;
    ada.finished(&job).await;
    let pool = world.pool().await;
    assert_eq!(assert_same::<Project>(&pool, &project).await, 3);
    assert_eq!(assert_same::<Membership>(&pool, &project).await, 2);
    assert_eq!(assert_same::<Job>(&pool, &job).await, 3);
    ada.delete(&path).await.is(204);
    assert_eq!(assert_same::<Project>(&pool, &project).await, 4);
    assert_eq!(assert_same::<workroom_domain::account::Account>(&pool, &ada.id).await, 2);
}

#[tokio::test]
async fn cqrs_es_drives_the_log() {
    let world = World::new().await;
    let pool = world.pool().await;
    let log = open(&pool, AppendLimits::default()).await;
    let cqrs = CqrsFramework::new(LogEventStore::<Project>::new(log.clone()), vec![], ());
    let id = Uuid::now_v7();
    let key = id.to_string();
    let rename = |name: &str| {
        ProjectCommand::Update(ProjectPatch { name: Some(Name::parse(name).expect("a name")), ..Default::default() })
    };
    let create = ProjectCommand::Create { organization_id: OrganizationId(Uuid::now_v7()), fields: fields("Apollo") };
    cqrs.execute_with_metadata(&key, create.clone(), metadata()).await.expect("a commit");
    cqrs.execute_with_metadata(&key, rename("Gemini"), metadata()).await.expect("a commit");
    let refused = cqrs.execute_with_metadata(&key, create, metadata()).await;
    assert!(matches!(refused, Err(AggregateError::UserError(_))), "{refused:?}");
    // Nothing changes, so nothing is written.
    cqrs.execute_with_metadata(&key, rename("Gemini"), metadata()).await.expect("no change");
    assert_eq!(assert_same::<Project>(&pool, &key).await, 2);

    // Two decide on the same state: one wins, the other is told so, and tries again on the new one.
    let store = LogEventStore::<Project>::new(log);
    let rival = LogEventStore::<Project>::new(open(&pool, AppendLimits::default()).await);
    let mut stale = store.load_aggregate(&key).await.expect("a state");
    let events = workroom_domain::Decide::decide(stale.aggregate(), rename("Mercury")).expect("a decision");
    for event in &events {
        workroom_domain::Decide::evolve(stale.aggregate(), event);
    }
    CqrsFramework::new(rival, vec![], ())
        .execute_with_metadata(&key, rename("Soyuz"), metadata())
        .await
        .expect("the rival's commit");
    let lost = store.commit(events, stale, metadata()).await;
    assert!(matches!(lost, Err(AggregateError::AggregateConflict)), "{:?}", lost.is_ok());
    cqrs.execute_with_metadata(&key, rename("Mercury"), metadata()).await.expect("a commit");
    let loaded = store.load_events(&key).await.expect("envelopes");
    assert_eq!(loaded.len(), 4);
    assert!(loaded.iter().map(|envelope| envelope.sequence).eq(1..=4));
    assert_eq!(assert_same::<Project>(&pool, &key).await, 4);
    assert_eq!(assert_whole(&pool).await, 4);
}
