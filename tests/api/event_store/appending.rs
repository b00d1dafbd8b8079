//! The append itself: batches, guards, bounds.

use std::time::Duration;

use futures::future::join_all;
use uuid::Uuid;
use workroom::event_store::{AppendError, AppendLimits, AppendRequest, Appended, EventLog};

use super::log::{assert_whole, at, hold_lock, open, release, request, waiting_for_lock};
use crate::support::{World, eventually};

type Outcome = Result<Appended, AppendError>;

/// Queues these requests behind one that waits for the log's lock, so that they come to share a batch; then lets the
/// lock go. Returns their outcomes, in order.
async fn in_one_batch(world: &World, log: &EventLog, requests: Vec<AppendRequest>) -> Vec<Outcome> {
    let pool = world.pool().await;
    let lock = hold_lock(&world.database_url).await;
    let blocker = tokio::spawn({
        let log = log.clone();
        async move { log.append(request(&[at(Uuid::now_v7(), 0)], Uuid::now_v7(), &[])).await }
    });
    eventually("the writer waits for the lock", || async { waiting_for_lock(&pool).await > 0 }).await;
    let queued: Vec<_> = requests.into_iter().map(|request| Box::pin(log.append(request))).collect();
    let mut all = Box::pin(join_all(queued));
    // One poll puts all of them into the queue, in order.
    assert!(futures::poll!(&mut all).is_pending());
    release(lock).await;
    blocker.await.expect("no panic").expect("the blocker's commit");
    all.await
}

fn position(outcome: &Outcome) -> i64 {
    outcome.as_ref().expect("a commit").position
}

#[tokio::test]
async fn two_requests_for_one_aggregate_commit_in_order_and_a_stale_third_conflicts() {
    let world = World::new().await;
    let pool = world.pool().await;
    let log = open(&pool, AppendLimits::default()).await;
    let (aggregate, other, feed) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    let requests = vec![
        request(&[at(aggregate, 0)], feed, &[]),
        request(&[at(aggregate, 1)], feed, &[]),
        request(&[at(aggregate, 1)], feed, &[]),
        request(&[at(other, 0)], feed, &[]),
    ];
    let outcomes = in_one_batch(&world, &log, requests).await;
    assert!(position(&outcomes[0]) < position(&outcomes[1]));
    assert!(matches!(outcomes[2], Err(AppendError::Conflict)), "{:?}", outcomes[2]);
    position(&outcomes[3]);
    assert_eq!(assert_whole(&pool).await, 4);
}

#[tokio::test]
async fn a_moved_guard_is_a_conflict_and_nothing_is_written() {
    let world = World::new().await;
    let pool = world.pool().await;
    let log = open(&pool, AppendLimits::default()).await;
    let (membership, project, feed) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    log.append(request(&[at(membership, 0)], feed, &[])).await.expect("a membership");
    log.append(request(&[at(project, 0)], feed, &[at(membership, 1)])).await.expect("a guarded write");
    log.append(request(&[at(membership, 1)], feed, &[])).await.expect("a removal");
    let late = log.append(request(&[at(project, 1)], feed, &[at(membership, 1)])).await;
    assert!(matches!(late, Err(AppendError::Conflict)), "{late:?}");
    // A guard on what is not there holds until it is.
    let absent = Uuid::now_v7();
    log.append(request(&[at(project, 1)], feed, &[at(absent, 0)])).await.expect("an absent guard");
    log.append(request(&[at(absent, 0)], feed, &[])).await.expect("its beginning");
    let late = log.append(request(&[at(project, 2)], feed, &[at(absent, 0)])).await;
    assert!(matches!(late, Err(AppendError::Conflict)), "{late:?}");
    assert_eq!(assert_whole(&pool).await, 5);
}

#[tokio::test]
async fn within_a_batch_a_guard_holds_before_the_write_and_not_behind_it() {
    let world = World::new().await;
    let pool = world.pool().await;
    let log = open(&pool, AppendLimits::default()).await;
    let (membership, feed) = (Uuid::now_v7(), Uuid::now_v7());
    log.append(request(&[at(membership, 0)], feed, &[])).await.expect("a membership");
    let (before, behind) = (Uuid::now_v7(), Uuid::now_v7());
    let requests = vec![
        request(&[at(before, 0)], feed, &[at(membership, 1)]),
        request(&[at(membership, 1)], feed, &[]),
        request(&[at(behind, 0)], feed, &[at(membership, 1)]),
    ];
    let outcomes = in_one_batch(&world, &log, requests).await;
    assert!(position(&outcomes[0]) < position(&outcomes[1]));
    assert!(matches!(outcomes[2], Err(AppendError::Conflict)), "{:?}", outcomes[2]);
    let written: i64 = sqlx::query_scalar("SELECT count(*) FROM events WHERE aggregate_id = $1")
        .bind(behind.to_string())
        .fetch_one(&pool)
        .await
        .expect("a count");
    assert_eq!(written, 0);
    assert_whole(&pool).await;
}

