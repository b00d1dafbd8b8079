//! The filter of system calls, run as the kernel runs it: classic BPF over `struct seccomp_data` (seccomp(2)).

use nix::libc;

use super::super::seccomp::{self, SharedMemory};

const ALLOW: u32 = 0x7FFF_0000;
const KILL: u32 = 0x8000_0000;
#[cfg(target_arch = "x86_64")]
const OWN: u32 = 0xC000_003E;
#[cfg(not(target_arch = "x86_64"))]
const OWN: u32 = 0xC000_00B7;

fn errno(errno: libc::c_int) -> u32 {
    0x0005_0000 | errno.unsigned_abs()
}

struct Filter(Vec<u8>);

impl Filter {
    fn new(shared: SharedMemory) -> Self {
        Self(seccomp::program(&[], shared).expect("a filter"))
    }

    /// The answer, and after how many steps.
    fn answer(&self, architecture: u32, call: u32, arguments: [u64; 6]) -> (u32, usize) {
        let mut data = [call.to_ne_bytes(), architecture.to_ne_bytes()].concat();
        data.extend([0; 8]);
        data.extend(arguments.iter().flat_map(|argument| argument.to_ne_bytes()));
        let (mut at, mut accumulator) = (0, 0_u32);
        for steps in 1..10_000 {
            let step = &self.0[at * 8..at * 8 + 8];
            let code = u16::from_ne_bytes([step[0], step[1]]);
            let operand = u32::from_ne_bytes([step[4], step[5], step[6], step[7]]);
            let jump = |holds: bool| usize::from(if holds { step[2] } else { step[3] });
            at += 1;
            match code {
                0x20 => {
                    let from = operand as usize;
                    accumulator = u32::from_ne_bytes(data[from..from + 4].try_into().expect("four bytes"));
                }
                0x54 => accumulator &= operand,
                0x05 => at += operand as usize,
                0x15 => at += jump(accumulator == operand),
                0x25 => at += jump(accumulator > operand),
                0x35 => at += jump(accumulator >= operand),
                0x06 => return (operand, steps),
                other => panic!("the filter has a step {other:#x}"),
            }
        }
        panic!("the filter does not end");
    }

    fn of(&self, call: libc::c_long, arguments: [u64; 6]) -> u32 {
        self.answer(OWN, u32::try_from(call).expect("a number"), arguments).0
    }
}

/// With arguments that come through, and with some that do not.
fn by_arguments() -> Vec<(libc::c_long, [u64; 6], [u64; 6])> {
    let first = |value: libc::c_int| [u64::from(value.cast_unsigned()), 0, 0, 0, 0, 0];
    let of = |values: [u64; 3]| [values[0], values[1], values[2], 0, 0, 0];
    let unix = first(libc::AF_UNIX);
    let kernel = [first(libc::AF_ALG), first(libc::AF_VSOCK)];
    let (inet, ip) = (u64::from(libc::AF_INET.cast_unsigned()), u64::from(libc::IPPROTO_IP.cast_unsigned()));
    let stream = u64::from((libc::SOCK_STREAM | libc::SOCK_CLOEXEC).cast_unsigned());
    let raw = u64::from(libc::SOCK_RAW.cast_unsigned());
    let level = u64::from(libc::SOL_SOCKET.cast_unsigned());
    vec![
        (libc::SYS_clone, first(libc::SIGCHLD), first(libc::CLONE_NEWUSER | libc::SIGCHLD)),
        (libc::SYS_clone, first(libc::CLONE_VM | libc::CLONE_THREAD), first(libc::CLONE_NEWNET)),
        (libc::SYS_prlimit64, first(0), first(1)),
        (libc::SYS_personality, first(-1), first(libc::ADDR_NO_RANDOMIZE)),
        (libc::SYS_ioctl, of([0, libc::FIONREAD, 0]), of([0, libc::TIOCSTI, 0])),
        (libc::SYS_prctl, first(libc::PR_SET_NAME), first(libc::PR_SET_MM)),
        (libc::SYS_mknodat, of([0, 0, u64::from(libc::S_IFIFO | 0o600)]), of([0, 0, u64::from(libc::S_IFCHR)])),
        (libc::SYS_socket, unix, kernel[0]),
        (libc::SYS_socket, of([inet, stream, ip]), kernel[1]),
        (libc::SYS_socket, of([inet, stream, ip]), of([inet, raw, ip])),
        (libc::SYS_socketpair, unix, first(libc::AF_INET)),
        (
            libc::SYS_setsockopt,
            of([0, level, u64::from(libc::SO_REUSEADDR.cast_unsigned())]),
            of([0, level, u64::from(libc::SO_ATTACH_FILTER.cast_unsigned())]),
        ),
        (libc::SYS_mmap, [0; 6], [0, 0, 0, u64::from(libc::MAP_HUGETLB.cast_unsigned()), 0, 0]),
    ]
}

