//! Ada runs a program, and follows it over the socket.

use std::time::Duration;

use anyhow::{anyhow, bail};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    cast::{Person, Stage},
    client::{BASE, Call, Reply},
    event::Event,
    story::Project,
    subscriber::Subscriber,
};

/// How long the program may take from start to end, the queue included.
const JOB_TIMEOUT: Duration = Duration::from_secs(20);

const CODE: &str = r#"import sys

names = sys.stdin.read().split()
print("Hello, " + " and ".join(names) + "!")
a, b = 0, 1
while a < 60:
    print(a, end=" ")
    a, b = b, a + b
print()
"#;
const STDIN: &str = "Ada\nGrace\n";
const STDOUT: &str = "Hello, Ada and Grace!\n0 1 1 2 3 5 8 13 21 34 55 \n";

/// Whether code could be run.
#[derive(Clone, Copy)]
pub(super) enum Outcome {
    Ran,
    /// The service refuses to run code without a sandbox.
    NoSandbox,
}

impl Outcome {
    /// What is to be said at the end.
    pub(super) fn not_shown(self) -> Option<&'static str> {
        match self {
            Self::Ran => None,
            Self::NoSandbox => Some("Not shown: code was not run, because there is no usable sandbox on this machine."),
        }
    }
}

/// Submits the program, follows it, and reads what it printed.
pub(super) async fn run(
    stage: &mut Stage,
    ada: &Person,
    project: &Project,
    ada_sees: &mut Subscriber,
) -> anyhow::Result<Outcome> {
    stage.narrator.act("7. Ada runs a Python program in the project, and follows it live");
    let request = json!({
        "type": "code_execution", "language": "python", "code": CODE, "stdin": STDIN, "timeout_seconds": 10,
        "project_id": project.id,
    });
    let reply = stage.try_asking(ada, Call::post(format!("{BASE}/jobs")).body(&request)).await?;
    if reply.status == 503 && reply.text("/detail")?.contains("sandbox") {
        let reply = reply.must_be(503)?;
        stage.refusals += 1;
        stage.narrator.rest(ada.name, &reply, "refused: never run bare");
        stage.narrator.problem(&reply);
        stage.narrator.remark("Code cannot be run on this machine; the story goes on without it.");
        return Ok(Outcome::NoSandbox);
    }
    let submitted = reply.must_be(202)?;
    stage.narrator.rest(ada.name, &submitted, "accepted, to be run");
    let id = submitted.text("/id")?.to_owned();
    let end = follow(stage, &id, ada_sees).await?;
    let job = read(stage, ada, project, &id, end.position).await?;
    if end.kind != "JobSucceeded" {
        return Err(job.unexpected(&format!("after {}: {}", end.kind, job.body["result"])));
    }
    show(stage, &job)?;
    Ok(Outcome::Ran)
}

/// Follows a job over the socket until it is over.
async fn follow(stage: &mut Stage, id: &str, ada_sees: &mut Subscriber) -> anyhow::Result<Event> {
    let (until, who) = (Instant::now() + JOB_TIMEOUT, ada_sees.who());
    loop {
        let event = ada_sees.next_event_until(until, "the end of the job").await?;
        stage.narrator.event(who, event, &stage.names);
        if event.aggregate_id != id {
            bail!("{who}’s socket waited for events of job {id} and got {} of {}", event.kind, event.aggregate_id);
        }
        if matches!(event.kind.as_str(), "JobSucceeded" | "JobDeadLettered" | "JobCancelled") {
            return Ok(event.clone());
        }
    }
}

/// Reads the job. Not its client, but the worker ended it: a list that waits for the position makes sure of the views.
async fn read(stage: &mut Stage, ada: &Person, project: &Project, id: &str, position: i64) -> anyhow::Result<Reply> {
    let list = format!("{BASE}/jobs?project_id={}&min_position={position}", project.id);
    let list = stage.ask(ada, 200, "the list, not older than that", Call::get(list)).await?;
    if list.list("/items")?.len() != 1 {
        return Err(list.unexpected("with another number of jobs than one"));
    }
    stage.ask(ada, 200, "the job, with what it printed:", Call::get(format!("{BASE}/jobs/{id}"))).await
}

fn show(stage: &mut Stage, job: &Reply) -> anyhow::Result<()> {
    job.must_say("/status", &json!("completed"))?;
    job.must_say("/result/exit_code", &json!(0))?;
    job.must_say("/result/stdout", &json!(STDOUT))?;
    let result = &job.body["result"];
    stage.narrator.output("stdout", &result["stdout"]);
    let milliseconds = result["execution_time_ms"].as_i64();
    let milliseconds = milliseconds.ok_or_else(|| anyhow!("the job does not say how long it ran: {result}"))?;
    let attempts = job.body.get("attempts").unwrap_or(&Value::Null);
    stage.narrator.remark(&format!("       exit code 0, {milliseconds} ms, attempts: {attempts}"));
    Ok(())
}
