//! Sandboxes that wait ready for a program.

use super::*;

/// A sandbox of which this many wait, and a folder that the arguments of its launchers name.
async fn waiting(waiting: usize) -> (Sandbox, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(folder.path(), open).expect("open to others");
    let config = SandboxConfig { waiting, folder: Some(folder.path().to_owned()), ..config() };
    (Sandbox::probe(config).await.expect("a sandbox"), folder)
}

/// How many of its launchers there are.
fn launchers(folder: &tempfile::TempDir) -> usize {
    count(&folder.path().display().to_string())
}

#[tokio::test]
async fn some_wait_from_the_first_program_of_a_language_on() {
    let (sandbox, folder) = waiting(2).await;
    assert_eq!(launchers(&folder), 0);
    for round in 0..5 {
        let outcome = run_in(&sandbox, code("bash", "echo hello")).await;
        assert_eq!(outcome.stdout, "hello\n", "{round}: {outcome:?}");
        becomes("two wait", || launchers(&folder) == 2).await;
    }
    run_in(&sandbox, code("python", "print(1)")).await;
    becomes("two of each wait", || launchers(&folder) == 4).await;
    sandbox.close().await;
    assert_eq!(launchers(&folder), 0);
    let outcome = run_in(&sandbox, code("bash", "echo still")).await;
    assert_eq!((outcome.stdout.as_str(), launchers(&folder)), ("still\n", 0), "none waits any more");
}

#[tokio::test]
async fn they_end_when_nobody_has_the_sandbox_any_more() {
    let (sandbox, folder) = waiting(2).await;
    run_in(&sandbox, code("bash", "true")).await;
    becomes("two wait", || launchers(&folder) == 2).await;
    drop(sandbox);
    becomes("they end", || launchers(&folder) == 0).await;
}

#[tokio::test]
async fn one_that_has_died_is_passed_over() {
    let (sandbox, folder) = waiting(2).await;
    run_in(&sandbox, code("bash", "true")).await;
    becomes("two wait", || launchers(&folder) == 2).await;
    let marker = folder.path().display().to_string();
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        let arguments = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&arguments).contains(&marker) {
            let number = entry.file_name().to_str().and_then(|name| name.parse().ok()).expect("a number");
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(number), nix::sys::signal::SIGKILL).expect("killed");
        }
    }
    becomes("they are dead", || launchers(&folder) == 0).await;
    let outcome = run_in(&sandbox, code("bash", "echo hello")).await;
    assert_eq!(outcome.stdout, "hello\n", "{outcome:?}");
}

/// Nothing of one program is left to the next that runs in a sandbox which has waited.
#[tokio::test]
async fn each_is_used_once() {
    let (sandbox, folder) = waiting(2).await;
    let text = "ls -A /tmp /dev/shm; ls -A /workspace; echo secret | tee /tmp/x /workspace/x /dev/shm/x > /dev/null";
    let first = run_in(&sandbox, code("bash", text)).await;
    for _ in 0..5 {
        becomes("two wait", || launchers(&folder) == 2).await;
        let next = run_in(&sandbox, code("bash", text)).await;
        assert_eq!(next.stdout, first.stdout);
    }
}

#[tokio::test]
async fn the_time_of_waiting_does_not_count() {
    let (sandbox, folder) = waiting(1).await;
    run_in(&sandbox, code("bash", "true")).await;
    becomes("one waits", || launchers(&folder) == 1).await;
    let outcome = run_in(&sandbox, code("bash", "echo hello")).await;
    assert!(outcome.execution_time < Duration::from_secs(1), "{outcome:?}");
}
