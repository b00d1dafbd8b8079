//! Attacks on the sandbox, and what ordinary programs may expect of it.
//!
//! Needs bubblewrap, and a host that lets unprivileged users make namespaces. Without them every test fails: a sandbox
//! that is not tested is none.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    future::pending,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use workroom::jobs::sandbox::{
    Execution, Language, LimitHit, LimitsBy, Outcome, Sandbox, SandboxConfig, Unusable, UseCgroups, allowed_calls,
};

use crate::support::{bubblewrap, workroom};

fn config() -> SandboxConfig {
    SandboxConfig { bwrap: bubblewrap().into(), launcher: workroom().into(), ..SandboxConfig::default() }
}

async fn sandbox() -> Sandbox {
    Sandbox::probe(config()).await.expect("a sandbox")
}

async fn without_cgroups() -> Sandbox {
    Sandbox::probe(SandboxConfig { cgroups: UseCgroups::Never, ..config() }).await.expect("a sandbox")
}

fn code(language: Language, code: impl Into<String>) -> Execution {
    Execution { language, code: code.into(), stdin: None, timeout: Duration::from_secs(20) }
}

async fn run(execution: Execution) -> Outcome {
    sandbox().await.run(execution, pending()).await.expect("an outcome")
}

async fn python(text: &str) -> Outcome {
    run(code(Language::Python, text)).await
}

async fn bash(text: &str) -> Outcome {
    run(code(Language::Bash, text)).await
}

/// How many processes of the host have this among their arguments.
fn count(marker: &str) -> usize {
    let processes = fs::read_dir("/proc").expect("/proc");
    let arguments = processes.filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok());
    arguments.filter(|arguments| String::from_utf8_lossy(arguments).contains(marker)).count()
}

pub fn alive(marker: &str) -> bool {
    count(marker) > 0
}

