//! `./dev doctor`: says what this machine has, what will be fetched, and what is missing.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::unistd::geteuid;

use super::folder::{self, DataFolder};
use super::tools::{self, Recipe, ToolStore, Version};
use super::{out, run};

/// The folders that a sandbox shows to jobs; an interpreter elsewhere is invisible there.
const SYSTEM_FOLDERS: [&str; 3] = ["/usr/bin", "/usr/local/bin", "/bin"];

const NOBODY: u32 = 65534;

struct Line {
    subject: &'static str,
    state: State,
    text: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Good,
    /// Something that only some uses need is missing.
    Poor,
    /// `./dev up` cannot work.
    Bad,
}

/// Prints the table; returns whether everything needed is here or can be fetched. Fetches nothing itself.
pub fn doctor(data_dir: &Path) -> bool {
    let mut lines = Vec::new();
    let opened = DataFolder::open(data_dir);
    if let Ok(folder) = &opened {
        let store = ToolStore::new(folder);
        lines.extend(passed_over());
        lines.extend(tools::all().map(|recipe| tool(recipe, &store)));
        lines.push(sandbox());
    }
    lines.extend(["python3", "node", "bash"].map(interpreter));
    lines.push(user_namespaces());
    lines.push(cgroups());
    match &opened {
        Ok(folder) => lines.extend([data_folder(folder), disk(folder), instance(folder)]),
        Err(error) => lines.push(Line { subject: "data folder", state: State::Bad, text: error.to_string() }),
    }
    for Line { subject, state, text } in &lines {
        let mark = match state {
            State::Good => "ok  ",
            State::Poor => "warn",
            State::Bad => "FAIL",
        };
        out::line(&format!("{mark}  {subject:<16}{text}"));
    }
    lines.iter().all(|line| line.state != State::Bad)
}

fn tool(recipe: &Recipe, store: &ToolStore) -> Line {
    // Postgres and NATS are needed by every start; the others by jobs and by benchmarks.
    let missing = if recipe.name == "PostgreSQL" || recipe.name == "NATS" { State::Bad } else { State::Poor };
    let (state, text) = match recipe.find(store) {
        Ok(Some(tool)) => (State::Good, format!("{} ({}, {})", tool.version, tool.origin, tool.path.display())),
        Ok(None) if (recipe.client_is_here)() => {
            (State::Good, format!("not here; will be fetched with {}", recipe.client))
        }
        Ok(None) => (
            missing,
            format!("missing; install {}, or {} to fetch it, or set {}", recipe.wanted, recipe.client, recipe.variable),
        ),
        Err(error) => (missing, format!("{error:#}")),
    };
    Line { subject: recipe.name, state, text }
}

/// Says that programs of the system are passed over, if they are.
fn passed_over() -> Option<Line> {
    let subject = "tools";
    match tools::only_fetched() {
        Ok(true) => {
            let text = format!("{}=fetched: what the system has installed is passed over", tools::TOOLS);
            Some(Line { subject, state: State::Good, text })
        }
        Ok(false) => None,
        Err(error) => Some(Line { subject, state: State::Bad, text: error.to_string() }),
    }
}

fn interpreter(name: &'static str) -> Line {
    let place = SYSTEM_FOLDERS.iter().map(|folder| Path::new(folder).join(name)).find(|path| run::is_executable(path));
    let Some(place) = place else {
        return Line {
            subject: name,
            state: State::Poor,
            text: "not in a system folder; jobs in it cannot run".to_owned(),
        };
    };
    let version = run::output(Command::new(&place).arg("--version")).and_then(|text| Version::find_in(&text));
    let version = version.map_or_else(|| "version unknown".to_owned(), |version| version.to_string());
    Line { subject: name, state: State::Good, text: format!("{version} ({})", place.display()) }
}

fn sandbox() -> Line {
    let subject = "sandbox";
    let Some(unshare) = run::find("unshare") else {
        return Line { subject, state: State::Poor, text: "not tried; there is no `unshare`".to_owned() };
    };
    match sandbox_starts(&unshare) {
        Ok(()) => Line { subject, state: State::Good, text: "starts as an unprivileged user".to_owned() },
        Err(reason) => {
            Line { subject, state: State::Poor, text: format!("does not start, so jobs cannot run: {reason}") }
        }
    }
}

/// Makes the namespaces that a sandbox is made of, and the file system that hosts refuse most often.
fn sandbox_starts(unshare: &Path) -> Result<(), String> {
    let mut command = Command::new(unshare);
    command.args([
        "--user",
        "--map-root-user",
        "--mount",
        "--pid",
        "--net",
        "--ipc",
        "--uts",
        "--fork",
        "--mount-proc",
    ]);
    command.arg("true");
    if geteuid().is_root() {
        // Without privileges, as jobs run; and not in the caller's folder, which that user may be kept out of.
        command.uid(NOBODY).gid(NOBODY).current_dir("/");
    }
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            Err(String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or("no reason is given").to_owned())
        }
        Err(error) => Err(error.to_string()),
    }
}

fn user_namespaces() -> Line {
    let subject = "user namespaces";
    let number = |path: &str| folder::read_line(Path::new(path))?.parse::<u64>().ok();
    let refused = number("/proc/sys/user/max_user_namespaces") == Some(0)
        || number("/proc/sys/kernel/unprivileged_userns_clone") == Some(0)
        || !Path::new("/proc/self/ns/user").exists();
    if refused {
        return Line {
            subject,
            state: State::Poor,
            text: "switched off; as root, Postgres drops to nobody, and jobs cannot run".to_owned(),
        };
    }
    if number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == Some(1) {
        return Line {
            subject,
            state: State::Poor,
            text: "restricted by AppArmor to programs with a profile".to_owned(),
        };
    }
    Line { subject, state: State::Good, text: "available".to_owned() }
}

fn cgroups() -> Line {
    let (state, text) = if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
        (State::Good, "version 2")
    } else if Path::new("/sys/fs/cgroup/memory").exists() {
        (State::Good, "version 1")
    } else {
        (State::Poor, "none")
    };
    Line { subject: "cgroups", state, text: text.to_owned() }
}

fn data_folder(folder: &DataFolder) -> Line {
    let size = fs::read_dir(folder.tools()).map_or(0, Iterator::count);
    let tools = if size == 0 { "no programs fetched yet" } else { "with fetched programs" };
    Line {
        subject: "data folder",
        state: State::Good,
        text: format!("{} (writable, {tools})", folder.root().display()),
    }
}

fn disk(folder: &DataFolder) -> Line {
    let subject = "disk";
    match folder.free_space() {
        Ok(free) => {
            let state = if free < folder::MIN_FREE { State::Bad } else { State::Good };
            Line { subject, state, text: format!("{} MB free", free / (1024 * 1024)) }
        }
        Err(error) => Line { subject, state: State::Poor, text: error.to_string() },
    }
}

fn instance(folder: &DataFolder) -> Line {
    let subject = "instance";
    match folder::try_lock(folder.root()) {
        Ok(Some(_)) => Line { subject, state: State::Good, text: "none runs".to_owned() },
        Ok(None) => Line { subject, state: State::Good, text: format!("one runs{}", folder::holder(folder.root())) },
        Err(error) => Line { subject, state: State::Bad, text: error.to_string() },
    }
}
