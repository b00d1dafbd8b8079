//! Auditors are audited at the command line, too: what the operator exports is noted, or said to be not.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    cli::process,
    organizations::organization,
    support::{Person, World},
};

const SECOND_VERIFIER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/verify/verify.mjs");

/// A name in a folder.
fn name(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).to_str().expect("a name").to_owned()
}

/// Exports into a file, which both verifiers pass; returns what is in it.
async fn exported(world: &World, arguments: &[&str], file: &str) -> String {
    let (done, text) = world.command(&[&["audit", "export", "--output", file][..], arguments].concat()).await;
    assert!(done, "{arguments:?}: {text}");
    let (holds, text) = world.command(&["audit", "verify", file]).await;
    assert!(holds && text.contains("every actor was allowed"), "{arguments:?}: {text}");
    let (proved, text) = world.command(&["audit", "access", file]).await;
    assert!(proved && text.contains(" 0 violations"), "{arguments:?}: {text}");
    let second = Command::new("node").arg(SECOND_VERIFIER).arg(file).output().await.expect("node");
    assert!(second.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&second.stdout));
    std::fs::read_to_string(file).expect("a file")
}

/// The notes of exports in a file.
fn notes(export: &str) -> Vec<Value> {
    let lines = export.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines.filter(|line| line["type"] == "HistoryExported").collect()
}

/// How many exports a project's and an organization's history tell of.
async fn told(person: &Person, project: &str, organization: &str) -> [usize; 2] {
    let of_project = person.get(&format!("/projects/{project}/events?type=HistoryExported")).await.is(200);
    let of_organization = person.get(&format!("/organizations/{organization}/events?type=HistoryExported")).await;
    [of_project.items().len(), of_organization.is(200).items().len()]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_exports_is_told_in_the_history() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let acme = organization(&ada, "Acme").await;
    let project = ada.post("/projects", json!({"name": "Apollo", "organization_id": acme})).await.is(201).id();
    let folder = TempDir::new().expect("a folder");
    let (file, nowhere) = (name(&folder, "export.ndjson"), name(&folder, "nowhere/export.ndjson"));

    // What comes to nothing is not noted. The feed of the log is there since somebody exported the whole of it.
    let text = exported(&world, &["--all"], &file).await;
    let header: Value = serde_json::from_str(text.lines().next().expect("a header")).expect("JSON");
    let log_id = header["log_id"].as_str().expect("an id").to_owned();
    std::fs::remove_file(&file).expect("a file");
    let nobody = uuid::Uuid::now_v7().to_string();
    for (arguments, why) in [
        (["--project", &nobody, "--output", &file], "there is no such project"),
        (["--organization", &nobody, "--output", &file], "there is no such organization"),
        (["--project", &acme, "--output", &file], "there is no such project"),
        (["--project", &ada.id, "--output", &file], "there is no such project"),
        (["--project", &log_id, "--output", &file], "there is no such project"),
        (["--organization", &project, "--output", &file], "there is no such organization"),
        (["--project", &project, "--after", "999999999"], "the log ends at position"),
        (["--project", &project, "--output", &nowhere], "cannot be written"),
    ] {
        for unnoted in [&["--unnoted"][..], &[]] {
            let (done, text) = world.command(&[&["audit", "export"][..], &arguments, unnoted].concat()).await;
            assert!(!done && text.contains(why), "{arguments:?} {unnoted:?}: {text}");
        }
    }
    assert_eq!(told(&ada, &project, &acme).await, [0, 0]);
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").collect();
    assert!(left.is_empty(), "{left:?}");

    // It is noted before the file is written, and behind what is in it.
    assert!(notes(&exported(&world, &["--project", &project], &file).await).is_empty());
    let history = ada.history(&project).await;
    let note = history.last().expect("an event");
    assert_eq!((&note["event_type"], &note["actor"]), (&json!("HistoryExported"), &json!("system:operator")));
    assert_eq!((&note["actor_name"], &note["actor_status"]), (&Value::Null, &json!("system")));
    let (until, position) = (note["data"]["until"].as_i64(), note["position"].as_i64());
    assert!(note["data"]["after"] == 0 && until.is_some() && until < position, "{note}");
    let noted = notes(&exported(&world, &["--project", &project], &file).await);
    assert_eq!(noted.len(), 1, "{noted:?}");
    assert_eq!((&noted[0]["id"], &noted[0]["data"]), (&note["event_id"], &note["data"]));
    assert_eq!(told(&ada, &project, &acme).await, [2, 0]);

    // That of an organization is told in its own feed alone.
    assert_eq!(notes(&exported(&world, &["--organization", &acme], &file).await).len(), 2);
    assert_eq!(told(&ada, &project, &acme).await, [2, 1]);

    // That of the whole log is told in a feed of its own.
    assert_eq!(notes(&exported(&world, &["--all"], &file).await).len(), 4);
    let text = exported(&world, &[], &file).await;
    let notes = notes(&text);
    let of_log: Vec<_> = notes.iter().filter(|note| note["feedid"] == log_id.as_str()).collect();
    assert_eq!((notes.len(), of_log.len()), (5, 2), "{notes:?}");
    let metadata = of_log[0]["metadata"].as_str().expect("metadata");
    assert!(metadata.contains("system:operator"), "{metadata}");

    // Who asks for it gets one that nothing tells of.
    exported(&world, &["--project", &project, "--unnoted"], &file).await;
    assert_eq!(told(&ada, &project, &acme).await, [2, 1]);
    let (proved, text) = world.command(&["audit", "access"]).await;
    assert!(proved && text.contains(" 0 violations"), "{text}");
}

