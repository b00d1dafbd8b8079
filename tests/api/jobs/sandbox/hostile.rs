//! Tables of attacks, each tried in every mode. One prints `escaped` where it gets anything, and `end` when it is over.
//! One that starts something to outlive it names that `MARKER`, which stands for a number of seconds that no other
//! process sleeps.

use super::*;

/// What the attacks in Python share.
const PRELUDE: &str = r"
import ctypes, errno, glob, os, resource, signal, socket, stat, sys, time
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *args):
    ctypes.set_errno(0)
    answer = libc.syscall(*[ctypes.c_long(a) if isinstance(a, int) else a for a in (number,) + args])
    return answer if answer >= 0 else -ctypes.get_errno()
def escaped(what, yes=True):
    if yes: print('escaped', what)
def fails(f, *args):
    try: answer = f(*args)
    except (OSError, ValueError, AttributeError): return
    print('escaped', args, answer)
def put(path, data):
    try: f = os.open(path, os.O_WRONLY)
    except OSError: return False
    try: return os.write(f, data) > 0
    except OSError: return False
    finally: os.close(f)
def text(path):
    try: return open(path, 'rb').read(4096)
    except OSError: return b''
";

/// Attacks in Python.
const PYTHON: &[(&str, &str)] = &[
    (
        "namespaces by unshare",
        "for f in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000, 0x80): escaped(hex(f), call(UNSHARE, f) != -1)",
    ),
    (
        "namespaces of process 1",
        "for n in os.listdir('/proc/1/ns'):\n  try: fd = os.open('/proc/1/ns/' + n, os.O_RDONLY)\n  except OSError: continue\n  escaped(n, call(SETNS, fd, 0) != -1)",
    ),
    ("another root", "fails(os.chroot, '/tmp')\nescaped('pivot', call(PIVOT, b'/tmp', b'/tmp') != -1)"),
    (
        "out by dots and links",
        "os.symlink('/proc/1/root/../../..', '/tmp/up')\nfor p in ('/../../../etc/shadow', '/tmp/up/etc/shadow', '/proc/self/root/../etc/shadow', '/proc/self/cwd/../../etc/shadow'): fails(open, p)",
    ),
    (
        "the root of process 1 is another's",
        "escaped('root', sorted(os.listdir('/proc/1/root')) != sorted(os.listdir('/')) if os.access('/proc/1/root', os.R_OK) else False)",
    ),
    (
        "hard links to the system",
        "fails(os.link, '/usr/bin/env', '/tmp/env')\nfails(os.link, '/proc/self/exe', '/tmp/exe')",
    ),
    (
        "writing to the system",
        "for top, folders, files in os.walk('/usr'):\n  fails(open, top + '/new', 'w')\n  for f in files[:3]: fails(open, os.path.join(top, f), 'r+')",
    ),
    (
        "writing to the own interpreter",
        "fails(open, os.path.realpath('/proc/self/exe'), 'r+b')\nfails(os.chmod, os.path.realpath(sys.executable), 0o777)",
    ),
    (
        "devices are made",
        "for mode, number in ((stat.S_IFBLK, 0x800), (stat.S_IFBLK, 0xfe00), (stat.S_IFCHR, 0x101), (stat.S_IFCHR, 0x10b), (stat.S_IFCHR, 0)):\n  for d in ('/tmp', '/workspace', '/dev/shm'): fails(os.mknod, d + '/node', mode | 0o666, number)",
    ),
    (
        "devices are there",
        "known = {'null', 'zero', 'full', 'random', 'urandom', 'tty', 'ptmx', 'pts', 'shm', 'fd', 'core', 'stdin', 'stdout', 'stderr', 'console'}\nescaped(os.listdir('/dev'), not set(os.listdir('/dev')) <= known)\nfor d in ('mem', 'kmsg', 'port', 'fuse', 'kvm', 'loop-control', 'net/tun', 'vsock', 'vda', 'sda', 'uinput', 'userfaultfd'): fails(os.open, '/dev/' + d, os.O_RDONLY)",
    ),
    ("the terminal", "fails(os.open, '/dev/tty', os.O_RDWR)\nfails(os.open, '/dev/console', os.O_RDWR)"),
    (
        "pushing input to terminals",
        "import fcntl, pty\na, b = pty.openpty()\nfor fd in (0, 1, 2, a, b):\n  for request in (0x5412, 0x100005412, 0x541C, 0x5423, 0x541D): escaped((fd, hex(request)), call(IOCTL, fd, request, b'x') != -1)",
    ),
    (
        "users and groups",
        "for f in (os.setuid, os.seteuid, os.setgid, os.setegid): fails(f, 0)\nfails(os.setgroups, [0])\nfails(os.setresuid, 0, 0, 0)\nfails(os.setreuid, 1001, 1001)\nescaped('ids', os.getresuid() != (1000, 1000, 1000))",
    ),
    (
        "programs of others' rights",
        "for top, folders, files in os.walk('/'):\n  folders[:] = [f for f in folders if os.path.join(top, f) != '/proc']\n  for f in files:\n    try: mode = os.lstat(os.path.join(top, f)).st_mode\n    except OSError: continue\n    escaped(f, stat.S_ISREG(mode) and mode & 0o6000)",
    ),
    (
        "own programs of others' rights",
        "import shutil, subprocess\nshutil.copy('/usr/bin/id', '/tmp/id')\ntry: os.chmod('/tmp/id', 0o6755); os.chown('/tmp/id', 0, 0)\nexcept OSError: pass\nescaped('id', subprocess.run(['/tmp/id', '-u'], capture_output=True).stdout != b'1000\\n')",
    ),
    (
        "capabilities",
        "for line in open('/proc/self/status'):\n  if line.startswith('Cap'): escaped(line, int(line.split()[1], 16) != 0)\nescaped('capset', call(CAPSET, 0, 0) != -1)\nescaped('ambient', call(PRCTL, 47, 2, 0, 0, 0) != -1)",
    ),
    (
        "maps of users",
        "for f in ('uid_map', 'gid_map', 'setgroups', 'projid_map'): escaped(f, put('/proc/self/' + f, b'0 0 1\\n'))",
    ),
    (
        "its own switches",
        "for option in (1, 4, 8, 22, 24, 26, 28, 35, 36, 41, 0x59616d61): escaped(option, call(PRCTL, option, 1, 0, 0, 0) != -1)",
    ),
    (
        "limits are raised",
        "for what in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE, resource.RLIMIT_CPU, resource.RLIMIT_STACK, resource.RLIMIT_MEMLOCK):\n  soft, hard = resource.getrlimit(what)\n  fails(resource.setrlimit, what, (hard + 1, hard + 1))",
    ),
    (
        "it is spared when memory is short",
        "for score in (b'-1', b'-500', b'-1000'): escaped(score, put('/proc/self/oom_score_adj', score))",
    ),
    (
        "more of the processor",
        "fails(os.nice, -5)\nfails(os.setpriority, os.PRIO_PROCESS, 0, -20)\nfails(lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)))",
    ),
    (
        "signals to others",
        "own = {int(p) for p in os.listdir('/proc') if p.isdigit()}\nfor p in range(1, 40000):\n  try: os.kill(p, 0)\n  except OSError: continue\n  escaped(p, p not in own)\nescaped('all', len(own) > 8)",
    ),
    (
        "process 1 is killed",
        "for s in (9, 15, 11, 19):\n  try: os.kill(1, s)\n  except OSError: pass\ntime.sleep(0.05)\nescaped('gone', not os.path.exists('/proc/1'))",
    ),
    (
        "reading process 1",
        "for f in ('mem', 'auxv', 'io', 'stack', 'syscall', 'pagemap'): \n  try: open('/proc/1/' + f, 'r+b'); escaped(f, f not in ('mem',))\n  except OSError: pass\nescaped('environ', len(text('/proc/1/environ')) > 0 and b'WORKROOM' in text('/proc/1/environ'))",
    ),
    (
        "files of process 1",
        "for fd in os.listdir('/proc/1/fd') if os.access('/proc/1/fd', os.R_OK) else []:\n  try: target = os.readlink('/proc/1/fd/' + fd)\n  except OSError: continue\n  escaped(target, not (target.startswith('pipe:') and int(fd) < 3 or target in ('/dev/null', 'anon_inode:[eventfd]', 'anon_inode:[signalfd]')))",
    ),
    (
        "secrets in environments",
        "for p in glob.glob('/proc/[0-9]*/environ'):\n  for word in (b'DATABASE', b'NATS', b'WORKROOM', b'SECRET', b'CARGO', b'MIMALLOC', b'TOKEN'): escaped(p, word in text(p))",
    ),
    // Those of its own namespaces are its own.
    (
        "switches of the kernel",
        "own = ('net/', 'fs/mqueue/', 'kernel/msg', 'kernel/shm', 'kernel/sem', 'kernel/auto_msgmni', 'kernel/pid_max')\nfor p in glob.glob('/proc/sys/**', recursive=True):\n  if os.path.isfile(p) and not p[10:].startswith(own): escaped(p, put(p, text(p) or b'0'))\nescaped('sysrq', put('/proc/sysrq-trigger', b'h'))",
    ),
    (
        "the kernel's memory and log",
        "for p in ('kcore', 'kmsg', 'kpagecount', 'kpageflags', 'vmallocinfo', 'slabinfo', 'timer_list', 'sched_debug', 'iomem', 'ioports'):\n  data = text('/proc/' + p)\n  escaped(p, p not in ('iomem', 'ioports', 'timer_list') and data)\nescaped('addresses', any(int(l.split()[0], 16) for l in text('/proc/kallsyms').decode().splitlines()[:50] if l.count(' ') >= 2))",
    ),
    (
        "what /proc tells of the host",
        "for p in ('cmdline', 'config.gz', 'diskstats', 'keys', 'modules', 'partitions'): escaped(p, text('/proc/' + p))",
    ),
    (
        "files that others share",
        "escaped('mounts', any(word in text('/proc/self/mountinfo') for word in (b' /home', b' /root ', b' /var/lib', b'docker.sock')))\nfor p in ('/run', '/var', '/sys', '/home', '/root', '/opt', '/srv', '/mnt', '/boot', '/media'): escaped(p, os.path.isdir(p) and os.listdir(p))",
    ),
    (
        "sockets of every family",
        "for family in range(64):\n  for kind in range(1, 11):\n    for protocol in (0, 1, 2, 6, 12, 17, 58, 132, 255):\n      fd = call(SOCKET, family, kind, protocol)\n      if fd < 0: continue\n      os.close(fd)\n      fine = family == 1 or family in (2, 10) and kind in (1, 2) and protocol in (0, 6, 17) or family == 16 and protocol == 0\n      escaped((family, kind, protocol), not fine)",
    ),
    (
        "sockets of vsock and packets",
        "for family, kind, protocol in ((40, 1, 0), (40, 2, 0), (17, 3, 0x300), (17, 2, 0x300), (38, 5, 0), (44, 3, 0), (29, 3, 1), (31, 3, 1), (16, 3, 9), (16, 3, 15), (2, 3, 255), (10, 3, 58)):\n  escaped(family, call(SOCKET, family, kind, protocol) >= 0)",
    ),
    (
        "networks",
        "for address in ('127.0.0.1', '10.0.0.1', '169.254.169.254', '172.17.0.1', '192.168.0.1', '1.1.1.1', '0.0.0.0'):\n  for port in (22, 53, 80, 4222, 5432, 8080):\n    s = socket.socket(); s.settimeout(0.5); fails(s.connect, (address, port)); s.close()\nescaped('interfaces', [n for _, n in socket.if_nameindex()] != ['lo'])\nfails(socket.getaddrinfo, 'example.com', 80)",
    ),
    (
        "interfaces are made",
        "s = socket.socket(16, 3, 0)\nimport struct\nbody = struct.pack('BxHiII', 0, 0, 0, 0, 0) + struct.pack('HH', 9, 3) + b'evil0' + bytes(3)\ns.sendto(struct.pack('IHHII', 16 + len(body), 16, 0x605, 1, 0) + body, (0, 0))\nanswer = s.recv(4096)\nescaped('made', struct.unpack('i', answer[16:20])[0] == 0)",
    ),
    (
        "sizes of sockets",
        "for level, name in ((1, 7), (1, 8), (1, 32), (1, 33), (1, 26), (1, 36), (1, 25), (6, 31)):\n  s = socket.socket()\n  fails(s.setsockopt, level, name, 1 << 20)\n  s.close()",
    ),
    (
        "memory of nobody",
        "for number, args in ((MEMFD, (b'x', 0)), (MEMFD_SECRET, (0,)), (SHMGET, (0, 4096, 0o1600)), (SEMGET, (0, 1, 0o1600)), (MSGGET, (0, 0o1600)), (MQ_OPEN, (b'x', 0o102, 0o600, 0))): escaped(number, call(number, *args) >= 0)",
    ),
    (
        "huge pages",
        "escaped('huge', call(MMAP, 0, 1 << 21, 3, 0x40022, -1, 0) >= 0)\nescaped('locked', call(MLOCKALL, 3) >= 0)",
    ),
    (
        "addresses are made known",
        "escaped('personality', call(PERSONALITY, 0x0040000) >= 0)\nescaped('own', open('/proc/self/personality').read().strip() not in ('00000000',) if os.path.exists('/proc/self/personality') else False)",
    ),
    (
        "attributes of files",
        "open('/tmp/a', 'w').close()\nfor name in ('user.x', 'trusted.x', 'security.capability', 'system.posix_acl_access'): fails(os.setxattr, '/tmp/a', name, b'x')",
    ),
    (
        "the clock",
        "fails(time.clock_settime, time.CLOCK_REALTIME, 0)\nfor number, args in ((SETTIMEOFDAY, (b'\\0' * 16, 0)), (ADJTIMEX, (b'\\1' + bytes(207),)), (CLOCK_ADJTIME, (0, b'\\1' + bytes(207))), (CLOCK_SETTIME, (0, b'\\0' * 16))): escaped(number, call(number, *args) >= 0)\nfails(open, '/dev/rtc', 'r+b')",
    ),
    ("names of the host", "fails(socket.sethostname, 'evil')\nescaped('name', socket.gethostname() != 'sandbox')"),
    (
        "the script it was started by",
        "for fd in range(3, 256):\n  try: target = os.readlink(f'/proc/self/fd/{fd}')\n  except OSError: continue\n  escaped((fd, target), target.startswith(('pipe:', 'socket:', '/memfd')))",
    ),
    ("a parent to talk to", "escaped('parent', os.getppid() not in (0, 1))\nescaped('session', os.getsid(0) == 0)"),
    (
        "it outlives its parent",
        "for _ in range(3):\n  if os.fork() == 0:\n    os.setsid(); signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGHUP, signal.SIG_IGN)\n    if os.fork(): os._exit(0)\n    os.execvp('sleep', ['sleep', 'MARKER'])\nwhile sum(b'sleep\\x00MARKER' in text(p) for p in glob.glob('/proc/[0-9]*/cmdline')) < 3: time.sleep(0.01)",
    ),
];

