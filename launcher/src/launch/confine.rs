//! What the launcher gives up before it starts anything.

use std::{
    fs, io,
    os::{
        fd::{AsFd, RawFd},
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
};

use nix::{
    fcntl::{FcntlArg, FdFlag, fcntl},
    libc,
    sched::{CloneFlags, unshare},
    sys::{
        prctl,
        resource::{Resource, getrlimit, setrlimit},
        stat::{Mode, fstat, umask},
    },
    unistd::{self, Gid, Uid},
};
use rustix::{
    process::{DumpableBehavior, dumpable_behavior},
    thread::{CapabilitySet, CapabilitySets, set_capabilities},
};

use super::Plan;
use crate::{
    failure::{During, Failure},
    init::map,
    plan::USERS,
};

/// Sets limits and, if it is root, becomes a user that no other sandbox has, for as long as the token is held.
pub(super) fn confine(plan: &Plan) -> Result<Option<UnixDatagram>, Failure> {
    umask(Mode::from_bits_truncate(0o022));
    limit(plan).during("setting limits")?;
    let taken = if Uid::effective().is_root() {
        let (user, taken) = take_user(plan.first_uid).during("taking a user (WORKROOM_SANDBOX_FIRST_UID)")?;
        own_streams(user).during("giving its streams to the program")?;
        become_user(user).during("becoming a user that may not be mapped here (WORKROOM_SANDBOX_FIRST_UID)")?;
        Some(taken)
    } else {
        None
    };
    prctl::set_no_new_privs().during("refusing new privileges")?;
    Ok(taken)
}

/// Goes into a user namespace of its own, as its root: who starts a sandbox may make its other namespaces there, and nothing else.
pub(super) fn enter_user_namespace() -> io::Result<()> {
    let (user, group) = (Uid::effective().as_raw(), Gid::effective().as_raw());
    // Who has changed users may not write the files below, but as what it is now.
    let before = dumpable_behavior()?;
    prctl::set_dumpable(true)?;
    unshare(CloneFlags::CLONE_NEWUSER)?;
    map(0, user, group)?;
    // What is for the host's root only (2: fs.suid_dumpable) was for no other user before, and nobody can set it again.
    prctl::set_dumpable(before == DumpableBehavior::Dumpable)?;
    Ok(())
}

/// Keeps of what root of that namespace may do only that it can look at the sandbox's processes.
pub(super) fn keep_looking() -> io::Result<()> {
    let look = CapabilitySet::SYS_PTRACE;
    set_capabilities(None, CapabilitySets { effective: look, permitted: look, inheritable: CapabilitySet::empty() })?;
    Ok(())
}

/// Closes everything but the standard streams: files that the worker itself inherited are not for the program.
pub(super) fn close_inherited() -> io::Result<()> {
    let open: Vec<RawFd> = fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|&number| number > 2)
        .collect();
    for number in open {
        // One of them was the listing itself, closed already.
        let _ = unistd::close(number);
    }
    Ok(())
}

/// Passes a file on to the next process.
pub(super) fn inheritable(file: impl AsFd) -> io::Result<()> {
    fcntl(file, FcntlArg::F_SETFD(FdFlag::empty()))?;
    Ok(())
}

fn limit(plan: &Plan) -> nix::Result<()> {
    let limits = [
        // Not 0: piped core dumps ignore the limit, except for 1 (core(5), `do_coredump`).
        (Resource::RLIMIT_CORE, 1),
        (Resource::RLIMIT_CPU, plan.cpu_seconds),
        (Resource::RLIMIT_FSIZE, plan.file_size_bytes),
        (Resource::RLIMIT_NOFILE, plan.open_files),
        (Resource::RLIMIT_STACK, 8 * 1024 * 1024),
        (Resource::RLIMIT_MEMLOCK, 64 * 1024),
        (Resource::RLIMIT_MSGQUEUE, 64 * 1024),
    ];
    for (resource, value) in limits {
        lower(resource, value)?;
    }
    if plan.cgroups.is_empty() {
        // Private memory that can be written. (Not RLIMIT_AS, which counts what is merely reserved as well: threads do so
        // by the ten megabytes, and node by the gigabyte.)
        lower(Resource::RLIMIT_DATA, plan.memory_bytes)?;
    }
    Ok(())
}

/// Sets a limit for good, or leaves a lower one as it is: only root could raise it.
fn lower(resource: Resource, value: u64) -> nix::Result<()> {
    let (_, highest) = getrlimit(resource)?;
    setrlimit(resource, value.min(highest), value.min(highest))
}

/// Takes the first user that no other sandbox of this host has: many limits of the kernel are a user's. A name of an
/// abstract socket is the token of it, since the kernel takes it back whenever and however its holder ends.
fn take_user(first: u32) -> io::Result<(u32, UnixDatagram)> {
    // Root itself is in no range.
    for user in first.max(1)..first.max(1).saturating_add(USERS) {
        let name = SocketAddr::from_abstract_name(format!("workroom-sandbox/{user}"))?;
        match UnixDatagram::bind_addr(&name) {
            Ok(taken) => return Ok((user, taken)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other(format!("{USERS} from {first} on are taken")))
}

/// Gives the pipes of the standard streams to a user, who can then open `/dev/stdout` and the like by their names.
fn own_streams(user: u32) -> nix::Result<()> {
    let (streams, uid, gid) = ((io::stdin(), io::stdout(), io::stderr()), Uid::from_raw(user), Gid::from_raw(user));
    for stream in [streams.0.as_fd(), streams.1.as_fd(), streams.2.as_fd()] {
        // Nothing else may change its owner.
        if fstat(stream)?.st_mode & libc::S_IFMT == libc::S_IFIFO {
            unistd::fchown(stream, Some(uid), Some(gid))?;
        }
    }
    Ok(())
}

fn become_user(user: u32) -> nix::Result<()> {
    let (uid, gid) = (Uid::from_raw(user), Gid::from_raw(user));
    unistd::setgroups(&[])?;
    unistd::setresgid(gid, gid, gid)?;
    unistd::setresuid(uid, uid, uid)
}
