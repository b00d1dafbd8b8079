//! Single attacks; `hostile.rs` has a table of others.

use super::*;

#[tokio::test]
async fn the_hosts_files_are_not_there() {
    let outcome = bash(
        "cat /etc/shadow /root/.bashrc /etc/ssh/* /proc/1/root/etc/shadow; ls -A /root /home /var /srv /run /sys /opt /mnt /boot; ls -A / /etc; \
         ln -s ../../../../etc/shadow link; cat link; cat /proc/self/root/etc/shadow; cat /etc/passwd",
    )
    .await;
    assert!(!outcome.stdout.contains("root:$") && !outcome.stdout.contains("root:*"), "{outcome:?}");
    for folder in ["root", "home", "var", "srv", "run", "sys", "opt", "ssl", "ssh", "hostname", "machine-id"] {
        assert!(!outcome.stdout.lines().any(|line| line == folder), "{folder} is there: {outcome:?}");
    }
    assert!(outcome.stdout.contains("sandbox:x:1000:1000"));
}

#[tokio::test]
async fn the_environment_is_clean() {
    let outcome =
        bash("env -0 | tr '\\0' '\\n'; tr '\\0' '\\n' < /proc/1/environ; tr '\\0' ' ' < /proc/1/cmdline; uname -n")
            .await;
    let names: Vec<_> = outcome.stdout.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    for name in names {
        assert!(["PATH", "HOME", "LANG", "PWD", "SHLVL", "_", "OLDPWD"].contains(&name), "{name}: {outcome:?}");
    }
    assert!(!outcome.stdout.contains("CARGO") && !outcome.stdout.contains("target"), "{outcome:?}");
    assert!(outcome.stdout.ends_with("sandbox\n"), "{outcome:?}");
}

#[tokio::test]
async fn it_is_nobody_without_capabilities_and_alone() {
    let outcome = bash("id -u; grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status; ls -d /proc/[0-9]*").await;
    let mut lines = outcome.stdout.lines();
    assert_eq!(lines.next(), Some("1000"));
    assert!(outcome.stdout.contains("NoNewPrivs:\t1") && outcome.stdout.contains("Seccomp:\t2"), "{outcome:?}");
    for line in outcome.stdout.lines().filter(|line| line.starts_with("Cap")) {
        assert!(line.ends_with("0000000000000000"), "{line}");
    }
    let processes = outcome.stdout.lines().filter(|line| line.starts_with("/proc/")).count();
    assert!(processes <= 4, "only its own processes: {outcome:?}");
}

/// The user of a sandboxed `sleep`, as the host sees it.
fn user_of(marker: &str) -> Option<u32> {
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        let arguments = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if arguments == format!("sleep\0{marker}\0").as_bytes() {
            let score = fs::read_to_string(entry.path().join("oom_score_adj")).ok()?;
            assert_eq!(score.trim(), "1000");
            let status = fs::read_to_string(entry.path().join("status")).ok()?;
            let users = status.lines().find_map(|line| line.strip_prefix("Uid:")).expect("Uid");
            let users: BTreeSet<u32> = users.split_whitespace().map(|user| user.parse().expect("a user")).collect();
            assert_eq!(users.len(), 1, "real, effective, saved and of the file system: {users:?}");
            return users.first().copied();
        }
    }
    None
}

#[tokio::test]
async fn on_the_host_each_is_an_unprivileged_user_of_its_own() {
    let markers = [unique(4004), unique(4004), unique(4004)];
    let (one, other) = (sandbox().await, without_cgroups().await);
    let sandboxes = [&one, &one, &other];
    let mut users = Vec::new();
    let check = async {
        for marker in &markers {
            becomes("it sleeps", || user_of(marker).is_some()).await;
        }
        users = markers.iter().filter_map(|marker| user_of(marker)).collect();
    };
    let mut runs = markers.iter().zip(sandboxes).map(|(marker, sandbox)| {
        let mut execution = code("bash", format!("sleep {marker}"));
        execution.timeout = Duration::from_mins(1);
        sandbox.run(execution, pending(), quiet)
    });
    let (a, b, c) = (runs.next().expect("a run"), runs.next().expect("a run"), runs.next().expect("a run"));
    tokio::select! {
        () = check => {}
        _ = async { tokio::join!(a, b, c) } => panic!("they ended"),
    }
    let worker = nix::unistd::Uid::effective();
    if worker.is_root() {
        let first = SandboxConfig::default().first_uid;
        assert!(users.iter().all(|user| (first..first + 4096).contains(user)), "{users:?}");
        assert_eq!(users.iter().collect::<BTreeSet<_>>().len(), 3, "{users:?}");
    } else {
        // A user namespace of an ordinary user has that user only.
        assert_eq!(users, [worker.as_raw(); 3]);
    }
}

