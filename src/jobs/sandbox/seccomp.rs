//! System calls that sandboxed code may not make.
//!
//! A list of refusals, not of permissions: interpreters use most of the kernel's surface, and namespaces, dropped
//! capabilities and the unprivileged user already bound what the rest can do. Refused is what has been a way out of
//! containers or into the kernel. The list follows Docker's and Flatpak's filters:
//! <https://docs.docker.com/engine/security/seccomp/>, `common/flatpak-run.c` in <https://github.com/flatpak/flatpak>.

use std::collections::BTreeMap;

use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Width, SeccompCmpOp as Op, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, sock_filter,
};

/// The filter could not be built for this machine.
#[derive(Debug, thiserror::Error)]
#[error("seccomp filter")]
pub struct FilterError(#[from] seccompiler::BackendError);

/// Refused whatever the arguments.
const REFUSED: &[libc::c_long] = &[
    // Mounts and roots.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    // Namespaces.
    libc::SYS_unshare,
    libc::SYS_setns,
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // Kernel machinery with a history.
    libc::SYS_bpf,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_memfd_secret,
    libc::SYS_fanotify_init,
    libc::SYS_lookup_dcookie,
    libc::SYS_nfsservctl,
    libc::SYS_vhangup,
    libc::SYS_mbind,
    libc::SYS_set_mempolicy,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    // Files by handle go around mounts (CVE-2014-9357, "shocker").
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    // The machine.
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_syslog,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_uselib,
    #[cfg(target_arch = "x86_64")]
    libc::SYS__sysctl,
];

/// Flags of `clone` that make a namespace. (`CLONE_NEWTIME` exists in `clone3` and `unshare` only.)
const NAMESPACES: [libc::c_int; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

/// Kinds of socket that are left: none reaches out of the empty network namespace. `AF_VSOCK` would reach the
/// hypervisor; the rest is attack surface.
const SOCKETS: [libc::c_int; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// The filter as bubblewrap's `--seccomp` reads it: an array of `struct sock_filter` in the machine's byte order.
pub(super) fn program() -> Result<Vec<u8>, FilterError> {
    let bytes = |step: sock_filter| {
        let [code, jump, operand] = [&step.code.to_ne_bytes()[..], &[step.jt, step.jf], &step.k.to_ne_bytes()];
        [code, jump, operand].concat()
    };
    Ok(prologue().into_iter().chain(refusals()?).flat_map(bytes).collect())
}

/// What one filter of seccompiler cannot say beside `EPERM`: `ENOSYS` for `clone3`, whose flags lie in memory where no
/// filter sees them (the C library then falls back to `clone`), and for the x32 ABI, whose calls have other numbers.
/// Jumps are relative, so the refusals follow directly.
fn prologue() -> [sock_filter; 4] {
    const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
    const JUMP_IF_AT_LEAST: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
    const JUMP_IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
    const RETURN: u16 = 0x06; // BPF_RET | BPF_K
    const NUMBER: u32 = 0; // offset of `nr` in `struct seccomp_data`
    const X32: u32 = 0x4000_0000; // __X32_SYSCALL_BIT
    const ENOSYS: u32 = 0x0005_0000 | libc::ENOSYS.unsigned_abs(); // SECCOMP_RET_ERRNO
    const CLONE3: u32 = 435; // the same on every architecture
    [
        sock_filter { code: LOAD, jt: 0, jf: 0, k: NUMBER },
        sock_filter { code: JUMP_IF_AT_LEAST, jt: 1, jf: 0, k: X32 },
        sock_filter { code: JUMP_IF_EQUAL, jt: 0, jf: 1, k: CLONE3 },
        sock_filter { code: RETURN, jt: 0, jf: 0, k: ENOSYS },
    ]
}

/// `EPERM` for what is refused; seccompiler adds that a call of another architecture kills.
fn refusals() -> Result<BpfProgram, FilterError> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH)?;
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = REFUSED.iter().map(|&call| (call, Vec::new())).collect();
    let when = |argument, operation, value: libc::c_int| {
        SeccompCondition::new(argument, Width::Dword, operation, u64::from(value.cast_unsigned()))
    };

    for flag in NAMESPACES {
        let mask = Op::MaskedEq(u64::from(flag.cast_unsigned()));
        rules.entry(libc::SYS_clone).or_default().push(SeccompRule::new(vec![when(0, mask, flag)?])?);
    }
    for request in [0x5412 /* TIOCSTI */, 0x541C /* TIOCLINUX */] {
        rules.entry(libc::SYS_ioctl).or_default().push(SeccompRule::new(vec![when(1, Op::Eq, request)?])?);
    }
    // Nobody takes the death signal off process 1, should it fall to the program.
    rules.insert(libc::SYS_prctl, vec![SeccompRule::new(vec![when(0, Op::Eq, libc::PR_SET_PDEATHSIG)?])?]);
    // Asking for the personality (-1) and the ordinary one (0) are fine; others weaken address randomization.
    rules.insert(libc::SYS_personality, vec![SeccompRule::new(vec![when(0, Op::Ne, 0)?, when(0, Op::Ne, -1)?])?]);

    let other_kind = SOCKETS.into_iter().map(|kind| when(0, Op::Ne, kind)).collect::<Result<Vec<_>, _>>()?;
    let netlink = vec![when(0, Op::Eq, libc::AF_NETLINK)?, when(2, Op::Ne, libc::NETLINK_ROUTE)?];
    rules.insert(libc::SYS_socket, vec![SeccompRule::new(other_kind)?, SeccompRule::new(netlink)?]);

    let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    Ok(SeccompFilter::new(rules, SeccompAction::Allow, refused, architecture)?.try_into()?)
}
