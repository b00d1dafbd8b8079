//! How much a program may use, and what becomes of one that takes more.

use super::*;

#[tokio::test]
async fn an_endless_loop_ends_in_time_and_keeps_what_it_said() {
    for (language, text) in [("python", "print('said')\nwhile True: pass"), ("bash", "echo said; while :; do :; done")]
    {
        let mut execution = code(language, text);
        execution.timeout = Duration::from_secs(1);
        let outcome = run(execution).await;
        assert_eq!((outcome.limit_hit, outcome.exit_code), (Some(LimitHit::Time), None));
        assert_eq!(outcome.stdout, "said\n");
        assert!(outcome.execution_time < Duration::from_secs(3), "{:?}", outcome.execution_time);
    }
}

#[tokio::test]
async fn a_fork_bomb_stays_in_its_bounds_and_dies() {
    let marker = unique(4000);
    for sandbox in [sandbox().await, without_cgroups().await] {
        let text = format!("bomb() {{ sleep {marker} & bomb | bomb & }}; bomb; while :; do bomb; done");
        let mut execution = code("bash", text);
        execution.timeout = Duration::from_secs(2);
        let outcome = sandbox.run(execution, pending(), quiet).await.expect("an outcome");
        assert!(outcome.execution_time < Duration::from_secs(6), "{:?}", outcome.execution_time);
        assert!(outcome.stderr.contains("fork"), "it felt the bound: {outcome:?}");
        becomes("all of it is dead", || !alive(&marker)).await;
    }
}

#[tokio::test]
async fn too_many_processes_are_reported() {
    let sandbox = sandbox().await;
    let text = "import os, time\nn = 0\ntry:\n  for n in range(500):\n    if os.fork() == 0: time.sleep(60)\nexcept OSError: print(n)";
    let outcome = sandbox.run(code("python", text), pending(), quiet).await.expect("an outcome");
    // The program itself is one of 64; an rlimit counts process 1 as well, and tells nobody.
    let by_cgroup = sandbox.describe().limits != LimitsBy::Rlimits;
    assert_eq!(outcome.stdout, if by_cgroup { "63\n" } else { "62\n" }, "{outcome:?}");
    assert_eq!((outcome.limit_hit, outcome.exit_code), (by_cgroup.then_some(LimitHit::Processes), Some(0)));
    assert!(outcome.execution_time < Duration::from_secs(5), "nobody waits for the sleepers");
}

#[tokio::test]
async fn memory_is_bounded_and_said_to_be() {
    let sandbox = sandbox().await;
    for (language, text) in [
        ("python", "x = []\nwhile True: x.append(bytearray(1 << 20))"),
        ("javascript", "const x = []; while (true) x.push(Buffer.alloc(1 << 20, 1))"),
        ("bash", "head -c 200M /dev/zero > /dev/null; x=$(yes abcdefgh | head -c 2G); echo survived"),
    ] {
        let outcome = sandbox.run(code(language, text), pending(), quiet).await.expect("an outcome");
        // Without cgroups a process mostly finds its own limit before the whole does.
        let said = outcome.limit_hit == Some(LimitHit::Memory) || sandbox.describe().limits == LimitsBy::Rlimits;
        assert!(said, "{language}: {outcome:?}");
        assert!(!outcome.stdout.contains("survived"));
    }
}

#[tokio::test]
async fn files_are_memory_and_bounded() {
    let outcome = bash("head -c 1G /dev/zero > /workspace/big; stat -c %s big; stat -fc %b /workspace /tmp").await;
    let sizes: Vec<u64> = outcome.stdout.lines().map(|line| line.parse().expect("a size")).collect();
    assert!(sizes[0] <= 64 << 20 && sizes[0] > 63 << 20, "{outcome:?}");
    assert_eq!(sizes[1..], [16384, 16384], "blocks of 4 KiB");
    let small = SandboxConfig { file_size_bytes: 1 << 20, ..config() };
    let small = Sandbox::probe(small).await.expect("a sandbox");
    let outcome =
        small.run(code("bash", "head -c 2M /dev/zero > big; echo $?; stat -c %s big"), pending(), quiet).await;
    assert_eq!(outcome.expect("an outcome").stdout, "153\n1048576\n", "128 + SIGXFSZ");
    let outcome =
        bash("for i in 1 2 3 4; do head -c 40M /dev/zero > /workspace/$i; done; du -sm --apparent-size . | cut -f1")
            .await;
    assert!(outcome.stderr.contains("No space left"), "{outcome:?}");
    let outcome = bash("for d in /tmp /dev/shm / /etc /dev /usr /proc /run /var /sys; do echo x 2>/dev/null > $d/probe && echo $d; done").await;
    assert_eq!(outcome.stdout, "/tmp\n/dev/shm\n", "the only places to write to: {outcome:?}");
}

