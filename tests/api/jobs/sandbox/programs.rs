//! What a program brings: files, an entry, arguments, variables, standard input; and what it prints while it runs.

use std::sync::{Arc, Mutex};

use super::*;

fn file(path: &str, content: &str) -> SourceFile {
    SourceFile { path: path.to_owned(), content: content.to_owned().into() }
}

fn files(language: &str, entry: &str, files: Vec<SourceFile>) -> Execution {
    let timeout = Duration::from_secs(20);
    Execution { language: language.to_owned(), entry: entry.to_owned(), files, timeout, ..Execution::default() }
}

#[tokio::test]
async fn a_tree_of_files_is_there_with_its_entry() {
    let execution = files(
        "python",
        "app/start.py",
        vec![
            file(
                "app/start.py",
                "import sys, lib.greet\nprint(lib.greet.hello(open('/workspace/data/a b.txt').read()), sys.argv)",
            ),
            file("app/lib/greet.py", "def hello(name): return 'hello ' + name"),
            file("data/a b.txt", "wörld"),
            file("data/empty", ""),
        ],
    );
    for (mode, sandbox) in modes().await {
        let outcome = run_in(&sandbox, execution.clone()).await;
        assert_eq!(outcome.stdout, "hello wörld ['/workspace/app/start.py']\n", "{mode}: {outcome:?}");
    }
    let outcome = bash("stat -c '%n %a %U' main.sh .; ls -A").await;
    assert_eq!(outcome.stdout, "main.sh 644 sandbox\n. 755 sandbox\nmain.sh\n", "{outcome:?}");
}

#[tokio::test]
async fn arguments_and_variables_arrive_as_they_are() {
    let words = ["plain", "", "two words", "it's", "$HOME `id` \\ \" ! * ~", "a\nb\t", "é😀", "-n", "--", "'"];
    let text = "import json, os, sys; print(json.dumps([sys.argv[1:], os.environ['A'], os.environ['B_2'], os.environ['PATH']]))";
    let mut execution = code("python", text);
    execution.args = words.map(str::to_owned).into();
    execution.env = vec![("A".to_owned(), "it's $A\n`x`".to_owned()), ("B_2".to_owned(), String::new())];
    for (mode, sandbox) in modes().await {
        let outcome = run_in(&sandbox, execution.clone()).await;
        let expected = serde_json::json!([words, "it's $A\n`x`", "", "/usr/local/bin:/usr/bin:/bin"]);
        let read: serde_json::Value = serde_json::from_str(&outcome.stdout).expect("json");
        assert_eq!(read, expected, "{mode}: {outcome:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_is_refused_before_anything_runs() {
    let sandbox = sandbox().await;
    let refused = async |what: &str, execution: Execution| {
        let answer = sandbox.run(execution, pending(), quiet).await;
        let refused = answer.as_ref().is_err_and(SandboxError::is_final);
        assert!(refused, "{what}: {answer:?}");
    };
    let long = "x".repeat(256);
    for path in ["/etc/x", "../x", "a/../../x", "a//b", "./a", "a/", "a\0", "..", long.as_str()] {
        refused(path, files("bash", path, vec![file(path, "echo x")])).await;
    }
    refused("no entry", files("bash", "b", vec![file("a", "")])).await;
    refused("no file", files("bash", "", Vec::new())).await;
    refused("twice", files("bash", "a", vec![file("a", ""), file("a", "")])).await;
    refused("file and folder", files("bash", "a", vec![file("a", ""), file("a/b", "")])).await;
    let many = (0..=1000).map(|number| file(&number.to_string(), "")).collect();
    refused("too many", files("bash", "0", many)).await;
    let large = "x".repeat(33 << 20);
    refused("too large", files("bash", "a", vec![file("a", &large)])).await;
    for name in
        ["PATH", "HOME", "LANG", "PWD", "LD_PRELOAD", "LD_AUDIT", "BASH_ENV", "IFS", "lower", "1A", "A=B", "", "A\nB"]
    {
        let env = vec![(name.to_owned(), "x".to_owned())];
        refused(name, Execution { env, ..code("bash", "echo x") }).await;
    }
    refused("argument", Execution { args: vec!["a\0b".to_owned()], ..code("bash", "echo x") }).await;
    let missing = sandbox.run(code("cobol", "x"), pending(), quiet).await;
    assert!(matches!(missing, Err(SandboxError::LanguageMissing(_))), "{missing:?}");
}

#[tokio::test]
async fn a_thousand_files_of_some_megabytes_are_fine() {
    let mut tree: Vec<SourceFile> = (0..999).map(|n| file(&format!("d{}/f{n}", n % 40), &"x".repeat(20_000))).collect();
    tree.push(file("main.sh", "find . -type f | wc -l; cat d*/* | wc -c"));
    let outcome = run(files("bash", "", tree)).await;
    assert_eq!(outcome.stdout, "1000\n19980000\n", "{outcome:?}");
}

#[tokio::test]
async fn what_is_printed_is_heard_as_it_comes() {
    for (mode, sandbox) in modes().await {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (listener, watcher) = (Arc::clone(&heard), Arc::clone(&heard));
        let hear = move |stream: Stream, piece: &[u8]| {
            listener.lock().expect("nobody panics").push((stream, String::from_utf8_lossy(piece).into_owned()));
        };
        // It waits for its end for ever, so what is heard is heard before.
        let stop = becomes("both are heard", move || watcher.lock().expect("nobody panics").len() >= 2);
        let execution = code("bash", "echo one; echo two >&2; sleep 60");
        let outcome = sandbox.run(execution, stop, hear).await.expect("an outcome");
        assert!(outcome.cancelled, "{mode}: {outcome:?}");
        let heard = heard.lock().expect("nobody panics");
        for expected in [(Stream::Stdout, "one\n".to_owned()), (Stream::Stderr, "two\n".to_owned())] {
            assert!(heard.contains(&expected), "{mode}: {heard:?}");
        }
    }
}

#[tokio::test]
async fn all_is_heard_also_what_is_not_kept() {
    let bytes = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = Arc::clone(&bytes);
    let hear = move |_: Stream, piece: &[u8]| {
        counter.fetch_add(piece.len(), std::sync::atomic::Ordering::Relaxed);
    };
    let outcome = sandbox().await.run(code("bash", "head -c 3000000 /dev/zero"), pending(), hear).await;
    let outcome = outcome.expect("an outcome");
    assert!(outcome.truncated && outcome.limit_hit.is_none(), "{outcome:?}");
    assert_eq!(bytes.load(std::sync::atomic::Ordering::Relaxed), 3_000_000);
}

#[tokio::test]
async fn the_standard_streams_have_their_names() {
    let outcome = bash("echo out > /dev/stdout; echo err > /dev/stderr; cat /dev/stdin").await;
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("out\n", "err\n"), "{outcome:?}");
}
