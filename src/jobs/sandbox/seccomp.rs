//! The system calls that sandboxed code may make.
//!
//! A list of permissions: a common one, and what a language needs besides, which is a setting. Whatever is not in it is
//! refused with `EPERM`. Calls that are newer than this list get `ENOSYS`, as from an older kernel, so that C libraries
//! fall back to what they did before.
//!
//! To add a call: find with `strace -f -c` who makes it and why, and put it where it belongs: into [`COMMON`], or into
//! [`ADDABLE`] where one language needs it. What reaches into the kernel's memory management, other processes, mounts,
//! namespaces, keys, tracing or the machine stays out, whoever asks.
//! Docker's and systemd's lists are good company:
//! <https://docs.docker.com/engine/security/seccomp/>, `SystemCallFilter=` in systemd.exec(5).

use std::collections::{BTreeMap, BTreeSet};

use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Width, SeccompCmpOp as Op, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, sock_filter,
};

/// The filter could not be built for this machine.
#[derive(Debug, thiserror::Error)]
#[error("seccomp filter")]
pub struct FilterError(#[from] seccompiler::BackendError);

type Call = libc::c_long;

/// The highest number that was assigned when the list was last gone through (`mseal`, Linux 6.10). Numbers from 424 on
/// are the same on every architecture.
const HIGHEST_KNOWN: Call = 462;

/// `clone3` keeps its flags in memory, where no filter sees them; on `ENOSYS` the C library falls back to `clone`.
const CLONE3: Call = 435;

/// Allowed whatever the arguments, to every language: what interpreters, the shell and the common commands need.
const COMMON: &[Call] = &[
    // Reading and writing.
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_preadv,
    libc::SYS_pwritev,
    libc::SYS_preadv2,
    libc::SYS_pwritev2,
    libc::SYS_lseek,
    libc::SYS_sendfile,
    libc::SYS_copy_file_range,
    libc::SYS_fadvise64,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_ftruncate,
    libc::SYS_truncate,
    libc::SYS_fallocate,
    libc::SYS_flock,
    // Descriptors.
    libc::SYS_openat,
    437, // openat2
    libc::SYS_close,
    436, // close_range
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_fcntl,
    libc::SYS_pipe2,
    libc::SYS_eventfd2,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    441, // epoll_pwait2
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_inotify_init1,
    libc::SYS_inotify_add_watch,
    libc::SYS_inotify_rm_watch,
    libc::SYS_signalfd4,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    libc::SYS_timerfd_gettime,
    // The file system. (Not `sync` and `syncfs`: they would flush the disks of the host.)
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_faccessat,
    439, // faccessat2
    libc::SYS_getcwd,
    libc::SYS_chdir,
    libc::SYS_fchdir,
    libc::SYS_getdents64,
    libc::SYS_mkdirat,
    libc::SYS_unlinkat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_readlinkat,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    452, // fchmodat2
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_umask,
    libc::SYS_getxattr,
    libc::SYS_lgetxattr,
    libc::SYS_fgetxattr,
    libc::SYS_listxattr,
    libc::SYS_llistxattr,
    libc::SYS_flistxattr,
    // Memory. `mmap` is below.
    libc::SYS_brk,
    libc::SYS_mprotect,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_msync,
    462, // mseal
    // Processes and threads. `clone` is below.
    libc::SYS_execve,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_wait4,
    libc::SYS_waitid,
    434, // pidfd_open
    libc::SYS_pidfd_send_signal,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_gettid,
    libc::SYS_getpgid,
    libc::SYS_setpgid,
    libc::SYS_getsid,
    libc::SYS_setsid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getresuid,
    libc::SYS_getresgid,
    libc::SYS_getgroups,
    libc::SYS_capget,
    libc::SYS_set_tid_address,
    libc::SYS_set_robust_list,
    libc::SYS_get_robust_list,
    libc::SYS_rseq,
    libc::SYS_futex,
    449, // futex_waitv
    454, // futex_wake
    455, // futex_wait
    456, // futex_requeue
    libc::SYS_membarrier,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
    libc::SYS_sched_get_priority_max,
    libc::SYS_sched_get_priority_min,
    libc::SYS_getpriority,
    libc::SYS_setpriority,
    libc::SYS_getcpu,
    libc::SYS_getrusage,
    libc::SYS_times,
    // Signals.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigsuspend,
    libc::SYS_rt_sigpending,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_sigaltstack,
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_tgkill,
    libc::SYS_restart_syscall,
    // Time.
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_getitimer,
    libc::SYS_setitimer,
    libc::SYS_timer_create,
    libc::SYS_timer_settime,
    libc::SYS_timer_gettime,
    libc::SYS_timer_getoverrun,
    libc::SYS_timer_delete,
    // Sockets of its own network namespace. `socket`, `socketpair` and `setsockopt` are below.
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_getsockopt,
    libc::SYS_sendto,
    libc::SYS_recvfrom,
    libc::SYS_sendmsg,
    libc::SYS_recvmsg,
    libc::SYS_sendmmsg,
    libc::SYS_recvmmsg,
    libc::SYS_shutdown,
    // The system.
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_getrandom,
];

/// Calls that have a younger form as well, as far as this architecture still has them.
#[cfg(target_arch = "x86_64")]
const OLDER_FORMS: &[Call] = &[
    libc::SYS_renameat,
    libc::SYS_getrlimit,
    libc::SYS_setrlimit,
    libc::SYS_open,
    libc::SYS_creat,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_getdents,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_link,
    libc::SYS_symlink,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
    libc::SYS_dup2,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_select,
    libc::SYS_eventfd,
    libc::SYS_signalfd,
    libc::SYS_epoll_create,
    libc::SYS_epoll_wait,
    libc::SYS_inotify_init,
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_getpgrp,
    libc::SYS_pause,
    libc::SYS_alarm,
    libc::SYS_time,
    libc::SYS_arch_prctl,
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER_FORMS: &[Call] = &[
    38,  // renameat
    163, // getrlimit
    164, // setrlimit
];

/// What a language may be given besides ([`Language::calls`](super::Language::calls)): nothing that reaches other processes, the
/// machine, or memory that no limit includes.
pub(super) const ADDABLE: [(&str, Call); 11] = [
    ("execveat", libc::SYS_execveat),
    ("ioprio_get", libc::SYS_ioprio_get),
    ("mincore", libc::SYS_mincore),
    ("mlock", libc::SYS_mlock),
    ("mlock2", libc::SYS_mlock2),
    ("munlock", libc::SYS_munlock),
    ("pkey_alloc", libc::SYS_pkey_alloc),
    ("pkey_free", libc::SYS_pkey_free),
    ("pkey_mprotect", libc::SYS_pkey_mprotect),
    ("sched_getattr", libc::SYS_sched_getattr),
    ("sched_rr_get_interval", libc::SYS_sched_rr_get_interval),
];

/// The number of a call that a language may be given.
pub(super) fn number(name: &str) -> Option<Call> {
    ADDABLE.into_iter().find(|(known, _)| *known == name).map(|(_, number)| number)
}

/// Answered as by a file system without extended attributes: copying commands take `EPERM` for a failure. (Their memory
/// is in no limit.)
const UNSUPPORTED: [Call; 6] = [
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
];

/// Flags of `clone` that make a namespace. (`CLONE_NEWTIME` exists in `clone3` and `unshare` only.)
const NAMESPACES: libc::c_int = libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET;

/// Requests to terminals, pseudo-terminals, files and network interfaces. (Not `TIOCSTI`, `TIOCLINUX`, `TIOCSETD`.)
const REQUESTS: [u32; 36] = [
    0x5401,      // TCGETS
    0x5402,      // TCSETS
    0x5403,      // TCSETSW
    0x5404,      // TCSETSF
    0x5409,      // TCSBRK
    0x540B,      // TCFLSH
    0x540E,      // TIOCSCTTY
    0x540F,      // TIOCGPGRP
    0x5410,      // TIOCSPGRP
    0x5411,      // TIOCOUTQ
    0x5413,      // TIOCGWINSZ
    0x5414,      // TIOCSWINSZ
    0x541B,      // FIONREAD
    0x5421,      // FIONBIO
    0x5422,      // TIOCNOTTY
    0x5429,      // TIOCGSID
    0x5441,      // TIOCGPTPEER
    0x5450,      // FIONCLEX
    0x5451,      // FIOCLEX
    0x5452,      // FIOASYNC
    0x802C_542A, // TCGETS2
    0x402C_542B, // TCSETS2
    0x402C_542C, // TCSETSW2
    0x402C_542D, // TCSETSF2
    0x4004_5431, // TIOCSPTLCK
    0x8004_5430, // TIOCGPTN
    0x8008_6601, // FS_IOC_GETFLAGS
    0x4004_9409, // FICLONE
    0x4020_940D, // FICLONERANGE
    0x8910,      // SIOCGIFNAME
    0x8912,      // SIOCGIFCONF
    0x8913,      // SIOCGIFFLAGS
    0x8915,      // SIOCGIFADDR
    0x8921,      // SIOCGIFMTU
    0x8927,      // SIOCGIFHWADDR
    0x8933,      // SIOCGIFINDEX
];

/// Of a process's own switches: its name, and questions. (Not the death signal: nobody takes it off process 1, should that
/// fall to the program. Not `PR_SET_DUMPABLE`: it would hide the process from who counts its memory.)
const PROCESS_SWITCHES: [libc::c_int; 11] = [
    libc::PR_GET_PDEATHSIG,
    libc::PR_GET_DUMPABLE,
    libc::PR_SET_NAME,
    libc::PR_GET_NAME,
    libc::PR_GET_SECCOMP,
    libc::PR_CAPBSET_READ,
    libc::PR_GET_TIMERSLACK,
    libc::PR_SET_NO_NEW_PRIVS,
    libc::PR_GET_NO_NEW_PRIVS,
    libc::PR_GET_THP_DISABLE,
    libc::PR_SET_VMA,
];

/// Options that may be set on sockets. (Not sizes of buffers: without cgroups their default is what bounds them. Not
/// filters, which are programs.)
const SOCKET_OPTIONS: [(libc::c_int, &[libc::c_int]); 4] = [
    (
        libc::SOL_SOCKET,
        &[
            libc::SO_REUSEADDR,
            libc::SO_REUSEPORT,
            libc::SO_KEEPALIVE,
            libc::SO_BROADCAST,
            libc::SO_LINGER,
            libc::SO_OOBINLINE,
            libc::SO_PASSCRED,
            libc::SO_RCVTIMEO,
            libc::SO_SNDTIMEO,
        ],
    ),
    (
        libc::IPPROTO_TCP,
        &[
            libc::TCP_NODELAY,
            libc::TCP_CORK,
            libc::TCP_KEEPIDLE,
            libc::TCP_KEEPINTVL,
            libc::TCP_KEEPCNT,
            libc::TCP_DEFER_ACCEPT,
            libc::TCP_QUICKACK,
            libc::TCP_USER_TIMEOUT,
        ],
    ),
    (
        libc::IPPROTO_IP,
        &[
            libc::IP_TOS,
            libc::IP_TTL,
            libc::IP_RECVERR,
            libc::IP_MULTICAST_IF,
            libc::IP_MULTICAST_TTL,
            libc::IP_MULTICAST_LOOP,
            libc::IP_ADD_MEMBERSHIP,
            libc::IP_DROP_MEMBERSHIP,
            libc::IP_MULTICAST_ALL,
        ],
    ),
    (
        libc::IPPROTO_IPV6,
        &[
            libc::IPV6_V6ONLY,
            libc::IPV6_UNICAST_HOPS,
            libc::IPV6_RECVERR,
            libc::IPV6_MULTICAST_IF,
            libc::IPV6_MULTICAST_HOPS,
            libc::IPV6_MULTICAST_LOOP,
            libc::IPV6_ADD_MEMBERSHIP,
            libc::IPV6_DROP_MEMBERSHIP,
            libc::IPV6_MULTICAST_ALL,
        ],
    ),
];

/// Whether anonymous shared memory is allowed: only cgroups bound it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SharedMemory {
    Allowed,
    Refused,
}

/// The calls of which some or all come through, by number. `calls`: those of the language.
pub(super) fn allowed(calls: &[String]) -> Result<BTreeSet<i64>, FilterError> {
    Ok(rules(calls, SharedMemory::Allowed)?.into_keys().collect())
}

/// The filter as process 1 of a sandbox reads it: an array of `struct sock_filter` in the machine's byte order.
pub(super) fn program(calls: &[String], shared: SharedMemory) -> Result<Vec<u8>, FilterError> {
    let (always, by_arguments): (BTreeMap<_, _>, BTreeMap<_, _>) =
        rules(calls, shared)?.into_iter().partition(|(_, rules)| rules.is_empty());
    let answer = |call: Call| match call {
        _ if call == CLONE3 || call > HIGHEST_KNOWN => errno(libc::ENOSYS),
        _ if UNSUPPORTED.contains(&call) => errno(libc::EOPNOTSUPP),
        _ if always.contains_key(&call) => Answer::Is(ALLOW),
        _ if by_arguments.contains_key(&call) => Answer::ByArguments,
        _ => errno(libc::EPERM),
    };
    let mut runs: Vec<Run> = Vec::new();
    for call in 0..=HIGHEST_KNOWN + 1 {
        let answer = answer(call);
        if runs.last().is_none_or(|last| last.answer != answer) {
            runs.push(Run { first: u32::try_from(call).unwrap_or(u32::MAX), answer });
        }
    }
    let search = search(&runs, 0);
    let bytes = |step: sock_filter| {
        let [code, jump, operand] = [&step.code.to_ne_bytes()[..], &[step.jt, step.jf], &step.k.to_ne_bytes()];
        [code, jump, operand].concat()
    };
    Ok(prologue().into_iter().chain(search).chain(permissions(by_arguments)?).flat_map(bytes).collect())
}

/// What the kernel is told about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Is(u32),
    /// What follows the search says it.
    ByArguments,
}