/// Attacks in Bash.
const BASH: &[(&str, &str)] = &[
    (
        "tools that are not there",
        "for t in su sudo mount umount unshare nsenter chroot insmod ip iptables gdb strace dmesg docker ssh curl wget perl gcc; do command -v $t > /dev/null && echo escaped $t; done",
    ),
    (
        "redirections to devices",
        "for d in mem kmem kmsg port sda vda nvme0n1; do (echo x > /dev/$d) 2>/dev/null && echo escaped $d; (head -c 1 /dev/$d | grep -q .) 2>/dev/null && echo escaped $d; done",
    ),
    (
        "addresses of bash",
        "for a in 127.0.0.1/22 127.0.0.1/5432 127.0.0.1/4222 169.254.169.254/80; do (timeout 1 bash -c \"echo x > /dev/tcp/$a\") 2>/dev/null && echo escaped $a; (timeout 1 bash -c \"echo x > /dev/udp/10.0.0.1/53\") 2>/dev/null && echo escaped udp; done",
    ),
    (
        "limits of the shell",
        "ulimit -n 100000 2>/dev/null && echo escaped n; ulimit -u 100000 2>/dev/null && [ $(ulimit -u) -gt 4194304 ] && echo escaped u; ulimit -c unlimited 2>/dev/null && echo escaped c; ulimit -f unlimited 2>/dev/null && echo escaped f",
    ),
    (
        "mount tables",
        "grep -E ' (/home|/root|/var|/etc) ' /proc/self/mountinfo && echo escaped; [ -e /etc/shadow ] && echo escaped; [ -e /proc/1/root/etc/shadow ] && echo escaped",
    ),
    (
        "other people's processes",
        "for p in /proc/[0-9]*; do n=${p#/proc/}; [ $n -gt 300 ] && echo escaped $p; done; ls /proc/*/environ | wc -l | { read n; [ $n -gt 8 ] && echo escaped $n; }",
    ),
    (
        "folders for all",
        "for d in /tmp /dev/shm /workspace; do [ -z \"$(ls -A $d | grep -v main.sh)\" ] || echo escaped $d; done",
    ),
    (
        "links of /proc to files of others",
        "for l in /proc/[0-9]*/fd/* /proc/[0-9]*/cwd /proc/[0-9]*/exe; do t=$(readlink $l) || continue; case $t in /home/*|/root/*|/var/*|/etc/*|*workroom*) echo escaped $l $t;; esac; done",
    ),
];

