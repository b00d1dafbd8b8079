//! A program is run beside the source tree, where the service can run programs.

use std::time::Duration;

use serde_json::json;
use time::OffsetDateTime;
use tokio::time::{Instant, sleep};

use super::{
    client::{Api, BASE, Call},
    data::source::{AUTHOR, PROGRAM},
    project::Project,
    team::Team,
};

/// How long to wait for the program, the queue included.
const JOB_TIMEOUT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// What became of it.
pub(super) enum Outcome {
    /// It was accepted, and ended like this, or had not ended in time.
    Submitted {
        id: String,
        /// `completed` or `failed`; `pending` or `running` if that took too long.
        status: String,
        /// What it printed.
        stdout: String,
    },
    /// The service refuses to run code without a sandbox; this is what it says.
    NoSandbox(String),
}

/// Submits the program, and waits for its end for a while.
pub(super) async fn run(api: &Api, team: &Team, project: &Project) -> anyhow::Result<Outcome> {
    let request = json!({
        "type": "code_execution", "language": "python", "code": PROGRAM, "project_id": project.id,
        "stdin": OffsetDateTime::now_utc().date().to_string(), "timeout_seconds": 10,
    });
    let reply = team.try_asking(api, AUTHOR, Call::post(format!("{BASE}/jobs")).body(&request)).await?;
    if reply.status == 503 && reply.text("/detail")?.contains("sandbox") {
        return Ok(Outcome::NoSandbox(reply.text("/detail")?.to_owned()));
    }
    let id = reply.must_be(202)?.text("/id")?.to_owned();
    let until = Instant::now() + JOB_TIMEOUT;
    loop {
        let job = team.ask(api, AUTHOR, 200, Call::get(format!("{BASE}/jobs/{id}"))).await?;
        let status = job.text("/status")?;
        if !matches!(status, "pending" | "running") || Instant::now() > until {
            let stdout = job.body["result"]["stdout"].as_str().unwrap_or_default().to_owned();
            return Ok(Outcome::Submitted { status: status.to_owned(), stdout, id });
        }
        sleep(PAUSE).await;
    }
}