#[tokio::test]
async fn a_range_of_users_that_holds_root_does_not() {
    let config = SandboxConfig { first_uid: 0, ..config() };
    let sandbox = Sandbox::probe(config).await.expect("a sandbox");
    let marker = unique(4008);
    tokio::select! {
        _ = sandbox.run(code("bash", format!("sleep {marker}")), pending(), quiet) => panic!("it ended"),
        () = becomes("it sleeps", || user_of(&marker).is_some()) => assert_ne!(user_of(&marker), Some(0)),
    }
}

#[tokio::test]
async fn no_file_is_inherited() {
    for sandbox in [sandbox().await, without_cgroups().await] {
        let text = "import os\nfor fd in sorted(map(int, os.listdir('/proc/self/fd'))):\n  try: print(fd, os.readlink(f'/proc/self/fd/{fd}').split(':')[0])\n  except OSError: pass";
        let outcome = sandbox.run(code("python", text), pending(), quiet).await.expect("an outcome");
        assert_eq!(outcome.stdout.lines().count(), 3 + usize::from(outcome.stdout.contains("main.py")), "{outcome:?}");
        let init = sandbox.run(code("bash", "ls -l /proc/1/fd"), pending(), quiet).await.expect("an outcome");
        assert!(!init.stdout.contains("memfd") && !init.stdout.contains("/proc"), "{init:?}");
    }
}

#[tokio::test]
async fn there_is_no_network() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a listener");
    let port = listener.local_addr().expect("an address").port();
    let outcome = python(&format!(
        "import socket\ndef attempt(f):\n  try: f(); print('reached')\n  except OSError as e: print(e.errno)\n\
         attempt(lambda: socket.create_connection(('127.0.0.1', {port}), 2))\n\
         attempt(lambda: socket.create_connection(('1.1.1.1', 53), 2))\n\
         attempt(lambda: socket.create_connection(('169.254.169.254', 80), 2))\n\
         attempt(lambda: socket.socket(40, socket.SOCK_STREAM))\n\
         attempt(lambda: socket.socket(17, socket.SOCK_RAW))\n\
         attempt(lambda: socket.socket(38, socket.SOCK_SEQPACKET))\n\
         attempt(lambda: socket.socket(16, socket.SOCK_RAW, 12))\n\
         print([name for _, name in socket.if_nameindex()])"
    ))
    .await;
    let lines: Vec<_> = outcome.stdout.lines().collect();
    assert_eq!(lines, ["111", "101", "101", "1", "1", "1", "1", "['lo']"], "{outcome:?}");
}