#[tokio::test]
async fn a_request_over_several_aggregates_commits_whole_or_not_at_all() {
    let world = World::new().await;
    let pool = world.pool().await;
    let log = open(&pool, AppendLimits::default()).await;
    let (first, second, feed) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    log.append(request(&[at(first, 0), at(second, 0)], feed, &[])).await.expect("both");
    let half = log.append(request(&[at(first, 1), at(second, 0)], feed, &[])).await;
    assert!(matches!(half, Err(AppendError::Conflict)), "{half:?}");
    assert_eq!(assert_whole(&pool).await, 2);
}

#[tokio::test]
async fn a_refused_request_takes_nobody_of_its_batch_down() {
    let world = World::new().await;
    let pool = world.pool().await;
    let log = open(&pool, AppendLimits::default()).await;
    let feed = Uuid::now_v7();
    let good = || request(&[at(Uuid::now_v7(), 0)], feed, &[]);
    let mut bad_payload = good();
    bad_payload.streams[0].events[0].payload = "this is no JSON".to_owned();
    let mut bad_text = good();
    bad_text.streams[0].events[0].event_type = "a\0b".to_owned();
    let first = good();
    let mut same_event = good();
    same_event.streams[0].events[0].event_id = first.streams[0].events[0].event_id;
    let outcomes =
        in_one_batch(&world, &log, vec![first, bad_payload, good(), bad_text, good(), same_event, good()]).await;
    for (number, outcome) in outcomes.iter().enumerate() {
        match number {
            1 | 3 | 5 => assert!(matches!(outcome, Err(AppendError::Refused(_))), "{number}: {outcome:?}"),
            _ => assert!(outcome.is_ok(), "{number}: {outcome:?}"),
        }
    }
    assert_eq!(assert_whole(&pool).await, 5);
    log.append(good()).await.expect("the writer goes on");
}

#[tokio::test]
async fn a_full_queue_refuses_one_more_at_once_and_keeps_what_it_took() {
    let world = World::new().await;
    let pool = world.pool().await;
    let log = open(&pool, AppendLimits { queue: 3, ..AppendLimits::default() }).await;
    let feed = Uuid::now_v7();
    let good = || request(&[at(Uuid::now_v7(), 0)], feed, &[]);
    let lock = hold_lock(&world.database_url).await;
    let mut waiting = vec![Box::pin(log.append(good()))];
    assert!(futures::poll!(&mut waiting[0]).is_pending());
    eventually("the writer waits for the lock", || async { waiting_for_lock(&pool).await > 0 }).await;
    for _ in 0..3 {
        let mut append = Box::pin(log.append(good()));
        assert!(futures::poll!(&mut append).is_pending());
        waiting.push(append);
    }
    let refused = tokio::time::timeout(Duration::from_secs(1), log.append(good())).await.expect("an answer at once");
    assert!(matches!(refused, Err(AppendError::Overloaded)), "{refused:?}");
    release(lock).await;
    for outcome in join_all(waiting).await {
        outcome.expect("a commit");
    }
    assert_eq!(assert_whole(&pool).await, 4);
}

#[tokio::test]
async fn a_caller_who_gave_up_is_told_so_and_what_was_not_begun_is_not_done() {
    let world = World::new().await;
    let pool = world.pool().await;
    let log = open(&pool, AppendLimits { wait: Duration::from_millis(300), ..AppendLimits::default() }).await;
    let feed = Uuid::now_v7();
    let lock = hold_lock(&world.database_url).await;
    let begun = log.append(request(&[at(Uuid::now_v7(), 0)], feed, &[]));
    let queued = async {
        eventually("the writer waits for the lock", || async { waiting_for_lock(&pool).await > 0 }).await;
        log.append(request(&[at(Uuid::now_v7(), 0)], feed, &[])).await
    };
    let (begun, queued) = tokio::join!(begun, queued);
    assert!(matches!(begun, Err(AppendError::OutcomeUnknown)), "{begun:?}");
    assert!(matches!(queued, Err(AppendError::OutcomeUnknown)), "{queued:?}");
    release(lock).await;
    let last = open(&pool, AppendLimits::default()).await;
    last.append(request(&[at(Uuid::now_v7(), 0)], feed, &[])).await.expect("a commit");
    log.append(request(&[at(Uuid::now_v7(), 0)], feed, &[])).await.expect("a commit");
    // The one that the database had begun, and these two; the queued one was dropped with its caller.
    assert_eq!(assert_whole(&pool).await, 3);
}
