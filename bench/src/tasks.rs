//! `./dev bench tasks`: reads and lists beside a bare health request, in a project with 100,000 tasks; creating a task
//! beside changing a project, which `bench commands` measures beside pgbench; and how long the reminders of 10,000 tasks
//! take that are due at one moment.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use futures::future::try_join_all;
use hyper::{Method, body::Bytes};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use workroom_dev::{child::workroom_bin, services::Services};

use crate::{
    Options,
    commands::{found_project, sign_in},
    http_client::Connection,
    mail_sink::MailSink,
    report::{bar, line, progress},
    samples::{Figures, median},
    server::{Server, services},
};

/// Tasks in the project that is read.
const TASKS: usize = 100_000;
/// Tasks that are due at one moment.
const DUE: usize = 10_000;
/// Connections that create.
const CREATORS: usize = 64;
/// How long it takes, at most, until all of those that are due are written down and their assignees told.
const LEAD: Duration = Duration::from_secs(90);
/// How long their reminders may take.
const MINUTE: Duration = Duration::from_mins(1);

struct Stage {
    server: Server,
    services: Services,
    mails: MailSink,
    reader: Connection,
    token: String,
    account: String,
}

/// Runs the benchmark.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    let mut stage = Stage::prepare().await?;
    let mut figures = serde_json::Map::new();
    if options.wants("create") {
        figures.insert("create".to_owned(), stage.creations(options).await?);
    }
    if options.wants("lists") {
        figures.insert("lists".to_owned(), stage.lists(options).await?);
    }
    if options.wants("reminders") {
        figures.insert("reminders".to_owned(), stage.reminders().await?);
    }
    stage.server.stop().await;
    stage.services.stop().await;
    options.write(figures)
}

/// A task, which tells its number.
fn task(number: usize, assignee: Option<&str>, due_at: Option<OffsetDateTime>) -> anyhow::Result<Bytes> {
    let status = ["todo", "in_progress", "done"][number % 3];
    let priority = ["low", "medium", "high"][number % 3];
    let due_at = due_at.map(|at| at.format(&Rfc3339)).transpose()?;
    let task = json!({"title": format!("Task {number}"), "description": format!("{number:0>200}"), "status": status,
        "priority": priority, "assignee_id": assignee, "due_at": due_at});
    Ok(Bytes::from(task.to_string()))
}

impl Stage {
    async fn prepare() -> anyhow::Result<Self> {
        let binary = workroom_bin()?;
        let services = services().await?;
        let mails = MailSink::start().await?;
        let variables = [("WORKROOM_SMTP_URL", mails.url())];
        let server = Server::start_with(&binary, services.owner_url(), services.nats_url(), &variables).await?;
        let mut reader = Connection::open(&server.address).await?;
        let token = sign_in(&mut reader).await?;
        let me: Value = serde_json::from_slice(&reader.send(Method::GET, "/api/v1/auth/me", Bytes::new()).await?)?;
        let account = me["id"].as_str().context("no id")?.to_owned();
        Ok(Self { server, services, mails, reader, token, account })
    }

    async fn reconnect(&mut self) -> anyhow::Result<()> {
        self.reader = Connection::open(&self.server.address).await?;
        self.reader.sign_in(&self.token);
        Ok(())
    }

    /// Sends requests over many connections until there are no more, or the time is up; returns their latencies.
    async fn send_all(
        &self,
        next: impl Fn(usize) -> anyhow::Result<(Method, String, Bytes)> + Send + Sync + 'static,
        count: usize,
        end: Option<Instant>,
    ) -> anyhow::Result<Figures> {
        let next = Arc::new(next);
        let begun = Instant::now();
        let senders = (0..CREATORS).map(|sender| {
            let (address, token, next) = (self.server.address.clone(), self.token.clone(), Arc::clone(&next));
            tokio::spawn(async move {
                let mut connection = Connection::open(&address).await?;
                connection.sign_in(&token);
                let mut latencies = Vec::new();
                for number in (sender..count).step_by(CREATORS) {
                    let sent = Instant::now();
                    if end.is_some_and(|end| sent >= end) {
                        break;
                    }
                    let (method, path, body) = next(number)?;
                    connection.send(method, &path, body).await?;
                    latencies.push(u32::try_from(sent.elapsed().as_micros())?);
                }
                anyhow::Ok(latencies)
            })
        });
        let latencies: Vec<Vec<u32>> =
            try_join_all(senders).await?.into_iter().collect::<anyhow::Result<_>>().context("a request failed")?;
        Ok(Figures::of(latencies.concat(), begun.elapsed()))
    }

