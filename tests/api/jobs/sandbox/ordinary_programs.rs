//! What ordinary programs may expect.

use super::*;

#[tokio::test]
async fn every_language_says_hello() {
    let sandbox = sandbox().await;
    assert_eq!(sandbox.languages().collect::<Vec<_>>(), LANGUAGES);
    for (language, text) in
        [("python", "print('hello')"), ("javascript", "console.log('hello')"), ("bash", "echo hello")]
    {
        let outcome = sandbox.run(code(language, text), pending(), quiet).await.expect("an outcome");
        assert_eq!((outcome.stdout.as_str(), outcome.exit_code), ("hello\n", Some(0)), "{language}: {outcome:?}");
        assert!(!outcome.truncated && !outcome.cancelled && outcome.limit_hit.is_none());
    }
}

#[tokio::test]
async fn standard_input_is_read() {
    let mut execution = code("python", "import sys; print(sys.stdin.read()[::-1])");
    execution.stdin = Some("olleh".into());
    assert_eq!(run(execution).await.stdout, "hello\n");
}

#[tokio::test]
async fn without_standard_input_there_is_nothing_to_read() {
    assert_eq!(python("import sys; print(repr(sys.stdin.read()))").await.stdout, "''\n");
}

#[tokio::test]
async fn standard_input_that_nobody_reads_does_no_harm() {
    let mut execution = code("bash", "echo done");
    execution.stdin = Some("x".repeat(8 * 1024 * 1024).into());
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
    assert_eq!(run(code("javascript", worker)).await.stdout, "42\n");
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
            "python",
            python,
            "echo\nsub\n[1, 4, 9]\n[16]\n285\n[(7,)] PROTOCOL_TLS_CLIENT e3b0\nalarm\n1:00:00 UTC /workspace\n",
        ),
        ("javascript", node, "sub\nserved\nx zip\n4 public\n127.0.0.1 sandbox sandbox true\ntrue 1.234,5\n"),
        (
            "bash",
            bash,
            "100\nfifo\nsame\n644\n644\n42\nb\nq\n1970-01-01\n09\nx\n12: 2 2 3\n73cb\n1024\ntrapped\nlate\nre\n1000\n",
        ),
    ];
    for sandbox in [sandbox().await, without_cgroups().await] {
        for (language, text, expected) in expected {
            let outcome = sandbox.run(code(language, text), pending(), quiet).await.expect("an outcome");
            assert_eq!(outcome.stdout, expected, "{language}: {outcome:?}");
            assert_eq!((outcome.stderr.as_str(), outcome.limit_hit), ("", None), "{language}: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn nobody_passes_on_files_from_one_execution_to_the_next() {
    let sandbox = sandbox().await;
    let write = code("bash", "echo secret | tee /tmp/x /workspace/x /dev/shm/x");
    sandbox.run(write, pending(), quiet).await.expect("an outcome");
    let outcome = sandbox.run(code("bash", "ls /tmp /workspace /dev/shm"), pending(), quiet).await.expect("an outcome");
    assert!(!outcome.stdout.contains('x'), "{}", outcome.stdout);
}

#[tokio::test]
async fn sixteen_at_once() {
    let sandbox = sandbox().await;
    let runs = (0..16).map(|number| {
        let sandbox = sandbox.clone();
        let text = format!("import time, threading\nfor _ in range(10): threading.Thread(target=time.sleep, args=(0.5,)).start()\nprint({number})");
        tokio::spawn(async move { sandbox.run(code("python", text), pending(), quiet).await })
    });
    for (number, run) in runs.collect::<Vec<_>>().into_iter().enumerate() {
        let outcome = run.await.expect("no panic").expect("an outcome");
        assert_eq!(outcome.stdout, format!("{number}\n"), "{outcome:?}");
    }
}