/// The calls that depend on their arguments.
fn depending() -> Vec<i64> {
    let depending = by_arguments().into_iter().map(|(call, ..)| call);
    #[cfg(target_arch = "x86_64")]
    let depending = depending.chain([libc::SYS_mknod]);
    depending.collect()
}

#[test]
fn what_depends_on_arguments_is_decided_by_them() {
    for shared in [SharedMemory::Allowed, SharedMemory::Refused] {
        let filter = Filter::new(shared);
        for (call, allowed, refused) in by_arguments() {
            assert_eq!(filter.of(call, allowed), ALLOW, "call {call} with {allowed:?}, {shared:?}");
            assert_eq!(filter.of(call, refused), errno(libc::EPERM), "call {call} with {refused:?}, {shared:?}");
        }
    }
    let shared = [0, 0, 0, u64::from((libc::MAP_SHARED | libc::MAP_ANONYMOUS).cast_unsigned()), 0, 0];
    assert_eq!(Filter::new(SharedMemory::Allowed).of(libc::SYS_mmap, shared), ALLOW);
    assert_eq!(Filter::new(SharedMemory::Refused).of(libc::SYS_mmap, shared), errno(libc::EPERM));
}

#[test]
fn every_number_has_the_answer_of_the_lists() {
    let filter = Filter::new(SharedMemory::Allowed);
    let listed = seccomp::allowed(&[]).expect("calls");
    let depend = depending();
    let extremes = [[0; 6], [u64::MAX; 6], [1, 2, 3, 4, 5, 6]];
    for call in 0..2000_i64 {
        let answers = extremes.map(|arguments| filter.of(call, arguments));
        if depend.contains(&call) {
            assert!(listed.contains(&call), "call {call}");
        } else if listed.contains(&call) {
            assert_eq!(answers, [ALLOW; 3], "call {call}");
        } else {
            let refusals = [libc::EPERM, libc::ENOSYS, libc::EOPNOTSUPP].map(errno);
            assert!(refusals.contains(&answers[0]) && answers == [answers[0]; 3], "call {call}: {answers:x?}");
        }
    }
    let unknown = [libc::SYS_clone3, 463, 1999, 0x4000_0000, 0x4000_0001, i64::from(u32::MAX)];
    for call in unknown {
        assert_eq!(filter.of(call, [0; 6]), errno(libc::ENOSYS), "call {call}");
    }
    assert_eq!(filter.of(libc::SYS_ptrace, [0; 6]), errno(libc::EPERM));
    for foreign in [0x4000_0003, 0, u32::MAX] {
        assert_eq!(filter.answer(foreign, 0, [0; 6]).0, KILL, "architecture {foreign:x}");
    }
}

#[test]
fn an_answer_is_found_in_few_steps() {
    // The kernel translates the filter twice for each sandbox, and asks it about every number.
    let filter = Filter::new(SharedMemory::Refused);
    assert!(filter.0.len() / 8 < 1000, "{} steps", filter.0.len() / 8);
    let depend = depending();
    for call in (0..500_i64).filter(|call| !depend.contains(call)) {
        let (_, steps) = filter.answer(OWN, u32::try_from(call).expect("a number"), [0; 6]);
        assert!(steps <= 20, "call {call} takes {steps} steps");
    }
}
