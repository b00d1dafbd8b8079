//! The world that a program sees: a folder of the host as `/`, what is mounted into it, and nothing else.
//!
//! Everything is made in a mount namespace of its own. At the end each mount that is not listed in [`OWN`] is made read-only, whatever
//! lies below what was mounted included: what somebody has forgotten cannot be written.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{
            ffi::OsStringExt,
            fs::{OpenOptionsExt, symlink},
        },
    },
    path::{Path, PathBuf},
};

use nix::{
    fcntl::OFlag,
    libc,
    mount::{MntFlags, MsFlags, mount, umount2},
    unistd::{chdir, fchdir, pivot_root},
};

use super::World;
use crate::failure::{During, Failure};

/// Where a program works.
pub(super) const WORKSPACE: &str = "/workspace";

/// Devices of the host.
const DEVICES: [&str; 6] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"];
/// Links in `/dev`.
const LINKS: [(&str, &str); 5] = [
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
    ("pts/ptmx", "/dev/ptmx"),
];

/// What of `/proc` tells about the host and nothing about the program.
const MASKED: [&str; 6] =
    ["/proc/cmdline", "/proc/config.gz", "/proc/diskstats", "/proc/keys", "/proc/modules", "/proc/partitions"];
/// What of `/proc` changes the machine.
const SWITCHES: [&str; 4] = ["/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus"];

/// Mounts that stay as they were made, beside the devices: each a file system of this sandbox.
const OWN: [&str; 6] = ["/proc", "/dev", "/dev/pts", "/dev/shm", "/tmp", WORKSPACE];

/// No programs of other users, and no devices.
const PLAIN: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV);

/// Makes the world, and goes there. What was before cannot be reached any more. It is to be [protected](protect) then.
pub(super) fn make(world: &World) -> Result<(), Failure> {
    // Without cgroups, zeros to read all the same, but nothing to map: shared memory mapped from /dev/zero is in no limit of a process.
    let zeros = if world.processes.is_some() { "/dev/full" } else { "/dev/zero" };
    let device = |path: &'static str| Ok((path, hold(Path::new(if path == "/dev/zero" { zeros } else { path }))?));
    let devices: Vec<(&str, File)> =
        DEVICES.into_iter().map(device).collect::<io::Result<_>>().during("opening devices")?;
    let mounts: Vec<(&Path, File)> = world
        .mounts
        .iter()
        .map(PathBuf::as_path)
        .filter(|path| !is_covered(path))
        .map(|path| Ok((path, hold_below_root(path)?)))
        .collect::<io::Result<_>>()
        .during("opening what is mounted")?;

    // What is mounted here is seen nowhere else.
    change(Path::new("/"), MsFlags::MS_PRIVATE | MsFlags::MS_REC).during("keeping mounts to itself")?;
    bind(&world.root, &world.root).during("mounting the root")?;
    let before = folder(Path::new("/")).during("opening the host's root")?;
    let root = folder(&world.root).during("opening the root")?;
    fchdir(&root).during("entering the root")?;
    // The root before lies upon it until it is taken away: pivot_root(2), `pivot_root(".", ".")`.
    pivot_root(".", ".").during("changing the root")?;
    // A new one only where one can be seen.
    mount_new("proc", "/proc", PLAIN | MsFlags::MS_NOEXEC, "").during("mounting /proc")?;
    for (path, source) in &mounts {
        bind_held(source, path).during(&format!("mounting {}", path.display()))?;
    }
    make_devices(&devices, world.workdir_bytes / 4)?;
    let size = world.workdir_bytes;
    mount_new("tmpfs", "/tmp", PLAIN, &format!("size={size},mode=1777")).during("mounting /tmp")?;
    mount_new("tmpfs", WORKSPACE, PLAIN, &format!("size={size},mode=0755")).during("mounting the work directory")?;
    fchdir(&before).and_then(|()| umount2(".", MntFlags::MNT_DETACH)).during("leaving the host's root")?;
    chdir(WORKSPACE).during("entering the work directory")
}

/// `/dev` itself is a file system without a bound that matters: everything that can be written is a bounded one of its own.
fn make_devices(devices: &[(&str, File)], shared_bytes: u64) -> Result<(), Failure> {
    mount_new("tmpfs", "/dev", MsFlags::MS_NOSUID, "size=64k,mode=0755").during("mounting /dev")?;
    for (path, device) in devices {
        File::create(path).and_then(|_| bind_held(device, Path::new(path))).during("mounting devices")?;
    }
    for (target, link) in LINKS {
        symlink(target, link).during("linking in /dev")?;
    }
    fs::create_dir("/dev/pts").and_then(|()| fs::create_dir("/dev/shm")).during("making folders in /dev")?;
    let terminals = "newinstance,ptmxmode=0666,mode=620";
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    mount_new("devpts", "/dev/pts", flags, terminals).during("mounting terminals")?;
    let shared = format!("size={},mode=1777", shared_bytes.max(4096));
    mount_new("tmpfs", "/dev/shm", PLAIN, &shared).during("mounting shared memory")?;
    let read_only = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_NOSUID | MsFlags::MS_RDONLY;
    change(Path::new("/dev"), read_only).during("making /dev read-only")
}

/// Masks what tells about the host, and makes every mount read-only that is not this sandbox's own.
pub(super) fn protect() -> Result<(), Failure> {
    let nothing = Path::new("/dev/null");
    for path in MASKED.map(Path::new).into_iter().filter(|path| path.exists()) {
        bind(nothing, path).during("masking what tells about the host")?;
    }
    for path in SWITCHES.map(Path::new).into_iter().filter(|path| path.exists()) {
        bind(path, path).during("keeping the machine's switches")?;
    }
    make_read_only().during("making mounts read-only")
}