async fn becomes(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A number of seconds to sleep that no other process of the host has.
pub fn unique(seconds: u32) -> String {
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    format!("{seconds}.{:07}{number:03}", std::process::id())
}

mod ordinary_programs {
    use super::*;

    #[tokio::test]
    async fn every_language_says_hello() {
        let sandbox = sandbox().await;
        assert_eq!(sandbox.languages().collect::<Vec<_>>(), Language::ALL);
        for (language, text) in [
            (Language::Python, "print('hello')"),
            (Language::Javascript, "console.log('hello')"),
            (Language::Bash, "echo hello"),
        ] {
            let outcome = sandbox.run(code(language, text), pending()).await.expect("an outcome");
            assert_eq!((outcome.stdout.as_str(), outcome.exit_code), ("hello\n", Some(0)), "{language}: {outcome:?}");
            assert!(!outcome.truncated && !outcome.cancelled && outcome.limit_hit.is_none());
        }
    }

    #[tokio::test]
    async fn standard_input_is_read() {
        let mut execution = code(Language::Python, "import sys; print(sys.stdin.read()[::-1])");
        execution.stdin = Some("olleh".to_owned());
        assert_eq!(run(execution).await.stdout, "hello\n");
    }

    #[tokio::test]
    async fn without_standard_input_there_is_nothing_to_read() {
        assert_eq!(python("import sys; print(repr(sys.stdin.read()))").await.stdout, "''\n");
    }

    #[tokio::test]
    async fn standard_input_that_nobody_reads_does_no_harm() {
        let mut execution = code(Language::Bash, "echo done");
        execution.stdin = Some("x".repeat(8 * 1024 * 1024));
        assert_eq!(run(execution).await.stdout, "done\n");
    }

    #[tokio::test]
    async fn the_exit_code_and_standard_error_are_the_programs() {
        let outcome = bash("echo oops >&2; exit 7").await;
        assert_eq!((outcome.exit_code, outcome.stderr.as_str(), outcome.stdout.as_str()), (Some(7), "oops\n", ""));
    }

    #[tokio::test]
    async fn a_signal_is_an_exit_code_above_128() {
        assert_eq!(bash("kill -SEGV $$").await.exit_code, Some(139));
    }

    #[tokio::test]
    async fn an_exception_names_the_line() {
        let outcome = python("1/0").await;
        assert_eq!(outcome.exit_code, Some(1));
        assert!(outcome.stderr.contains("/workspace/main.py\", line 1"), "{}", outcome.stderr);
    }

    #[tokio::test]
    async fn files_and_threads_and_pipelines_work() {
        let text = "open('/workspace/a.py','w').write('X = 7')\nimport a, threading, multiprocessing, tempfile, subprocess\n\
                    tempfile.NamedTemporaryFile().write(b'x')\nt = threading.Thread(target=lambda: print('thread', a.X)); t.start(); t.join()\n\
                    print(multiprocessing.Lock().acquire(), subprocess.check_output('yes | head -n 1', shell=True))";
        let outcome = python(text).await;
        assert_eq!(outcome.stdout, "thread 7\nTrue b'y\\n'\n", "{}", outcome.stderr);
        let outcome = bash("yes | head -n 1; echo ${PIPESTATUS[0]}").await;
        assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("y\n141\n", ""), "SIGPIPE has its default");
        let worker = "new (require('worker_threads').Worker)('console.log(6*7)', {eval: true})";
        assert_eq!(run(code(Language::Javascript, worker)).await.stdout, "42\n");
    }

    /// What standard libraries and common commands do by themselves, with and without cgroups.
    #[tokio::test]
    async fn standard_libraries_and_common_commands_work() {
        let python = "import asyncio, concurrent.futures, ctypes, hashlib, http.server, multiprocessing, os, pty, shutil, signal, socket, sqlite3, ssl, \\\n\
             subprocess, sys, tempfile, threading, time, urllib.request, uuid, zlib, zoneinfo, datetime, decimal, lzma, bz2\n\
             def square(x): return x * x\n\
             async def talk():\n  async def answer(r, w): w.write(await r.readline()); w.close()\n\
             \x20 server = await asyncio.start_server(answer, '127.0.0.1', 0)\n\
             \x20 r, w = await asyncio.open_connection(*server.sockets[0].getsockname()); w.write(b'echo\\n'); print((await r.read()).decode(), end='')\n\
             \x20 p = await asyncio.create_subprocess_exec('echo', 'sub', stdout=-1); print((await p.communicate())[0].decode(), end='')\n\
             if __name__ == '__main__':\n  asyncio.run(talk())\n\
             \x20 with multiprocessing.Pool(2) as pool: print(pool.map(square, [1, 2, 3]))\n\
             \x20 with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context('spawn')) as pool: print(list(pool.map(square, [4])))\n\
             \x20 with concurrent.futures.ThreadPoolExecutor(4) as pool: print(sum(pool.map(square, range(10))))\n\
             \x20 db = sqlite3.connect('/workspace/db'); db.execute('pragma journal_mode=wal'); db.execute('create table t (a)'); db.execute('insert into t values (7)'); db.commit()\n\
             \x20 print(db.execute('select a from t').fetchall(), ssl.create_default_context().protocol.name, hashlib.sha256(b'').hexdigest()[:4])\n\
             \x20 d = tempfile.mkdtemp(); open(d + '/a', 'w').write('x'); shutil.copy2(d + '/a', d + '/b'); shutil.copytree(d, d + '2'); shutil.rmtree(d); os.mkfifo('/tmp/f'); os.symlink('f', '/tmp/l')\n\
             \x20 signal.signal(signal.SIGALRM, lambda *a: print('alarm')); signal.setitimer(signal.ITIMER_REAL, 0.01); time.sleep(0.05)\n\
             \x20 print(datetime.datetime(2026, 1, 1, tzinfo=zoneinfo.ZoneInfo('Europe/Paris')).utcoffset(), time.tzname[0], os.getlogin if 0 else os.path.expanduser('~'))";
        let node = "const {Worker} = require('worker_threads'), cp = require('child_process'), fs = require('fs'), http = require('http'), zlib = require('zlib'), crypto = require('crypto'), dgram = require('dgram'), dns = require('dns'), os = require('os');\n\
             (async () => { const on = (e, n) => new Promise((r, x) => { e.on(n, r); e.on('error', x); });\n\
             await on(new Worker('1', {eval: true}), 'exit'); console.log(cp.execSync('echo sub | sort').toString().trim());\n\
             const s = http.createServer((q, r) => r.end('served')).listen(0, '127.0.0.1'); await on(s, 'listening');\n\
             console.log(await (await fetch(`http://127.0.0.1:${s.address().port}`)).text()); s.closeAllConnections(); s.close();\n\
             const w = fs.watch('/workspace'); fs.writeFileSync('/workspace/a', 'x'); await on(w, 'change'); w.close(); fs.copyFileSync('/workspace/a', '/workspace/b');\n\
             console.log((await fs.promises.readFile('/workspace/b')).toString(), zlib.gunzipSync(zlib.gzipSync('zip')).toString());\n\
             console.log(crypto.pbkdf2Sync('a', 'b', 10, 4, 'sha256').length, crypto.generateKeyPairSync('ed25519').publicKey.type);\n\
             const u = dgram.createSocket('udp4'); u.bind(0, '127.0.0.1'); await on(u, 'listening'); u.close();\n\
             console.log((await dns.promises.lookup('localhost', 4)).address, os.hostname(), os.userInfo().username, os.cpus().length > 0);\n\
             console.log((await WebAssembly.compile(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]))) instanceof WebAssembly.Module, new Intl.NumberFormat('de').format(1234.5));\n\
             })();";
        let bash = "set -e; cd $(mktemp -d); seq 100 | shuf | sort -n | tail -n 1; mkfifo f; (echo fifo > f) & cat f; wait; diff <(echo a) <(echo a) && echo same\n\
             cp -a f g; install -m 644 <(echo x) p; mv p q; ln q r; ln -s q s; cp -a . ../copy; find . -type f | xargs stat -c %a; awk 'BEGIN { print 6 * 7 }'; sed s/a/b/ <<< a\n\
             tar cf - q | gzip | gunzip | tar tf -; timeout 5 sleep 0.01; date -d @0 +%F; TZ=Asia/Tokyo date -d @0 +%H; touch -d yesterday q; chmod 600 q; split -b 1 q; tac q; factor 12\n\
             sha256sum < q | cut -c 1-4; dd if=/dev/zero bs=1k count=1 2>/dev/null | wc -c; truncate -s 9 q; nproc > /dev/null; nice true; (trap 'echo trapped' USR1; kill -USR1 $BASHPID); coproc cat; kill $COPROC_PID; read -t 0.01 x < <(sleep 1) || echo late\n\
             [[ abc =~ b ]] && echo re; cat <<< $(id -u); df . > /dev/null; du -s . > /dev/null; tail -f /dev/null & sleep 0.05; kill $!";
        let expected = [
            (
                Language::Python,
                python,
                "echo\nsub\n[1, 4, 9]\n[16]\n285\n[(7,)] PROTOCOL_TLS_CLIENT e3b0\nalarm\n1:00:00 UTC /workspace\n",
            ),
            (
                Language::Javascript,
                node,
                "sub\nserved\nx zip\n4 public\n127.0.0.1 sandbox sandbox true\ntrue 1.234,5\n",
            ),
            (
                Language::Bash,
                bash,
                "100\nfifo\nsame\n644\n644\n42\nb\nq\n1970-01-01\n09\nx\n12: 2 2 3\n73cb\n1024\ntrapped\nlate\nre\n1000\n",
            ),
        ];
        for sandbox in [sandbox().await, without_cgroups().await] {
            for (language, text, expected) in expected {
                let outcome = sandbox.run(code(language, text), pending()).await.expect("an outcome");
                assert_eq!(outcome.stdout, expected, "{language}: {outcome:?}");
                assert_eq!((outcome.stderr.as_str(), outcome.limit_hit), ("", None), "{language}: {outcome:?}");
            }
        }
    }

    #[tokio::test]
    async fn nobody_passes_on_files_from_one_execution_to_the_next() {
        let sandbox = sandbox().await;
        let write = code(Language::Bash, "echo secret | tee /tmp/x /workspace/x /dev/shm/x");
        sandbox.run(write, pending()).await.expect("an outcome");
        let outcome =
            sandbox.run(code(Language::Bash, "ls /tmp /workspace /dev/shm"), pending()).await.expect("an outcome");
        assert!(!outcome.stdout.contains('x'), "{}", outcome.stdout);
    }

    #[tokio::test]
    async fn sixteen_at_once() {
        let sandbox = sandbox().await;
        let runs = (0..16).map(|number| {
            let sandbox = sandbox.clone();
            let text = format!("import time, threading\nfor _ in range(10): threading.Thread(target=time.sleep, args=(0.5,)).start()\nprint({number})");
            tokio::spawn(async move { sandbox.run(code(Language::Python, text), pending()).await })
        });
        for (number, run) in runs.collect::<Vec<_>>().into_iter().enumerate() {
            let outcome = run.await.expect("no panic").expect("an outcome");
            assert_eq!(outcome.stdout, format!("{number}\n"), "{outcome:?}");
        }
    }
}

