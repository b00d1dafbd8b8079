//! Programs that run at the same time.

use super::*;

/// Runs a program until it says `ready`, then another, and returns what that one prints.
async fn beside(sandbox: &Sandbox, first: &str, second: &str) -> Outcome {
    let (ready, mut is_ready) = tokio::sync::mpsc::unbounded_channel();
    let hear = move |_: Stream, piece: &[u8]| {
        if String::from_utf8_lossy(piece).contains("ready") {
            let _ = ready.send(());
        }
    };
    let then = async {
        is_ready.recv().await.expect("it says that it is ready");
        run_in(sandbox, code("python", second)).await
    };
    let text = format!("{first}\nprint('ready'); import time; time.sleep(60)");
    tokio::select! {
        outcome = sandbox.run(code("python", text), pending(), hear) => panic!("it ended: {outcome:?}"),
        outcome = then => outcome,
    }
}

const SECRET: &str = "import os, socket\nos.environ['SECRET'] = 'hidden'\nfor d in ('/tmp', '/workspace', '/dev/shm'): open(d + '/hidden', 'w').write('hidden')\n\
                      a = socket.socket(socket.AF_UNIX); a.bind('\\0hidden'); a.listen()\nb = socket.socket(socket.AF_UNIX); b.bind('/tmp/hidden.sock'); b.listen()\n\
                      c = socket.socket(); c.bind(('127.0.0.1', 4711)); c.listen()\n\
                      if os.fork() == 0: os.execv('/bin/sleep', ['sleep', '4711.hidden'.replace('.hidden', '')])";

const LOOK: &str = "import glob, os, socket\ndef attempt(f, *a):\n  try: f(*a); print('escaped', a)\n  except OSError: pass\n\
                    for d in ('/tmp', '/workspace', '/dev/shm'): attempt(open, d + '/hidden')\n\
                    attempt(socket.socket(socket.AF_UNIX).connect, '\\0hidden'); attempt(socket.socket(socket.AF_UNIX).connect, '/tmp/hidden.sock')\n\
                    attempt(socket.create_connection, ('127.0.0.1', 4711), 2)\n\
                    for p in glob.glob('/proc/[0-9]*/cmdline') + glob.glob('/proc/[0-9]*/environ'):\n  try: text = open(p, 'rb').read()\n  except OSError: continue\n  if b'4711' in text and b'sleep' in text[:8] or b'hidden' in text and b'SECRET' in text: print('escaped', p)\n\
                    print(open('/proc/net/unix').read().count('hidden'), open('/proc/net/tcp').read().count('1267'))";

#[tokio::test]
async fn they_do_not_see_each_other() {
    for (mode, sandbox) in modes().await {
        let outcome = beside(&sandbox, SECRET, LOOK).await;
        assert_eq!(outcome.stdout, "0 0\n", "{mode}: {outcome:?}");
    }
}

/// The kernel counts these per user. Only a worker that is root has a user for each program.
#[tokio::test]
async fn one_that_takes_all_of_what_is_counted_per_user_leaves_the_other_its_own() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let takers = [
        "import ctypes, os\nlibc = ctypes.CDLL(None)\nfor _ in range(10):\n  if os.fork() == 0:\n    while libc.inotify_init1(0) >= 0: pass\n    import time; time.sleep(60)",
        "import ctypes, os, signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [40])\nlibc = ctypes.CDLL(None)\nwhile libc.sigqueue(os.getpid(), 40, None) == 0: pass",
        "import os\np = []\nfor _ in range(10):\n  if os.fork() == 0:\n    try:\n      while True: p.append(os.pipe())\n    except OSError: pass\n    import time; time.sleep(60)",
    ];
    let modest = "import ctypes, fcntl, os, signal\nlibc = ctypes.CDLL(None)\nprint(libc.inotify_init1(0) >= 0)\n\
                  signal.pthread_sigmask(signal.SIG_BLOCK, [40])\nprint(libc.sigqueue(os.getpid(), 40, None))\n\
                  print(fcntl.fcntl(os.pipe()[0], 1032))";
    for (mode, sandbox) in modes().await {
        for taker in takers {
            let outcome = beside(&sandbox, taker, modest).await;
            assert_eq!(outcome.stdout, "True\n0\n65536\n", "{mode}: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn sockets_of_the_host_are_not_reached() {
    use std::os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener},
    };
    let name = format!("workroom-test/{}", unique(1));
    let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).expect("a name")).expect("a socket");
    let text = format!(
        "import socket\nfor kind in (1, 2, 5):\n  try: socket.socket(socket.AF_UNIX, kind).connect('\\0{name}'); print('escaped')\n  except OSError: pass\n\
         for user in range(70000, 70064):\n  try: socket.socket(socket.AF_UNIX, 2).connect(f'\\0workroom-sandbox/{{user}}'); print('escaped')\n  except OSError: pass"
    );
    for (mode, sandbox) in modes().await {
        let outcome = run_in(&sandbox, code("python", text.clone())).await;
        assert_eq!((outcome.stdout.as_str(), outcome.exit_code), ("", Some(0)), "{mode}: {outcome:?}");
    }
    drop(listener);
}

/// A process of the worker's own user, outside.
#[tokio::test]
async fn signals_do_not_leave_the_sandbox() {
    let mut outside = Command::new("sleep").arg(unique(4009)).spawn().expect("a process");
    let text = format!(
        "import os, signal\nfor p in (-1, {0}, -{0}):\n  if os.fork() == 0:\n    try: os.kill(p, signal.SIGKILL)\n    except OSError: pass\n    os._exit(0)\n",
        outside.id()
    );
    for (_, sandbox) in modes().await {
        run_in(&sandbox, code("python", text.clone())).await;
        assert!(outside.try_wait().expect("a state").is_none(), "it was killed from inside");
    }
    outside.kill().expect("killed");
    outside.wait().expect("reaped");
}
