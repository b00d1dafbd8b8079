//! Process 1 of a sandbox: it starts the program, is out of the program's reach, waits for what the program leaves, and
//! dies with the launcher.

use std::os::unix::fs::PermissionsExt;

use nix::{
    sys::signal::{SIGKILL, SIGSTOP, kill},
    unistd::Pid,
};
use workroom_launcher::{PROGRAM, plan::LaunchArguments};

use super::*;

/// Every mode, after a first program in Python: where sandboxes wait, the next one runs in one that has waited.
pub(super) async fn used_modes() -> Vec<(&'static str, Sandbox)> {
    let modes = modes().await;
    for (_, sandbox) in modes.iter().filter(|(mode, _)| mode.contains("waiting")) {
        run_in(sandbox, code("python", "")).await;
    }
    modes
}

/// Bash, and no other language that is built in: there is less to try.
pub(super) fn only_bash() -> Languages {
    let settings = serde_json::json!({"javascript": {"enabled": false}, "python": {"enabled": false}});
    serde_json::from_value(settings).expect("languages")
}

/// Tries everything on process 1, and prints what it gets. Then leaves it children, more than there may be processes at a
/// time, and prints which of them stay when they have ended. At last it ends itself, while a child still runs.
const REACH: &str = r"
import contextlib, ctypes, os, resource, signal, sys, time
libc = ctypes.CDLL(None, use_errno=True)
def attempt(what, f, *args):
    try: f(*args)
    except OSError: return
    print('got', what)
for name in ('mem', 'maps', 'smaps', 'environ', 'auxv', 'pagemap'): attempt(name, open, '/proc/1/' + name, 'rb', 0)
for name in ('stack', 'syscall', 'io', 'personality'): attempt(name, lambda: open('/proc/1/' + name, 'rb', 0).read(1))
for name in ('cwd', 'root', 'exe', 'ns/mnt', 'ns/user', *(f'fd/{number}' for number in range(16))):
    attempt('link ' + name, os.readlink, '/proc/1/' + name)
    attempt('file ' + name, os.open, '/proc/1/' + name, os.O_RDONLY | os.O_NONBLOCK)
for name in ('fdinfo', 'map_files', 'cwd/', 'root/'): attempt('list ' + name, os.listdir, '/proc/1/' + name)
attempt('limits', resource.prlimit, 1, resource.RLIMIT_CORE, (0, 0))
arguments = open('/proc/1/cmdline').read().split('\0')
is_fine = arguments[:2] == ['sandbox', 'sandbox-init'] and len(arguments) == 5 and ''.join(arguments[2:]).isdigit()
if not is_fine: print('arguments', arguments)
for request in (16, 0x4206):
    if libc.ptrace(request, 1, None, None) != -1: print('got ptrace', request)
for number in range(1, 65):
    with contextlib.suppress(OSError): os.kill(1, number)
    libc.sigqueue(1, number, None)
with contextlib.suppress(OSError): signal.pidfd_send_signal(os.pidfd_open(1), signal.SIGKILL)

def others(): return {int(name) for name in os.listdir('/proc') if name.isdigit()} - {1, os.getpid()}
def state_and_parent(process):
    try: return open(f'/proc/{process}/stat').read().rsplit(')', 1)[1].split()[:2]
    except OSError: return []
for _ in range(2):
    there, gone = os.pipe()
    if os.fork() == 0:
        for _ in range(33):
            if os.fork() == 0: os.close(gone); os.read(there, 1); os._exit(9)
        os._exit(0)
    os.wait()
    parents = [state_and_parent(process)[1:] for process in others()]
    if parents != [['1']] * 33: print('parents', parents)
    os.close(there); os.close(gone)
    deadline = time.monotonic() + 5
    while others() and time.monotonic() < deadline: time.sleep(0.001)
    for process in others(): print('left', process, state_and_parent(process))
os.spawnlp(os.P_NOWAIT, 'sleep', 'sleep', '60')
sys.exit(5)
";

#[tokio::test]
async fn the_program_gets_nothing_of_it_and_leaves_it_its_children() {
    for (mode, sandbox) in used_modes().await {
        let outcome = run_in(&sandbox, code("python", REACH)).await;
        assert_eq!((outcome.stdout.as_str(), outcome.exit_code), ("", Some(5)), "{mode}: {outcome:?}");
    }
}

/// Tells what it was started with.
const START: &str = r"
import json, os
def words(name): return open('/proc/self/' + name, 'rb').read().decode().split('\0')[:-1]
def short(text): return text if len(text) < 1000 else '%d of %s' % (len(text), ''.join(sorted(set(text))))
streams = {}
for number in os.listdir('/proc/self/fd'):
    # The listing itself is closed by now.
    try: streams[number] = os.readlink('/proc/self/fd/' + number).split(':')[0]
    except OSError: pass
status = dict(line.split(':', 1) for line in open('/proc/self/status'))
print(json.dumps({
    # Python may have its script open.
    'streams': {number: kind for number, kind in streams.items() if kind != '/workspace/main.py'},
    'blocked signals': int(status['SigBlk'], 16),
    'umask': os.umask(0),
    'folder': os.getcwd(),
    'environment': sorted([name, short(value)] for name, value in (word.split('=', 1) for word in words('environ'))),
    'arguments': [short(word) for word in words('cmdline')[1:]],
}))
";

