//! A workspace with a source tree in it.

use futures::future::try_join_all;
use serde_json::json;

use super::{
    client::{Api, Call},
    data::source::{AUTHOR, FILES, WORKSPACE},
    project::Project,
    team::Team,
};

/// A workspace that was opened.
pub(super) struct Workspace {
    pub(super) path: String,
}

impl Workspace {
    /// Opens it, and puts all files into it.
    pub(super) async fn open(api: &Api, team: &Team, project: &Project) -> anyhow::Result<Self> {
        let (name, description) = WORKSPACE;
        let request = json!({ "name": name, "description": description });
        let call = Call::post(format!("{}/workspaces", project.path)).body(&request);
        let opened = team.ask(api, AUTHOR, 201, call).await?;
        let path = format!("{}/workspaces/{}", project.path, opened.text("/id")?);
        try_join_all(FILES.iter().map(async |(name, content)| {
            let request = json!({ "path": name, "content": content });
            team.ask(api, AUTHOR, 201, Call::post(format!("{path}/files")).body(&request)).await
        }))
        .await?;
        Ok(Self { path })
    }
}
