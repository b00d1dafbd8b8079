//! Programs that take as much as they can of something, in every mode. What one may take is in `limits.rs`; here it is
//! said to have hit its limit, ends in time, and the next program runs as if nothing had been.

use super::*;
use crate::support::rounds_of;

/// What a bomb must come to.
pub(super) enum Fate {
    /// It is ended, and this limit is named; without cgroups it may also find its own limit before and fail.
    Hits(LimitHit),
    /// It is told that there is no more, and says `refused`.
    Refused,
    /// One or the other.
    Bounded,
}

pub(super) const BOMBS: &[(&str, &str, Fate)] = &[
    ("memory", "x = []\nwhile True: x.append(bytearray(1 << 20))", Fate::Hits(LimitHit::Memory)),
    (
        "memory of many processes",
        "import os, time\nfor _ in range(30):\n  if os.fork() == 0:\n    x = b'x' * (40 << 20); time.sleep(60)\nos.wait()",
        Fate::Hits(LimitHit::Memory),
    ),
    (
        "shared memory",
        "import mmap\nx = []\ntry:\n  while True:\n    m = mmap.mmap(-1, 8 << 20); m.write(b'x' * (8 << 20)); x.append(m)\nexcept OSError: print('refused')",
        Fate::Bounded,
    ),
    (
        "memory files",
        "import os\ntry: os.memfd_create('x'); print('made')\nexcept OSError: print('refused')",
        Fate::Refused,
    ),
    (
        "files in memory",
        "try:\n  for i in range(100): open(f'/dev/shm/{i}', 'wb').write(b'x' * (4 << 20))\nexcept OSError: print('refused')",
        Fate::Refused,
    ),
    (
        "page tables",
        "import mmap\nx = []\ntry:\n  while True:\n    m = mmap.mmap(-1, 1 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000)\n    for at in range(0, 1 << 30, 2 << 20): m[at] = 1\n    x.append(m)\nexcept (OSError, MemoryError): print('refused')",
        Fate::Bounded,
    ),
    (
        "pipes",
        "import fcntl, os\np = []\ntry:\n  while True:\n    r, w = os.pipe(); p.append((r, w)); os.set_blocking(w, False)\n    try:\n      while True: os.write(w, b'x' * 65536)\n    except BlockingIOError: pass\nexcept OSError: print('refused')",
        Fate::Bounded,
    ),
    (
        "buffers of sockets",
        "import os, socket, time\nfor _ in range(20):\n  if os.fork() == 0:\n    s = []\n    try:\n      while True:\n        a, b = socket.socketpair(); a.setblocking(False); s.append((a, b))\n        try:\n          while True: a.send(b'x' * 65536)\n        except BlockingIOError: pass\n    except OSError: pass\n    time.sleep(3); os._exit(0)\nfor _ in range(20): os.wait()\nprint('refused')",
        Fate::Bounded,
    ),
    (
        "files, each empty",
        "import os\ntry:\n  i = 0\n  while True: os.close(os.open(f'/tmp/{i}', os.O_CREAT)); i += 1\nexcept OSError: print('refused')",
        Fate::Bounded,
    ),
    (
        "links",
        "import os\nopen('/tmp/a', 'w').close()\ntry:\n  i = 0\n  while True: os.link('/tmp/a', f'/tmp/{i}'); i += 1\nexcept OSError: print('refused')",
        Fate::Bounded,
    ),
    (
        "folders in folders",
        "import os\ntry:\n  while True: os.mkdir('d'); os.chdir('d')\nexcept OSError: print('refused')",
        Fate::Bounded,
    ),
    (
        "the disk",
        "f = open('/workspace/x', 'wb', 0)\nimport signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\ng = open('/workspace/y', 'wb', 0)\ntry:\n  while True: f.write(b'x' * 65536); g.write(b'x' * 65536)\nexcept OSError: pass\nwhile True:\n  try: f.write(b'x')\n  except OSError: break\nwhile True:\n  try: g.write(b'x')\n  except OSError: break\nprint('refused')",
        Fate::Hits(LimitHit::Disk),
    ),
    (
        "one file",
        "import os, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_DFL)\nopen('/workspace/x', 'w').close()\nos.truncate('/workspace/x', 1 << 40)",
        Fate::Hits(LimitHit::Disk),
    ),
    ("standard output", "import sys\nwhile True: sys.stdout.write('x' * 65536)", Fate::Hits(LimitHit::Output)),
    ("standard error", "import sys\nwhile True: sys.stderr.write('x' * 65536)", Fate::Hits(LimitHit::Output)),
    (
        "both by turns",
        "import os\nwhile True: os.write(1, b'x' * 4096); os.write(2, b'x' * 4096)",
        Fate::Hits(LimitHit::Output),
    ),
    (
        "threads",
        "import threading, time\ntry:\n  while True: threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\nexcept RuntimeError: print('refused')",
        Fate::Refused,
    ),
    (
        "processes",
        "import os, time\ntry:\n  while True:\n    if os.fork() == 0: time.sleep(60)\nexcept OSError: print('refused')",
        Fate::Refused,
    ),
    (
        "ended processes",
        "import os\ntry:\n  while True:\n    if os.fork() == 0: os._exit(0)\nexcept OSError: print('refused')",
        Fate::Refused,
    ),
    (
        "open files",
        "import os\ntry:\n  while True: os.open('/dev/null', 0)\nexcept OSError: print('refused')",
        Fate::Refused,
    ),
    (
        "timers",
        "import ctypes, signal\nlibc = ctypes.CDLL(None)\ni = ctypes.c_int()\nn = 0\nwhile n < 200000 and libc.timer_create(0, None, ctypes.byref(i)) == 0: n += 1\nprint('refused')",
        Fate::Bounded,
    ),
    (
        "waiting signals",
        "import os, signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [40])\nimport ctypes\nlibc = ctypes.CDLL(None)\nn = 0\nwhile n < 300000 and libc.sigqueue(os.getpid(), 40, None) == 0: n += 1\nprint('refused')",
        Fate::Bounded,
    ),
    (
        "stack",
        "import sys, threading\nsys.setrecursionlimit(1 << 30)\ndef f(n): return f(n + 1)\ntry: f(0)\nexcept (RecursionError, MemoryError): print('refused')",
        Fate::Bounded,
    ),
    (
        "arguments",
        "import os\nos.environ['A'] = 'x' * 130000\ntry:\n  for _ in range(20): os.execv('/bin/true', ['x' * 130000] * 40)\nexcept OSError: print('refused')",
        Fate::Refused,
    ),
];

