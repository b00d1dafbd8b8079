//! What process 1 gives up when the world is made: user namespaces, every capability, and processes beyond a number.

use std::{fs, io};

use nix::{
    sched::{CloneFlags, unshare},
    sys::resource::{Resource, getrlimit, setrlimit},
};
use rustix::thread::{CapabilitySet, CapabilitySets, remove_capability_from_bounding_set, set_capabilities};

use crate::failure::{During, Failure};

/// The user and the group inside.
const USER: u32 = 1000;

/// Below the launcher's user namespace there can be one more, and none below that. Root in there writes this switch.
pub(super) fn forbid_user_namespaces() -> io::Result<()> {
    fs::write("/proc/sys/user/max_user_namespaces", "1")
}

/// Becomes a user without rights, in a user namespace of its own.
///
/// The kernel counts processes per user *namespace* (since 5.14), so their number is limited in here: outside, all executions would
/// share one count.
pub(super) fn give_up(processes: Option<u64>) -> Result<(), Failure> {
    unshare(CloneFlags::CLONE_NEWUSER).during("making the program's user namespace")?;
    map(USER, 0, 0).during("becoming the user inside")?;
    if let Some(number) = processes {
        let (_, highest) = getrlimit(Resource::RLIMIT_NPROC).during("reading the limit of processes")?;
        let number = number.min(highest);
        setrlimit(Resource::RLIMIT_NPROC, number, number).during("limiting processes")?;
    }
    for capability in 0..64 {
        let Some(capability) = CapabilitySet::from_bits(1 << capability) else { continue };
        // Those that this kernel does not know, nobody has.
        match remove_capability_from_bounding_set(capability) {
            Ok(()) | Err(rustix::io::Errno::INVAL) => {}
            Err(error) => return Err(error).during("dropping capabilities for good"),
        }
    }
    let none = CapabilitySet::empty();
    let none = CapabilitySets { effective: none, permitted: none, inheritable: none };
    set_capabilities(None, none).during("dropping capabilities")
}

/// In a new user namespace: this process's user and group get numbers of their own.
pub(crate) fn map(number: u32, user: u32, group: u32) -> io::Result<()> {
    // Without it nobody without rights outside may map a group.
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{number} {user} 1"))?;
    fs::write("/proc/self/gid_map", format!("{number} {group} 1"))
}
