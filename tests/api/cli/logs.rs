//! What a service says on stderr.

use std::net::TcpListener;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::process::Served;
use crate::support::{World, eventually};

#[tokio::test]
async fn nats_that_cannot_be_reached_is_named() {
    let world = World::new().await;
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address").to_string()
    };
    let served = Served::start(&world.database_url, &format!("nats://ada:swordfish@{closed}"), &[]);
    served.listens().await;
    let named = |line: &String| line.contains("NATS") && line.contains(&closed);
    eventually("it is named", || async { served.said().iter().any(named) }).await;
    let said = served.said().join("\n");
    assert!(!said.contains("swordfish"), "{said}");
    assert!(!said.contains('\u{1b}'), "colours in a file: {said}");
    assert_eq!(served.said().iter().filter(|line| line.contains("cannot be reached")).count(), 1, "{said}");
}

#[tokio::test]
async fn json_lines_keep_causes_and_what_comes_again_is_summed_up() {
    let world = World::with_own_postgres().await;
    let served = Served::start(&world.database_url, world.nats_url(), &[("WORKROOM_LOG_FORMAT", "json")]);
    served.listens().await;
    world.services().postgres().expect("a Postgres of one's own").kill9().await;
    let lines = || -> Vec<Value> {
        served.said().iter().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
    };
    let refused = |line: &Value| {
        let causes = line["fields"]["error.sources"].as_array().cloned().unwrap_or_default();
        causes.iter().any(|cause| cause.as_str().is_some_and(|cause| cause.contains("Connection refused")))
    };
    eventually("a cause", || async { lines().iter().any(refused) }).await;
    let sum = |line: &Value| {
        let message = line["fields"]["message"].as_str().unwrap_or_default();
        message.starts_with("again: ") && line["fields"]["times"].as_u64().is_some_and(|times| times > 1)
    };
    eventually("a sum", || async { lines().iter().any(sum) }).await;
    let mut told: Vec<String> = lines()
        .iter()
        .filter(|line| line["level"] == "WARN" && line["target"] != "workroom::logging")
        .map(|line| format!("{} {}", line["target"], line["fields"]))
        .collect();
    let all = told.len();
    told.sort();
    told.dedup();
    assert_eq!(told.len(), all, "said twice: {told:#?}");
    drop(world);
    assert!(served.end_by(Signal::SIGTERM).await.success());
}
