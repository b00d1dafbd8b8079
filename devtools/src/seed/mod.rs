//! `./dev seed`: a believable organization, made through the public API of a running service.
//!
//! It can be run any number of times: each run has a suffix of its own, in every address and in the organization's
//! short name. Requests go out together wherever their order does not matter. Who is added or given a task is mailed, so
//! an instance that sends mail will send some to example.com, where nobody reads it.
//!
//! - [`data`]: who and what there is; the place to add something;
//! - [`team`]: the people and their organization; [`project`]: a project, its tasks and comments;
//! - [`workspace`]: the source tree; [`job`]: the program that is run beside it;
//! - [`summary`]: what is printed at the end.

mod data;
mod job;
mod project;
mod summary;
mod team;
mod workspace;

use std::time::Instant;

use futures::future::{try_join, try_join_all};
use serde_json::json;

use super::client::{self, Api, Call};
use data::{PROJECTS, source};
use job::Outcome;
use project::Project;
use team::Team;
use workspace::Workspace;

/// All that was made.
struct Seeded {
    team: Team,
    projects: Vec<Project>,
    workspace: Workspace,
    job: Outcome,
}

/// Fills the service at `url`, such as `http://127.0.0.1:8080`, and says what there is now.
///
/// # Errors
/// The first thing that was not as expected: nothing listens there, or another reply than the right one.
pub async fn run(url: &str) -> anyhow::Result<()> {
    let began = Instant::now();
    let api = Api::new(url)?;
    api.expect(200, Call::get("/")).await?.must_say("/service", &json!("workroom"))?;
    let seeded = seed(&api).await?;
    summary::print(&api, &seeded, began.elapsed());
    Ok(())
}

async fn seed(api: &Api) -> anyhow::Result<Seeded> {
    let team = Team::gather(api).await?;
    let projects = try_join_all(PROJECTS.map(|data| Project::found(api, &team, data))).await?;
    let home = projects.iter().find(|project| project.is(source::PROJECT));
    let home = home.ok_or_else(|| anyhow::anyhow!("no project is there for the source tree"))?;
    let tasks = try_join_all(projects.iter().map(|project| project.fill(api, &team)));
    let source = async {
        let workspace = Workspace::open(api, &team, home).await?;
        Ok((workspace, job::run(api, &team, home).await?))
    };
    let (_, (workspace, job)) = try_join(tasks, source).await?;
    Ok(Seeded { team, projects, workspace, job })
}
