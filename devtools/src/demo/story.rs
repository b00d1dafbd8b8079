//! Who does what, act by act.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    auditor,
    cast::{Person, Stage},
    client::{BASE, Call, Reply},
    file, invitation, job, removal,
    subscriber::{Seen, Subscriber, refused},
    task,
};

/// How it ended.
pub(super) struct Ending {
    /// Events in the project's history.
    pub(super) events: usize,
    /// What could not be shown here, if anything.
    pub(super) not_shown: Option<&'static str>,
}

/// A project, and the request that created it.
pub(super) struct Project {
    pub(super) id: String,
    pub(super) path: String,
    key: String,
    request: Value,
    reply: Reply,
}

/// Plays all acts.
pub(super) async fn play(stage: &mut Stage) -> anyhow::Result<Ending> {
    arrive(stage).await?;
    stage.narrator.act("1. Two people register and sign in");
    let ada = stage.welcome("Ada", "Ada Lovelace").await?;
    let grace = stage.welcome("Grace", "Grace Hopper").await?;
    let project = found(stage, &ada).await?;
    let mut ada_sees = watch(stage, &ada, &project).await?;
    let mut grace_sees = work_together(stage, &ada, &grace, &project, &mut ada_sees).await?;
    task::assign(stage, &ada, &grace, &project, [&mut ada_sees, &mut grace_sees]).await?;
    file::share(stage, &ada, &grace, &project, [&mut ada_sees, &mut grace_sees]).await?;
    let outcome = job::run(stage, &ada, &project, &mut ada_sees).await?;
    invitation::send_and_revoke(stage, &ada, &project, &mut ada_sees).await?;
    be_refused(stage, &ada, &grace, &project).await?;
    let removed = removal::remove(stage, &ada, &grace, &project, &mut ada_sees, grace_sees).await?;
    let ada_saw = removal::resume(stage, &ada, &project, ada_sees).await?;
    let events = auditor::audit(stage, &ada, &grace, &project, &ada_saw, removed).await?;
    Ok(Ending { events, not_shown: outcome.not_shown() })
}

async fn arrive(stage: &mut Stage) -> anyhow::Result<()> {
    stage.narrator.act(&format!("0. Is it there? {} (below, paths are under {BASE})", stage.api.url()));
    let about = stage.api.expect(200, Call::get("/")).await?;
    about.must_say("/service", &json!("workroom"))?;
    stage.narrator.rest("anyone", &about, &format!("{} {}", about.text("/service")?, about.text("/version")?));
    let ready = stage.api.expect(200, Call::get("/ready")).await?;
    let checks = ready.body["checks"].as_object().map(|checks| checks.keys().cloned().collect::<Vec<_>>());
    stage.narrator.rest("anyone", &ready, &format!("ready: {}", checks.unwrap_or_default().join(", ")));
    Ok(())
}

async fn found(stage: &mut Stage, ada: &Person) -> anyhow::Result<Project> {
    stage.narrator.act("2. Ada creates an organization, and a project in it");
    // Grace joins a project without belonging to the society.
    let society = json!({ "name": "Analytical Society", "settings": { "allow_guests": true } });
    let call = Call::post(format!("{BASE}/organizations")).body(&society);
    let society = stage.ask(ada, 201, "creates “Analytical Society”", call).await?;
    society.must_say("/role", &json!("admin"))?;
    let key = Uuid::now_v7().to_string();
    let request = json!({
        "name": "Analytical Engine", "description": "Notes", "status": "planning", "priority": "medium",
        "organization_id": society.text("/id")?,
    });
    let call = Call::post(format!("{BASE}/projects")).key(&key).body(&request);
    let reply = stage.ask(ada, 201, "creates “Analytical Engine”", call).await?;
    let id = reply.text("/id")?.to_owned();
    let path = format!("{BASE}/projects/{id}");
    if reply.header("location") != path {
        return Err(reply.unexpected(&format!("with Location {:?}", reply.header("location"))));
    }
    reply.must_say("/role", &json!("owner"))?;
    reply.must_say("/organization_id", &request["organization_id"])?;
    stage.ask(ada, 200, "and reads it back at once", Call::get(path.as_str())).await?;
    Ok(Project { id, path, key, request, reply })
}

