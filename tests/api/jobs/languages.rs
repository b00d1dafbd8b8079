//! Languages that are settings, for the API and for a worker.

use serde_json::{Value, json};

use super::lifecycle::{history, types};
use crate::support::World;

/// A language that the worker can run, and one whose interpreter is nowhere.
const LANGUAGES: [(&str, &str); 1] = [(
    "WORKROOM_LANGUAGES",
    concat!(
        r#"{sh={interpreters=["sh"],arguments=["-eu"],file="src/main.sh",trial="echo ready","#,
        r#"environment={GREETING="hello"}},"#,
        r#"cobol={interpreters=["cobc-that-is-nowhere"],file="main.cob",trial="x"}}"#,
    ),
)];

const NO_INTERPRETER: &str = "the worker has no interpreter for cobol\n";

#[tokio::test]
async fn one_that_is_set_runs_and_one_without_interpreter_fails_and_says_so() {
    let world = World::new().await;
    let server = world.server_with(&["--roles", "api,live,projector,relay,scheduler"], &LANGUAGES).await;
    let _worker = world.worker_with(&LANGUAGES).await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let missing = json!({"language": "cobol", "code": "DISPLAY 1.", "max_attempts": 1, "project_id": project});
    let missing = ada.job(missing).await;

    let code = "echo \"$GREETING $NAME $0 $1\"";
    let job = json!({"language": "sh", "code": code, "args": ["three"], "env": {"NAME": "two"}});
    let done = ada.finished(&ada.job(job).await).await;
    assert_eq!((&done["status"], &done["language"]), (&json!("completed"), &json!("sh")), "{done}");
    assert_eq!(done["result"]["stdout"], "hello two /workspace/src/main.sh three\n", "{done}");
    let job = json!({"language": "sh", "code": "echo $GREETING; echo $UNSET; echo on", "env": {"GREETING": "hi"}});
    let stopped = ada.finished(&ada.job(job).await).await;
    assert_eq!((&stopped["status"], &stopped["result"]["stdout"]), (&json!("failed"), &json!("hi\n")), "{stopped}");
    let unknown = json!({"language": "ruby", "code": "puts 1"});
    ada.post("/jobs", unknown).await.refused_field("/language", "unknown-language");

    let failed = ada.finished(&missing).await;
    let told = (&failed["status"], &failed["attempts"], &failed["result"]["exit_code"]);
    assert_eq!(told, (&json!("failed"), &json!(1), &Value::Null), "{failed}");
    assert_eq!((&failed["result"]["stdout"], &failed["result"]["stderr"]), (&json!(""), &json!(NO_INTERPRETER)));
    // Another worker might have had it.
    let handed_back = ["JobStarted", "JobInterrupted"];
    let given_up = ["JobStarted", "JobAttemptFailed", "JobDeadLettered"];
    let expected = [&["JobRequested"][..], &handed_back.repeat(4)[..], &given_up[..]].concat();
    let events = history(&ada, &project, &missing).await;
    assert_eq!(types(&events), expected);
    for interrupted in [&events[2], &events[4]] {
        assert_eq!(interrupted["data"]["cause"], "worker_failed", "{interrupted}");
    }
    let first = ada.get(&format!("/jobs/{missing}/logs?attempt=1")).await.is(200);
    assert_eq!(first.items()[0]["text"], NO_INTERPRETER, "each attempt says so: {}", first.text);
}
