//! The stream `EVENTS`, read as any consumer of JetStream would.

use std::time::Duration;

use async_nats::jetstream;
use futures::StreamExt;
use sqlx::PgPool;

use crate::support::{World, eventually};

/// The stream as it stands.
pub async fn last_sequence(jetstream: &jetstream::Context) -> u64 {
    match jetstream.get_stream("EVENTS").await {
        Ok(mut stream) => stream.info().await.map_or(0, |info| info.state.last_sequence),
        Err(_) => 0,
    }
}

/// Connects to the world's NATS.
pub async fn connect(world: &World) -> jetstream::Context {
    let url: reqwest::Url = world.nats_url().parse().expect("a URL");
    let server = format!("{}:{}", url.host_str().expect("a host"), url.port().expect("a port"));
    let mut options = async_nats::ConnectOptions::new();
    if let Some(password) = url.password() {
        options = options.user_and_password(url.username().to_owned(), password.to_owned());
    }
    jetstream::new(options.connect(server).await.expect("NATS"))
}

/// Insists that `EVENTS` comes to the end of the log, and holds what it holds once, in order, without a hole. `is_whole`: from the
/// first event on; else NATS was wiped, and it goes on from somewhere.
pub async fn assert_copies_the_log(world: &World, pool: &PgPool, is_whole: bool) {
    let jetstream = connect(world).await;
    let log: Vec<(i64, String)> = sqlx::query_as("SELECT position, event_id::text FROM events ORDER BY position")
        .fetch_all(pool)
        .await
        .expect("the log");
    let head = log.last().expect("events").0.to_string();
    eventually("EVENTS is as far as the log", || async {
        let Ok(stream) = jetstream.get_stream("EVENTS").await else { return false };
        let last = stream.get_raw_message(stream.cached_info().state.last_sequence).await;
        last.is_ok_and(|last| last.headers.get("Workroom-Position").is_some_and(|at| at.as_str() == head))
    })
    .await;
    let stream = jetstream.get_stream("EVENTS").await.expect("a stream");
    let count = usize::try_from(stream.cached_info().state.messages).expect("a number");
    assert!(count == log.len() || !is_whole, "{count} of {}", log.len());
    let consumer =
        stream.create_consumer(jetstream::consumer::pull::OrderedConfig::default()).await.expect("an ordered consumer");
    let mut messages = consumer.messages().await.expect("messages");
    for (position, event_id) in &log[log.len() - count..] {
        let message = tokio::time::timeout(Duration::from_secs(20), messages.next()).await.expect("a message in time");
        let message = message.expect("a message").expect("a message");
        let headers = message.headers.as_ref().expect("headers");
        let header = |name: &str| headers.get(name).map(|value| value.as_str().to_owned()).unwrap_or_default();
        assert_eq!(header("Workroom-Position"), position.to_string());
        assert_eq!(&header("Workroom-Event-Id"), event_id);
    }
}