mod limits {
    use super::*;

    #[tokio::test]
    async fn an_endless_loop_ends_in_time_and_keeps_what_it_said() {
        for (language, text) in
            [(Language::Python, "print('said')\nwhile True: pass"), (Language::Bash, "echo said; while :; do :; done")]
        {
            let mut execution = code(language, text);
            execution.timeout = Duration::from_secs(1);
            let outcome = run(execution).await;
            assert_eq!((outcome.limit_hit, outcome.exit_code), (Some(LimitHit::Timeout), None));
            assert_eq!(outcome.stdout, "said\n");
            assert!(outcome.execution_time < Duration::from_secs(3), "{:?}", outcome.execution_time);
        }
    }

    #[tokio::test]
    async fn a_fork_bomb_stays_in_its_bounds_and_dies() {
        let marker = unique(4000);
        for sandbox in [sandbox().await, without_cgroups().await] {
            let text = format!("bomb() {{ sleep {marker} & bomb | bomb & }}; bomb; while :; do bomb; done");
            let mut execution = code(Language::Bash, text);
            execution.timeout = Duration::from_secs(2);
            let outcome = sandbox.run(execution, pending()).await.expect("an outcome");
            assert!(outcome.execution_time < Duration::from_secs(6), "{:?}", outcome.execution_time);
            assert!(outcome.stderr.contains("fork"), "it felt the bound: {outcome:?}");
            becomes("all of it is dead", || !alive(&marker)).await;
        }
    }

    #[tokio::test]
    async fn too_many_processes_are_reported() {
        let sandbox = sandbox().await;
        let text = "import os, time\nn = 0\ntry:\n  for n in range(500):\n    if os.fork() == 0: time.sleep(60)\nexcept OSError: print(n)";
        let outcome = sandbox.run(code(Language::Python, text), pending()).await.expect("an outcome");
        // The program itself is one of 64; an rlimit counts process 1 as well, and tells nobody.
        let by_cgroup = sandbox.describe().limits != LimitsBy::Rlimits;
        assert_eq!(outcome.stdout, if by_cgroup { "63\n" } else { "62\n" }, "{outcome:?}");
        assert_eq!((outcome.limit_hit, outcome.exit_code), (by_cgroup.then_some(LimitHit::Processes), Some(0)));
        assert!(outcome.execution_time < Duration::from_secs(5), "nobody waits for the sleepers");
    }

