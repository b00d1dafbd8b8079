//! What a program leaves below `/workspace/artifacts`.

use super::*;

fn keeping(language: &str, text: impl Into<String>) -> Execution {
    Execution { keep_artifacts: true, ..code(language, text) }
}

fn names(outcome: &Outcome) -> Vec<&str> {
    outcome.artifacts.iter().map(|artifact| artifact.path.as_str()).collect()
}

#[tokio::test]
async fn files_are_read_when_the_program_ends_by_itself() {
    let text = "mkdir -p artifacts/a/b; printf 'x\\0y' > artifacts/a/b/c; echo top > artifacts/top; : > artifacts/empty; exit 3";
    for (mode, sandbox) in modes().await {
        let outcome = run_in(&sandbox, keeping("bash", text)).await;
        assert_eq!(names(&outcome), ["a/b/c", "empty", "top"], "{mode}: {outcome:?}");
        assert_eq!(outcome.artifacts[0].content, &b"x\0y"[..]);
        assert_eq!((outcome.exit_code, outcome.artifacts_dropped), (Some(3), 0));
        let unasked = run_in(&sandbox, code("bash", "mkdir artifacts; echo x > artifacts/x")).await;
        assert!(unasked.artifacts.is_empty() && unasked.exit_code == Some(0), "{unasked:?}");
        let none = run_in(&sandbox, keeping("bash", "true")).await;
        assert_eq!((none.artifacts.len(), none.artifacts_dropped), (0, 0));
    }
}

#[tokio::test]
async fn a_program_that_was_killed_leaves_nothing() {
    let text = "echo x > artifacts/x; echo ready; sleep 60";
    let mut execution = keeping("bash", text);
    execution.timeout = Duration::from_secs(1);
    for sandbox in [sandbox().await, without_cgroups().await] {
        let outcome = run_in(&sandbox, execution.clone()).await;
        assert_eq!((outcome.limit_hit, outcome.artifacts.len()), (Some(LimitHit::Time), 0), "{outcome:?}");
    }
}

/// Each of these leaves something that must not come out, and `end`, which may.
pub(super) const NASTY: &[(&str, &str, u32)] = &[
    (
        "links to files of the host",
        "os.symlink('/etc/passwd', 'l'); os.symlink('/proc/self/environ', 'm'); os.symlink('../main.py', 'n')",
        3,
    ),
    ("links to folders", "os.symlink('/', 'root'); os.symlink('..', 'up'); os.symlink('/proc/1/root', 'one')", 3),
    ("circles of links", "os.symlink('a', 'b'); os.symlink('b', 'a'); os.symlink('.', 'c')", 3),
    ("fifos", "os.mkfifo('f'); os.mkfifo('g')", 2),
    ("sockets", "import socket; s = socket.socket(socket.AF_UNIX); s.bind('s')", 1),
    ("holes", "os.truncate(os.open('h', os.O_CREAT | os.O_WRONLY), 60 << 20)", 1),
    ("large files", "open('big', 'wb').write(b'x' * (17 << 20))", 1),
    ("names that are no text", "open(b'\\xff\\xfe', 'w').close()", 1),
    (
        "long paths",
        "os.makedirs('d' * 200 + '/' + 'e' * 100); open('d' * 200 + '/' + 'e' * 100 + '/x', 'w').close()",
        1,
    ),
    ("files that nobody may read", "open('x', 'w').close(); os.chmod('x', 0)", 1),
    ("folders that nobody may enter", "os.mkdir('d'); open('d/x', 'w').close(); os.chmod('d', 0)", 1),
    ("folders in folders", "p = 'd/' * 60; os.makedirs(p); open(p + 'x', 'w').close()", 1),
    ("devices", "try: os.mknod('n', 0o20666, 0x103)\nexcept OSError: open('n', 'w').close(); os.chmod('n', 0)", 1),
];

#[tokio::test]
async fn nothing_but_regular_files_in_bounds_comes_out() {
    for (mode, sandbox) in modes().await {
        for (what, text, dropped) in NASTY {
            let text = format!("import os\nos.chdir('/workspace/artifacts')\n{text}\nopen('end', 'w').write('end')");
            let outcome = run_in(&sandbox, keeping("python", text)).await;
            assert_eq!(names(&outcome), ["end"], "{what}, {mode}: {outcome:?}");
            assert_eq!(outcome.artifacts_dropped, *dropped, "{what}, {mode}: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn number_and_size_are_bounded() {
    let text = "for i in range(150): open(f'/workspace/artifacts/{i:03}', 'w').write('x')";
    let outcome = run(keeping("python", text)).await;
    assert_eq!((outcome.artifacts.len(), outcome.artifacts_dropped), (100, 50), "{outcome:?}");
    let text = "for i in range(5): open(f'/workspace/artifacts/{i}', 'wb').write(bytes(5 << 20))";
    let outcome = run(keeping("python", text)).await;
    assert_eq!((names(&outcome), outcome.artifacts_dropped), (vec!["0", "1", "2"], 2));
    assert_eq!(outcome.artifacts[2].content.len(), 5 << 20);
    let text = "import os\nfor i in range(30000): os.mkdir(f'/workspace/artifacts/{i}')";
    let outcome = run(keeping("python", text)).await;
    assert_eq!((outcome.artifacts.len(), outcome.exit_code), (0, Some(0)), "{outcome:?}");
}

/// The folder itself is a link, a file, or gone.
#[tokio::test]
async fn the_folder_may_be_anything() {
    for text in [
        "rmdir artifacts; ln -s /etc artifacts",
        "rmdir artifacts; ln -s /proc/1/root artifacts",
        "rmdir artifacts; echo x > artifacts",
        "rmdir artifacts; mkfifo artifacts",
        "rmdir artifacts; mkdir other; echo x > other/x; ln -s other artifacts",
    ] {
        let outcome = run(keeping("bash", text)).await;
        assert_eq!((outcome.artifacts.len(), outcome.artifacts_dropped), (0, 1), "{text}: {outcome:?}");
    }
    let outcome = run(keeping("bash", "rmdir artifacts")).await;
    assert_eq!((outcome.artifacts.len(), outcome.artifacts_dropped), (0, 0), "{outcome:?}");
}

/// Processes that go on exchanging folders and links while the program ends: they are dead before anything is read.
#[tokio::test]
async fn what_is_exchanged_meanwhile_leads_nowhere() {
    let text = "import ctypes, os, sys\nlibc = ctypes.CDLL(None)\nos.chdir('/workspace/artifacts')\nos.mkdir('d'); open('d/x', 'w').write('mine')\n\
                os.symlink('/etc', 'l'); os.symlink('/proc/self/environ', 'm'); open('f', 'w').write('mine')\n\
                for a, b in (('d', 'l'), ('f', 'm')):\n  for _ in range(3):\n    if os.fork() == 0:\n      os.setsid()\n      while True: libc.renameat2(-100, a.encode(), -100, b.encode(), 2)\n\
                import time; time.sleep(0.05)";
    for (mode, sandbox) in modes().await {
        for _ in 0..10 {
            let outcome = run_in(&sandbox, keeping("python", text)).await;
            for artifact in &outcome.artifacts {
                assert_eq!(artifact.content, &b"mine"[..], "{mode}: {outcome:?}");
            }
            assert_eq!(outcome.artifacts.len() + outcome.artifacts_dropped as usize, 4, "{mode}: {outcome:?}");
        }
    }
}