async fn watch(stage: &mut Stage, ada: &Person, project: &Project) -> anyhow::Result<Subscriber> {
    stage.narrator.act("3. Ada watches it live, from the beginning");
    let socket = stage.connect(ada).await?;
    let mut ada_sees = follow(stage, socket, project).await?;
    stage.see(&mut ada_sees, project.reply.position()?).await?;
    Ok(ada_sees)
}

/// Subscribes from the beginning, and shows the history that comes.
async fn follow(stage: &mut Stage, socket: super::socket::Socket, project: &Project) -> anyhow::Result<Subscriber> {
    let mut subscriber = Subscriber::subscribe(socket, Seen::nothing(&project.id)).await?;
    let who = subscriber.who();
    stage.narrator.live(who, "subscribed", &format!("since #0, head #{}", subscriber.head));
    subscriber.catch_up().await?;
    for event in subscriber.events() {
        stage.narrator.event(who, event, &stage.names);
    }
    stage.narrator.live(who, "caught_up", &format!("history is done at #{}, live from here", subscriber.seq()));
    Ok(subscriber)
}

async fn work_together(
    stage: &mut Stage,
    ada: &Person,
    grace: &Person,
    project: &Project,
    ada_sees: &mut Subscriber,
) -> anyhow::Result<Subscriber> {
    stage.narrator.act("4. Ada adds Grace; Grace edits; both see it");
    let member = json!({ "email": grace.email, "role": "collaborator" });
    let call = Call::post(format!("{}/members", project.path)).body(&member);
    let added = stage.ask(ada, 201, "adds Grace as collaborator", call).await?;
    added.must_say("/user_id", &json!(grace.id))?;
    stage.see(ada_sees, added.position()?).await?;
    let socket = stage.connect_by_ticket(grace).await?;
    let mut grace_sees = follow(stage, socket, project).await?;
    let edit = json!({ "status": "active" });
    let edited = stage.ask(grace, 200, "edits", Call::patch(project.path.as_str()).body(&edit)).await?;
    let read = stage.ask(ada, 200, "reads what Grace wrote", Call::get(project.path.as_str())).await?;
    read.must_say("/status", &json!("active"))?;
    read.must_say("/member_count", &json!(2))?;
    stage.see(ada_sees, edited.position()?).await?;
    stage.see(&mut grace_sees, edited.position()?).await?;
    Ok(grace_sees)
}

async fn be_refused(stage: &mut Stage, ada: &Person, grace: &Person, project: &Project) -> anyhow::Result<()> {
    stage.narrator.act("9. What may not be is refused, and a retry is no second time");
    let stranger = stage.welcome("Sam", "Sam Stranger").await?;
    stage.ask(&stranger, 404, "to a stranger it does not exist", Call::get(project.path.as_str())).await?;
    stage.ask(&stranger, 404, "nor does its history", Call::get(format!("{}/events", project.path))).await?;
    let refusal = stage.ask(grace, 403, "a collaborator may not delete:", Call::delete(project.path.as_str())).await?;
    stage.narrator.problem(&refusal);
    retry(stage, ada, project).await?;
    let socket = stage.connect(&stranger).await?;
    let refusal = refused(socket, &project.id).await?;
    stage.refusals += 1;
    stage.narrator.live(stranger.name, "error", &refusal);
    Ok(())
}

async fn retry(stage: &mut Stage, ada: &Person, project: &Project) -> anyhow::Result<()> {
    let projects = format!("{BASE}/projects");
    let call = Call::post(projects.as_str()).key(&project.key).body(&project.request);
    let again = stage.ask(ada, 201, "same Idempotency-Key: replayed", call).await?;
    if again.header("idempotent-replayed") != "true" {
        return Err(again.unexpected("without Idempotent-Replayed: true"));
    }
    if again.body != project.reply.body || again.header("location") != project.reply.header("location") {
        return Err(again.unexpected("with another reply than the first time"));
    }
    let other = json!({ "name": "Difference Engine" });
    let call = Call::post(projects.as_str()).key(&project.key).body(&other);
    stage.ask(ada, 422, "same key, another body: refused", call).await?;
    let list = stage.ask(ada, 200, "she has one project, not two", Call::get(projects.as_str())).await?;
    if list.list("/items")?.len() != 1 {
        return Err(list.unexpected("with another number of projects than one"));
    }
    Ok(())
}