    #[tokio::test]
    async fn memory_is_bounded_and_said_to_be() {
        let sandbox = sandbox().await;
        for (language, text) in [
            (Language::Python, "x = []\nwhile True: x.append(bytearray(1 << 20))"),
            (Language::Javascript, "const x = []; while (true) x.push(Buffer.alloc(1 << 20, 1))"),
            (Language::Bash, "head -c 200M /dev/zero > /dev/null; x=$(yes abcdefgh | head -c 2G); echo survived"),
        ] {
            let outcome = sandbox.run(code(language, text), pending()).await.expect("an outcome");
            // Without cgroups a process mostly finds its own limit before the whole does.
            let said = outcome.limit_hit == Some(LimitHit::Memory) || sandbox.describe().limits == LimitsBy::Rlimits;
            assert!(said, "{language}: {outcome:?}");
            assert!(!outcome.stdout.contains("survived"));
        }
    }

    #[tokio::test]
    async fn files_are_memory_and_bounded() {
        let outcome = bash("head -c 1G /dev/zero > /workspace/big; stat -c %s big; stat -fc %b /workspace /tmp").await;
        let sizes: Vec<u64> = outcome.stdout.lines().map(|line| line.parse().expect("a size")).collect();
        assert!(sizes[0] <= 64 << 20 && sizes[0] > 63 << 20, "{outcome:?}");
        assert_eq!(sizes[1..], [16384, 16384], "blocks of 4 KiB");
        let small = SandboxConfig { file_size_bytes: 1 << 20, ..config() };
        let small = Sandbox::probe(small).await.expect("a sandbox");
        let outcome =
            small.run(code(Language::Bash, "head -c 2M /dev/zero > big; echo $?; stat -c %s big"), pending()).await;
        assert_eq!(outcome.expect("an outcome").stdout, "153\n1048576\n", "128 + SIGXFSZ");
        let outcome = bash(
            "for i in 1 2 3 4; do head -c 40M /dev/zero > /workspace/$i; done; du -sm --apparent-size . | cut -f1",
        )
        .await;
        assert!(outcome.stderr.contains("No space left"), "{outcome:?}");
        let outcome = bash("for d in /tmp /dev/shm / /etc /dev /usr /proc /run /var /sys; do echo x 2>/dev/null > $d/probe && echo $d; done").await;
        assert_eq!(outcome.stdout, "/tmp\n/dev/shm\n", "the only places to write to: {outcome:?}");
    }

    #[tokio::test]
    async fn millions_of_small_files_are_memory_too() {
        let text = "i = 0\nwhile True:\n  open(f'/workspace/{i}', 'w').close(); i += 1";
        for sandbox in [sandbox().await, without_cgroups().await] {
            let mut execution = code(Language::Python, text);
            execution.timeout = Duration::from_mins(2);
            let outcome = sandbox.run(execution, pending()).await.expect("an outcome");
            let bounded = outcome.limit_hit == Some(LimitHit::Memory) || outcome.stderr.contains("No space left");
            assert!(bounded, "{outcome:?}");
        }
    }

    #[tokio::test]
    async fn ten_gigabytes_of_output_neither_block_nor_fill_memory() {
        let before = resident();
        let mut execution = code(Language::Bash, "head -c 10G /dev/zero; echo end >&2");
        execution.timeout = Duration::from_mins(2);
        let outcome = run(execution).await;
        assert_eq!((outcome.exit_code, outcome.truncated, outcome.stderr.as_str()), (Some(0), true, "end\n"));
        assert_eq!(outcome.stdout.chars().count(), 64 * 1024);
        assert!(resident() < before + 64 * 1024, "resident memory grew from {before} to {} KiB", resident());
    }

    #[tokio::test]
    async fn garbage_and_nul_become_text() {
        let outcome = python("import sys; sys.stdout.buffer.write(b'a\\x00b\\xff\\xfec\\xed\\xa0\\x80')").await;
        assert!(outcome.stdout.starts_with("a\u{FFFD}b\u{FFFD}\u{FFFD}c"), "{outcome:?}");
        assert!(!outcome.stdout.contains('\0'));
        let outcome = python("print('x' + 'é' * 40000)").await;
        assert!(outcome.truncated && outcome.stdout.ends_with('é'), "no half character at the cut");
    }

    #[tokio::test]
    async fn it_can_be_cancelled() {
        let marker = unique(4001);
        let sandbox = sandbox().await;
        let started = Instant::now();
        let cancel = becomes("it sleeps", || alive(&marker));
        let outcome =
            sandbox.run(code(Language::Bash, format!("sleep {marker} & wait")), cancel).await.expect("an outcome");
        assert!(outcome.cancelled && outcome.exit_code.is_none() && outcome.limit_hit.is_none(), "{outcome:?}");
        assert!(started.elapsed() < Duration::from_secs(5));
        becomes("it is dead", || !alive(&marker)).await;
    }

