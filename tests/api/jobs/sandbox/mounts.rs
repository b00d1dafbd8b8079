//! What is mounted in a sandbox, and as whom a program runs in it.

use super::{
    process_one::{only_bash, used_modes},
    *,
};

/// Tells what it finds.
const LOOK: &str = r"
import errno, json, os, socket
def is_read_only(folder):
    try: os.mkdir(folder + '/new')
    except OSError as error: return error.errno == errno.EROFS
    return False
def size(folder):
    found = os.statvfs(folder)
    return [found.f_blocks * found.f_frsize, found.f_files > 0]
server = socket.create_server(('127.0.0.1', 0))
client = socket.create_connection(server.getsockname(), 5)
server.accept()[0].sendall(b'answer')
status = {name: value.strip() for name, value in (line.split(':', 1) for line in open('/proc/self/status'))}
print(json.dumps({
    'mounts': open('/proc/self/mountinfo').read(),
    'groups': os.getgroups(),
    'found': {
        'sizes': {folder: size(folder) for folder in ('/dev', '/dev/shm', '/tmp', '/workspace')},
        'read-only': [is_read_only(folder) for folder in ('/', '/dev', '/etc', '/usr')],
        'nothing above': [os.path.samefile(path, '/') for path in ('/..', '/proc/self/root', '/workspace/..', '/dev/..')],
        'users': os.getresuid(),
        'own groups': os.getresgid(),
        'rights': {name: value for name, value in status.items() if name[:3] == 'Cap' or name in ('NoNewPrivs', 'Seccomp')},
        'loopback': client.recv(16).decode(),
    },
}))
";

/// A mount, as `/proc/self/mountinfo` tells it.
#[derive(Debug)]
struct Mount {
    /// What of its file system is mounted.
    root: String,
    place: String,
    options: BTreeSet<String>,
    kind: String,
}

impl Mount {
    /// Reads all mounts.
    fn all(text: &str) -> Vec<Self> {
        text.lines().map(|line| Self::read(line).unwrap_or_else(|| panic!("no mount: {line}"))).collect()
    }

    /// `36 35 98:0 /root /place rw,noatime master:1 - ext3 /dev/root rw`
    fn read(line: &str) -> Option<Self> {
        let (mount, system) = line.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(3).map(str::to_owned);
        let (root, place) = (fields.next()?, fields.next()?);
        let options = fields.next()?.split(',').map(str::to_owned).collect();
        let (kind, _) = system.split_once(' ')?;
        Some(Self { root, place, options, kind: kind.to_owned() })
    }

    fn has(&self, options: &[&str]) -> bool {
        options.iter().all(|option| self.options.contains(*option))
    }
}

/// How everything is mounted that is not the sandbox's own.
const FOREIGN: [&str; 3] = ["ro", "nosuid", "nodev"];

/// File systems of the sandbox's own.
const OWN: [(&str, &str, &[&str]); 6] = [
    ("/proc", "proc", &["rw", "nosuid", "nodev", "noexec"]),
    ("/dev", "tmpfs", &["ro", "nosuid"]),
    ("/dev/pts", "devpts", &["rw", "nosuid", "noexec"]),
    ("/dev/shm", "tmpfs", &["rw", "nosuid", "nodev"]),
    ("/tmp", "tmpfs", &["rw", "nosuid", "nodev"]),
    ("/workspace", "tmpfs", &["rw", "nosuid", "nodev"]),
];

const DEVICES: [&str; 6] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"];

/// The first thing that is wrong with the mounts.
fn check(mounts: &[Mount]) -> Result<(), String> {
    let places: BTreeSet<&str> = mounts.iter().map(|mount| mount.place.as_str()).collect();
    if places.len() < mounts.len() {
        return Err("two in one place, such as the host's root below the own one".to_owned());
    }
    for (place, kind, options) in OWN {
        let is_right = |mount: &Mount| mount.place == place && mount.kind == kind && mount.has(options);
        if !mounts.iter().any(is_right) {
            return Err(format!("{place} is not as it should be"));
        }
    }
    if let Some(device) = DEVICES.into_iter().find(|device| !places.contains(device)) {
        return Err(format!("{device} is missing"));
    }
    let is_own = |mount: &Mount| OWN.iter().any(|(place, ..)| mount.place == *place);
    let is_device = |mount: &Mount| DEVICES.contains(&mount.place.as_str());
    for mount in mounts.iter().filter(|mount| !is_own(mount) && !is_device(mount)) {
        // No file system of the host is there as a whole.
        if !mount.has(&FOREIGN) || mount.root == "/" || mount.place.starts_with("/dev") {
            return Err(format!("{mount:?}"));
        }
    }
    let is_root = |mount: &Mount| mount.place == "/" && mount.root.contains("workroom-sandbox-");
    if mounts.iter().any(is_root) { Ok(()) } else { Err("/ is not what was laid out".to_owned()) }
}

#[tokio::test]
async fn mounts_and_rights_are_those_that_are_listed() {
    let workdir = SandboxConfig::default().workdir_bytes;
    let none = "0000000000000000";
    let expected = serde_json::json!({
        "sizes": {
            "/dev": [64 << 10, true],
            "/dev/shm": [workdir / 4, true],
            "/tmp": [workdir, true],
            "/workspace": [workdir, true],
        },
        "read-only": [true, true, true, true],
        "nothing above": [true, true, true, true],
        "users": [1000, 1000, 1000],
        "own groups": [1000, 1000, 1000],
        "rights": {
            "CapInh": none, "CapPrm": none, "CapEff": none, "CapBnd": none, "CapAmb": none,
            "NoNewPrivs": "1", "Seccomp": "2",
        },
        "loopback": "answer",
    });
    for (mode, sandbox) in used_modes().await {
        let outcome = run_in(&sandbox, code("python", LOOK)).await;
        let told: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap_or_default();
        assert_eq!(told["found"], expected, "{mode}: {outcome:?}");
        let mounts = Mount::all(told["mounts"].as_str().expect("mounts"));
        assert_eq!(check(&mounts), Ok(()), "{mode}: {mounts:#?}");

        // A worker that is not root cannot leave its groups; inside they are nobody's.
        let groups: Vec<u32> = serde_json::from_value(told["groups"].clone()).expect("groups");
        let is_root = nix::unistd::Uid::effective().is_root();
        assert!(groups.iter().all(|group| !is_root && [1000, 65534].contains(group)), "{mode}: {groups:?}");
    }
}

/// Below `/sys/fs` other file systems are mounted on every host.
#[tokio::test]
async fn what_lies_below_a_further_folder_is_read_only_too() {
    let is_below = |mount: &Mount| mount.place == "/sys/fs" || mount.place.starts_with("/sys/fs/");
    let host = Mount::all(&fs::read_to_string("/proc/self/mountinfo").expect("mounts"));
    let mut expected: BTreeSet<String> = host.into_iter().filter(is_below).map(|mount| mount.place).collect();
    expected.insert("/sys/fs".to_owned());

    let config = SandboxConfig { mounts: vec!["/sys/fs".into()], languages: only_bash(), ..config() };
    let sandbox = Sandbox::probe(config).await.expect("a sandbox");
    let outcome = run_in(&sandbox, code("bash", "cat /proc/self/mountinfo")).await;
    let below: Vec<Mount> = Mount::all(&outcome.stdout).into_iter().filter(is_below).collect();
    assert!(below.iter().all(|mount| mount.has(&FOREIGN)), "{below:#?}");
    let places: BTreeSet<String> = below.into_iter().map(|mount| mount.place).collect();
    assert_eq!(places, expected);
}
