//! The world that sandboxed code sees, as arguments of bubblewrap.

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    os::fd::{AsRawFd, OwnedFd, RawFd},
    path::Path,
};

use super::plan::Plan;

/// Options that an old bubblewrap may lack; with the version that brought each.
pub(super) const NEEDED: [&str; 6] = [
    "--args",           // 0.1.5
    "--json-status-fd", // 0.3.2
    "--size",           // 0.8.0
    "--disable-userns", // 0.8.0
    "--clearenv",       // 0.5.0
    "--seccomp",        // 0.1.0
];

/// The user inside; the name service reads these files. Nothing of the host's `/etc` identifies it.
const PASSWD: &str = "root:x:0:0:root:/:/usr/sbin/nologin\nsandbox:x:1000:1000::/workspace:/bin/bash\n";
const GROUP: &str = "root:x:0:\nsandbox:x:1000:\n";
const HOSTS: &str = "127.0.0.1 localhost sandbox\n::1 localhost\n";

/// What of `/proc` tells about the host and nothing about the program.
const MASKED: [&str; 6] =
    ["/proc/cmdline", "/proc/config.gz", "/proc/diskstats", "/proc/keys", "/proc/modules", "/proc/partitions"];

/// In-memory files that bubblewrap inherits; they must outlive the `exec`.
pub(super) struct World {
    pub arguments: Vec<OsString>,
    pub files: Vec<OwnedFd>,
}

/// Options of bubblewrap; the program comes after them. `in_memory` makes an inheritable file of some bytes.
pub(super) fn world(
    plan: &Plan,
    code: RawFd,
    status: RawFd,
    seccomp: RawFd,
    in_memory: impl Fn(&[u8]) -> io::Result<OwnedFd>,
) -> io::Result<World> {
    let mut world = World { arguments: Vec::new(), files: Vec::new() };
    world.add(["--unshare-user", "--uid", "1000", "--gid", "1000", "--disable-userns"]);
    world.add(["--unshare-pid", "--unshare-ipc", "--unshare-net", "--unshare-cgroup-try"]);
    world.add(["--unshare-uts", "--hostname", "sandbox"]);
    world.add(["--die-with-parent", "--new-session", "--cap-drop", "ALL"]);
    world.add(["--clearenv", "--setenv", "PATH", "/usr/local/bin:/usr/bin:/bin"]);
    world.add(["--setenv", "HOME", "/workspace", "--setenv", "LANG", "C.UTF-8"]);
    world.add(["--seccomp", &seccomp.to_string(), "--json-status-fd", &status.to_string()]);

    world.add(["--perms", "0755", "--dir", "/etc"]);
    world.add_system();
    for (content, path) in [(PASSWD, "/etc/passwd"), (GROUP, "/etc/group"), (HOSTS, "/etc/hosts")] {
        let file = in_memory(content.as_bytes())?;
        world.add(["--perms", "0444", "--file", &file.as_raw_fd().to_string(), path]);
        world.files.push(file);
    }

    world.add(["--proc", "/proc"]);
    for path in MASKED.into_iter().filter(|path| Path::new(path).exists()) {
        world.add(["--ro-bind", "/dev/null", path]);
    }
    // `/dev` itself is a tmpfs without a bound: everything that can be written must be a bounded one of its own.
    let small = (plan.workdir_bytes / 4).max(4096).to_string();
    world.add(["--dev", "/dev", "--size", &small, "--perms", "1777", "--tmpfs", "/dev/shm", "--remount-ro", "/dev"]);
    let size = plan.workdir_bytes.to_string();
    world.add(["--size", &size, "--perms", "1777", "--tmpfs", "/tmp"]);
    world.add(["--size", &size, "--perms", "0755", "--tmpfs", "/workspace"]);
    world.add(["--perms", "0644", "--file", &code.to_string(), plan.language.file()]);
    world.add(["--remount-ro", "/", "--chdir", "/workspace"]);
    Ok(world)
}

/// The program and its arguments. Without cgroups a shell first lowers the number of processes: inside, because the
/// kernel counts them per user *namespace* (since 5.14), while outside all executions would share one count.
pub(super) fn command(plan: &Plan) -> Vec<OsString> {
    let mut command: Vec<OsString> = Vec::new();
    if plan.cgroups.is_empty() {
        // `-u` in bash, `-p` in dash.
        let lower = format!("ulimit -u {0} 2>/dev/null || ulimit -p {0} || exit 125; exec \"$@\"", plan.processes);
        command.extend(["/bin/sh", "-c", &lower, "sh"].map(OsString::from));
    }
    command.push(plan.interpreter.clone().into());
    command.extend(plan.language.arguments().iter().map(OsString::from));
    command.push(plan.language.file().into());
    command
}

impl World {
    fn add<const N: usize>(&mut self, arguments: [&str; N]) {
        self.arguments.extend(arguments.map(OsString::from));
    }

    fn add_paths<const N: usize>(&mut self, arguments: [&OsStr; N]) {
        self.arguments.extend(arguments.map(OsStr::to_owned));
    }

    /// Programs and libraries, and of `/etc` only what they need to start.
    fn add_system(&mut self) {
        self.add(["--ro-bind", "/usr", "/usr"]);
        for path in ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"] {
            // Folders of their own, or links into /usr, as the distribution has it.
            if let Ok(target) = fs::read_link(path) {
                self.add_paths(["--symlink".as_ref(), target.as_ref(), path.as_ref()]);
            } else {
                self.add(["--ro-bind-try", path, path]);
            }
        }
        for path in ["/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime"] {
            self.add(["--ro-bind-try", path, path]);
        }
    }

    /// The arguments as `--args` reads them: each ended by NUL.
    pub(super) fn encoded(&self) -> Vec<u8> {
        self.arguments.iter().flat_map(|argument| [argument.as_encoded_bytes(), b"\0"].concat()).collect()
    }
}