    /// Creating tasks beside changing projects, one after the other in each round.
    async fn creations(&mut self, options: &Options) -> anyhow::Result<Value> {
        let mut projects = Vec::new();
        for _ in 0..256 {
            projects.push(found_project(&mut self.reader).await?);
        }
        let (mut creations, mut changes) = (Vec::new(), Vec::new());
        for round in 1..=options.rounds.max(1) {
            progress(&format!("round {round}: changes of projects, creations of tasks"));
            let own = projects.clone();
            let change = move |number: usize| {
                let path = format!("/api/v1/projects/{}", own[number % own.len()]);
                let body = json!({"description": format!("{round} {number:0>200}")});
                Ok((Method::PATCH, path, Bytes::from(body.to_string())))
            };
            changes.push(self.send_all(change, usize::MAX, Some(Instant::now() + options.duration())).await?);
            let own = projects.clone();
            let create = move |number: usize| {
                let path = format!("/api/v1/projects/{}/tasks", own[number % own.len()]);
                Ok((Method::POST, path, task(number, None, None)?))
            };
            creations.push(self.send_all(create, usize::MAX, Some(Instant::now() + options.duration())).await?);
        }
        let ratio = median(creations.iter().zip(&changes).map(|(own, yard)| own.per_second / yard.per_second));
        let (creation, change) = (Figures::median(&creations), Figures::median(&changes));
        line(&format!(
            "{:<46}{:>12}{:>10}{:>10}{:>10}",
            "over 64 connections", "per second", "p50 ms", "p99 ms", "ratio"
        ));
        for (name, figures, ratio) in [("change a project", change, 1.0), ("create a task", creation, ratio)] {
            line(&format!(
                "{name:<46}{:>12.0}{:>10.2}{:>10.2}{ratio:>10.2}",
                figures.per_second,
                figures.p50_us / 1e3,
                figures.p99_us / 1e3
            ));
        }
        Ok(json!({"change": change.json(), "create": creation.json(), "ratio": ratio}))
    }

