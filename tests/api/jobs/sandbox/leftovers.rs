//! What is left after many programs, and after a worker that was killed.

use super::*;
use crate::support::rounds_of;

/// Says that it is done.
fn say(path: &str) {
    fs::write(path, "done").expect("a file");
}

/// A worker that runs many programs, gives some of them up, and stops.
#[tokio::test]
#[ignore = "the victim of nothing_is_left_after_a_thousand_programs"]
async fn busy_victim() {
    let Ok(path) = std::env::var("SANDBOX_BUSY") else { return };
    let mut sandboxes = Vec::new();
    for cgroups in [UseCgroups::Auto, UseCgroups::Never] {
        let config = SandboxConfig { cgroups, waiting: 2, stop_grace: Duration::ZERO, ..config() };
        sandboxes.push(Sandbox::probe(config).await.expect("a sandbox"));
    }
    for round in 0..rounds_of(1000) {
        let sandbox = &sandboxes[round % 2];
        match round % 5 {
            // Given up at once, and while it runs.
            0 => drop(tokio::time::timeout(Duration::ZERO, run_in(sandbox, code("bash", "sleep 60"))).await),
            1 => drop(tokio::time::timeout(Duration::from_millis(15), run_in(sandbox, code("bash", "sleep 60"))).await),
            2 => drop(sandbox.run(code("bash", "sleep 60 & wait"), async {}, quiet).await.expect("an outcome")),
            3 => drop(run_in(sandbox, code("bash", "setsid sleep 60 & kill -9 $$")).await),
            _ => assert_eq!(run_in(sandbox, code("bash", "echo x")).await.stdout, "x\n"),
        }
    }
    for sandbox in &sandboxes {
        sandbox.close().await;
    }
    let own = std::process::id();
    becomes("its launchers have ended", || !has_launchers(own)).await;
    becomes("its cgroups are gone", || !has_groups(own)).await;
    say(&path);
    drop(sandboxes);
}

#[tokio::test]
async fn nothing_is_left_after_a_thousand_programs() {
    let folder = tempfile::tempdir().expect("a folder");
    let done = folder.path().join("done");
    let mut worker = victim("leftovers::busy_victim", "SANDBOX_BUSY", done.to_str().expect("a path"));
    let id = worker.id();
    let status = tokio::task::spawn_blocking(move || worker.wait()).await.expect("no panic").expect("an end");
    assert!(status.success() && done.exists(), "{status}");
    assert!(!has_launchers(id) && !has_groups(id));
}

/// A worker that is killed while programs run and sandboxes wait.
#[tokio::test]
#[ignore = "the victim of what_a_killed_worker_leaves_is_swept_by_another"]
async fn killed_victim() {
    let Ok(path) = std::env::var("SANDBOX_KILLED") else { return };
    let config = SandboxConfig { waiting: 4, ..config() };
    let sandbox = Sandbox::probe(config).await.expect("a sandbox");
    run_in(&sandbox, code("bash", "true")).await;
    run_in(&sandbox, code("python", "1")).await;
    let sleep = || run_in(&sandbox, code("bash", "trap '' TERM; setsid sleep 60 & sleep 60"));
    let ready = async {
        becomes("eight wait, four run", || count(&format!("{{\"parent\":{},", std::process::id())) == 12).await;
        say(&path);
        pending::<()>().await;
    };
    tokio::join!(sleep(), sleep(), sleep(), sleep(), ready);
}

/// Not only at the start of the next worker: any other one of the host does it, now and then.
#[tokio::test]
async fn what_a_killed_worker_leaves_is_swept_by_another() {
    let other = sandbox().await;
    let folder = tempfile::tempdir().expect("a folder");
    let ready = folder.path().join("ready");
    let mut worker = victim("leftovers::killed_victim", "SANDBOX_KILLED", ready.to_str().expect("a path"));
    becomes("it runs and waits", || ready.exists()).await;
    worker.kill().expect("killed");
    worker.wait().expect("reaped");
    let id = worker.id();
    becomes("its launchers end by themselves", || !has_launchers(id)).await;
    other.sweep().await;
    becomes("its cgroups are swept", || !has_groups(id)).await;
    let outcome = run_in(&other, code("bash", "echo still")).await;
    assert_eq!(outcome.stdout, "still\n");
}
