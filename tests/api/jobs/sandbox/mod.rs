//! Attacks on the sandbox, and what ordinary programs may expect of it.
//!
//! Needs a host that lets unprivileged users make namespaces. Without it every test fails: a sandbox that is not tested is none.

mod artifacts;
mod attacks;
mod bombs;
mod calls;
mod faults;
mod hostile;
mod languages;
mod leftovers;
mod limits;
mod mounts;
mod neighbours;
mod ordinary_programs;
mod process_one;
mod programs;
mod stopping;
mod view;
mod waiting;
mod watched;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    future::pending,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use workroom::jobs::sandbox::{
    Execution, Language, Languages, LimitHit, LimitsBy, Outcome, Sandbox, SandboxConfig, SandboxError, SourceFile,
    Stream, Unusable, UseCgroups, allowed_calls,
};

use crate::support::{launcher, workroom};

/// The languages that are built in.
const LANGUAGES: [&str; 3] = ["bash", "javascript", "python"];

/// No sandbox waits, but where that is what is tested.
fn config() -> SandboxConfig {
    SandboxConfig { launcher: Some(launcher()), waiting: 0, ..SandboxConfig::default() }
}

async fn sandbox() -> Sandbox {
    Sandbox::probe(config()).await.expect("a sandbox")
}

async fn without_cgroups() -> Sandbox {
    Sandbox::probe(SandboxConfig { cgroups: UseCgroups::Never, ..config() }).await.expect("a sandbox")
}

/// Every mode in which programs are run, by name: with cgroups (where the host has them) and without, in sandboxes that
/// are started for the program and in those that have waited.
async fn modes() -> Vec<(&'static str, Sandbox)> {
    let mut modes = Vec::new();
    for (name, cgroups, waiting) in [
        ("cgroups", UseCgroups::Auto, 0),
        ("cgroups, waiting", UseCgroups::Auto, 2),
        ("no cgroups", UseCgroups::Never, 0),
        ("no cgroups, waiting", UseCgroups::Never, 2),
    ] {
        let config = SandboxConfig { cgroups, waiting, ..config() };
        modes.push((name, Sandbox::probe(config).await.expect("a sandbox")));
    }
    modes
}

/// A built-in language.
fn language(name: &str) -> Language {
    Languages::default().all()[name].clone()
}

fn code(language: &str, text: impl Into<String>) -> Execution {
    Execution::code(language, text.into(), Duration::from_secs(20))
}

/// Hears nothing of what is printed.
fn quiet(_: Stream, _: &[u8]) {}

async fn run(execution: Execution) -> Outcome {
    run_in(&sandbox().await, execution).await
}

async fn run_in(sandbox: &Sandbox, execution: Execution) -> Outcome {
    sandbox.run(execution, pending(), quiet).await.expect("an outcome")
}

async fn python(text: &str) -> Outcome {
    run(code("python", text)).await
}

async fn bash(text: &str) -> Outcome {
    run(code("bash", text)).await
}

/// How many processes of the host have this among their arguments.
fn count(marker: &str) -> usize {
    let processes = fs::read_dir("/proc").expect("/proc");
    let arguments = processes.filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok());
    arguments.filter(|arguments| String::from_utf8_lossy(arguments).contains(marker)).count()
}

pub fn alive(marker: &str) -> bool {
    count(marker) > 0
}

async fn becomes(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A number of seconds to sleep that no other process of the host has.
pub fn unique(seconds: u32) -> String {
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    format!("{seconds}.{:07}{number:03}", std::process::id())
}

/// Runs an ignored test of this program in a process of its own, as a worker that can be killed.
fn victim(name: &str, variable: &str, value: &str) -> std::process::Child {
    let path = format!("{}::{name}", module_path!());
    let name = path.split_once("::").map_or(path.as_str(), |(_, name)| name);
    Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", name, "--ignored", "--nocapture"])
        .env(variable, value)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a worker")
}

/// The cgroup of a sandboxed `sleep`.
fn group_of(marker: &str) -> Option<String> {
    let sleeps = |folder: &Path| {
        fs::read(folder.join("cmdline")).is_ok_and(|arguments| arguments == format!("sleep\0{marker}\0").as_bytes())
    };
    let mut folders = fs::read_dir("/proc").expect("/proc").filter_map(|entry| Some(entry.ok()?.path()));
    let groups = fs::read_to_string(folders.find(|folder| sleeps(folder))?.join("cgroup")).ok()?;
    groups.split(['/', '\n']).find(|part| part.starts_with("workroom-job")).map(str::to_owned)
}

/// The cgroups of all sandboxes on this host.
fn groups() -> Vec<String> {
    fn below(folder: &Path, depth: u32, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                found.extend(entry.file_name().into_string().ok().filter(|name| name.starts_with("workroom-job")));
                if depth > 0 {
                    below(&entry.path(), depth - 1, found);
                }
            }
        }
    }
    let mut found = Vec::new();
    below(Path::new("/sys/fs/cgroup"), 5, &mut found);
    found
}

/// Whether a process has cgroups of sandboxes.
fn has_groups(worker: u32) -> bool {
    groups().iter().any(|name| name.contains(&format!(".{worker}.")))
}

/// Whether a process has launchers of sandboxes.
fn has_launchers(worker: u32) -> bool {
    alive(&format!("{{\"parent\":{worker},"))
}