/// Numbers by their names, since no library has them.
#[cfg(target_arch = "x86_64")]
const NUMBERS: &str = "UNSHARE, SETNS, PIVOT, IOCTL, CAPSET, PRCTL, SOCKET, MEMFD, MEMFD_SECRET, SHMGET, SEMGET, MSGGET, MQ_OPEN = 272, 308, 155, 16, 126, 157, 41, 319, 447, 29, 64, 68, 240
MMAP, MLOCKALL, PERSONALITY, SETTIMEOFDAY, ADJTIMEX, CLOCK_ADJTIME, CLOCK_SETTIME = 9, 151, 135, 164, 159, 305, 227
";
#[cfg(not(target_arch = "x86_64"))]
const NUMBERS: &str = "UNSHARE, SETNS, PIVOT, IOCTL, CAPSET, PRCTL, SOCKET, MEMFD, MEMFD_SECRET, SHMGET, SEMGET, MSGGET, MQ_OPEN = 97, 268, 41, 29, 91, 167, 198, 279, 447, 194, 190, 186, 180
MMAP, MLOCKALL, PERSONALITY, SETTIMEOFDAY, ADJTIMEX, CLOCK_ADJTIME, CLOCK_SETTIME = 222, 230, 92, 170, 171, 266, 112
";

