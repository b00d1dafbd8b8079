//! Grace is removed and cut; Ada loses her connection and comes back.

use anyhow::{anyhow, bail};
use serde_json::json;

use super::{
    cast::{Person, Stage},
    client::Call,
    story::Project,
    subscriber::{Seen, Subscriber},
};

/// Ada removes Grace. Returns the removal's place in the feed.
pub(super) async fn remove(
    stage: &mut Stage,
    ada: &Person,
    grace: &Person,
    project: &Project,
    ada_sees: &mut Subscriber,
    grace_sees: Subscriber,
) -> anyhow::Result<i64> {
    stage.narrator.act("10. Ada removes Grace, who is cut at once");
    let call = Call::delete(format!("{}/members/{}", project.path, grace.id));
    let removed = stage.ask(ada, 204, "removes Grace", call).await?;
    let edit = json!({ "description": "Grace was here" });
    let call = Call::patch(project.path.as_str()).body(&edit);
    stage.ask(grace, 404, "it is gone for her: no edit", call).await?;
    stage.see(ada_sees, removed.position()?).await?;
    let seq = ada_sees.seq();
    release(stage, ada_sees).await?;
    let (saw, reason) = grace_sees.cut().await?;
    if saw.seq() >= seq {
        bail!("Grace’s socket was sent #{}, though she was removed by #{seq}", saw.seq());
    }
    stage.narrator.live(grace.name, "unsubscribed", &format!("access_revoked, after #{}", saw.seq()));
    stage.narrator.live(grace.name, "closed", &format!("4403 {reason}"));
    Ok(seq)
}

/// Nobody keeps a task of a project that they have left.
async fn release(stage: &mut Stage, ada_sees: &mut Subscriber) -> anyhow::Result<()> {
    let who = ada_sees.who();
    let event = ada_sees.next_event("Grace’s task being taken from her").await?;
    stage.narrator.event(who, event, &stage.names);
    if event.kind != "TaskUnassigned" {
        bail!("{who}’s socket waited for Grace’s task being taken from her and got {}", event.kind);
    }
    Ok(())
}

/// Ada's connection is lost; two changes happen meanwhile; she resumes from where she was.
pub(super) async fn resume(
    stage: &mut Stage,
    ada: &Person,
    project: &Project,
    ada_sees: Subscriber,
) -> anyhow::Result<Seen> {
    stage.narrator.act("11. Ada’s connection is lost, and resumed");
    let saw = ada_sees.lose();
    let last = saw.seq();
    stage.narrator.live(ada.name, "(lost)", &format!("the last event was #{last}"));
    let first = edit(stage, ada, project, "description", "Notes by Ada", "while nobody is watching").await?;
    let second = edit(stage, ada, project, "priority", "low", "and once more").await?;
    let socket = stage.connect(ada).await?;
    let mut ada_sees = Subscriber::subscribe(socket, saw).await?;
    stage.narrator.live(ada.name, "subscribed", &format!("since #{last}, head #{}", ada_sees.head));
    let missed = ada_sees.catch_up().await?;
    let came = ada_sees.events().len() - missed;
    for event in &ada_sees.events()[came..] {
        stage.narrator.event(ada.name, event, &stage.names);
    }
    let positions: Vec<i64> = ada_sees.events()[came..].iter().map(|event| event.position).collect();
    if positions != [first, second] {
        return Err(anyhow!("the resumed socket got positions {positions:?} instead of {first} and {second}"));
    }
    stage.narrator.live(ada.name, "caught_up", &format!("#{}: both changes, each once", ada_sees.seq()));
    let third = edit(stage, ada, project, "status", "completed", "and it is live again").await?;
    stage.see(&mut ada_sees, third).await?;
    Ok(ada_sees.lose())
}

async fn edit(
    stage: &mut Stage,
    who: &Person,
    project: &Project,
    field: &str,
    value: &str,
    note: &str,
) -> anyhow::Result<i64> {
    let edit = json!({ field: value });
    stage.ask(who, 200, note, Call::patch(project.path.as_str()).body(&edit)).await?.position()
}
