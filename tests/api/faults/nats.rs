//! NATS is away, or has lost everything: commands go on, and its copies become whole again.

use std::time::Duration;

use super::{
    events_stream::{assert_copies_the_log, connect, last_sequence},
    load::{Load, ada},
};
use uuid::Uuid;

use crate::support::{Person, Socket, World, eventually};

/// Follows a project, and insists that its events come in order, each once; ends after the event at `until`.
struct Follower {
    until: tokio::sync::watch::Sender<Option<i64>>,
    task: tokio::task::JoinHandle<()>,
}

impl Follower {
    async fn begin(person: &Person, project: &str) -> Self {
        let mut socket = Socket::open(person).await;
        let history = socket.subscribe(project, 0).await;
        let mut last = 0;
        let mut check = move |frame: &serde_json::Value| {
            let seq = frame["seq"].as_i64().expect("a seq");
            assert_eq!(seq, last + 1, "a socket missed or repeated something: {frame}");
            last = seq;
            seq
        };
        for frame in &history {
            check(frame);
        }
        let (until, mut known) = tokio::sync::watch::channel(None::<i64>);
        let task = tokio::spawn(async move {
            let mut seq = i64::try_from(history.len()).expect("a count");
            loop {
                if known.borrow_and_update().is_some_and(|until| seq >= until) {
                    return;
                }
                tokio::select! {
                    frame = socket.next() => {
                        let frame = frame.expect("an open socket");
                        match frame["type"].as_str() {
                            Some("event") => seq = check(&frame),
                            Some("head" | "pong") => {}
                            _ => panic!("{frame}"),
                        }
                    }
                    changed = known.changed() => changed.expect("a test that goes on"),
                }
            }
        });
        Self { until, task }
    }

    async fn sees(self, seq: i64) {
        self.until.send_replace(Some(seq));
        let seen = tokio::time::timeout(Duration::from_secs(20), self.task).await;
        seen.expect("everything in time").unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
    }
}

async fn head_of(pool: &sqlx::PgPool, project: &str) -> i64 {
    sqlx::query_scalar("SELECT max(feed_seq) FROM events WHERE feed_id = $1::uuid")
        .bind(project)
        .fetch_one(pool)
        .await
        .expect("a head")
}

#[tokio::test]
async fn commands_go_on_without_nats_and_its_copy_becomes_whole_again() {
    let world = World::new().await;
    let (server, other) = tokio::join!(world.server(), world.server());
    let (ada, projects) = ada(&server).await;
    let pool = world.pool().await;
    let here = Follower::begin(&ada, &projects[0]).await;
    let there = Follower::begin(&ada.at(&other.address), &projects[0]).await;
    let mut load = Load::begin(&server, &ada, &projects);
    for _ in 0..2 {
        load.goes_on(80).await;
        world.nats().kill9().await;
        // Away, for as long as this takes.
        load.goes_on(150).await;
        eventually("readiness says so", || async { ada.get("//ready").await.status == 503 }).await;
        world.nats().restart().await.expect("NATS again");
        load.goes_on(80).await;
    }
    assert_eq!(load.busy() + load.failed(), 0, "commands do not need NATS");
    load.end(&world, &pool).await;
    assert_copies_the_log(&world, &pool, true).await;
    let head = head_of(&pool, &projects[0]).await;
    here.sees(head).await;
    there.sees(head).await;
    eventually("ready again", || async { ada.get("//ready").await.status == 200 }).await;
}

#[tokio::test]
async fn after_a_wiped_nats_its_copy_goes_on_and_nothing_is_missed() {
    let world = World::new().await;
    let server = world.server().await;
    // A second instance, so that live events must travel.
    let (ada, projects) = ada(&server).await;
    let other = world.server().await;
    let pool = world.pool().await;
    let here = Follower::begin(&ada, &projects[0]).await;
    let there = Follower::begin(&ada.at(&other.address), &projects[0]).await;
    let mut load = Load::begin(&server, &ada, &projects);
    for _ in 0..2 {
        load.goes_on(100).await;
        world.nats().wipe_store().await.expect("an empty NATS");
        let jetstream = connect(&world).await;
        eventually("EVENTS goes on", || async { last_sequence(&jetstream).await > 0 }).await;
        load.goes_on(50).await;
    }
    assert_eq!(load.busy() + load.failed(), 0, "commands do not need NATS");
    load.end(&world, &pool).await;
    assert_copies_the_log(&world, &pool, false).await;
    let head = head_of(&pool, &projects[0]).await;
    here.sees(head).await;
    there.sees(head).await;
}

#[tokio::test]
async fn jobs_that_a_wiped_queue_has_lost_still_run() {
    let world = World::new().await;
    let server = world.server_with(&["--roles", "api,live,projector,relay,scheduler"], &[]).await;
    let ada = server.person("ada").await;
    let pool = world.pool().await;
    // As good as a worker that never comes for what is handed out to it.
    let enter = "INSERT INTO workers (id, sandbox_slots, service_slots) VALUES ($1, 10, 0)";
    let worker = Uuid::now_v7();
    sqlx::query(enter).bind(worker).execute(&pool).await.expect("a worker");
    let mut jobs = Vec::new();
    for number in 0..4 {
        jobs.push(ada.run_python(&format!("print({number})"), None).await);
    }
    let jetstream = connect(&world).await;
    let beat = "UPDATE workers SET beat = beat + 1 WHERE id = $1";
    eventually("the jobs are queued", || async {
        sqlx::query(beat).bind(worker).execute(&pool).await.expect("a sign of life");
        match jetstream.get_stream("JOBS").await {
            Ok(mut stream) => stream.info().await.is_ok_and(|info| info.state.messages == 4),
            Err(_) => false,
        }
    })
    .await;
    world.nats().wipe_store().await.expect("an empty NATS");
    let _worker = world.worker().await;
    for (number, job) in jobs.iter().enumerate() {
        let job = ada.finished(job).await;
        assert_eq!(job["status"], "completed", "{job}");
        assert_eq!(job["result"]["stdout"].as_str(), Some(&*format!("{number}\n")));
    }
    let ends: Vec<i64> = sqlx::query_scalar(
        "SELECT count(*) FROM events WHERE event_type = 'JobSucceeded' GROUP BY aggregate_id ORDER BY 1",
    )
    .fetch_all(&pool)
    .await
    .expect("counts");
    assert_eq!(ends, [1, 1, 1, 1]);
    assert_copies_the_log(&world, &pool, false).await;
}
