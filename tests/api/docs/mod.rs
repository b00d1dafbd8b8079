//! What `docs/` tells to do can be done.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Where a block of the page goes.
enum Place<'a> {
    /// A file of its own.
    As(&'a str),
    /// Behind the first line that has this text.
    After(&'a str, &'a str),
    /// Instead of that line.
    InsteadOf(&'a str, &'a str),
}

/// The blocks of a page, each with the place that the comment above it names.
fn blocks(page: &str) -> Vec<(Place<'_>, String)> {
    let mut found = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(comment) = line.strip_prefix("<!-- ").and_then(|line| line.strip_suffix(" -->")) else { continue };
        let place = if let Some(file) = comment.strip_prefix("as ") {
            Place::As(file)
        } else {
            let (file, how) = comment.strip_prefix("in ").and_then(|rest| rest.split_once(' ')).expect("a file");
            match how.split_once(": ").expect("a place") {
                ("after", text) => Place::After(file, text),
                ("instead of", text) => Place::InsteadOf(file, text),
                (other, _) => panic!("no place: {other}"),
            }
        };
        assert_eq!(lines.next(), Some("```rust"), "after {comment}");
        let block: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
        found.push((place, block.join("\n") + "\n"));
    }
    found
}

fn put(root: &Path, place: &Place<'_>, block: &str) {
    let (file, text, keeps) = match *place {
        Place::As(file) => return fs::write(root.join(file), block).expect("a file"),
        Place::After(file, text) => (file, text, true),
        Place::InsteadOf(file, text) => (file, text, false),
    };
    let before = fs::read_to_string(root.join(file)).expect("a file");
    let at = before.lines().position(|line| line.contains(text)).unwrap_or_else(|| panic!("{file} has no {text}"));
    let mut after = String::new();
    for (number, line) in before.lines().enumerate() {
        if number != at || keeps {
            after.push_str(line);
            after.push('\n');
        }
        if number == at {
            after.push_str(block);
        }
    }
    fs::write(root.join(file), after).expect("a file");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a copy");
        }
    }
}

/// The folders of the workspace's crates, other than its own.
fn members(root: &Path) -> Vec<String> {
    let manifest = fs::read_to_string(root.join("Cargo.toml")).expect("the manifest");
    let line = manifest.lines().find_map(|line| line.strip_prefix("members = ")).expect("the members on one line");
    let members: Vec<String> = serde_json::from_str(line).expect("a list of names");
    members.into_iter().filter(|member| member != ".").collect()
}

/// Where Cargo builds: this test lies in `<target>/debug/deps`.
fn target() -> PathBuf {
    let here = std::env::current_exe().expect("this test");
    here.ancestors().nth(3).expect("a folder").to_owned()
}

/// A curl that is sent a body without a newline, and prints behind it what it is told to.
const CURL: &str = r#"curl() {
    printf sent
    while [ $# -gt 0 ]; do
        if [ "$1" = -w ]; then printf "$2"; fi
        shift
    done
}"#;

/// An export is signed to its last byte: one that was saved with a newline more is refused.
#[test]
fn what_readmes_walk_saves_is_what_was_sent() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("the page");
    let begins = |line: &&str| ["line()", "post()", "get()"].iter().any(|name| line.starts_with(name));
    let helpers: Vec<&str> = page.lines().filter(begins).collect();
    assert_eq!(helpers.len(), 3, "the walk has lost its helpers: {helpers:?}");
    for (curl, sent) in [(CURL, Some("sent")), ("curl() { return 7; }", None)] {
        for call in ["get projects", "post projects '{}'"] {
            let script = [curl, &helpers.join("\n"), "api=api token=token", call].join("\n");
            let output = Command::new("sh").args(["-euc", &script]).output().expect("a shell");
            let said = output.status.success().then(|| String::from_utf8(output.stdout).expect("UTF-8"));
            assert_eq!(said.as_deref(), sent, "{call}");
        }
    }
}

#[test]
#[ignore = "compiles the service once more; ./dev test --long"]
fn drill_the_example_of_adding_a_command_compiles() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/adding-a-command.md")).expect("the page");
    let blocks = blocks(&page);
    assert!(blocks.len() >= 10, "the page has lost its blocks");
    let tree = tempfile::tempdir().expect("a folder");
    let crates = members(root);
    for folder in crates.iter().map(String::as_str).chain(["src", "clients", "migrations"]) {
        copy(&root.join(folder), &tree.path().join(folder));
    }
    for file in ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "build.rs"] {
        fs::copy(root.join(file), tree.path().join(file)).expect("a copy");
    }
    // Cargo wants every target that the manifest names.
    copy(&root.join("tests/api"), &tree.path().join("tests/api"));
    for (place, block) in &blocks {
        put(tree.path(), place, block);
    }
    let check = Command::new(env!("CARGO"))
        .args(["check", "--locked", "--package", "workroom", "--lib"])
        .current_dir(tree.path())
        // Not where the tree itself is built: Cargo tells crates apart by their place below the manifest, and would take these.
        .env("CARGO_TARGET_DIR", target().join("example"))
        .output()
        .expect("cargo");
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
}
