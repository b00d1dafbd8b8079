//! A file in a workspace: what Grace writes is what Ada reads.

use serde_json::json;

use super::{
    cast::{Person, Stage},
    client::Call,
    story::Project,
    subscriber::Subscriber,
};

const TEXT: &str = "Note G\n\nThe engine weaves algebraical patterns, as the loom weaves flowers and leaves.\n";

/// Opens a workspace, and writes and reads a file in it.
pub(super) async fn share(
    stage: &mut Stage,
    ada: &Person,
    grace: &Person,
    project: &Project,
    both_see: [&mut Subscriber; 2],
) -> anyhow::Result<()> {
    stage.narrator.act("6. They share a file in a workspace");
    let workspace = json!({ "name": "Notes" });
    let call = Call::post(format!("{}/workspaces", project.path)).body(&workspace);
    let workspace = stage.ask(ada, 201, "opens a workspace", call).await?;
    let files = format!("{}/workspaces/{}/files", project.path, workspace.text("/id")?);
    let file = json!({ "path": "notes/g.txt" });
    let created = stage.ask(ada, 201, "with an empty file", Call::post(files.as_str()).body(&file)).await?;
    let content = format!("{files}/{}/content", created.text("/id")?);
    let written = stage.ask(grace, 200, "writes it", Call::put(content.as_str()).plain(TEXT)).await?;
    written.must_say("/size", &json!(TEXT.len()))?;
    let read = stage.ask(ada, 200, "reads it:", Call::get(content)).await?;
    if read.body != TEXT {
        return Err(read.unexpected("with another text than was written"));
    }
    stage.narrator.output("g.txt", &read.body);
    stage.all_see(both_see, written.position()?).await
}