/// Exports from a database that takes no note: in vain, with one sentence that has these words; with `--unnoted` a file that holds.
async fn only_unnoted(url: &str, project: &str, file: &str, words: &[&str]) {
    let export = ["audit", "export", "--project", project, "--output", file];
    let run = async |arguments: &[&str]| {
        let mut command = process::command(arguments);
        command.env("DATABASE_URL", url);
        process::run(command, Duration::from_secs(60)).await
    };
    let refused = run(&export).await;
    process::assert_one_sentence(&refused, words);
    assert!(!Path::new(file).exists());
    for arguments in [&[&export[..], &["--unnoted"]].concat()[..], &["audit", "verify", file]] {
        let output = run(arguments).await;
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_can_be_noted_an_export_has_to_say_that_it_is_not() {
    let world = World::with_own_postgres().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let folder = TempDir::new().expect("a folder");

    // A role that only reads.
    let mut admin = PgConnection::connect(&world.urls().admin).await.expect("a connection");
    sqlx::raw_sql("CREATE ROLE reader LOGIN PASSWORD 'reader'; GRANT pg_read_all_data TO reader")
        .execute(&mut admin)
        .await
        .expect("a role");
    let mut reader = reqwest::Url::parse(&world.service_url).expect("a URL");
    reader.set_username("reader").and_then(|()| reader.set_password(Some("reader"))).expect("a URL with a user");
    let before = ada.history(&project).await.len();
    let words = ["the role reader may not append", "--unnoted"];
    only_unnoted(reader.as_str(), &project, &name(&folder, "reader.ndjson"), &words).await;
    assert_eq!(ada.history(&project).await.len(), before);

    // A copy by logical replication: it could be written to. The catalog is that of a copy; nothing is sent.
    sqlx::raw_sql("CREATE PUBLICATION copied FOR TABLE public.events")
        .execute(&mut admin)
        .await
        .expect("a publication");
    let subscribe = format!(
        "CREATE SUBSCRIPTION copied CONNECTION '{}' PUBLICATION copied
         WITH (create_slot = false, enabled = false, slot_name = NONE, copy_data = false)",
        world.urls().admin
    );
    sqlx::raw_sql(&subscribe).execute(&mut admin).await.expect("a subscription");
    let words = ["a copy by logical replication", "--unnoted"];
    only_unnoted(&world.service_url, &project, &name(&folder, "copy.ndjson"), &words).await;
    assert_eq!(ada.history(&project).await.len(), before);
    sqlx::raw_sql("DROP SUBSCRIPTION copied").execute(&mut admin).await.expect("no subscription");

    // A standby. It tells as well what is no project.
    assert!(server.stop().await);
    let postgres = world.services().postgres().expect("a Postgres of one's own");
    postgres.stop().await;
    std::fs::write(postgres.data_dir().join("standby.signal"), "").expect("a standby");
    postgres.restart().await.expect("Postgres again");
    let words = ["the database is a standby", "--unnoted"];
    only_unnoted(&world.service_url, &project, &name(&folder, "standby.ndjson"), &words).await;
    let (done, text) = world.command(&["audit", "export", "--project", &ada.id, "--unnoted"]).await;
    assert!(!done && text.contains("there is no such project"), "{text}");
}