fn make_read_only() -> io::Result<()> {
    let is_own = |path: &Path| OWN.iter().chain(&DEVICES).any(|own| Path::new(own) == path);
    let mounted = fs::read("/proc/self/mountinfo")?;
    for line in mounted.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let (path, flags) = parse(line).ok_or(io::ErrorKind::InvalidData)?;
        let wanted = flags | PLAIN | MsFlags::MS_RDONLY;
        if !is_own(&path) && flags != wanted {
            match change(&path, MsFlags::MS_REMOUNT | MsFlags::MS_BIND | wanted) {
                Err(_) if is_closed(&path) => {}
                done => done?,
            }
        }
    }
    Ok(())
}

/// Whether a path lies where a file system of this sandbox is mounted: what is mounted there as well is not to be seen.
fn is_covered(path: &Path) -> bool {
    OWN.iter().any(|own| path.starts_with(own))
}

/// Whether a path leads through a folder that nobody inside may enter: the program has no more rights than this process.
fn is_closed(path: &Path) -> bool {
    path.symlink_metadata().is_err_and(|error| error.raw_os_error() == Some(libc::EACCES))
}

/// Where something is mounted, and how: a line of `/proc/self/mountinfo` (`proc_pid_mountinfo(5)`). When accesses are noted is left
/// out: a change that says nothing of it leaves it as it is, and not every kind of it can be said.
fn parse(line: &[u8]) -> Option<(PathBuf, MsFlags)> {
    let mut fields = line.split(|&byte| byte == b' ').skip(4);
    let path = unescaped(fields.next()?);
    let flag = |name: &[u8]| match name {
        b"ro" => MsFlags::MS_RDONLY,
        b"nosuid" => MsFlags::MS_NOSUID,
        b"nodev" => MsFlags::MS_NODEV,
        b"noexec" => MsFlags::MS_NOEXEC,
        _ => MsFlags::empty(),
    };
    let flags = fields.next()?.split(|&byte| byte == b',').map(flag).fold(MsFlags::empty(), MsFlags::union);
    Some((PathBuf::from(std::ffi::OsString::from_vec(path)), flags))
}

/// Space, tab, newline and backslash are written as `\` and three octal digits.
fn unescaped(mut text: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(text.len());
    while let Some((&byte, rest)) = text.split_first() {
        let digits = rest.get(..3).filter(|_| byte == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        path.push(escaped.unwrap_or(byte));
        text = if escaped.is_some() { rest.get(3..).unwrap_or_default() } else { rest };
    }
    path
}

/// Holds a file or folder, whatever happens to its path.
fn hold(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(OFlag::O_PATH.bits()).open(path)
}

/// Holds something to be mounted at its own place. What lies upon the root is not made read-only by the root's path, and can be reached
/// by `/..`.
fn hold_below_root(path: &Path) -> io::Result<File> {
    if path.parent().is_none() {
        return Err(io::Error::other("the host's root cannot be mounted"));
    }
    hold(path)
}

fn folder(path: &Path) -> io::Result<OwnedFd> {
    Ok(OpenOptions::new().read(true).custom_flags(OFlag::O_DIRECTORY.bits()).open(path)?.into())
}

fn mount_new(kind: &str, at: &str, flags: MsFlags, options: &str) -> io::Result<()> {
    mount(Some(kind), at, Some(kind), flags, Some(options))?;
    Ok(())
}

/// Mounts something there as well, with all that is mounted below.
fn bind(source: &Path, at: &Path) -> io::Result<()> {
    mount(Some(source), at, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>)?;
    Ok(())
}

fn bind_held(source: &File, at: &Path) -> io::Result<()> {
    bind(Path::new(&format!("/proc/self/fd/{}", source.as_raw_fd())), at)
}

fn change(at: &Path, flags: MsFlags) -> io::Result<()> {
    mount(None::<&str>, at, None::<&str>, flags, None::<&str>)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_read_as_the_kernel_writes_it() {
        let line = br"36 35 98:0 /mnt1 /mnt\0402\134 rw,nosuid,noatime master:1 - ext3 /dev/root rw,errors=continue";
        let (path, flags) = parse(line).unwrap();
        assert_eq!(path, Path::new(r"/mnt 2\"));
        assert_eq!(flags, MsFlags::MS_NOSUID, "when accesses are noted is left as it is");
        assert_eq!(parse(b"36 35 98:0 /mnt1 /mnt2"), None);
    }

    #[test]
    fn what_is_mounted_takes_no_place_of_the_sandbox_itself() {
        for path in ["/proc", "/proc/self", "/dev/mapper", "/tmp/a", "/workspace"] {
            assert!(is_covered(Path::new(path)), "{path}");
        }
        for path in ["/", "/srv", "/tmpfiles", "/usr/lib/python3.11"] {
            assert!(!is_covered(Path::new(path)), "{path}");
        }
        assert!(hold_below_root(Path::new("/")).is_err());
        assert!(hold_below_root(Path::new("/usr")).is_ok());
    }

    #[test]
    fn what_anybody_may_enter_is_not_closed() {
        assert!(!is_closed(Path::new("/usr")) && !is_closed(Path::new("/nowhere/at/all")));
    }

    #[test]
    fn all_mounts_of_this_process_can_be_read() {
        let mounted = fs::read("/proc/self/mountinfo").unwrap();
        let paths: Option<Vec<_>> =
            mounted.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).map(parse).collect();
        assert!(paths.unwrap().iter().any(|(path, _)| path == Path::new("/proc")));
    }
}
