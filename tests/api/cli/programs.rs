//! Which programs are taken: those of the system, unless they are passed over.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use super::process::{dev, run};

const SOON: Duration = Duration::from_secs(30);

/// A program that says nothing but a version.
fn program(folder: &Path, name: &str, version: &str) {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\necho '{name} {version}'\n")).expect("a program");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a program");
}

#[tokio::test]
async fn what_the_system_has_can_be_passed_over() {
    let (programs, data) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    for name in ["postgres", "initdb", "nats-server", "pgbench"] {
        program(programs.path(), name, "99.1");
    }
    let path = format!("{}:{}", programs.path().display(), std::env::var("PATH").expect("a path"));
    let doctor = async |variables: &[(&str, &str)]| {
        let mut command = dev(&["doctor", "--data-dir", data.path().to_str().expect("a path")]);
        for name in ["WORKROOM_TOOLS", "WORKROOM_POSTGRES_BIN", "WORKROOM_NATS_SERVER", "WORKROOM_PGBENCH"] {
            command.env_remove(name);
        }
        command.env("PATH", &path).envs(variables.iter().copied());
        String::from_utf8_lossy(&run(command, SOON).await.stdout).into_owned()
    };
    let found = |text: &str| text.lines().filter(|line| line.contains("99.1 (system")).count();
    let text = doctor(&[]).await;
    assert_eq!(found(&text), 3, "{text}");
    let text = doctor(&[("WORKROOM_TOOLS", "fetched")]).await;
    assert!(!text.contains("(system") && text.contains("passed over"), "{text}");
    // One of them can still be named.
    let named = programs.path().join("nats-server");
    let text =
        doctor(&[("WORKROOM_TOOLS", "fetched"), ("WORKROOM_NATS_SERVER", named.to_str().expect("a path"))]).await;
    assert!(!text.contains("(system") && text.contains("99.1 (given"), "{text}");
    let text = doctor(&[("WORKROOM_TOOLS", "all")]).await;
    assert!(text.contains("WORKROOM_TOOLS can only be `fetched`"), "{text}");
}
