//! The world that sandboxed code sees, as arguments of bubblewrap.

use std::{ffi::OsString, os::fd::RawFd, path::Path};

use crate::plan::Plan;

/// Options that an old bubblewrap may lack; with the version that brought each.
pub const NEEDED: [&str; 6] = [
    "--args",           // 0.1.5
    "--json-status-fd", // 0.3.2
    "--size",           // 0.8.0
    "--disable-userns", // 0.8.0
    "--clearenv",       // 0.5.0
    "--seccomp",        // 0.1.0
];

/// What of `/proc` tells about the host and nothing about the program.
const MASKED: [&str; 6] =
    ["/proc/cmdline", "/proc/config.gz", "/proc/diskstats", "/proc/keys", "/proc/modules", "/proc/partitions"];

/// Options of bubblewrap; the command comes after them.
pub(crate) fn world(plan: &Plan, status: RawFd, seccomp: RawFd) -> World {
    let mut world = World::default();
    world.add(["--unshare-user", "--uid", "1000", "--gid", "1000", "--disable-userns"]);
    world.add(["--unshare-pid", "--unshare-ipc", "--unshare-net", "--unshare-cgroup-try"]);
    world.add(["--unshare-uts", "--hostname", "sandbox"]);
    world.add(["--die-with-parent", "--new-session", "--cap-drop", "ALL"]);
    world.add(["--clearenv", "--setenv", "PATH", "/usr/local/bin:/usr/bin:/bin"]);
    world.add(["--setenv", "HOME", "/workspace", "--setenv", "LANG", "C.UTF-8"]);
    world.add(["--seccomp", &seccomp.to_string(), "--json-status-fd", &status.to_string()]);

    world.read_only(&plan.root, Path::new("/"));
    for path in &plan.mounts {
        world.read_only(path, path);
    }
    world.add(["--proc", "/proc"]);
    for path in MASKED.into_iter().filter(|path| Path::new(path).exists()) {
        world.add(["--ro-bind", "/dev/null", path]);
    }
    // `/dev` itself is a tmpfs without a bound: everything that can be written must be a bounded one of its own.
    let small = (plan.workdir_bytes / 4).max(4096).to_string();
    world.add(["--dev", "/dev", "--size", &small, "--perms", "1777", "--tmpfs", "/dev/shm", "--remount-ro", "/dev"]);
    if plan.cgroups.is_empty() {
        // Zeros to read all the same, but nothing to map: shared memory mapped from /dev/zero is in no limit of a process.
        world.add(["--dev-bind", "/dev/full", "/dev/zero"]);
    }
    let size = plan.workdir_bytes.to_string();
    world.add(["--size", &size, "--perms", "1777", "--tmpfs", "/tmp"]);
    world.add(["--size", &size, "--perms", "0755", "--tmpfs", "/workspace"]);
    world.add(["--chdir", "/workspace"]);
    world
}

/// The command: a shell that reads its script from a pipe ([`start`](crate::start)).
pub(crate) fn command(script: RawFd) -> [String; 2] {
    ["/bin/sh".to_owned(), format!("/proc/self/fd/{script}")]
}

/// Arguments that are being put together.
#[derive(Default)]
pub(crate) struct World {
    arguments: Vec<OsString>,
}

impl World {
    fn add<const N: usize>(&mut self, arguments: [&str; N]) {
        self.arguments.extend(arguments.map(OsString::from));
    }

    fn read_only(&mut self, path: &Path, at: &Path) {
        self.arguments.extend(["--ro-bind".into(), path.into(), at.into()]);
    }

    /// The arguments as `--args` reads them: each ended by NUL.
    pub(crate) fn encoded(&self) -> Vec<u8> {
        self.arguments.iter().flat_map(|argument| [argument.as_encoded_bytes(), b"\0"].concat()).collect()
    }
}
