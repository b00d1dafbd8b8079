//! Law 9 under a race: somebody is removed while many connections edit in their name.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::{sync::watch, task::JoinSet};

use super::load::assert_proved;
use crate::{
    event_store::log::assert_whole,
    support::{Person, World, rounds_of},
};

const CONNECTIONS: usize = 16;

#[derive(Default)]
struct Tally {
    edits: AtomicUsize,
    refusals: AtomicUsize,
    /// The round whose removal was asked for last.
    removing: AtomicUsize,
}

/// Edits as fast as it goes from each round's beginning on, until refused.
async fn edit(grace: Person, path: String, number: usize, mut rounds: watch::Receiver<usize>, tally: Arc<Tally>) {
    let mut edit = 0;
    while rounds.changed().await.is_ok() {
        let round = *rounds.borrow_and_update();
        loop {
            edit += 1;
            let reply = grace.patch(&path, json!({"description": format!("{number}.{edit}")})).await;
            if reply.status == 404 {
                tally.refusals.fetch_add(1, Ordering::Relaxed);
                assert!(tally.removing.load(Ordering::SeqCst) >= round, "refused before the removal was asked for");
                break;
            }
            reply.is(200);
            tally.edits.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Waits until this grows; a panic of an editor is heard at once.
async fn grows(counter: &AtomicUsize, editors: &mut JoinSet<()>) {
    let (before, deadline) = (counter.load(Ordering::Relaxed), Instant::now() + Duration::from_secs(20));
    while counter.load(Ordering::Relaxed) == before {
        if let Some(ended) = editors.try_join_next() {
            ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        }
        assert!(Instant::now() < deadline, "the editors stand still");
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
}

/// What a race came to.
pub(super) struct Raced {
    /// Edits answered with success.
    pub(super) acknowledged: usize,
    /// Edits in the log.
    pub(super) written: usize,
}

/// Races removals against edits, and insists that no edit follows a removal.
pub(super) async fn race(world: &World, rounds: usize) -> Raced {
    let all = rounds;
    let (here, there) = tokio::join!(world.server(), world.server());
    let (ada, grace) = (here.person("ada").await, here.person("grace").await);
    let project = ada.project("Apollo").await;
    let path = format!("/projects/{project}");
    let member = format!("/projects/{project}/members/{}", grace.id);
    let tally = Arc::<Tally>::default();
    let (rounds, _) = watch::channel(0);
    let mut editors = JoinSet::new();
    for number in 0..CONNECTIONS {
        let address = if number % 2 == 0 { &here.address } else { &there.address };
        editors.spawn(edit(grace.at(address), path.clone(), number, rounds.subscribe(), Arc::clone(&tally)));
    }
    let began = Instant::now();
    for round in 1..=all {
        // The owner, too, changes instances.
        let ada = ada.at(if round % 3 == 0 { &there.address } else { &here.address });
        ada.invite(&project, &grace, "collaborator").await;
        rounds.send_replace(round);
        grows(&tally.edits, &mut editors).await;
        tally.removing.store(round, Ordering::SeqCst);
        ada.delete(&member).await.is(204);
    }
    let took = began.elapsed();
    drop(rounds);
    while let Some(ended) = editors.join_next().await {
        ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
    }
    let (edits, refusals) = (tally.edits.load(Ordering::Relaxed), tally.refusals.load(Ordering::Relaxed));
    eprintln!("removal race: {all} rounds in {took:?}, {edits} edits, {refusals} refusals");
    let pool = world.pool().await;
    assert_whole(&pool).await;
    // Straight from the log, without any of the service's code: whether each edit falls between an addition and a removal.
    let (written, after_removal): (i64, i64) = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE step = 0), count(*) FILTER (WHERE step = 0 AND member = 0) FROM (
            SELECT step, sum(step) OVER (ORDER BY position) AS member FROM (
                SELECT position, CASE event_type WHEN 'MemberAdded' THEN 1 WHEN 'MemberRemoved' THEN -1 ELSE 0 END AS step
                FROM events
                WHERE aggregate_id = $1
                  AND (event_type = 'ProjectUpdated' AND metadata->>'actor' = 'account:' || $2
                       OR aggregate_type = 'membership' AND payload->>'account_id' = $2)) steps) history",
    )
    .bind(&project)
    .bind(&grace.id)
    .fetch_one(&pool)
    .await
    .expect("counts");
    assert_eq!(after_removal, 0, "edits behind a removal");
    let written = usize::try_from(written).expect("a count");
    assert!(written >= edits, "an acknowledged edit is lost");
    let removals: i64 = sqlx::query_scalar("SELECT count(*) FROM events WHERE event_type = 'MemberRemoved'")
        .fetch_one(&pool)
        .await
        .expect("a count");
    assert_eq!(usize::try_from(removals).expect("a count"), all);
    assert!(refusals > 0, "the editors never met a closed door");
    assert_proved(world, &pool).await;
    Raced { acknowledged: edits, written }
}

#[tokio::test]
async fn no_edit_follows_a_removal() {
    race(&World::new().await, rounds_of(1000)).await;
}