#[tokio::test]
async fn millions_of_small_files_are_memory_too() {
    let text = "i = 0\nwhile True:\n  open(f'/workspace/{i}', 'w').close(); i += 1";
    for sandbox in [sandbox().await, without_cgroups().await] {
        let mut execution = code("python", text);
        execution.timeout = Duration::from_mins(2);
        let outcome = sandbox.run(execution, pending(), quiet).await.expect("an outcome");
        let bounded = outcome.limit_hit == Some(LimitHit::Memory) || outcome.stderr.contains("No space left");
        assert!(bounded, "{outcome:?}");
    }
}

#[tokio::test]
async fn ten_gigabytes_of_output_neither_block_nor_fill_memory() {
    let before = resident();
    let mut execution = code("bash", "head -c 10G /dev/zero; echo end >&2");
    execution.timeout = Duration::from_mins(2);
    let endless = Sandbox::probe(SandboxConfig { output_limit_bytes: u64::MAX, ..config() }).await.expect("a sandbox");
    let outcome = endless.run(execution, pending(), quiet).await.expect("an outcome");
    assert_eq!((outcome.exit_code, outcome.truncated, outcome.stderr.as_str()), (Some(0), true, "end\n"));
    assert_eq!(outcome.stdout.chars().count(), 64 * 1024);
    assert!(resident() < before + 64 * 1024, "resident memory grew from {before} to {} KiB", resident());
}

#[tokio::test]
async fn garbage_and_nul_become_text() {
    let outcome = python("import sys; sys.stdout.buffer.write(b'a\\x00b\\xff\\xfec\\xed\\xa0\\x80')").await;
    assert!(outcome.stdout.starts_with("a\u{FFFD}b\u{FFFD}\u{FFFD}c"), "{outcome:?}");
    assert!(!outcome.stdout.contains('\0'));
    let outcome = python("print('x' + 'é' * 40000)").await;
    assert!(outcome.truncated && outcome.stdout.ends_with('é'), "no half character at the cut");
}

#[tokio::test]
async fn it_can_be_cancelled() {
    let marker = unique(4001);
    let sandbox = sandbox().await;
    let started = Instant::now();
    let cancel = becomes("it sleeps", || alive(&marker));
    let outcome = sandbox.run(code("bash", format!("sleep {marker} & wait")), cancel, quiet).await.expect("an outcome");
    assert!(outcome.cancelled && outcome.exit_code.is_none() && outcome.limit_hit.is_none(), "{outcome:?}");
    assert!(started.elapsed() < Duration::from_secs(5));
    becomes("it is dead", || !alive(&marker)).await;
}

#[tokio::test]
async fn giving_up_the_future_kills() {
    let marker = unique(4002);
    let sandbox = sandbox().await;
    let execution = code("bash", format!("sleep {marker} & wait"));
    let group;
    tokio::select! {
        _ = sandbox.run(execution, pending(), quiet) => panic!("it ended"),
        () = becomes("it sleeps", || alive(&format!("sleep\0{marker}"))) => group = group_of(&marker),
    }
    becomes("it is dead", || !alive(&marker)).await;
    becomes("its cgroup is gone", || !group.as_ref().is_some_and(|group| groups().contains(group))).await;
}

#[tokio::test]
async fn what_stays_in_the_background_dies_with_the_program() {
    let marker = unique(4003);
    for sandbox in [sandbox().await, without_cgroups().await] {
        let text =
            format!("(setsid nohup sleep {marker} &) ; (trap '' TERM HUP; setsid sleep {marker} & disown); echo main");
        let outcome = sandbox.run(code("bash", text), pending(), quiet).await.expect("an outcome");
        assert_eq!(outcome.stdout, "main\n");
        assert!(outcome.execution_time < Duration::from_secs(5), "its pipes hold nobody up");
        becomes("it is dead", || !alive(&marker)).await;
    }
}

fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
