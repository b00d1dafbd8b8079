//! (c): whole commands over HTTP. Each connection changes the description of projects of its own in turn.

use std::time::{Duration, Instant};

use anyhow::Context;
use futures::future::try_join_all;
use hyper::{Method, body::Bytes};
use serde_json::{Value, json};
use workroom_dev::services::Services;

use super::Bench;
use crate::{http_client::Connection, pgbench::PAYLOAD_BYTES, samples::Figures, server::Server};

const PROJECTS: usize = 256;

/// A service with somebody signed in and their projects.
pub struct Stage {
    pub server: Server,
    nats: Services,
    token: String,
    projects: Vec<String>,
}

/// Registers somebody and signs them in.
pub async fn sign_in(connection: &mut Connection) -> anyhow::Result<String> {
    let email = format!("bench-{}@example.com", uuid::Uuid::now_v7());
    let person = json!({"email": email, "password": "a yardstick for commands"});
    connection.json(Method::POST, "/api/v1/auth/register", &person).await?;
    let tokens = connection.json(Method::POST, "/api/v1/auth/login", &person).await?;
    let token = tokens["access_token"].as_str().context("no access token")?.to_owned();
    connection.sign_in(&token);
    Ok(token)
}

/// Founds a project, and returns its id.
pub async fn found_project(connection: &mut Connection) -> anyhow::Result<String> {
    let project = connection.json(Method::POST, "/api/v1/projects", &json!({"name": "bench"})).await?;
    Ok(project["id"].as_str().context("no project id")?.to_owned())
}

impl Stage {
    pub async fn prepare(bench: &Bench) -> anyhow::Result<Self> {
        let url = bench.workroom_database("bench_http").await?;
        let nats = bench.nats(&url).await?;
        let server = bench.server(&url, &nats).await?;
        let mut connection = Connection::open(&server.address).await?;
        let token = sign_in(&mut connection).await?;
        let mut projects = Vec::with_capacity(PROJECTS);
        for _ in 0..PROJECTS {
            projects.push(found_project(&mut connection).await?);
        }
        Ok(Self { server, nats, token, projects })
    }

    /// Ends the service and its NATS.
    pub async fn stop(self) {
        self.server.stop().await;
        self.nats.stop().await;
    }

    pub async fn measure(&self, connections: usize, duration: Duration) -> anyhow::Result<Figures> {
        let mut opened = Vec::new();
        for own in self.projects.chunks(PROJECTS / connections).take(connections) {
            let mut connection = Connection::open(&self.server.address).await?;
            connection.sign_in(&self.token);
            opened.push((connection, own.to_vec()));
        }
        let begun = Instant::now();
        let tasks =
            opened.into_iter().map(|(connection, own)| tokio::spawn(change_until(connection, own, begun + duration)));
        let latencies: Vec<Vec<u32>> =
            try_join_all(tasks).await?.into_iter().collect::<anyhow::Result<_>>().context("a command failed")?;
        Ok(Figures::of(latencies.concat(), begun.elapsed()))
    }
}

/// A description that no other change has set, of the yardstick's size.
pub fn change(count: usize) -> Value {
    json!({"description": format!("{count:0>width$}", width = PAYLOAD_BYTES)})
}

async fn change_until(mut connection: Connection, projects: Vec<String>, end: Instant) -> anyhow::Result<Vec<u32>> {
    let mut latencies = Vec::new();
    let seed = usize::try_from(uuid::Uuid::now_v7().as_u128() % 1_000_000_007)?;
    for (count, project) in projects.iter().cycle().enumerate() {
        let body = Bytes::from(change(seed + count).to_string());
        let path = format!("/api/v1/projects/{project}");
        let begun = Instant::now();
        if begun >= end {
            break;
        }
        connection.send(Method::PATCH, &path, body).await?;
        latencies.push(u32::try_from(begun.elapsed().as_micros())?);
    }
    Ok(latencies)
}