    #[tokio::test]
    async fn giving_up_the_future_kills() {
        let marker = unique(4002);
        let sandbox = sandbox().await;
        let execution = code(Language::Bash, format!("sleep {marker} & wait"));
        let group;
        tokio::select! {
            _ = sandbox.run(execution, pending()) => panic!("it ended"),
            () = becomes("it sleeps", || alive(&format!("sleep\0{marker}"))) => group = group_of(&marker),
        }
        becomes("it is dead", || !alive(&marker)).await;
        becomes("its cgroup is gone", || !group.as_ref().is_some_and(|group| groups().contains(group))).await;
    }

    #[tokio::test]
    async fn what_stays_in_the_background_dies_with_the_program() {
        let marker = unique(4003);
        for sandbox in [sandbox().await, without_cgroups().await] {
            let text = format!(
                "(setsid nohup sleep {marker} &) ; (trap '' TERM HUP; setsid sleep {marker} & disown); echo main"
            );
            let outcome = sandbox.run(code(Language::Bash, text), pending()).await.expect("an outcome");
            assert_eq!(outcome.stdout, "main\n");
            assert!(outcome.execution_time < Duration::from_secs(5), "its pipes hold nobody up");
            becomes("it is dead", || !alive(&marker)).await;
        }
    }

    fn resident() -> u64 {
        let status = fs::read_to_string("/proc/self/status").expect("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

/// What bounds memory where there are no cgroups.
mod watched {
    use super::*;

    async fn memory_hit(text: &str) {
        let sandbox = without_cgroups().await;
        let outcome = sandbox.run(code(Language::Python, text), pending()).await.expect("an outcome");
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
        let outcome = without_cgroups().await.run(code(Language::Python, text), pending()).await.expect("an outcome");
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
        let outcome = without_cgroups().await.run(code(Language::Python, text), pending()).await.expect("an outcome");
        let expected = "memfd -1 1\nmemfd_secret -1 1\nshmget -1 1\nmsgget -1 1\nshared -1 1\nhuge -1 1\nb'\\x00\\x00'\nzero 19\nfile\n";
        assert_eq!(outcome.stdout, expected, "{outcome:?}");
    }
}

/// What programs see of the system.
mod view {
    use super::*;

    /// Lists everything: the environment, the host's name, and all files but those of `/proc` and time zones.
    const LISTINGS: [(Language, &str); 3] = [
        (
            Language::Python,
            "import os, socket\nfor n in os.environ: print(f'env {n}={os.environ[n]}')\nprint('host', socket.gethostname())\n\
             for top, folders, files in os.walk('/'):\n  folders[:] = [f for f in folders if os.path.join(top, f) not in ('/proc', '/dev', '/usr/share/zoneinfo')]\n\
             \x20 for f in files + [f for f in folders if os.path.islink(os.path.join(top, f))]: print('file', os.path.join(top, f))",
        ),
        (
            Language::Javascript,
            "const fs = require('fs');for (const n in process.env) console.log(`env ${n}=${process.env[n]}`);\n\
             console.log('host', require('os').hostname());\n\
             const walk = (d) => { for (const e of fs.readdirSync(d || '/', {withFileTypes: true})) { const p = d + '/' + e.name;\n\
             if (['/proc', '/dev', '/usr/share/zoneinfo'].includes(p)) continue; if (e.isDirectory()) walk(p); else console.log('file', p); } }; walk('')",
        ),
        (
            Language::Bash,
            "env | sed 's/^/env /'; echo host $(uname -n)\n\
             find / \\( -path /proc -o -path /dev -o -path /usr/share/zoneinfo \\) -prune -o ! -type d -print | sed 's/^/file /'",
        ),
    ];

    async fn listing(sandbox: &Sandbox, language: Language) -> (BTreeMap<String, String>, Vec<String>) {
        let (_, text) = LISTINGS.into_iter().find(|(of, _)| *of == language).expect("a listing");
        let outcome = sandbox.run(code(language, text), pending()).await.expect("an outcome");
        assert_eq!((outcome.exit_code, outcome.stderr.as_str()), (Some(0), ""), "{language}");
        assert!(!outcome.truncated, "{language}");
        let of = |kind: &str| {
            let lines = outcome.stdout.lines().filter_map(|line| line.strip_prefix(kind));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(of("host "), ["sandbox"], "{language}");
        let environment = of("env ")
            .iter()
            .map(|line| line.split_once('=').expect("a variable"))
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .collect();
        (environment, of("file "))
    }

    #[tokio::test]
    async fn a_program_sees_its_language_and_nothing_of_the_host() {
        let roomy = SandboxConfig { output_bytes: 4 << 20, ..config() };
        for cgroups in [UseCgroups::Auto, UseCgroups::Never] {
            let sandbox = Sandbox::probe(SandboxConfig { cgroups, ..roomy.clone() }).await.expect("a sandbox");
            for language in Language::ALL {
                let (mut environment, files) = listing(&sandbox, language).await;
                for shells in ["SHLVL", "_", "OLDPWD"] {
                    environment.remove(shells);
                }
                let expected = [
                    ("HOME", "/workspace"),
                    ("LANG", "C.UTF-8"),
                    ("PATH", "/usr/local/bin:/usr/bin:/bin"),
                    ("PWD", "/workspace"),
                ];
                assert_eq!(
                    environment,
                    expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
                    "{language}"
                );

                let below = |folder: &str| {
                    files
                        .iter()
                        .filter_map(|file| file.strip_prefix(folder))
                        .map(str::to_owned)
                        .collect::<BTreeSet<String>>()
                };
                let etc = ["group", "hosts", "nsswitch.conf", "passwd"];
                assert_eq!(below("/etc/"), etc.map(str::to_owned).into(), "{language}");
                let interpreters: BTreeSet<String> = below("/usr/local/")
                    .into_iter()
                    .filter(|file| !file.contains("python3") && file != "bin/node")
                    .collect();
                assert_eq!(interpreters, BTreeSet::new(), "{language}");
                for folder in [
                    "/home/",
                    "/root/",
                    "/opt/",
                    "/srv/",
                    "/var/",
                    "/run/",
                    "/sys/",
                    "/mnt/",
                    "/boot/",
                    "/media/",
                    "/tmp/",
                    "/usr/etc/",
                    "/usr/src/",
                    "/usr/sbin/",
                    "/usr/include/",
                ] {
                    assert_eq!(below(folder), BTreeSet::new(), "{language}: {folder}");
                }
                let share: BTreeSet<String> =
                    below("/usr/share/").into_iter().filter(|file| !file.starts_with("nodejs/")).collect();
                assert_eq!(share, BTreeSet::new(), "{language}");
                for name in [
                    "npmrc",
                    "gitconfig",
                    "dist-packages",
                    "site-packages/",
                    "ld.so.cache",
                    "locale-archive",
                    "ssh",
                    "perl",
                    "npm",
                    "/gcc",
                    "sudo",
                    "/su",
                    "/mount",
                ] {
                    let found: Vec<_> =
                        files.iter().filter(|file| file.ends_with(name) && !file.contains("/python3")).collect();
                    assert!(found.is_empty(), "{language}: {found:?}");
                }
                let has =
                    |names: &[&str]| files.iter().any(|file| names.contains(&file.rsplit('/').next().unwrap_or(file)));
                assert_eq!(has(&["node"]), language == Language::Javascript, "{language}");
                assert_eq!(has(&["python3"]), language == Language::Python, "{language}");
                assert!(has(&["bash"]) && has(&["ls"]) && has(&["sort"]), "{language}");
                assert!(files.len() < 4000, "{language}: {}", files.len());
            }
        }
    }

    #[tokio::test]
    async fn users_and_addresses_inside_are_constants() {
        let outcome = bash("cat /etc/passwd /etc/group; id -un; cat /proc/self/mountinfo").await;
        let lines: Vec<_> = outcome.stdout.lines().take(3).collect();
        assert_eq!(lines, ["sandbox:x:1000:1000::/workspace:/bin/bash", "sandbox:x:1000:", "sandbox"], "{outcome:?}");
        for place in [" /home", " /root", " /opt", env!("CARGO_MANIFEST_DIR")] {
            assert!(!outcome.stdout.contains(place), "{place}: {outcome:?}");
        }
        let outcome = python("import socket; print(socket.getaddrinfo('localhost', 80, socket.AF_INET)[0][4])").await;
        assert_eq!(outcome.stdout, "('127.0.0.1', 80)\n", "{outcome:?}");
    }

    #[tokio::test]
    async fn further_folders_can_be_shown() {
        let folder = tempfile::tempdir_in("/var/tmp").expect("a folder");
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(folder.path(), open).expect("open to others");
        fs::write(folder.path().join("greeting"), "hello\n").expect("a file");
        let config = SandboxConfig { mounts: vec![folder.path().to_owned()], ..config() };
        let sandbox = Sandbox::probe(config).await.expect("a sandbox");
        let text = format!("cat {0}/greeting; echo x > {0}/greeting", folder.path().display());
        let outcome = sandbox.run(code(Language::Bash, text), pending()).await.expect("an outcome");
        assert!(outcome.stdout == "hello\n" && outcome.stderr.contains("Read-only"), "{outcome:?}");
    }

    #[tokio::test]
    async fn a_folder_from_which_nothing_starts_is_refused() {
        let missing = SandboxConfig { folder: Some("/nowhere".into()), ..config() };
        assert!(matches!(Sandbox::probe(missing).await, Err(Unusable::NoFolder(_))));
    }

    #[tokio::test]
    async fn a_workers_folder_goes_with_it_and_a_dead_ones_is_swept() {
        let place = tempfile::tempdir().expect("a folder");
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(place.path(), open).expect("open to others");
        let left = place.path().join("workroom-sandbox-left");
        fs::create_dir_all(left.join("python/usr")).expect("a folder");
        let config = SandboxConfig { folder: Some(place.path().to_owned()), ..config() };
        let (one, other) = tokio::join!(Sandbox::probe(config.clone()), Sandbox::probe(config));
        let (one, other) = (one.expect("a sandbox"), other.expect("a sandbox"));
        assert!(!left.exists(), "nobody uses it");
        let count = || fs::read_dir(place.path()).expect("a folder").count();
        assert_eq!(count(), 2, "one each");
        drop(one);
        assert_eq!(count(), 1);
        let outcome = other.run(code(Language::Bash, "echo still"), pending()).await.expect("an outcome");
        assert_eq!(outcome.stdout, "still\n");
        drop(other);
        assert_eq!(count(), 0);
    }
}

/// The list of system calls.
mod calls {
    use super::*;

    /// Makes every call in a process of its own, with arguments that no call takes (or, where a rule looks at them, that
    /// pass it), and prints which came through to the kernel.
    const ATTEMPTS: &str = r"
import ctypes, os, signal
libc = ctypes.CDLL(None, use_errno=True)
FITTING = {'x86_64': {9: (0, 4096, 0, 0x22), 16: (0, 0x5401), 41: (1, 1, 0), 53: (1, 1, 0), 54: (-1, 1, 2), 56: (17, 0, 0, 0, 0), 133: (-1, 0o10000), 157: (16,), 259: (-1, -1, 0o10000)},
           'aarch64': {222: (0, 4096, 0, 0x22), 29: (0, 0x5401), 198: (1, 1, 0), 199: (1, 1, 0), 208: (-1, 1, 2), 220: (17, 0, 0, 0, 0), 167: (16,), 33: (-1, -1, 0o10000)}}[os.uname().machine]
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
            let mut execution = code(Language::Python, ATTEMPTS);
            execution.timeout = Duration::from_mins(2);
            let outcome = sandbox.run(execution, pending()).await.expect("an outcome");
            assert_eq!(outcome.exit_code, Some(0), "{outcome:?}");
            let through: BTreeSet<i64> = outcome.stdout.lines().map(|line| line.parse().expect("a number")).collect();
            let mut listed = allowed_calls(Language::Python).expect("a list");
            // The kernel passes these by every filter; outside of its own probes they end the process or do nothing.
            listed.extend(exempt.intersection(&through));
            let (more, less): (Vec<_>, Vec<_>) =
                (through.difference(&listed).collect(), listed.difference(&through).collect());
            assert!(more.is_empty() && less.is_empty(), "not listed: {more:?}; listed, but refused: {less:?}");
        }
    }

    #[test]
    fn languages_differ_by_what_their_interpreters_need() {
        let of = |language| allowed_calls(language).expect("a list");
        let common = of(Language::Bash);
        assert!(common.len() < 230, "{}", common.len());
        for (language, additions) in [(Language::Python, 2), (Language::Javascript, 3)] {
            assert!(of(language).is_superset(&common));
            assert_eq!(of(language).len(), common.len() + additions, "{language}");
        }
    }
}

mod attacks {
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
        let names: Vec<_> =
            outcome.stdout.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
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
            let mut execution = code(Language::Bash, format!("sleep {marker}"));
            execution.timeout = Duration::from_mins(1);
            sandbox.run(execution, pending())
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
            _ = sandbox.run(code(Language::Bash, format!("sleep {marker}")), pending()) => panic!("it ended"),
            () = becomes("it sleeps", || user_of(&marker).is_some()) => assert_ne!(user_of(&marker), Some(0)),
        }
    }