fn errno(errno: libc::c_int) -> Answer {
    Answer::Is(ERRNO | errno.unsigned_abs())
}

/// Numbers in a row that have the same answer.
#[derive(Clone, Copy, Debug)]
struct Run {
    first: u32,
    answer: Answer,
}

const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const JUMP: u16 = 0x05; // BPF_JMP | BPF_JA
const JUMP_UNLESS_BELOW: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const JUMP_IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K
const ALLOW: u32 = 0x7FFF_0000; // SECCOMP_RET_ALLOW
const ERRNO: u32 = 0x0005_0000; // SECCOMP_RET_ERRNO

fn step(code: u16, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

/// Finds the run that a number is in by halving. Going through all numbers one after the other costs as much as all else of a
/// sandbox's start: the kernel translates the whole filter, and asks it about every number. `behind`: how many steps follow before what decides by arguments. Jumps are relative.
fn search(runs: &[Run], behind: u32) -> Vec<sock_filter> {
    match runs {
        [] => Vec::new(),
        [Run { answer: Answer::Is(value), .. }] => vec![step(RETURN, 0, 0, *value)],
        [Run { answer: Answer::ByArguments, .. }] => vec![step(JUMP, 0, 0, behind)],
        _ => {
            let (below, above) = runs.split_at(runs.len() / 2);
            let first = above[0].first;
            let above = search(above, behind);
            let length = |steps: &[sock_filter]| u32::try_from(steps.len()).unwrap_or(u32::MAX);
            let below = search(below, behind + length(&above));
            // A conditional jump goes 255 steps at most.
            let mut steps = match u8::try_from(below.len()) {
                Ok(far) => vec![step(JUMP_UNLESS_BELOW, far, 0, first)],
                Err(_) => vec![step(JUMP_UNLESS_BELOW, 0, 1, first), step(JUMP, 0, 0, length(&below))],
            };
            steps.extend(below);
            steps.extend(above);
            steps
        }
    }
}

/// Foreign architectures are killed first, since their calls have other numbers. Those of the x32 ABI come under the same architecture,
/// with a bit set, by which they are above all numbers that are known.
fn prologue() -> [sock_filter; 4] {
    const NUMBER: u32 = 0; // offset of `nr` in `struct seccomp_data`
    const ARCHITECTURE: u32 = 4; // of `arch`
    const KILL: u32 = 0x8000_0000; // SECCOMP_RET_KILL_PROCESS
    #[cfg(target_arch = "x86_64")]
    const OWN: u32 = 0xC000_003E; // AUDIT_ARCH_X86_64
    #[cfg(not(target_arch = "x86_64"))]
    const OWN: u32 = 0xC000_00B7; // AUDIT_ARCH_AARCH64
    [step(LOAD, 0, 0, ARCHITECTURE), step(JUMP_IF_EQUAL, 1, 0, OWN), step(RETURN, 0, 0, KILL), step(LOAD, 0, 0, NUMBER)]
}

/// Decides about calls that depend on their arguments.
fn permissions(rules: BTreeMap<i64, Vec<SeccompRule>>) -> Result<BpfProgram, FilterError> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH)?;
    let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    Ok(SeccompFilter::new(rules, refused, SeccompAction::Allow, architecture)?.try_into()?)
}

