//! What bounds memory where there are no cgroups.

use super::*;

async fn memory_hit(text: &str) {
    let sandbox = without_cgroups().await;
    let outcome = sandbox.run(code("python", text), pending(), quiet).await.expect("an outcome");
    assert_eq!((outcome.limit_hit, outcome.exit_code), (Some(LimitHit::Memory), Some(137)), "{outcome:?}");
}

#[tokio::test]
async fn many_processes_together_have_what_one_may() {
    memory_hit(
        "import os, time\nfor _ in range(8):\n  if os.fork() == 0:\n    x = b'x' * (100 << 20); time.sleep(60)\ntime.sleep(60)",
    )
    .await;
}

#[tokio::test]
async fn files_and_processes_count_together() {
    memory_hit(
        "import time\nfor d in ('/tmp', '/workspace'): open(d + '/x', 'wb').write(b'x' * (60 << 20))\nx = b'x' * (190 << 20)\ntime.sleep(60)",
    )
    .await;
}

#[tokio::test]
async fn sockets_count() {
    memory_hit(
        "import os, socket, time\nfor _ in range(12):\n  if os.fork() == 0:\n    x = [socket.socketpair() for _ in range(100)]; time.sleep(60)\ntime.sleep(60)",
    )
    .await;
}

#[tokio::test]
async fn what_a_fork_shares_counts_once() {
    let text = "import os, time\nx = b'x' * (150 << 20)\nfor _ in range(4):\n  if os.fork() == 0: time.sleep(1); os._exit(0)\n\
                for _ in range(4): os.wait()\nprint('whole')";
    let outcome = without_cgroups().await.run(code("python", text), pending(), quiet).await.expect("an outcome");
    assert_eq!((outcome.stdout.as_str(), outcome.limit_hit), ("whole\n", None), "{outcome:?}");
}

/// Memory that no look at processes and files would find.
#[tokio::test]
#[cfg(target_arch = "x86_64")]
async fn memory_that_belongs_to_nobody_is_refused() {
    let text = "import ctypes, mmap, os\nlibc = ctypes.CDLL(None, use_errno=True)\n\
                def call(name, *args): print(name, libc.syscall(*map(ctypes.c_long, args)), ctypes.get_errno())\n\
                call('memfd', 319, 0, 0)\ncall('memfd_secret', 447, 0)\ncall('shmget', 29, 0, 1 << 20, 0o1600)\ncall('msgget', 68, 0, 0o1600)\n\
                call('shared', 9, 0, 1 << 20, 3, 0x21, -1, 0)\ncall('huge', 9, 0, 1 << 21, 3, 0x40022, -1, 0)\n\
                f = os.open('/dev/zero', os.O_RDWR)\nprint(os.read(f, 2))\ntry: mmap.mmap(f, 4096)\nexcept OSError as e: print('zero', e.errno)\n\
                f = os.open('/workspace/f', os.O_RDWR | os.O_CREAT)\nos.truncate(f, 4096)\nmmap.mmap(f, 4096).write(b'x'); print('file')";
    let outcome = without_cgroups().await.run(code("python", text), pending(), quiet).await.expect("an outcome");
    let expected = "memfd -1 1\nmemfd_secret -1 1\nshmget -1 1\nmsgget -1 1\nshared -1 1\nhuge -1 1\nb'\\x00\\x00'\nzero 19\nfile\n";
    assert_eq!(outcome.stdout, expected, "{outcome:?}");
}
