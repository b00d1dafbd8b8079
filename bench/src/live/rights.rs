//! How long a right lasts after it was taken: from the reply to the command, given by one instance, to the moment a socket of
//! another instance is told.

use std::time::Instant;

use anyhow::{Context, ensure};
use hyper::{Method, body::Bytes};
use serde_json::{Value, json};
use workroom_dev::child::workroom_bin;

use super::{Stage, micros, reader::Reader};
use crate::{
    Options,
    commands::sign_in,
    http_client::Connection,
    report::{line, progress},
    server::Server,
};

/// How often each way is gone, in each round.
const TIMES: usize = 10;

/// Ways of losing a right.
#[derive(Clone, Copy)]
enum Way {
    /// A member is removed from the project.
    ProjectMember,
    /// An admin of the organization, who is no member of the project, is removed from it.
    OrganizationMember,
    /// Such an admin becomes a plain member.
    Demotion,
    /// The session ends.
    SignOut,
}

impl Way {
    const ALL: [Self; 4] = [Self::ProjectMember, Self::OrganizationMember, Self::Demotion, Self::SignOut];

    fn name(self) -> &'static str {
        match self {
            Self::ProjectMember => "removed from the project",
            Self::OrganizationMember => "removed from the organization",
            Self::Demotion => "demoted in the organization",
            Self::SignOut => "signed out",
        }
    }
}

/// Measures every way.
///
/// # Errors
/// Something fails; a right is not lost.
pub async fn measure(stage: &Stage, options: &Options) -> anyhow::Result<Value> {
    let (owner_url, nats_url) = (stage.services.owner_url(), stage.services.nats_url());
    let other = Server::start(&workroom_bin()?, owner_url, nats_url).await?;
    let mut json = serde_json::Map::new();
    for way in Way::ALL {
        progress(&format!("rights: {}", way.name()));
        let mut took = Vec::new();
        for _ in 0..TIMES * options.rounds.max(1) {
            took.push(lose(stage, &other, way).await?);
        }
        took.sort_unstable();
        let [median, most] = [took.len() / 2, took.len() - 1].map(|at| f64::from(took[at]) / 1000.0);
        line(&format!("{:<34}{median:>8.1} ms until another instance's socket is told; {most:.1} at most", way.name()));
        json.insert(way.name().to_owned(), json!({"median_ms": median, "most_ms": most}));
    }
    other.stop().await;
    Ok(Value::Object(json))
}

/// Gives somebody a right and takes it; returns the microseconds from the reply until their socket is told.
async fn lose(stage: &Stage, other: &Server, way: Way) -> anyhow::Result<u32> {
    let mut owner = stage.connect().await?;
    let mut person = Connection::open(&stage.server.address).await?;
    let token = sign_in(&mut person).await?;
    let me = person.json(Method::GET, "/api/v1/auth/me", &Value::Null).await?;
    let (id, email) = (text(&me["id"])?, text(&me["email"])?);
    let organization = owner.json(Method::POST, "/api/v1/organizations", &json!({"name": "bench"})).await?;
    let organization = format!("/api/v1/organizations/{}", text(&organization["id"])?);
    let project = json!({"name": "bench", "organization_id": organization.rsplit('/').next()});
    let project = owner.json(Method::POST, "/api/v1/projects", &project).await?;
    let project_id = text(&project["id"])?;
    let project = format!("/api/v1/projects/{project_id}");
    let (members, role) = match way {
        Way::ProjectMember | Way::SignOut => (format!("{project}/members"), "collaborator"),
        Way::OrganizationMember | Way::Demotion => (format!("{organization}/members"), "admin"),
    };
    if role == "collaborator" {
        // A project takes members of its organization.
        let path = format!("{organization}/members");
        owner.json(Method::POST, &path, &json!({"email": email, "role": "member"})).await?;
    }
    owner.json(Method::POST, &members, &json!({"email": email, "role": role})).await?;
    let mut reader = Reader::follow(&other.address, &token, &project_id).await?;
    let member = format!("{members}/{id}");
    match way {
        Way::ProjectMember | Way::OrganizationMember => drop(owner.send(Method::DELETE, &member, Bytes::new()).await?),
        Way::Demotion => drop(owner.json(Method::PATCH, &member, &json!({"role": "member"})).await?),
        Way::SignOut => drop(person.send(Method::POST, "/api/v1/auth/logout", Bytes::new()).await?),
    }
    let replied = Instant::now();
    let told = async {
        // An event that leads to it may come before; the end is a frame, or the socket's.
        while let Ok(frame) = reader.next().await {
            if frame["type"] == "unsubscribed" {
                break;
            }
            ensure!(frame["type"] != "error", "{frame}");
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(super::PATIENCE, told).await.context("the right is not lost")??;
    micros(replied.elapsed())
}

fn text(value: &Value) -> anyhow::Result<String> {
    Ok(value.as_str().context("a reply lacks something")?.to_owned())
}
