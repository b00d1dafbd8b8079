//! The list of system calls.

use super::*;

/// Makes every call in a process of its own, with arguments that no call takes (or, where a rule looks at them, that
/// pass it), and prints which came through to the kernel.
const ATTEMPTS: &str = r"
import ctypes, os, signal
libc = ctypes.CDLL(None, use_errno=True)
FITTING = {'x86_64': {9: (0, 4096, 0, 0x22), 16: (0, 0x5401), 41: (1, 1, 0), 53: (1, 1, 0), 54: (-1, 1, 2), 56: (17, 0, 0, 0, 0), 133: (-1, 0o10000), 157: (16,), 259: (-1, -1, 0o10000), 302: (0,)},
           'aarch64': {222: (0, 4096, 0, 0x22), 29: (0, 0x5401), 198: (1, 1, 0), 199: (1, 1, 0), 208: (-1, 1, 2), 220: (17, 0, 0, 0, 0), 167: (16,), 33: (-1, -1, 0o10000), 261: (0,)}}[os.uname().machine]
PERM, NOSYS, NOTSUP, RETURNED = 1, 38, 95, 200
def attempt(number):
    arguments = FITTING.get(number, ())
    arguments += (-1,) * (6 - len(arguments))
    child = os.fork()
    if child: return child
    signal.alarm(3)
    answer = libc.syscall(*map(ctypes.c_long, (number,) + arguments))
    os._exit(ctypes.get_errno() if answer == -1 else RETURNED)
def through(number, status):
    if os.WIFSIGNALED(status): return os.WTERMSIG(status) != signal.SIGSYS
    code = os.WEXITSTATUS(status)
    return code not in (PERM, NOTSUP) and not (code == NOSYS and (number > 462 or number == 435))
numbers = list(range(1024))
while numbers:
    batch, numbers = numbers[:16], numbers[16:]
    children = [(number, attempt(number)) for number in batch]
    for number, child in children:
        if through(number, os.waitpid(child, 0)[1]): print(number)
";

#[tokio::test]
async fn those_come_through_that_are_listed() {
    // `uretprobe` and `uprobe`, of this architecture only.
    let exempt = BTreeSet::from(if cfg!(target_arch = "x86_64") { [335, 336] } else { [-1, -1] });
    for sandbox in [sandbox().await, without_cgroups().await] {
        let mut execution = code("python", ATTEMPTS);
        execution.timeout = Duration::from_mins(2);
        let outcome = sandbox.run(execution, pending(), quiet).await.expect("an outcome");
        assert_eq!(outcome.exit_code, Some(0), "{outcome:?}");
        let through: BTreeSet<i64> = outcome.stdout.lines().map(|line| line.parse().expect("a number")).collect();
        let mut listed = allowed_calls(&language("python")).expect("a list");
        // The kernel passes these by every filter; outside of its own probes they end the process or do nothing.
        listed.extend(exempt.intersection(&through));
        let (more, less): (Vec<_>, Vec<_>) =
            (through.difference(&listed).collect(), listed.difference(&through).collect());
        assert!(more.is_empty() && less.is_empty(), "not listed: {more:?}; listed, but refused: {less:?}");
    }
}

#[test]
fn languages_differ_by_what_their_interpreters_need() {
    let of = |name: &str| allowed_calls(&language(name)).expect("a list");
    let common = of("bash");
    assert!(common.len() < 230, "{}", common.len());
    for (language, additions) in [("python", 2), ("javascript", 3)] {
        assert!(of(language).is_superset(&common));
        assert_eq!(of(language).len(), common.len() + additions, "{language}");
    }
}