    /// Reads and lists beside a bare health request.
    async fn lists(&mut self, options: &Options) -> anyhow::Result<Value> {
        self.reconnect().await?;
        let project = found_project(&mut self.reader).await?;
        progress(&format!("{TASKS} tasks are written down"));
        let path = format!("/api/v1/projects/{project}/tasks");
        let (create, account) = (path.clone(), self.account.clone());
        let create = move |number: usize| {
            let due_at =
                workroom::clock::now() + time::Duration::days(30) + time::Duration::seconds(i64::try_from(number)?);
            // Mails about each would be another benchmark.
            let assignee = number.is_multiple_of(1000).then_some(account.as_str());
            Ok((Method::POST, create.clone(), task(number, assignee, Some(due_at))?))
        };
        self.send_all(create, TASKS, None).await?;
        // The service has hung up on who said nothing for so long.
        self.reconnect().await?;
        let one = self.reader.json(Method::POST, &path, &json!({"title": "One"})).await?;
        let task = one["id"].as_str().context("no id")?;
        let newest = self.reader.send(Method::GET, &format!("{path}?limit=100"), Bytes::new()).await?;
        let newest: Value = serde_json::from_slice(&newest)?;
        let cursor = newest["next_cursor"].as_str().context("no cursor")?;
        let soon = (workroom::clock::now() + time::Duration::days(31)).format(&Rfc3339)?;
        let reads = [
            ("GET /health", "/health".to_owned()),
            ("a project", format!("/api/v1/projects/{project}")),
            ("a task", format!("{path}/{task}")),
            ("20 tasks, the newest", path.clone()),
            ("20 tasks, further on", format!("{path}?cursor={cursor}")),
            ("20 tasks in progress", format!("{path}?status=in_progress")),
            ("20 tasks of somebody", format!("{path}?assignee_id={}", self.account)),
            ("20 tasks by due time", format!("{path}?due_from={soon}")),
            ("20 projects", "/api/v1/projects".to_owned()),
            ("20 members", format!("/api/v1/projects/{project}/members")),
            ("20 events of the history", format!("/api/v1/projects/{project}/events?after=50000")),
        ];
        let mut measured: Vec<Vec<Figures>> = vec![Vec::new(); reads.len()];
        for round in 1..=options.rounds.max(1) {
            progress(&format!("round {round}: reads and lists"));
            for ((_, path), figures) in reads.iter().zip(&mut measured) {
                figures.push(self.read(path, options.duration()).await?);
            }
        }
        line(&format!(
            "\n{:<46}{:>10}{:>10}{:>10}",
            format!("one after the other, {TASKS} tasks"),
            "p50 ms",
            "p99 ms",
            "ratio"
        ));
        let mut json = serde_json::Map::new();
        let health = measured[0].clone();
        for ((name, _), figures) in reads.iter().zip(&measured) {
            let ratio = median(figures.iter().zip(&health).map(|(own, health)| own.p99_us / health.p99_us));
            let middle = Figures::median(figures);
            line(&format!("{name:<46}{:>10.2}{:>10.2}{ratio:>10.2}", middle.p50_us / 1e3, middle.p99_us / 1e3));
            let mut value = middle.json();
            value["p99_ratio"] = json!(ratio);
            json.insert((*name).to_owned(), value);
        }
        Ok(Value::Object(json))
    }

    async fn read(&mut self, path: &str, duration: Duration) -> anyhow::Result<Figures> {
        let begun = Instant::now();
        let mut latencies = Vec::new();
        while begun.elapsed() < duration {
            let sent = Instant::now();
            self.reader.send(Method::GET, path, Bytes::new()).await?;
            latencies.push(u32::try_from(sent.elapsed().as_micros())?);
        }
        Ok(Figures::of(latencies, begun.elapsed()))
    }

    /// The reminders of many tasks that are due at one moment.
    async fn reminders(&mut self) -> anyhow::Result<Value> {
        self.reconnect().await?;
        let project = found_project(&mut self.reader).await?;
        let (due, due_at) = (Instant::now() + LEAD, workroom::clock::now() + LEAD);
        progress(&format!("{DUE} tasks are written down that are due in {} s", LEAD.as_secs()));
        let (path, account) = (format!("/api/v1/projects/{project}/tasks"), self.account.clone());
        let (_, before) = self.mails.taken();
        let create = move |number: usize| {
            // None of them is done.
            let body = task(number * 3, Some(&account), Some(due_at))?;
            Ok((Method::POST, path.clone(), body))
        };
        let begun = Instant::now();
        self.send_all(create, DUE, None).await?;
        progress("the assignee is told of each");
        while self.mails.taken().1 < before + DUE {
            anyhow::ensure!(Instant::now() < due, "telling of {DUE} tasks took longer than {} s", LEAD.as_secs());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let told = self.mails.last().map_or(f64::NAN, |last| (last - begun).as_secs_f64());
        tokio::time::sleep_until(due.into()).await;
        progress("they are due");
        while self.mails.taken().0 < DUE && due.elapsed() < MINUTE * 2 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let (sent, _) = self.mails.taken();
        let took = self.mails.last().map_or(f64::NAN, |last| (last - due).as_secs_f64());
        line(&format!("\n{DUE} tasks written down and their assignee told, by mail, within {told:.1} s"));
        let text =
            format!("{sent} of {DUE} reminders due at one moment sent within {took:.1} s (bar {} s)", MINUTE.as_secs());
        bar(sent == DUE && took <= MINUTE.as_secs_f64(), &text);
        Ok(json!({"told_s": told, "sent": sent, "took_s": took}))
    }
}