    #[tokio::test]
    async fn no_file_is_inherited() {
        for sandbox in [sandbox().await, without_cgroups().await] {
            let text = "import os\nfor fd in sorted(map(int, os.listdir('/proc/self/fd'))):\n  try: print(fd, os.readlink(f'/proc/self/fd/{fd}').split(':')[0])\n  except OSError: pass";
            let outcome = sandbox.run(code(Language::Python, text), pending()).await.expect("an outcome");
            assert_eq!(
                outcome.stdout.lines().count(),
                3 + usize::from(outcome.stdout.contains("main.py")),
                "{outcome:?}"
            );
            let init = sandbox.run(code(Language::Bash, "ls -l /proc/1/fd"), pending()).await.expect("an outcome");
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
            let outcome = sandbox.run(code(Language::Python, text), pending()).await.expect("an outcome");
            assert!(outcome.stdout == "opened\n" || outcome.stdout == "refused\n", "{outcome:?}");
            becomes("it is dead", || !alive(&marker)).await;
        }
    }

    #[tokio::test]
    async fn option_lookalikes_in_code_are_code() {
        let outcome = bash("--bind / /\necho \"$@\" fine").await;
        assert!(outcome.stdout.ends_with("fine\n"), "{outcome:?}");
    }
}

mod faults {
    use super::*;