/// Signals, and the exit codes of programs that end by them.
const SIGNALS: [(&str, i32); 3] = [("TERM", 143), ("KILL", 137), ("RTMIN+3", 165)];

#[tokio::test]
async fn it_starts_the_program_with_what_was_asked_for_and_tells_how_it_ended() {
    let every: String = (1..=127_u8).map(char::from).chain("é€😀\u{85}\u{2028}\u{FEFF}".chars()).collect();
    // With these, almost as much as can be given.
    let long = "é".repeat(2048);
    let mut execution = code("python", START);
    execution.args = [every.clone(), String::new()].into_iter().chain(std::iter::repeat_n(long.clone(), 30)).collect();
    execution.env = (0..30).map(|number| (format!("LONG_{number:02}"), long.clone())).collect();
    execution.env.extend([("EVERY".to_owned(), every), ("EMPTY".to_owned(), String::new())]);

    let short = |text: &str| if *text == long { "2048 of é".to_owned() } else { text.to_owned() };
    let own =
        [("HOME", "/workspace"), ("LANG", "C.UTF-8"), ("PATH", "/usr/local/bin:/usr/bin:/bin"), ("PWD", "/workspace")];
    let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let asked = execution.env.iter().map(|(name, value)| (name.clone(), short(value)));
    let environment: BTreeSet<(String, String)> = own.into_iter().chain(asked).collect();
    let arguments = ["-u", "-B", "/workspace/main.py"].map(str::to_owned).into_iter();
    let arguments: Vec<String> = arguments.chain(execution.args.iter().map(|argument| short(argument))).collect();
    let expected = serde_json::json!({
        "streams": {"0": "pipe", "1": "pipe", "2": "pipe"},
        "blocked signals": 0,
        "umask": 0o022,
        "folder": "/workspace",
        "environment": environment,
        "arguments": arguments,
    });
    for (mode, sandbox) in used_modes().await {
        let outcome = run_in(&sandbox, execution.clone()).await;
        let told: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap_or_default();
        assert_eq!(told, expected, "{mode}: {}", outcome.stderr);
        for (signal, exit_code) in SIGNALS {
            let outcome = run_in(&sandbox, code("bash", format!("sleep 60 & kill -{signal} $$"))).await;
            let ended = (outcome.exit_code, outcome.limit_hit);
            assert_eq!(ended, (Some(exit_code), None), "{signal}, {mode}: {outcome:?}");
        }
    }
}

/// Why an interpreter does not start, or is not there, by changing one that has worked.
#[tokio::test]
async fn an_interpreter_that_cannot_be_started_is_told() {
    let folder = tempfile::tempdir_in("/var/tmp").expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("open to others");
    let interpreter = folder.path().join("interpreter");
    fs::copy("/bin/bash", &interpreter).expect("a copy");
    // So large that it is mounted, not copied: what becomes of it is seen inside.
    let file = fs::File::options().write(true).open(&interpreter).expect("a file");
    file.set_len(16 << 20).expect("a large file");
    drop(file);
    let settings = serde_json::json!({
        "other": {"interpreters": [interpreter], "file": "main.sh", "trial": "echo ready"},
        "bash": {"enabled": false}, "javascript": {"enabled": false}, "python": {"enabled": false}
    });
    let languages = serde_json::from_value(settings).expect("languages");
    let sandbox = Sandbox::probe(SandboxConfig { languages, ..config() }).await.expect("a sandbox");

    let told = async |exit_code: i32, reason: &str| {
        let outcome = run_in(&sandbox, code("other", "echo ready")).await;
        let expected = format!("{}: {reason}\n", interpreter.display());
        assert_eq!((outcome.exit_code, outcome.stderr), (Some(exit_code), expected));
    };
    fs::set_permissions(&interpreter, fs::Permissions::from_mode(0o644)).expect("no program");
    told(126, "Permission denied (os error 13)").await;
    fs::write(&interpreter, "#!/nowhere/interpreter\n").expect("a script");
    fs::set_permissions(&interpreter, fs::Permissions::from_mode(0o755)).expect("a program");
    told(127, "No such file or directory (os error 2)").await;

    fs::remove_file(&interpreter).expect("a file");
    let ended = sandbox.run(code("other", "echo ready"), pending(), quiet).await;
    let is_told =
        matches!(&ended, Err(SandboxError::NotStarted { detail }) if detail.contains("opening what is mounted"));
    assert!(is_told, "{ended:?}");
}

/// The arguments of a process of the host, a NUL after each; nothing if it is dead.
fn arguments(process: i32) -> String {
    let arguments = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&arguments).into_owned()
}

/// Who has started a process of the host: the second field after its name in `stat`.
fn parent(process: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(1)?.parse().ok()
}

/// The first process of the host for which something holds.
fn find(holds: impl Fn(i32) -> bool) -> Option<i32> {
    let entries = fs::read_dir("/proc").expect("/proc");
    let mut processes = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    processes.find(|process| holds(*process))
}

