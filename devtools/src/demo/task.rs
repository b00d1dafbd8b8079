//! Ada gives Grace a task, and Grace takes it up.

use serde_json::json;

use super::{
    cast::{Person, Stage},
    client::Call,
    story::Project,
    subscriber::Subscriber,
};

/// Assigns a task, comments on it and takes it up.
pub(super) async fn assign(
    stage: &mut Stage,
    ada: &Person,
    grace: &Person,
    project: &Project,
    both_see: [&mut Subscriber; 2],
) -> anyhow::Result<()> {
    stage.narrator.act("5. Grace is given a task, and says what she thinks of it");
    let tasks = format!("{}/tasks", project.path);
    let task = json!({
        "title": "Explain Note G", "type": "improvement", "priority": "high", "assignee_id": grace.id,
    });
    let given = stage.ask(ada, 201, "writes down a task", Call::post(tasks.as_str()).body(&task)).await?;
    given.must_say("/assignee/user_id", &json!(grace.id))?;
    let path = format!("{tasks}/{}", given.text("/id")?);
    let hers = Call::get(format!("{tasks}?assignee_id={}", grace.id));
    let hers = stage.ask(grace, 200, "finds it among hers", hers).await?;
    if hers.list("/items")?.len() != 1 {
        return Err(hers.unexpected("with another number of tasks than one"));
    }
    let comment = json!({ "body": "It needs a picture." });
    let call = Call::post(format!("{path}/comments")).body(&comment);
    stage.ask(grace, 201, "comments on it", call).await?;
    let edit = json!({ "status": "in_progress" });
    let taken = stage.ask(grace, 200, "takes it up", Call::patch(path.as_str()).body(&edit)).await?;
    let read = stage.ask(ada, 200, "reads it", Call::get(path)).await?;
    read.must_say("/status", &json!("in_progress"))?;
    read.must_say("/comment_count", &json!(1))?;
    stage.all_see(both_see, taken.position()?).await
}
