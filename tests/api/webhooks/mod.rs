//! `/projects/{project_id}/webhooks`: a project's events go to addresses outside.

mod backlog;
mod creator;
mod deactivation;
mod deliveries;
mod failing;
mod faults;
mod manage;
mod own_trouble;
mod receiver;
mod redacted;
mod upgrade;

use serde_json::{Value, json};

pub use receiver::{Message, Receiver};

use crate::{
    support::{Person, Reply, Server, World, eventually},
    tasks::titled,
};

/// What lets webhooks reach a receiver on this machine.
pub const LOCAL: [(&str, &str); 2] =
    [("WORKROOM_WEBHOOKS__ALLOW_HTTP", "true"), ("WORKROOM_WEBHOOKS__ALLOWED_NETWORKS", "[\"127.0.0.1\"]")];

/// A service whose webhooks reach a receiver on this machine. It runs no programs.
async fn server(world: &World) -> Server {
    server_with(world, &[]).await
}

/// The same, with more variables.
async fn server_with(world: &World, more: &[(&str, &str)]) -> Server {
    world.server_with(&["--roles", "api,live,projector,relay,scheduler"], &[&LOCAL[..], more].concat()).await
}

/// Something that webhooks tell of.
async fn task(person: &Person, project: &str, title: &str) {
    titled(person, project, title).await;
}

/// For webhooks that tell of nothing else.
fn only_tasks() -> Value {
    json!({"event_types": ["TaskCreated"]})
}

/// A webhook that was created.
struct Webhook {
    path: String,
    id: String,
    secret: String,
}

impl Webhook {
    /// Creates one; `more` has further fields.
    async fn create(person: &Person, project: &str, receiver: &Receiver, more: Value) -> Self {
        let mut body = json!({"url": receiver.url()});
        for (field, value) in more.as_object().expect("fields") {
            body[field] = value.clone();
        }
        let webhooks = format!("/projects/{project}/webhooks");
        let created = person.post(&webhooks, body).await.is(201);
        let secret = created.json["secret"].as_str().expect("a secret").to_owned();
        Self { path: format!("{webhooks}/{}", created.id()), id: created.id(), secret }
    }

    /// All its deliveries, the newest first.
    async fn deliveries(&self, person: &Person) -> Vec<Value> {
        person.get(&format!("{}/deliveries?limit=100", self.path)).await.is(200).items().clone()
    }

    /// Waits until all deliveries, so many of them, have this status.
    async fn settles(&self, person: &Person, count: usize, status: &str) -> Vec<Value> {
        eventually("the deliveries are as expected", async || {
            let deliveries = self.deliveries(person).await;
            deliveries.len() == count && deliveries.iter().all(|delivery| delivery["status"] == status)
        })
        .await;
        self.deliveries(person).await
    }

    async fn redeliver(&self, person: &Person, delivery: &Value) -> Reply {
        let id = delivery["id"].as_str().expect("an id");
        person.send(reqwest::Method::POST, &format!("{}/deliveries/{id}/redeliver", self.path), None).await
    }
}

/// Waits for so many messages.
async fn messages(receiver: &Receiver, count: usize) -> Vec<Message> {
    eventually("the messages have come", async || receiver.received().len() >= count).await;
    receiver.received()
}