/// Runs a table in every mode and tells of all that got anything.
async fn none_escapes(language: &str, attacks: &[(&str, &str)], text: impl Fn(&str) -> String) {
    let mut failures = Vec::new();
    for (mode, sandbox) in modes().await {
        for (name, attack) in attacks {
            let marker = unique(600);
            let outcome = run_in(&sandbox, code(language, text(&attack.replace("MARKER", &marker)))).await;
            // All of it is dead when the outcome is known.
            let outlives = attack.contains("MARKER") && alive(&marker);
            if !outcome.stdout.ends_with("end\n") || outcome.stdout.contains("escaped") || outlives {
                failures.push(format!("{name} ({mode}), outlives its end: {outlives}: {outcome:?}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[tokio::test]
async fn no_attack_in_python_gets_anything() {
    none_escapes("python", PYTHON, |attack| format!("{PRELUDE}{NUMBERS}{attack}\nprint('end')")).await;
}

#[tokio::test]
async fn no_attack_in_bash_gets_anything() {
    none_escapes("bash", BASH, |attack| format!("{attack}\necho end")).await;
}

/// Calls that lead out, or into parts of the kernel that nobody needs, by number; the same on every architecture from 424
/// on.
const CALLS: &[(&str, u32)] = &[
    ("io_uring_setup", 425),
    ("io_uring_enter", 426),
    ("io_uring_register", 427),
    ("open_tree", 428),
    ("move_mount", 429),
    ("fsopen", 430),
    ("fsconfig", 431),
    ("fsmount", 432),
    ("fspick", 433),
    ("pidfd_getfd", 438),
    ("process_madvise", 440),
    ("mount_setattr", 442),
    ("quotactl_fd", 443),
    ("landlock_create_ruleset", 444),
    ("landlock_add_rule", 445),
    ("landlock_restrict_self", 446),
    ("memfd_secret", 447),
    ("process_mrelease", 448),
    ("set_mempolicy_home_node", 450),
    ("cachestat", 451),
    ("map_shadow_stack", 453),
    ("statmount", 457),
    ("listmount", 458),
    ("lsm_get_self_attr", 459),
    ("lsm_set_self_attr", 460),
    ("lsm_list_modules", 461),
    ("setxattrat", 463),
    ("open_tree_attr", 467),
];

/// The others, of this architecture.
#[cfg(target_arch = "x86_64")]
const OLDER_CALLS: &[(&str, u32)] = &[
    ("ptrace", 101),
    ("syslog", 103),
    ("capset", 126),
    ("uselib", 134),
    ("ustat", 136),
    ("sysfs", 139),
    ("sched_setparam", 142),
    ("sched_setscheduler", 144),
    ("mlockall", 151),
    ("vhangup", 153),
    ("modify_ldt", 154),
    ("pivot_root", 155),
    ("adjtimex", 159),
    ("chroot", 161),
    ("sync", 162),
    ("acct", 163),
    ("settimeofday", 164),
    ("mount", 165),
    ("umount2", 166),
    ("swapon", 167),
    ("swapoff", 168),
    ("reboot", 169),
    ("sethostname", 170),
    ("setdomainname", 171),
    ("iopl", 172),
    ("ioperm", 173),
    ("init_module", 175),
    ("delete_module", 176),
    ("quotactl", 179),
    ("io_setup", 206),
    ("lookup_dcookie", 212),
    ("remap_file_pages", 216),
    ("clock_settime", 227),
    ("mbind", 237),
    ("set_mempolicy", 238),
    ("get_mempolicy", 239),
    ("mq_open", 240),
    ("kexec_load", 246),
    ("add_key", 248),
    ("request_key", 249),
    ("keyctl", 250),
    ("ioprio_set", 251),
    ("migrate_pages", 256),
    ("unshare", 272),
    ("splice", 275),
    ("tee", 276),
    ("vmsplice", 278),
    ("move_pages", 279),
    ("perf_event_open", 298),
    ("fanotify_init", 300),
    ("fanotify_mark", 301),
    ("name_to_handle_at", 303),
    ("open_by_handle_at", 304),
    ("clock_adjtime", 305),
    ("syncfs", 306),
    ("setns", 308),
    ("process_vm_readv", 310),
    ("process_vm_writev", 311),
    ("kcmp", 312),
    ("finit_module", 313),
    ("sched_setattr", 314),
    ("seccomp", 317),
    ("memfd_create", 319),
    ("kexec_file_load", 320),
    ("bpf", 321),
    ("userfaultfd", 323),
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER_CALLS: &[(&str, u32)] = &[];

#[tokio::test]
async fn no_call_that_leads_out_comes_through() {
    let calls: Vec<_> = CALLS.iter().chain(OLDER_CALLS).collect();
    let numbers: Vec<String> = calls.iter().map(|(_, number)| number.to_string()).collect();
    let text = format!(
        "{PRELUDE}for n in ({}):\n  a = call(n, 0, 0, 0, 0, 0, 0)\n  escaped(n, a not in (-1, -38))\nprint('end')",
        numbers.join(", ")
    );
    for (mode, sandbox) in modes().await {
        let outcome = run_in(&sandbox, code("python", text.clone())).await;
        assert_eq!(outcome.stdout, "end\n", "{mode}: {outcome:?}");
    }
}

/// An attack that is lost from its table would never be missed.
#[test]
fn every_table_has_all_its_attacks() {
    let older = if cfg!(target_arch = "x86_64") { 66 } else { 0 };
    for (table, attacks, expected) in [
        ("in Python", PYTHON.len(), 44),
        ("in Bash", BASH.len(), 8),
        ("by calls", CALLS.len(), 28),
        ("by older calls", OLDER_CALLS.len(), older),
        ("bombs", super::bombs::BOMBS.len(), 24),
        ("artifacts", super::artifacts::NASTY.len(), 13),
    ] {
        assert_eq!(attacks, expected, "{table}: put the new number here when one was added");
    }
}