    #[tokio::test]
    async fn without_cgroups_it_still_holds_and_says_so() {
        let sandbox = without_cgroups().await;
        assert_eq!(sandbox.describe().limits, LimitsBy::Rlimits);
        assert!(sandbox.describe().to_string().contains("rlimits and looking"));
        let hog = code(Language::Python, "x = []\nwhile True: x.append(bytearray(1 << 20))");
        let outcome = sandbox.run(hog, pending()).await.expect("an outcome");
        assert!(outcome.stderr.contains("MemoryError"), "{outcome:?}");
        let shared = "import mmap\nx = []\nwhile True: x.append(mmap.mmap(-1, 50 << 20))";
        let outcome = sandbox.run(code(Language::Python, shared), pending()).await.expect("an outcome");
        assert!(outcome.stderr.contains("Operation not permitted"), "{outcome:?}");
        for (language, text) in [(Language::Javascript, "console.log(6*7)"), (Language::Bash, "echo $((6*7))")] {
            let outcome = sandbox.run(code(language, text), pending()).await.expect("an outcome");
            assert_eq!(outcome.stdout, "42\n", "{outcome:?}");
        }
    }

    #[tokio::test]
    async fn where_cgroups_are_required_there_is_no_sandbox_without_them() {
        let required = Sandbox::probe(SandboxConfig { cgroups: UseCgroups::Required, ..config() }).await;
        match (sandbox().await.describe().limits, required) {
            (LimitsBy::Rlimits, Err(Unusable::NoCgroups { .. })) => {}
            (LimitsBy::CgroupV1 | LimitsBy::CgroupV2, Ok(sandbox)) => {
                assert_ne!(sandbox.describe().limits, LimitsBy::Rlimits);
            }
            (found, answer) => panic!("{found:?}: {answer:?}"),
        }
    }