/// What is allowed: a call without rules always, else when one of its rules applies.
fn rules(calls: &[String], shared: SharedMemory) -> Result<BTreeMap<i64, Vec<SeccompRule>>, FilterError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    let added = calls.iter().filter_map(|name| number(name));
    for call in COMMON.iter().chain(OLDER_FORMS).copied().chain(added) {
        rules.insert(call, Vec::new());
    }

    rules.insert(libc::SYS_clone, vec![all([without(0, NAMESPACES)])?]);
    // Huge pages are a pool of the host's, in no limit of memory.
    rules.insert(
        libc::SYS_mmap,
        match shared {
            SharedMemory::Allowed => vec![all([without(3, libc::MAP_HUGETLB)])?],
            SharedMemory::Refused => vec![
                all([without(3, libc::MAP_HUGETLB | libc::MAP_ANONYMOUS)])?,
                all([without(3, libc::MAP_HUGETLB | libc::MAP_SHARED)])?,
            ],
        },
    );
    // One's own limits. Process 1 is the same user: with little processor time it would end, and the execution with it.
    rules.insert(libc::SYS_prlimit64, vec![all([is(0, 0)])?]);
    // Asking for the personality (-1) and the ordinary one (0); others weaken address randomization.
    rules.insert(libc::SYS_personality, vec![all([is(0, 0)])?, all([is(0, u32::MAX)])?]);
    let requests = REQUESTS.iter().map(|&request| all([is(1, request)]));
    rules.insert(libc::SYS_ioctl, requests.collect::<Result<_, _>>()?);
    let switches = PROCESS_SWITCHES.iter().map(|&switch| all([is(0, switch.cast_unsigned())]));
    rules.insert(libc::SYS_prctl, switches.collect::<Result<_, _>>()?);
    // Files and pipes; never devices.
    let nodes = [
        (libc::SYS_mknodat, 2),
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_mknod, 1),
    ];
    for (call, mode) in nodes {
        let kinds = [0, libc::S_IFREG, libc::S_IFIFO, libc::S_IFSOCK];
        let kinds = kinds.into_iter().map(|kind| all([masked(mode, libc::S_IFMT, kind)]));
        rules.insert(call, kinds.collect::<Result<_, _>>()?);
    }

    rules.insert(libc::SYS_socket, sockets()?);
    rules.insert(libc::SYS_socketpair, vec![all([is(0, libc::AF_UNIX.cast_unsigned())])?]);
    let options = SOCKET_OPTIONS.iter().flat_map(|&(level, names)| names.iter().map(move |&name| (level, name)));
    let options = options.map(|(level, name)| all([is(1, level.cast_unsigned()), is(2, name.cast_unsigned())]));
    rules.insert(libc::SYS_setsockopt, options.collect::<Result<_, _>>()?);
    Ok(rules)
}