fn is_launcher(process: i32) -> bool {
    arguments(process).starts_with(&format!("{PROGRAM}\0{}\0", LaunchArguments::COMMAND))
}

/// One whose plan names this folder.
fn is_launcher_of(process: i32, folder: &str) -> bool {
    is_launcher(process) && arguments(process).contains(folder)
}

fn is_first(process: i32) -> bool {
    arguments(process).starts_with("sandbox\0sandbox-init\0")
}

/// A launcher, and process 1 of its sandbox, by their numbers on the host.
#[derive(Clone, Copy, Debug)]
struct Pair {
    launcher: i32,
    first: i32,
}

impl Pair {
    /// Of a sandbox that waits ready. Its plan names a folder.
    fn waiting(folder: &str) -> Option<Self> {
        let launcher = find(|process| is_launcher_of(process, folder))?;
        let first = find(|process| is_first(process) && parent(process) == Some(launcher))?;
        // The list of calls comes last.
        let status = fs::read_to_string(format!("/proc/{first}/status")).ok()?;
        status.contains("\nSeccomp:\t2").then_some(Self { launcher, first })
    }

    /// Of the sandbox in which a `sleep` runs.
    fn above(marker: &str) -> Option<Self> {
        let sleep = format!("sleep\0{marker}\0");
        let mut process = find(|process| arguments(process) == sleep)?;
        loop {
            let above = parent(process)?;
            if is_launcher(above) {
                return Some(Self { launcher: above, first: process });
            }
            process = above;
        }
    }

    /// Whether both have certainly ended, though nobody may have asked yet how.
    fn is_dead(self) -> bool {
        let is_dead = |process: i32| {
            let status = fs::read_to_string(format!("/proc/{process}/status"));
            status.map_or(true, |status| status.contains("\nState:\tZ"))
        };
        is_dead(self.launcher) && is_dead(self.first)
    }

    fn is_alive(self) -> bool {
        is_launcher(self.launcher) || is_first(self.first)
    }
}

fn end(process: i32) {
    kill(Pid::from_raw(process), SIGKILL).expect("killed");
}

#[tokio::test]
async fn all_of_it_dies_with_its_launcher_and_with_process_one() {
    for cgroups in [UseCgroups::Auto, UseCgroups::Never] {
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("open to others");
        let name = folder.path().display().to_string();
        let place = Some(folder.path().to_owned());
        let config = SandboxConfig { cgroups, waiting: 1, folder: place, languages: only_bash(), ..config() };
        let sandbox = Sandbox::probe(config).await.expect("a sandbox");
        run_in(&sandbox, code("bash", "true")).await;
        becomes("one waits", || Pair::waiting(&name).is_some()).await;
        let waits = Pair::waiting(&name).expect("one that waits");
        end(waits.launcher);
        // It is known to be dead, so that it gets no program.
        becomes("the launcher is dead, and process 1 with it", || waits.is_dead()).await;

        // One that dies with its order has not run the program: another does.
        run_in(&sandbox, code("bash", "true")).await;
        becomes("another one waits", || Pair::waiting(&name).is_some()).await;
        let waits = Pair::waiting(&name).expect("one that waits");
        kill(Pid::from_raw(waits.launcher), SIGSTOP).expect("stopped");
        let running = sandbox.run(code("bash", "echo once"), pending(), quiet);
        let struck = async {
            // Its place is taken when the program is given to it.
            becomes("the next one is started", || {
                find(|process| is_launcher_of(process, &name) && process != waits.launcher).is_some()
            })
            .await;
            end(waits.launcher);
        };
        let (ended, ()) = tokio::join!(running, struck);
        assert!(ended.as_ref().is_ok_and(|outcome| outcome.stdout == "once\n"), "{ended:?}");

        let victims: [fn(Pair) -> i32; 2] = [|pair| pair.launcher, |pair| pair.first];
        for victim in victims {
            let marker = unique(4013);
            let text = format!("trap '' HUP TERM; setsid sleep {marker} & exec sleep {marker}");
            let running = sandbox.run(code("bash", text), pending(), quiet);
            let struck = async {
                becomes("both sleep", || count(&format!("sleep\0{marker}")) == 2).await;
                let pair = Pair::above(&marker).expect("a launcher above");
                let group = group_of(&marker);
                end(victim(pair));
                (pair, group)
            };
            // Its own time is longer.
            let (ended, (pair, group)) = tokio::join!(tokio::time::timeout(Duration::from_secs(10), running), struck);
            let ended = ended.expect("it ends in time");
            let has_succeeded = matches!(&ended, Ok(outcome) if outcome.exit_code == Some(0));
            assert!(!has_succeeded, "{ended:?}");
            becomes("all of it is dead", || !pair.is_alive() && !alive(&marker)).await;
            becomes("its cgroup is gone", || !group.as_ref().is_some_and(|group| groups().contains(group))).await;
        }
        assert_eq!(run_in(&sandbox, code("bash", "echo still")).await.stdout, "still\n");
        sandbox.close().await;
    }
}
