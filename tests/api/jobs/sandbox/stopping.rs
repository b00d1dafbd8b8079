//! Stopping a program: asked to end, given time, then killed.

use super::*;

/// Runs a program until it says `ready`, then stops it.
async fn stopped(sandbox: &Sandbox, execution: Execution) -> Outcome {
    let (ready, mut is_ready) = tokio::sync::mpsc::unbounded_channel();
    let hear = move |_: Stream, piece: &[u8]| {
        if String::from_utf8_lossy(piece).contains("ready") {
            let _ = ready.send(());
        }
    };
    let stop = async {
        is_ready.recv().await.expect("it says that it is ready");
    };
    sandbox.run(execution, stop, hear).await.expect("an outcome")
}

async fn with_grace(cgroups: UseCgroups, stop_grace: Duration) -> Sandbox {
    Sandbox::probe(SandboxConfig { cgroups, stop_grace, ..config() }).await.expect("a sandbox")
}

const PATIENT: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_program_that_is_asked_can_say_goodbye() {
    for cgroups in [UseCgroups::Auto, UseCgroups::Never] {
        let sandbox = with_grace(cgroups, PATIENT).await;
        let text = "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.01; done";
        let outcome = stopped(&sandbox, code("bash", text)).await;
        assert_eq!((outcome.stdout.as_str(), outcome.exit_code, outcome.cancelled), ("ready\nbye\n", None, true));
        let text = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: (print('bye'), sys.exit(0)))\nprint('ready')\nwhile True: signal.pause()";
        let outcome = stopped(&sandbox, code("python", text)).await;
        assert!(outcome.stdout.ends_with("bye\n") && outcome.cancelled, "{outcome:?}");
    }
}

/// In other sessions and groups, too.
#[tokio::test]
async fn all_its_processes_are_asked() {
    // Each child says that it is there: Python forgets the signals that come to a child while it is forked.
    let text = "import os, signal, sys, time\ndef bye(*_): os.write(1, b'bye\\n'); os._exit(0)\nsignal.signal(signal.SIGTERM, bye)\n\
                there, come = os.pipe()\n\
                for _ in range(5):\n  if os.fork() == 0:\n    os.setsid(); os.write(come, b'.')\n    while True: time.sleep(0.01)\n\
                signal.signal(signal.SIGTERM, lambda *_: None)\nfor _ in range(5): os.read(there, 1)\n\
                os.write(1, b'ready\\n')\nfor _ in range(5): os.wait()\nprint('all')";
    for cgroups in [UseCgroups::Auto, UseCgroups::Never] {
        let outcome = stopped(&with_grace(cgroups, PATIENT).await, code("python", text)).await;
        assert_eq!(outcome.stdout, format!("ready\n{}all\n", "bye\n".repeat(5)), "{outcome:?}");
    }
}

#[tokio::test]
async fn one_that_does_not_listen_is_killed_after_its_time() {
    let grace = Duration::from_millis(300);
    for cgroups in [UseCgroups::Auto, UseCgroups::Never] {
        let marker = unique(4010);
        let text = format!("trap '' TERM; setsid sleep {marker} & echo ready; while :; do sleep 0.01; done");
        let outcome = stopped(&with_grace(cgroups, grace).await, code("bash", text)).await;
        assert!(outcome.cancelled && outcome.exit_code.is_none(), "{outcome:?}");
        assert!(outcome.execution_time >= grace && outcome.execution_time < Duration::from_secs(5), "{outcome:?}");
        becomes("all of it is dead", || !alive(&marker)).await;
    }
}

#[tokio::test]
async fn without_grace_nobody_is_asked() {
    let sandbox = with_grace(UseCgroups::Auto, Duration::ZERO).await;
    let outcome =
        stopped(&sandbox, code("bash", "trap 'echo bye' TERM; echo ready; while :; do sleep 0.01; done")).await;
    assert_eq!((outcome.stdout.as_str(), outcome.cancelled), ("ready\n", true), "{outcome:?}");
}

#[tokio::test]
async fn a_program_whose_time_is_over_is_not_asked() {
    let sandbox = with_grace(UseCgroups::Auto, PATIENT).await;
    let mut execution = code("bash", "trap 'echo bye' TERM; echo ready; while :; do sleep 0.01; done");
    execution.timeout = Duration::from_secs(1);
    let outcome = run_in(&sandbox, execution).await;
    assert_eq!((outcome.stdout.as_str(), outcome.limit_hit), ("ready\n", Some(LimitHit::Time)), "{outcome:?}");
}

#[tokio::test]
async fn a_fork_bomb_is_stopped_too() {
    let marker = unique(4011);
    for (mode, sandbox) in modes().await {
        let text = format!(
            "trap '' TERM; bomb() {{ sleep {marker} & bomb | bomb & }}; echo ready; bomb 2>/dev/null; while :; do bomb 2>/dev/null; done"
        );
        let outcome = stopped(&sandbox, code("bash", text)).await;
        assert!(outcome.cancelled && outcome.execution_time < Duration::from_secs(8), "{mode}: {outcome:?}");
        becomes("all of it is dead", || !alive(&marker)).await;
    }
}

/// Processes outside get nothing, whatever the sandbox is asked to do.
#[tokio::test]
async fn nobody_outside_is_asked() {
    let mut outside = Command::new("sleep").arg(unique(4012)).spawn().expect("a process");
    let sandbox = with_grace(UseCgroups::Auto, PATIENT).await;
    for _ in 0..20 {
        let text = "trap 'exit 0' TERM; echo ready; while :; do (:); done";
        assert!(stopped(&sandbox, code("bash", text)).await.cancelled);
        assert!(outside.try_wait().expect("a state").is_none(), "it was sent a signal");
    }
    outside.kill().expect("killed");
    outside.wait().expect("reaped");
}
