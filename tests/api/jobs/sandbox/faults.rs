//! What fails around the sandbox.

use super::*;

#[tokio::test]
async fn without_cgroups_it_still_holds_and_says_so() {
    let sandbox = without_cgroups().await;
    assert_eq!(sandbox.describe().limits, LimitsBy::Rlimits);
    assert!(sandbox.describe().to_string().contains("rlimits and looking"));
    let hog = code("python", "x = []\nwhile True: x.append(bytearray(1 << 20))");
    let outcome = sandbox.run(hog, pending(), quiet).await.expect("an outcome");
    assert!(outcome.stderr.contains("MemoryError"), "{outcome:?}");
    let shared = "import mmap\nx = []\nwhile True: x.append(mmap.mmap(-1, 50 << 20))";
    let outcome = sandbox.run(code("python", shared), pending(), quiet).await.expect("an outcome");
    assert!(outcome.stderr.contains("Operation not permitted"), "{outcome:?}");
    for (language, text) in [("javascript", "console.log(6*7)"), ("bash", "echo $((6*7))")] {
        let outcome = sandbox.run(code(language, text), pending(), quiet).await.expect("an outcome");
        assert_eq!(outcome.stdout, "42\n", "{outcome:?}");
    }
}

#[tokio::test]
async fn where_cgroups_are_required_there_is_no_sandbox_without_them() {
    let required = Sandbox::probe(SandboxConfig { cgroups: UseCgroups::Required, ..config() }).await;
    match (sandbox().await.describe().limits, required) {
        (LimitsBy::Rlimits, Err(Unusable::NoCgroups { .. })) => {}
        (LimitsBy::CgroupV1 | LimitsBy::CgroupV2, Ok(sandbox)) => {
            assert_ne!(sandbox.describe().limits, LimitsBy::Rlimits);
        }
        (found, answer) => panic!("{found:?}: {answer:?}"),
    }
}

#[tokio::test]
async fn with_another_program_for_a_launcher_there_is_no_sandbox() {
    let no_launcher = SandboxConfig { launcher: Some("/bin/false".into()), ..config() };
    assert!(matches!(Sandbox::probe(no_launcher).await, Err(Unusable::NothingRuns(_))));
}

#[tokio::test]
async fn without_a_launcher_there_is_no_sandbox() {
    let missing = SandboxConfig { launcher: Some("/nowhere/launcher".into()), ..config() };
    assert!(matches!(Sandbox::probe(missing).await, Err(Unusable::NoLauncher { .. })));
}

#[tokio::test]
async fn the_service_starts_sandboxes_itself_where_there_is_no_launcher() {
    let itself = SandboxConfig { launcher: Some(workroom().into()), ..config() };
    let sandbox = Sandbox::probe(itself).await.expect("a sandbox");
    assert_eq!(run_in(&sandbox, code("bash", "echo here")).await.stdout, "here\n");
}

#[tokio::test]
async fn a_launcher_that_is_replaced_on_disk_is_still_the_old_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("workroom-launcher");
    fs::copy(launcher(), &file).expect("a copy");
    let sandbox = Sandbox::probe(SandboxConfig { launcher: Some(file.clone()), ..config() }).await.expect("a sandbox");
    fs::remove_file(&file).expect("a file");
    fs::copy("/bin/false", &file).expect("another program");
    assert_eq!(run_in(&sandbox, code("bash", "echo here")).await.stdout, "here\n");
}

#[tokio::test]
async fn the_launcher_may_lie_where_the_user_inside_cannot_go() {
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("workroom-launcher");
    fs::copy(launcher(), &copy).expect("a copy");
    let config = SandboxConfig { launcher: Some(copy), ..config() };
    assert!(Sandbox::probe(config).await.is_ok());
}

#[tokio::test]
async fn nothing_is_left_of_an_execution() {
    let marker = unique(4006);
    let sandbox = sandbox().await;
    let mut group = None;
    let look = async {
        becomes("it sleeps", || alive(&format!("sleep\0{marker}"))).await;
        group = group_of(&marker);
    };
    sandbox.run(code("bash", format!("sleep {marker}")), look, quiet).await.expect("an outcome");
    assert_eq!(group.is_some(), sandbox.describe().limits != LimitsBy::Rlimits);
    assert!(!group.is_some_and(|group| groups().contains(&group)), "its cgroup is gone before it is answered");
    assert!(!alive(&marker));
}

/// A worker that is killed in the middle; started by the test below in a process of its own.
#[tokio::test]
#[ignore = "the victim of a_killed_worker_leaves_nothing_behind"]
async fn victim() {
    let Ok(text) = std::env::var("SANDBOX_VICTIM") else { return };
    let (limited, unlimited) = (sandbox().await, without_cgroups().await);
    let execution = code("bash", text);
    let _ = tokio::join!(limited.run(execution.clone(), pending(), quiet), unlimited.run(execution, pending(), quiet));
}

#[tokio::test]
async fn a_killed_worker_leaves_nothing_behind() {
    let marker = unique(4007);
    let victim = concat!(module_path!(), "::victim");
    let name = victim.split_once("::").map_or(victim, |(_, name)| name);
    let mut worker = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", name, "--ignored", "--nocapture"])
        .env("SANDBOX_VICTIM", format!("trap '' HUP TERM; setsid sleep {marker} & sleep {marker}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a worker");
    becomes("both sleep twice", || count(&format!("sleep\0{marker}")) == 4).await;
    worker.kill().expect("killed");
    worker.wait().expect("reaped");
    becomes("the program is dead", || !alive(&format!("sleep\0{marker}"))).await;
    let leftover = format!(".{}.", worker.id());
    sandbox().await;
    becomes("its cgroup is swept", || !groups().iter().any(|name| name.contains(&leftover))).await;
}

#[tokio::test]
async fn a_launcher_of_another_build_is_not_used() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("workroom-launcher");
    // As a release that changed it would tell.
    let build = workroom_launcher::BUILD.as_bytes();
    let mut other = fs::read(launcher()).expect("the launcher");
    let places: Vec<_> = (0..other.len() - build.len()).filter(|at| other[*at..].starts_with(build)).collect();
    assert!(!places.is_empty(), "the launcher has its build in it");
    for at in places {
        other[at] = if other[at] == b'0' { b'1' } else { b'0' };
    }
    fs::write(&file, other).expect("another launcher");
    fs::set_permissions(&file, fs::metadata(launcher()).expect("the launcher").permissions()).expect("a program");
    let Err(Unusable::NothingRuns(SandboxError::NotStarted { detail })) =
        Sandbox::probe(SandboxConfig { launcher: Some(file), ..config() }).await
    else {
        panic!("a sandbox by another build")
    };
    assert!(detail.contains("another build"), "{detail}");
}