/// Calls by number, for the calls that no tool makes. `expected` is an errno.
#[tokio::test]
#[cfg(target_arch = "x86_64")]
async fn system_calls_that_lead_out_are_refused() {
    let outcome = python(
        "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n\
         def call(name, *args):\n  ctypes.set_errno(0)\n  r = libc.syscall(*[ctypes.c_long(a) if isinstance(a, int) else a for a in args])\n  print(name, r, ctypes.get_errno())\n\
         call('mount', 165, b'none', b'/tmp', b'tmpfs', 0, 0)\n\
         call('umount2', 166, b'/proc', 2)\n\
         call('unshare', 272, 0x10000000)\n\
         call('setns', 308, 0, 0)\n\
         call('ptrace', 101, 0, 0, 0, 0)\n\
         call('bpf', 321, 0, 0, 0)\n\
         call('io_uring', 425, 8, 0)\n\
         call('keyctl', 250, 0, 0)\n\
         call('perf', 298, 0, 0, 0, 0, 0)\n\
         call('userfaultfd', 323, 0)\n\
         call('vm_readv', 310, 1, 0, 0, 0, 0, 0)\n\
         call('handle', 304, 0, 0, 0)\n\
         call('kexec', 246, 0, 0, 0, 0)\n\
         call('clock', 227, 0, 0)\n\
         call('pivot', 155, b'/', b'/')\n\
         call('chroot', 161, b'/tmp')\n\
         call('move_mount', 429, 0, 0, 0, 0, 0)\n\
         call('clone newuser', 56, 0x10000011, 0, 0, 0, 0)\n\
         call('clone newnet', 56, 0x40000011, 0, 0, 0, 0)\n\
         call('tiocsti', 16, 0, 0x5412, b'x')\n\
         call('tiocsti high', 16, 0, 0x100005412, b'x')\n\
         call('tioclinux', 16, 0, 0x541C, b'x')\n\
         call('pdeathsig', 157, 1, 0, 0, 0, 0)\n\
         call('personality', 135, 0x0040000)\n\
         call('clone3', 435, 0, 0)\n\
         call('x32 getpid', 0x40000000 + 39)\n",
    )
    .await;
    assert_eq!(outcome.stdout.lines().count(), 26, "{outcome:?}");
    for line in outcome.stdout.lines() {
        let expected = if line.starts_with("clone3") || line.starts_with("x32") { "-1 38" } else { "-1 1" };
        assert!(line.ends_with(expected), "{line}");
    }
}

/// `int 0x80` with `eax` = 20 (i386 `getpid`), from memory that is made executable.
#[tokio::test]
#[cfg(target_arch = "x86_64")]
async fn a_call_of_another_architecture_kills() {
    let outcome = python(
        "import ctypes, mmap\nm = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, 7)\nm.write(bytes.fromhex('b814000000cd80c3'))\n\
         f = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))\nprint('before'); print(f())",
    )
    .await;
    assert_eq!((outcome.stdout.as_str(), outcome.exit_code), ("before\n", Some(159)), "SIGSYS: {outcome:?}");
}

#[tokio::test]
async fn tools_of_escape_fail() {
    let outcome = bash(
        "unshare -U true && echo unshare; unshare -rm true && echo unshare; mount -t tmpfs x /tmp && echo mount; \
         nsenter -t 1 -m true && echo nsenter; chroot / true && echo chroot; mknod /tmp/sda b 8 0 && echo mknod; \
         su -c true && echo su; sudo -n true && echo sudo; kill -9 1 && sleep 0.2; \
         echo 1 > /proc/sys/kernel/randomize_va_space && echo sysctl; echo c > /proc/sysrq-trigger && echo sysrq; \
         echo '|/workspace/x' > /proc/sys/kernel/core_pattern && echo core; cat /proc/cmdline /proc/kcore | head -c 1 | grep -c . ; \
         mount -o remount,rw / && echo remount; touch /usr/x && echo usr; echo -1000 > /proc/self/oom_score_adj && echo oom; ulimit -n 4096 && echo ulimit; echo end",
    )
    .await;
    assert_eq!(outcome.stdout.replace("0\n", ""), "end\n", "{outcome:?}");
}

#[tokio::test]
async fn process_one_can_be_damaged_without_gain() {
    for sandbox in [sandbox().await, without_cgroups().await] {
        let marker = unique(4005);
        let text = format!(
            "import os, subprocess\nsubprocess.Popen(['sleep', '{marker}'])\n\
         try: f = open('/proc/1/mem', 'r+b', 0); print('opened')\nexcept OSError as e: print('refused')\n\
         if 'f' in globals():\n  for line in open('/proc/1/maps'):\n    a, p = line.split()[:2]; lo, hi = [int(x, 16) for x in a.split('-')]\n    if 'x' in p and 'v' not in line.split()[-1]:\n      f.seek(lo)\n      try: f.write(b'\\xeb\\xfe' * ((hi - lo) // 2))\n      except OSError: pass\n"
        );
        let outcome = sandbox.run(code("python", text), pending(), quiet).await.expect("an outcome");
        assert!(outcome.stdout == "opened\n" || outcome.stdout == "refused\n", "{outcome:?}");
        becomes("it is dead", || !alive(&marker)).await;
    }
}

#[tokio::test]
async fn option_lookalikes_in_code_are_code() {
    let outcome = bash("--bind / /\necho \"$@\" fine").await;
    assert!(outcome.stdout.ends_with("fine\n"), "{outcome:?}");
}
