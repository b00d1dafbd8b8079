//! Clients that are generated from the OpenAPI document compile under the strictest settings, and play README's story.
//!
//! The generators are fetched once, into the data folder (`.workroom/clients`).

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::process::Command;

use crate::support::World;

/// The folder of a language's story, and the one that it is generated, compiled and run in.
async fn folders(language: &str) -> (PathBuf, PathBuf) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let data = std::env::var_os("WORKROOM_DATA_DIR").map_or_else(|| root.join(".workroom"), PathBuf::from);
    let work = data.join("clients").join(language);
    tokio::fs::create_dir_all(&work).await.expect("a folder");
    (root.join("tests/clients").join(language), work)
}

async fn copy(story: &Path, work: &Path, files: &[&str]) {
    for file in files {
        tokio::fs::copy(story.join(file), work.join(file)).await.expect("a copy");
    }
}

/// Runs a program to its end.
async fn run(work: &Path, program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> String {
    let program = program.as_ref();
    let output = Command::new(program).args(arguments).current_dir(work).stdin(Stdio::null()).output().await;
    let output = output.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let told = format!("{}\n{}", text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{} {arguments:?}: {}: {told}", program.display(), output.status);
    told
}

async fn document(work: &Path) {
    let document = serde_json::to_string(&workroom::http::router::document()).expect("a document");
    tokio::fs::write(work.join("openapi.json"), document).await.expect("a file");
}

/// The folder of the TypeScript story, with a compiler in it: installed once, whoever needs it.
async fn typescript() -> PathBuf {
    static INSTALLED: tokio::sync::OnceCell<PathBuf> = tokio::sync::OnceCell::const_new();
    let install = async || {
        let (story, work) = folders("typescript").await;
        copy(&story, &work, &["package.json", "tsconfig.json", "story.ts"]).await;
        if !work.join("node_modules/.bin/tsc").exists() {
            run(&work, "npm", &["install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]).await;
        }
        work
    };
    INSTALLED.get_or_init(install).await.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_typescript_client_plays_the_story() {
    let world = World::new().await;
    let server = world.server().await;
    let work = typescript().await;
    document(&work).await;
    run(&work, work.join("node_modules/.bin/openapi-typescript"), &["openapi.json", "--output", "schema.ts"]).await;
    run(&work, work.join("node_modules/.bin/tsc"), &[]).await;
    run(&work, "node", &["out/story.js", &format!("http://{}/api/v1", server.client().address())]).await;
}

/// The project's own client: its suite, against a service. It writes 500 events through a proxy that drops, stalls and cuts, and more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_javascript_client_passes_its_suite() {
    let world = World::new().await;
    let server = world.server().await;
    let compiler = typescript().await.join("node_modules/typescript/bin/tsc");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tests: Vec<_> = std::fs::read_dir(root.join("clients/js/test")).expect("tests").collect();
    let is_test = |name: &String| name.ends_with(".test.js");
    let mut names: Vec<_> = tests
        .into_iter()
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .filter(is_test)
        .map(|name| format!("test/{name}"))
        .collect();
    names.sort();
    assert!(names.len() > 5, "{names:?}");
    let output = Command::new("node")
        .args(["--test", "--test-concurrency=2"])
        .args(&names)
        .env("TSC", compiler)
        .env("WORKROOM_URL", format!("http://{}", server.address))
        .current_dir(root.join("clients/js"))
        .stdin(Stdio::null())
        .output()
        .await
        .expect("node");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("\n# skipped 0"), "all of it was run: {told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_python_client_plays_the_story() {
    let world = World::new().await;
    let server = world.server().await;
    let (story, work) = folders("python").await;
    copy(&story, &work, &["requirements.txt", "config.yaml", "story.py"]).await;
    document(&work).await;
    let installed = work.join("venv/installed");
    if !installed.exists() {
        run(&work, "python3", &["-m", "venv", "venv"]).await;
        run(&work, work.join("venv/bin/pip"), &["install", "--quiet", "--requirement", "requirements.txt"]).await;
        tokio::fs::write(&installed, "").await.expect("a file");
    }
    let generate = ["generate", "--path", "openapi.json", "--config", "config.yaml", "--output-path", "client"];
    let generate = [&generate[..], &["--overwrite"]].concat();
    let told = run(&work, work.join("venv/bin/openapi-python-client"), &generate).await;
    // What this generator cannot do: a body of plain text, and alternatives beside further fields (of what a job was asked to do).
    let lines = told.lines().filter_map(|line| line.strip_prefix("Unable to process schema /components/schemas/"));
    let unable: Vec<&str> = lines.map(|line| line.trim_end_matches(':')).collect();
    assert_eq!(unable, ["JobRequest"], "{told}");
    assert_eq!(told.matches("WARNING").count(), told.matches("content within files").count(), "{told}");
    let package = work.join("workroom_client");
    if package.exists() {
        tokio::fs::remove_dir_all(&package).await.expect("the package of an earlier run goes");
    }
    tokio::fs::rename(work.join("client/workroom_client"), &package).await.expect("the generated package");
    run(&work, work.join("venv/bin/mypy"), &["--strict", "story.py", "workroom_client"]).await;
    run(&work, work.join("venv/bin/python"), &["story.py", &format!("http://{}/api/v1", server.client().address())])
        .await;
}
