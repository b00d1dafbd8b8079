//! What programs see of the system.

use super::*;

/// Lists everything: the environment, the host's name, and all files but those of `/proc` and time zones.
const LISTINGS: [(&str, &str); 3] = [
    (
        "python",
        "import os, socket\nfor n in os.environ: print(f'env {n}={os.environ[n]}')\nprint('host', socket.gethostname())\n\
         for top, folders, files in os.walk('/'):\n  folders[:] = [f for f in folders if os.path.join(top, f) not in ('/proc', '/dev', '/usr/share/zoneinfo')]\n\
         \x20 for f in files + [f for f in folders if os.path.islink(os.path.join(top, f))]: print('file', os.path.join(top, f))",
    ),
    (
        "javascript",
        "const fs = require('fs');for (const n in process.env) console.log(`env ${n}=${process.env[n]}`);\n\
         console.log('host', require('os').hostname());\n\
         const walk = (d) => { for (const e of fs.readdirSync(d || '/', {withFileTypes: true})) { const p = d + '/' + e.name;\n\
         if (['/proc', '/dev', '/usr/share/zoneinfo'].includes(p)) continue; if (e.isDirectory()) walk(p); else console.log('file', p); } }; walk('')",
    ),
    (
        "bash",
        "env | sed 's/^/env /'; echo host $(uname -n)\n\
         find / \\( -path /proc -o -path /dev -o -path /usr/share/zoneinfo \\) -prune -o ! -type d -print | sed 's/^/file /'",
    ),
];

async fn listing(sandbox: &Sandbox, language: &str) -> (BTreeMap<String, String>, Vec<String>) {
    let (_, text) = LISTINGS.into_iter().find(|(of, _)| *of == language).expect("a listing");
    let outcome = sandbox.run(code(language, text), pending(), quiet).await.expect("an outcome");
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
        for language in LANGUAGES {
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
            assert_eq!(has(&["node"]), language == "javascript", "{language}");
            assert_eq!(has(&["python3"]), language == "python", "{language}");
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
    let outcome = sandbox.run(code("bash", text), pending(), quiet).await.expect("an outcome");
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
    let outcome = other.run(code("bash", "echo still"), pending(), quiet).await.expect("an outcome");
    assert_eq!(outcome.stdout, "still\n");
    drop(other);
    assert_eq!(count(), 0);
}
