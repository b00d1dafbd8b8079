//! Two verifiers that share no code, `workroom audit verify` and `clients/verify`, held against each other: over what the
//! service exports, and over the same with something changed.

use std::{collections::BTreeMap, path::Path, process::Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;
use uuid::Uuid;
use workroom::audit::verify::{Failure, Options, Report, verify};
use workroom_domain::redaction::tombstone;

use crate::{
    cli::process,
    support::{Server, World},
};

/// Changes that both verifiers see.
const CHANGES: usize = 300;
/// Changes that the drill makes.
const CHANGES_OF_DRILL: usize = 10_000;

/// Chance, the same with each run of a seed.
pub(super) struct Random(u64);

impl Random {
    /// By `WORKROOM_DRILL_SEED`, else by chance; says which.
    pub(super) fn from_environment() -> Self {
        let seed = match std::env::var("WORKROOM_DRILL_SEED") {
            Ok(seed) => seed.parse().expect("WORKROOM_DRILL_SEED is a number"),
            Err(_) => u64::try_from(Uuid::now_v7().as_u128() % 1_000_000).expect("a small number"),
        };
        eprintln!("WORKROOM_DRILL_SEED={seed}");
        Self(seed)
    }

    pub(super) fn below(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % below
    }
}

/// Exports of two projects in one organization, and of the whole of it, when it was younger and now.
struct Exports {
    project: String,
    another: String,
    organization: String,
    younger: String,
    /// The project's, with what leads to it from `kept`.
    from_kept: String,
    /// The checkpoint of the younger one.
    kept: String,
    /// The checkpoint of the project's.
    latest: String,
}

fn checkpoint(export: &str) -> String {
    let header: Value = serde_json::from_str(export.lines().next().expect("a line")).expect("a header");
    header["checkpoint"].as_str().expect("a checkpoint").to_owned()
}

/// Makes projects with events of many kinds, and exports them.
async fn exports(server: &Server) -> Exports {
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let acme = crate::organizations::organization(&ada, "Räume & \"Co\"").await;
    crate::organizations::add(&ada, &acme, &grace, "member").await;
    let create = json!({"name": "Apollo", "organization_id": acme});
    let project = ada.post("/projects", create).await.is(201).id();
    let another = ada.post("/projects", json!({"name": "Gemini", "organization_id": acme})).await.is(201).id();
    ada.invite(&project, &grace, "collaborator").await;
    let (path, export) = (format!("/projects/{project}"), format!("/projects/{project}/events/export"));
    let tasks = format!("{path}/tasks");
    for number in 0..6 {
        let title = format!("Task {number}: \",\"data\":{{}} 🚀");
        let task = grace.post(&tasks, json!({"title": title})).await.is(201).id();
        ada.post(&format!("/projects/{another}/tasks"), json!({"title": title})).await.is(201);
        grace.patch(&format!("{tasks}/{task}"), json!({"status": "in_progress"})).await.is(200);
        ada.post(&format!("{tasks}/{task}/comments"), json!({"body": "Line\nbreak\t\u{2028}"})).await.is(201);
    }
    let younger = ada.get(&export).await.is(200).text;
    let kept = checkpoint(&younger);
    ada.post(&format!("{path}/workspaces"), json!({"name": "Code"})).await.is(201);
    ada.patch(&path, json!({"description": "To the moon."})).await.is(200);
    ada.patch(&format!("{path}/members/{}", grace.id), json!({"role": "viewer"})).await.is(200);
    ada.delete(&format!("{path}/members/{}", grace.id)).await.is(204);
    let size = kept.lines().nth(1).expect("a size").to_owned();
    let from_kept = ada.get(&format!("{export}?consistency_from={size}")).await.is(200).text;
    let another = ada.get(&format!("/projects/{another}/events/export")).await.is(200).text;
    let organization = ada.get(&format!("/organizations/{acme}/events/export")).await.is(200).text;
    let project = ada.get(&export).await.is(200).text;
    assert!(project.lines().count() > 30, "{project}");
    let latest = checkpoint(&project);
    Exports { project, another, organization, younger, from_kept, kept, latest }
}

/// An export with something changed, and the checkpoint that it is held against.
struct Change {
    what: &'static str,
    bytes: Vec<u8>,
    older: Option<String>,
}

/// The bytes between these, which must be there.
fn inside(line: &[u8], from: &str, to: &str) -> std::ops::Range<usize> {
    let find = |text: &str, after: usize| {
        let found = line[after..].windows(text.len()).position(|window| window == text.as_bytes());
        after + found.expect("a field")
    };
    let start = find(from, 0) + from.len();
    start..find(to, start)
}

/// Another hexadecimal digit than this byte.
fn other_digit(random: &mut Random, byte: u8) -> u8 {
    let digits: Vec<u8> = b"0123456789abcdef".iter().copied().filter(|digit| *digit != byte).collect();
    digits[random.below(digits.len())]
}

/// An event as if it had been redacted: with the right commitment, which everybody can compute who has the file. No event of the log
/// says so.
fn forged(line: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(line).expect("UTF-8");
    let event: Value = serde_json::from_str(text).expect("an event");
    let salt = event["salt"].as_str()?;
    let (envelope, data) = text.strip_suffix('}')?.split_once(",\"data\":")?;
    let bytes: workroom_proofs::entry::Salt = hex::decode(salt).expect("a salt").try_into().expect("16 bytes");
    let commitment = workroom_proofs::entry::commitment(&bytes, data.as_bytes());
    let envelope = envelope.replacen(&format!("\"salt\":\"{salt}\""), &format!("\"commitment\":\"{commitment}\""), 1);
    let event_type = event["type"].as_str()?;
    let position: i64 = event["position"].as_str()?.parse().expect("a position");
    let remains = tombstone(event_type, data, position).expect("JSON").unwrap_or_else(|| data.to_owned());
    Some(format!("{envelope},\"data\":{remains}}}").into_bytes())
}

const KINDS: usize = 17;

fn change(random: &mut Random, exports: &Exports, kind: usize) -> Change {
    let (text, foreign) = match random.below(3) {
        0 => (&exports.project, &exports.another),
        1 => (&exports.another, &exports.project),
        _ => (&exports.organization, &exports.younger),
    };
    let mut lines: Vec<Vec<u8>> = text.lines().map(|line| line.as_bytes().to_vec()).collect();
    let foreign: Vec<&str> = foreign.lines().collect();
    let all = lines.len();
    let (at, event, second) = (random.below(all), 1 + random.below(all - 2), 1 + random.below(all - 2));
    let theirs = foreign[1 + random.below(foreign.len() - 2)].as_bytes().to_vec();
    let (mut older, mut whole) = (None, None);
    let what = match kind {
        0 => {
            let place = random.below(lines[at].len());
            lines[at][place] ^= u8::try_from(1 + random.below(255)).expect("a byte");
            "a byte"
        }
        1 => {
            let place = random.below(lines[at].len());
            let byte = u8::try_from(random.below(256)).expect("a byte");
            lines[at].insert(place, byte);
            "a byte more"
        }
        2 => {
            let place = random.below(lines[at].len());
            lines[at].remove(place);
            "a byte less"
        }
        3 => {
            lines.remove(at);
            "a line less"
        }
        4 => {
            let copy = lines[at].clone();
            lines.insert(second, copy);
            "a line twice"
        }
        5 => {
            lines.swap(event, second);
            "two lines in each other's place"
        }
        6 => {
            lines.insert(event, theirs);
            "another feed's line more"
        }
        7 => {
            lines[event] = theirs;
            "another feed's line instead"
        }
        8 => {
            lines.truncate(at);
            "fewer lines"
        }
        9 => {
            let bytes = text.as_bytes();
            whole = Some(bytes[..random.below(bytes.len())].to_vec());
            "cut within"
        }
        10 => {
            let time = inside(&lines[event], "\"time\":\"", "Z\"");
            let digit = time.end - 1 - random.below(6);
            lines[event][digit] = b'0' + (lines[event][digit] - b'0' + 1) % 10;
            "another time"
        }
        11 => {
            let metadata = inside(&lines[event], "\"metadata\":\"", "\",\"");
            let places: Vec<usize> = metadata.filter(|at| lines[event][*at].is_ascii_hexdigit()).collect();
            let digit = places[random.below(places.len())];
            lines[event][digit] = other_digit(random, lines[event][digit]);
            "other metadata"
        }
        12 => {
            let feed = |line: &[u8]| line[inside(line, "\"feedid\":\"", "\",\"sequence\"")].to_vec();
            let (one, other) = (feed(&lines[event]), feed(&lines[second]));
            let range = |line: &[u8]| inside(line, "\"feedid\":\"", "\",\"sequence\"");
            let (first_range, second_range) = (range(&lines[event]), range(&lines[second]));
            if event != second {
                drop(lines[event].splice(first_range, other));
                drop(lines[second].splice(second_range, one));
            }
            "two events in each other's feed"
        }
        13 => {
            let quoted = |note: &str| serde_json::to_string(note).expect("a text");
            let header = String::from_utf8(lines[0].clone()).expect("a header");
            let header = header.replacen(&quoted(&checkpoint(text)), &quoted(&exports.kept), 1);
            lines[0] = header.into_bytes();
            "an older checkpoint in the header"
        }
        14 => {
            whole = Some(exports.younger.clone().into_bytes());
            older = Some(exports.latest.clone());
            "an older file"
        }
        15 => {
            if let Some(line) = forged(&lines[event]) {
                lines[event] = line;
            }
            "a forged redaction"
        }
        _ => {
            let mut note = exports.kept.clone().into_bytes();
            let places: Vec<usize> = (0..note.len()).filter(|at| note[*at].is_ascii_alphanumeric()).collect();
            let place = places[random.below(places.len())];
            note[place] = other_digit(random, note[place]);
            whole = Some(exports.from_kept.clone().into_bytes());
            older = Some(String::from_utf8(note).expect("a text"));
            "another checkpoint that was kept"
        }
    };
    let joined = || lines.iter().flat_map(|line| [line.as_slice(), b"\n"].concat()).collect();
    Change { what, bytes: whole.unwrap_or_else(joined), older }
}

/// Changes that change something, each kind as often as another.
fn changes<'a>(random: &'a mut Random, exports: &'a Exports, count: usize) -> impl Iterator<Item = Change> + 'a {
    let unchanged = [&exports.project, &exports.another, &exports.organization].map(|text| text.as_bytes());
    let all = (0..).map(move |number| change(random, exports, number % KINDS));
    all.filter(move |change| change.older.is_some() || !unchanged.contains(&change.bytes.as_slice())).take(count)
}

fn verified(bytes: &[u8], older: Option<&str>) -> Result<Report, Failure> {
    verify(bytes, &Options { keys: Vec::new(), older: older.map(str::to_owned) })
}

/// What the JavaScript verifier says of each export in a folder.
async fn javascript(folder: &Path) -> BTreeMap<String, Value> {
    let output = Command::new("node")
        .args(["test/each.mjs", folder.to_str().expect("a path")])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/verify"))
        .stdin(Stdio::null())
        .output()
        .await
        .expect("node");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    let said = said.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    said.map(|said| (said["name"].as_str().expect("a name").to_owned(), said)).collect()
}

/// Runs a verifier as an auditor does; returns its exit code and what it printed.
async fn run(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().await.expect("a program");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), format!("{}{}", text(&output.stdout), text(&output.stderr)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_verifiers_pass_what_is_exported_and_find_every_change() {
    let world = World::new().await;
    let server = world.server().await;
    let exports = exports(&server).await;
    let folder = TempDir::new().expect("a folder");
    let write = |name: &str, content: &[u8]| std::fs::write(folder.path().join(name), content).expect("a file");

    write("a_project.ndjson", exports.project.as_bytes());
    write("b_another.ndjson", exports.another.as_bytes());
    write("c_organization.ndjson", exports.organization.as_bytes());
    write("d_from_kept.ndjson", exports.from_kept.as_bytes());
    write("d_from_kept.older", exports.kept.as_bytes());
    let mut said_here = BTreeMap::new();
    for (name, text, older) in [
        ("a_project.ndjson", &exports.project, None),
        ("b_another.ndjson", &exports.another, None),
        ("c_organization.ndjson", &exports.organization, None),
        ("d_from_kept.ndjson", &exports.from_kept, Some(exports.kept.as_str())),
    ] {
        said_here.insert(name.to_owned(), ("nothing", verified(text.as_bytes(), older)));
    }
    let mut random = Random::from_environment();
    for (number, Change { what, bytes, older }) in changes(&mut random, &exports, CHANGES).enumerate() {
        let name = format!("e{number:04}");
        write(&format!("{name}.ndjson"), &bytes);
        if let Some(older) = &older {
            write(&format!("{name}.older"), older.as_bytes());
        }
        said_here.insert(format!("{name}.ndjson"), (what, verified(&bytes, older.as_deref())));
    }

    let said_there = javascript(folder.path()).await;
    assert_eq!(said_there.len(), said_here.len());
    for (name, (what, here)) in &said_here {
        let there = &said_there[name];
        assert_eq!(here.is_ok(), *what == "nothing", "{name}: {what}: {here:?}");
        assert_eq!(there["ok"], here.is_ok(), "{name}: {what}: {here:?}, and {there}");
        match here {
            Ok(report) => assert_eq!(there["events"], report.events, "{name}"),
            // Where both name the first event that fails, it is the same one; the other verifier judges less of law 9.
            Err(failure) => {
                let (one, other) =
                    (failure.place().map(|place| place.position.to_string()), there["position"].as_str());
                if let (Some(one), Some(other)) = (one, other)
                    && !failure.to_string().contains("was not allowed")
                {
                    assert_eq!(one, other, "{name}: {what}: {failure}, and {there}");
                }
            }
        }
    }
    // The programs themselves, with the key that the service tells.
    let keys = server.client().get("/log/keys").await.is(200);
    let key = keys.items()[0]["verifier"].as_str().expect("a key").to_owned();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/verify/verify.mjs");
    let script = script.to_str().expect("a path");
    let path = |name: &str| folder.path().join(name).to_str().expect("a path").to_owned();
    write("bad", exports.project.replace("To the moon.", "To the Moon.").as_bytes());
    for (name, code) in [("d_from_kept.ndjson", 0), ("bad", 1), ("none", 2)] {
        let (file, kept) = (path(name), path("d_from_kept.older"));
        let with = if code == 0 { vec![file.as_str(), "--checkpoint", &kept] } else { vec![file.as_str()] };
        let arguments = [with, vec!["--key", &key]].concat();
        let workroom = [vec!["audit", "verify"], arguments.clone()].concat();
        let output = process::run(process::command(&workroom), std::time::Duration::from_secs(60)).await;
        assert_eq!(output.status.code(), Some(code), "{name}: {}", String::from_utf8_lossy(&output.stdout));
        let (there, text) = run("node", &[vec![script], arguments].concat()).await;
        assert_eq!(there, Some(code), "{name}: {text}");
    }
}

/// The suite of the JavaScript verifier, with its own exports and more than 10,000 changes of them.
#[tokio::test]
async fn the_javascript_verifier_passes_its_suite() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/verify");
    let lines = std::fs::read_to_string(folder.join("verify.mjs")).expect("the verifier").lines().count();
    assert!(lines <= 300, "whoever trusts it has to read it: {lines} lines");
    let mut tests = Command::new("node");
    tests.args(["--test", "test/verify.test.mjs", "test/mutations.test.mjs"]).current_dir(folder).stdin(Stdio::null());
    let output = tests.output().await.expect("node");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("\n# skipped 0"), "all of it was run: {said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long drill"]
async fn drill_ten_thousand_mutations_are_all_found() {
    let world = World::new().await;
    let server = world.server().await;
    let exports = exports(&server).await;
    for text in [&exports.project, &exports.another, &exports.organization, &exports.younger] {
        verified(text.as_bytes(), None).expect("what is exported holds");
    }
    verified(exports.from_kept.as_bytes(), Some(&exports.kept)).expect("it goes on from the checkpoint that was kept");
    let mut random = Random::from_environment();
    let (mut found, mut missed) = (BTreeMap::<_, usize>::new(), Vec::new());
    for Change { what, bytes, older } in changes(&mut random, &exports, CHANGES_OF_DRILL) {
        match verified(&bytes, older.as_deref()) {
            Err(_) => *found.entry(what).or_default() += 1,
            Ok(report) => missed.push(format!("{what}: {report:?}: {}", String::from_utf8_lossy(&bytes))),
        }
    }
    eprintln!("found: {found:#?}");
    assert!(missed.is_empty(), "{} of {CHANGES_OF_DRILL} were not found; the first: {}", missed.len(), missed[0]);
    assert_eq!(found.len(), KINDS);
}
