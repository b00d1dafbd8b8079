//! Finding the groups that the worker may use.

use std::{
    fs,
    path::{Path, PathBuf},
};

use nix::libc;

use super::Controllers;

/// The worker's place, when it had to move out of the way: version 2 allows no process beside child groups.
const WORKER: &str = "workroom-worker";

/// What the kernel says about this process.
pub(super) struct System {
    /// Content of `/proc/self/mountinfo`: the mounted file systems.
    pub mounts: String,
    /// Content of `/proc/self/cgroup`: the groups that the process is in.
    pub membership: String,
}

impl System {
    pub(super) fn read() -> Result<Self, String> {
        let read = |path| fs::read_to_string(path).map_err(|error| format!("{path} is unreadable: {error}"));
        Ok(Self { mounts: read("/proc/self/mountinfo")?, membership: read("/proc/self/cgroup")? })
    }

    /// The folder of this process in the tree of a version 1 controller, or in version 2's (`None`).
    fn folder(&self, controller: Option<&str>) -> Option<PathBuf> {
        let own = self.membership.lines().find_map(|line| {
            // `4:memory:/a/b`, version 2: `0::/a/b`
            let (_, line) = line.split_once(':')?;
            let (names, path) = line.split_once(':')?;
            controller.map_or(names.is_empty(), |name| names.split(',').any(|n| n == name)).then_some(path)
        })?;
        self.mounts.lines().find_map(|line| {
            // `36 35 0:30 /root /mounted/at rw,… - cgroup cgroup rw,memory`
            let (mount, filesystem) = line.split_once(" - ")?;
            let mut mount = mount.split(' ').skip(3);
            let (root, at) = (mount.next()?, mount.next()?);
            let mut filesystem = filesystem.split(' ');
            let (kind, options) = (filesystem.next()?, filesystem.nth(1)?);
            let wanted = match controller {
                Some(name) => kind == "cgroup" && options.split(',').any(|option| option == name),
                None => kind == "cgroup2",
            };
            let below = Path::new(own).strip_prefix(root).ok()?;
            wanted.then(|| Path::new(at).join(below))
        })
    }
}

/// Chooses: version 2 with both controllers, else version 1 with both.
pub(super) fn controllers(system: &System) -> Result<Controllers, String> {
    let unified = system.folder(None).ok_or_else(|| "no cgroup2 file system is mounted".to_owned());
    // A container's own part of the tree, seen from inside.
    let namespace = system.membership.lines().any(|line| line == "0::/");
    let unified = unified.and_then(|own| delegated(&own, namespace, &["memory", "pids"]));
    match (unified, system.folder(Some("memory")), system.folder(Some("pids"))) {
        (Ok(parent), ..) => Ok(Controllers::V2 { parent }),
        (Err(_), Some(memory), Some(pids)) => Ok(Controllers::V1 { memory, pids }),
        (Err(reason), ..) => Err(reason),
    }
}

/// A folder of version 2 in which groups with these controllers can be made: the worker's own, which it leaves for a
/// group below if it is alone there, or the one above if it has done so before. Where the folder is the root of a `namespace`
/// all processes in it are one container's (its init, the worker, a health check), and all leave it together.
pub(super) fn delegated(own: &Path, namespace: bool, controllers: &[&str]) -> Result<PathBuf, String> {
    let parent = if own.ends_with(WORKER) { own.parent().unwrap_or(own) } else { own };
    let read = |name: &str| fs::read_to_string(parent.join(name)).unwrap_or_default();
    let has = |name: &str| {
        let list = read(name);
        controllers.iter().all(|wanted| list.split_whitespace().any(|controller| controller == *wanted))
    };
    if has("cgroup.subtree_control") {
        return Ok(parent.to_owned());
    }
    if !has("cgroup.controllers") {
        return Err(format!("cgroup2 offers no {} controllers here", controllers.join(" and ")));
    }

    let wanted = format!("+{}", controllers.join(" +"));
    let enable = || fs::write(parent.join("cgroup.subtree_control"), &wanted);
    if enable().is_ok() {
        return Ok(parent.to_owned());
    }
    let alone = read("cgroup.procs").split_whitespace().eq([std::process::id().to_string()]);
    // The host's own root has no type; nobody takes its processes anywhere.
    let container = namespace && parent.join("cgroup.type").exists();
    if !alone && !container {
        return Err("the worker's cgroup cannot pass on its controllers: give the worker a cgroup of its own \
                    (systemd: Delegate=yes, container: a writable cgroup file system)"
            .to_owned());
    }
    let leaf = parent.join(WORKER);
    let made = fs::create_dir(&leaf).or_else(|error| if leaf.is_dir() { Ok(()) } else { Err(error) });
    made.and_then(|()| {
        for process in read("cgroup.procs").split_whitespace() {
            match fs::write(leaf.join("cgroup.procs"), process) {
                // It has just ended.
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
                done => done?,
            }
        }
        enable()
    })
    .map_err(|error| format!("the worker's cgroup cannot pass on its controllers: {error}"))?;
    Ok(parent.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system(mounts: &str, membership: &str) -> System {
        System { mounts: mounts.to_owned(), membership: membership.to_owned() }
    }

    #[test]
    fn version_1_folders_are_found_below_their_mounts() {
        let system = system(
            "35 25 0:30 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n\
             36 25 0:31 /box /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n",
            "8:pids:/box/inner\n4:memory:/a/b\n0::/\n",
        );
        let found = controllers(&system).expect("version 1");
        let expected =
            Controllers::V1 { memory: "/sys/fs/cgroup/memory/a/b".into(), pids: "/sys/fs/cgroup/pids/inner".into() };
        assert_eq!(found, expected);
    }

    #[test]
    fn a_reason_is_given_when_there_is_nothing() {
        assert_eq!(controllers(&system("", "0::/\n")), Err("no cgroup2 file system is mounted".to_owned()));
    }

    #[test]
    fn a_mount_of_another_part_of_the_tree_is_not_ours() {
        let system = system("36 25 0:31 /other /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n", "8:pids:/box\n");
        assert_eq!(system.folder(Some("pids")), None);
    }

    /// A stand-in for a folder of the cgroup file system.
    fn folder(files: [(&str, &str); 3]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, content) in files {
            fs::write(folder.path().join(name), content).expect("a file");
        }
        folder
    }

    #[test]
    fn version_2_wants_its_controllers_passed_on() {
        let wanted = ["memory", "pids"];
        let ready = folder([
            ("cgroup.controllers", "cpu memory pids\n"),
            ("cgroup.subtree_control", "memory pids\n"),
            ("cgroup.procs", ""),
        ]);
        assert_eq!(delegated(ready.path(), false, &wanted), Ok(ready.path().to_owned()));
        assert_eq!(delegated(&ready.path().join(WORKER), false, &wanted), Ok(ready.path().to_owned()), "moved before");

        let bare = folder([("cgroup.controllers", "cpu"), ("cgroup.subtree_control", ""), ("cgroup.procs", "")]);
        let reason = delegated(bare.path(), false, &wanted).expect_err("no controllers");
        assert!(reason.contains("memory and pids"), "{reason}");
    }
}