/// Streams and datagrams, which do not leave the empty network namespace, and asking for interfaces and routes. `AF_VSOCK`
/// would reach the hypervisor; other kinds and protocols would make the kernel load what nobody needs.
fn sockets() -> Result<Vec<SeccompRule>, FilterError> {
    let netlink = [is(0, libc::AF_NETLINK.cast_unsigned()), is(2, libc::NETLINK_ROUTE.cast_unsigned())];
    let mut sockets = vec![all([is(0, libc::AF_UNIX.cast_unsigned())])?, all(netlink)?];
    for family in [libc::AF_INET, libc::AF_INET6] {
        for kind in [libc::SOCK_STREAM, libc::SOCK_DGRAM] {
            for protocol in [libc::IPPROTO_IP, libc::IPPROTO_TCP, libc::IPPROTO_UDP] {
                // Beside the kind lie SOCK_CLOEXEC and SOCK_NONBLOCK.
                let kind = masked(1, 0xF, kind.cast_unsigned());
                sockets.push(all([is(0, family.cast_unsigned()), kind, is(2, protocol.cast_unsigned())])?);
            }
        }
    }
    Ok(sockets)
}

/// What an argument must be: its lower half, which is all that the kernel looks at in these.
type Condition = Result<SeccompCondition, seccompiler::BackendError>;

fn is(argument: u8, value: u32) -> Condition {
    SeccompCondition::new(argument, Width::Dword, Op::Eq, u64::from(value))
}

fn masked(argument: u8, mask: u32, value: u32) -> Condition {
    SeccompCondition::new(argument, Width::Dword, Op::MaskedEq(u64::from(mask)), u64::from(value))
}

fn without(argument: u8, flags: libc::c_int) -> Condition {
    masked(argument, flags.cast_unsigned(), 0)
}

fn all<const N: usize>(conditions: [Condition; N]) -> Result<SeccompRule, FilterError> {
    let conditions = conditions.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(SeccompRule::new(conditions)?)
}