#[tokio::test]
async fn every_bomb_is_bounded_and_harms_nobody_after_it() {
    let mut failures = Vec::new();
    let modes = modes().await;
    // Each bomb in one of the modes, and in every mode with `--long`.
    let is_turn = |bomb: usize, mode: usize| rounds_of(4) == 4 || bomb % modes.len() == mode;
    for (turn, (mode, sandbox)) in modes.iter().enumerate() {
        let counted = sandbox.describe().limits != LimitsBy::Rlimits;
        let bombs = BOMBS.iter().enumerate().filter(|(number, _)| is_turn(*number, turn));
        for (name, text, fate) in bombs.map(|(_, bomb)| bomb) {
            let outcome = run_in(sandbox, code("python", *text)).await;
            let refused = outcome.stdout.ends_with("refused\n");
            // A process that meets its own limit fails, and nobody is told.
            let failed = !counted && outcome.exit_code.is_some_and(|code| code != 0);
            // Killed by a signal that it has brought upon itself, such as for its stack.
            let died = outcome.exit_code.is_some_and(|code| code > 128);
            let fine = match fate {
                Fate::Hits(LimitHit::Memory) => outcome.limit_hit == Some(LimitHit::Memory) || failed,
                Fate::Hits(limit) => outcome.limit_hit == Some(*limit),
                Fate::Refused => refused,
                Fate::Bounded => refused || failed || died || outcome.limit_hit == Some(LimitHit::Memory),
            };
            let after = run_in(sandbox, code("bash", "echo fine")).await;
            if !fine || outcome.limit_hit == Some(LimitHit::Time) || after.stdout != "fine\n" {
                failures.push(format!("{name} ({mode}): {outcome:?}, then {after:?}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
