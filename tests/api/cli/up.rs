//! `workroom dev up` over a folder: quick, clean, and the same again after any end.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::process::{Up, assert_nothing_left, assert_one_sentence, command, data_folder, run, servers};

/// The bounds, twice over for a debug build beside other tests.
const COLD: Duration = Duration::from_secs(20);
const WARM: Duration = Duration::from_secs(6);

async fn post(up: &Up, path: &str, body: Value) -> (StatusCode, Value) {
    let url = format!("http://{}/api/v1/auth/{path}", up.address);
    let request = reqwest::Client::new().post(url).header("content-type", "application/json").body(body.to_string());
    let reply = request.send().await.expect("a reply");
    let status = reply.status();
    (status, serde_json::from_str(&reply.text().await.expect("a body")).unwrap_or_default())
}

fn ada() -> Value {
    json!({"email": "ada@example.com", "password": "ada has a good password"})
}

#[tokio::test]
async fn it_is_up_in_seconds_and_keeps_everything_over_any_end() {
    let folder = data_folder().await;
    let began = Instant::now();
    let up = Up::start(folder.path()).await;
    let cold = began.elapsed();
    assert_eq!(reqwest::get(format!("http://{}/ready", up.address)).await.expect("a reply").status(), 200);
    let mut account = ada();
    account["full_name"] = "Ada".into();
    assert_eq!(post(&up, "register", account).await.0, 201);
    assert!(servers(folder.path()).len() >= 2, "{:?}", servers(folder.path()));

    // One instance a folder.
    let second = command(&["dev", "up", "--port", "0", "--data-dir", folder.path().to_str().expect("a path")]);
    let second = run(second, Duration::from_secs(15)).await;
    assert_one_sentence(&second, &["another Workroom instance", folder.path().to_str().expect("a path")]);
    assert_eq!(post(&up, "login", ada()).await.0, 200, "the first one goes on");

    assert!(up.end_by(Signal::SIGINT).await.success(), "Ctrl-C is a good end");
    assert_nothing_left(folder.path()).await;

    let began = Instant::now();
    let up = Up::start(folder.path()).await;
    let warm = began.elapsed();
    assert_eq!(post(&up, "login", ada()).await.0, 200);
    let ended = up.end_by(Signal::SIGKILL).await;
    assert!(!ended.success());
    // Without waiting for anything: the next start has to cope.
    let began = Instant::now();
    let up = Up::start(folder.path()).await;
    let after_kill = began.elapsed();
    assert_eq!(post(&up, "login", ada()).await.0, 200, "an acknowledged registration is lost");
    up.end_by(Signal::SIGKILL).await;
    assert_nothing_left(folder.path()).await;
    let up = Up::start(folder.path()).await;
    assert_eq!(post(&up, "login", ada()).await.0, 200);
    assert!(up.end_by(Signal::SIGTERM).await.success());
    assert_nothing_left(folder.path()).await;
    eprintln!("dev up: cold {cold:?}, warm {warm:?}, after kill -9 {after_kill:?}");
    assert!(cold < COLD, "cold start took {cold:?}");
    assert!(warm < WARM, "warm start took {warm:?}");
}

#[tokio::test]
async fn an_interrupt_while_it_starts_leaves_nothing_behind() {
    let folder = data_folder().await;
    for pause in [50, 400, 900] {
        let path = folder.path().to_str().expect("a path");
        let mut child = command(&["dev", "up", "--port", "0", "--data-dir", path]).spawn().expect("a process");
        // Any moment will do: this is where in its start it is hit, not a wait for something.
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id().expect("a pid")).expect("a pid"));
        nix::sys::signal::kill(pid, Signal::SIGINT).expect("a running process");
        tokio::time::timeout(Duration::from_secs(30), child.wait()).await.expect("an end in time").expect("a status");
        assert_nothing_left(folder.path()).await;
    }
    let up = Up::start(folder.path()).await;
    assert!(up.end_by(Signal::SIGINT).await.success());
    assert_nothing_left(folder.path()).await;
}