    #[tokio::test]
    async fn without_bubblewrap_there_is_no_sandbox() {
        let missing = SandboxConfig { bwrap: "/nowhere/bwrap".into(), ..config() };
        assert!(matches!(Sandbox::probe(missing).await, Err(Unusable::NoBubblewrap { .. })));
        let old = SandboxConfig { bwrap: "/bin/true".into(), ..config() };
        assert!(matches!(Sandbox::probe(old).await, Err(Unusable::OldBubblewrap { .. })));
        let no_launcher = SandboxConfig { launcher: "/bin/false".into(), ..config() };
        assert!(matches!(Sandbox::probe(no_launcher).await, Err(Unusable::NothingRuns(_))));
    }

    #[tokio::test]
    async fn bubblewrap_may_lie_where_the_user_inside_cannot_go() {
        let folder = tempfile::tempdir().expect("a folder");
        let copy = folder.path().join("bwrap");
        fs::copy(bubblewrap(), &copy).expect("a copy");
        let config = SandboxConfig { bwrap: copy, ..config() };
        assert!(Sandbox::probe(config).await.is_ok());
    }

    #[tokio::test]
    async fn nothing_is_left_of_an_execution() {
        let marker = unique(4006);
        let sandbox = sandbox().await;
        let mut group = None;
        let look = async {
            becomes("it sleeps", || alive(&format!("sleep\0{marker}"))).await;
            group = group_of(&marker);
        };
        sandbox.run(code(Language::Bash, format!("sleep {marker}")), look).await.expect("an outcome");
        assert_eq!(group.is_some(), sandbox.describe().limits != LimitsBy::Rlimits);
        assert!(!group.is_some_and(|group| groups().contains(&group)), "its cgroup is gone before it is answered");
        assert!(!alive(&marker));
    }

    /// A worker that is killed in the middle; started by the test below in a process of its own.
    #[tokio::test]
    #[ignore = "the victim of a_killed_worker_leaves_nothing_behind"]
    async fn victim() {
        let Ok(text) = std::env::var("SANDBOX_VICTIM") else { return };
        let (limited, unlimited) = (sandbox().await, without_cgroups().await);
        let execution = code(Language::Bash, text);
        let _ = tokio::join!(limited.run(execution.clone(), pending()), unlimited.run(execution, pending()));
    }

    #[tokio::test]
    async fn a_killed_worker_leaves_nothing_behind() {
        let marker = unique(4007);
        let victim = concat!(module_path!(), "::victim");
        let name = victim.split_once("::").map_or(victim, |(_, name)| name);
        let mut worker = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", name, "--ignored", "--nocapture"])
            .env("SANDBOX_VICTIM", format!("trap '' HUP TERM; setsid sleep {marker} & sleep {marker}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a worker");
        becomes("both sleep twice", || count(&format!("sleep\0{marker}")) == 4).await;
        worker.kill().expect("killed");
        worker.wait().expect("reaped");
        becomes("the program is dead", || !alive(&format!("sleep\0{marker}"))).await;
        let leftover = format!(".{}.", worker.id());
        sandbox().await;
        becomes("its cgroup is swept", || !groups().iter().any(|name| name.contains(&leftover))).await;
    }
}

/// The cgroup of a sandboxed `sleep`.
fn group_of(marker: &str) -> Option<String> {
    let sleeps = |folder: &Path| {
        fs::read(folder.join("cmdline")).is_ok_and(|arguments| arguments == format!("sleep\0{marker}\0").as_bytes())
    };
    let mut folders = fs::read_dir("/proc").expect("/proc").filter_map(|entry| Some(entry.ok()?.path()));
    let groups = fs::read_to_string(folders.find(|folder| sleeps(folder))?.join("cgroup")).ok()?;
    groups.split(['/', '\n']).find(|part| part.starts_with("workroom-job")).map(str::to_owned)
}

/// The cgroups of all sandboxes on this host.
fn groups() -> Vec<String> {
    fn below(folder: &Path, depth: u32, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                found.extend(entry.file_name().into_string().ok().filter(|name| name.starts_with("workroom-job")));
                if depth > 0 {
                    below(&entry.path(), depth - 1, found);
                }
            }
        }
    }
    let mut found = Vec::new();
    below(Path::new("/sys/fs/cgroup"), 5, &mut found);
    found
}
