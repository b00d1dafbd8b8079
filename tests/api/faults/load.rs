//! A load of commands whose every answer is remembered, so that the log can be held against it afterwards.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use reqwest::Method;
use serde_json::json;
use sqlx::PgPool;
use tokio::{sync::watch, task::JoinSet};
use uuid::Uuid;

use crate::{
    event_store::log::assert_whole,
    support::{Person, Reply, Server, World, eventually},
};

/// How long a client waits before it tries again after a failure.
const PAUSE: Duration = Duration::from_millis(20);

/// What clients were told.
#[derive(Default)]
struct Told {
    /// Edits answered with success: the text each wrote.
    edited: Vec<String>,
    /// Edits whose fate the client does not know.
    open: Vec<String>,
    /// Projects created: name and id.
    created: Vec<(String, String)>,
    /// Names of projects that were asked for, but not answered when the load ended.
    not_created: Vec<String>,
}

#[derive(Default)]
struct Counters {
    done: AtomicUsize,
    busy: AtomicUsize,
    failed: AtomicUsize,
    stop: AtomicBool,
}

/// Sixteen clients that edit projects and found new ones, until told to stop.
pub struct Load {
    address: watch::Sender<String>,
    counters: Arc<Counters>,
    clients: JoinSet<Told>,
    told: Told,
}

/// Insists that a reply is success, or "come again" in the documented form; never anything else.
#[track_caller]
fn is_done(reply: Reply, success: u16) -> Option<Reply> {
    if reply.status == 503 {
        let reply = reply.problem(503);
        let after: u64 = reply.header("retry-after").parse().expect("Retry-After in seconds");
        assert!((1..=60).contains(&after), "{after}");
        return None;
    }
    Some(reply.is(success))
}

struct Client {
    person: Person,
    address: watch::Receiver<String>,
    counters: Arc<Counters>,
}

impl Client {
    fn goes_on(&self) -> bool {
        !self.counters.stop.load(Ordering::Relaxed)
    }

    /// One attempt; `None` when the client cannot know whether it was carried out.
    async fn attempt(&self, method: Method, path: &str, body: &str, key: Option<&str>, success: u16) -> Option<Reply> {
        let address = self.address.borrow().clone();
        let mut client = self.person.at(&address).with_token(self.person.token());
        if let Some(key) = key {
            client = client.with_header("idempotency-key", key);
        }
        let done = match client.try_send(method, path, Some(body.to_owned())).await {
            // The same key, by a request of this client whose connection was lost, may still be at work.
            Ok(reply) if key.is_some() && reply.status == 409 => {
                reply.problem(409);
                None
            }
            Ok(reply) => {
                let done = is_done(reply, success);
                if done.is_none() {
                    self.counters.busy.fetch_add(1, Ordering::Relaxed);
                }
                done
            }
            Err(_) => {
                self.counters.failed.fetch_add(1, Ordering::Relaxed);
                None
            }
        };
        if done.is_some() {
            self.counters.done.fetch_add(1, Ordering::Relaxed);
        } else {
            tokio::time::sleep(PAUSE).await;
        }
        done
    }

    /// Edits a project, each time with a text that was never there before; a failed edit is not repeated.
    async fn edit(self, project: String) -> Told {
        let mut told = Told::default();
        let path = format!("/projects/{project}");
        while self.goes_on() {
            let text = Uuid::now_v7().to_string();
            let body = json!({"description": text}).to_string();
            match self.attempt(Method::PATCH, &path, &body, None, 200).await {
                Some(reply) => {
                    assert!(reply.position() > 0);
                    told.edited.push(text);
                }
                None => told.open.push(text),
            }
        }
        told
    }

    /// Creates projects, each under a key of its own, repeated until it is answered.
    async fn found(self) -> Told {
        let mut told = Told::default();
        while self.goes_on() {
            let name = Uuid::now_v7().to_string();
            let body = json!({"name": name}).to_string();
            loop {
                if let Some(reply) = self.attempt(Method::POST, "/projects", &body, Some(&name), 201).await {
                    told.created.push((name, reply.id()));
                    break;
                }
                if !self.goes_on() {
                    told.not_created.push(name);
                    break;
                }
            }
        }
        told
    }
}

impl Load {
    /// Begins: twelve clients edit these projects, four found new ones.
    pub fn begin(server: &Server, person: &Person, projects: &[String]) -> Self {
        let (address, receiver) = watch::channel(server.address.clone());
        let counters = Arc::<Counters>::default();
        let mut clients = JoinSet::new();
        for number in 0..16 {
            let client = Client { person: person.clone(), address: receiver.clone(), counters: Arc::clone(&counters) };
            if number < 12 {
                clients.spawn(client.edit(projects[number % projects.len()].clone()));
            } else {
                clients.spawn(client.found());
            }
        }
        Self { address, counters, clients, told: Told::default() }
    }

    /// Where the clients turn from now on.
    pub fn turn_to(&self, server: &Server) {
        self.address.send_replace(server.address.clone());
    }

    /// Commands answered with success so far.
    pub fn done(&self) -> usize {
        self.counters.done.load(Ordering::Relaxed)
    }

    /// Commands answered with 503 so far.
    pub fn busy(&self) -> usize {
        self.counters.busy.load(Ordering::Relaxed)
    }

    /// Commands without an answer so far.
    pub fn failed(&self) -> usize {
        self.counters.failed.load(Ordering::Relaxed)
    }

    /// Waits until so many more commands were answered with success.
    pub async fn goes_on(&mut self, more: usize) {
        let goal = self.done() + more;
        self.until("the load goes on", |load| load.done() >= goal).await;
    }

    /// Waits until so many more commands were answered with 503.
    pub async fn is_refused(&mut self, more: usize) {
        let goal = self.busy() + more;
        self.until("commands are refused", |load| load.busy() >= goal).await;
    }

    async fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        while !holds(self) {
            // A client that found something wrong is heard at once.
            if let Some(ended) = self.clients.try_join_next() {
                match ended {
                    Ok(told) => self.told.add(told),
                    Err(panic) => std::panic::resume_unwind(panic.into_panic()),
                }
            }
            assert!(tokio::time::Instant::now() < deadline, "never: {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends the load, and holds the log against what the clients were told: law 1, law 4, and each command once.
    pub async fn end(mut self, world: &World, pool: &PgPool) {
        self.counters.stop.store(true, Ordering::Relaxed);
        let all = async {
            while let Some(ended) = self.clients.join_next().await {
                self.told.add(ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())));
            }
        };
        tokio::time::timeout(Duration::from_secs(60), all).await.expect("clients that end");
        let Told { edited, open, created, not_created } = self.told;
        assert_whole(pool).await;
        let written: Vec<String> = sqlx::query_scalar(
            "SELECT payload #>> '{changes,description,to}' FROM events
             WHERE event_type = 'ProjectUpdated' AND payload #>> '{changes,description,to}' IS NOT NULL",
        )
        .fetch_all(pool)
        .await
        .expect("edits");
        let once: HashSet<&String> = written.iter().collect();
        assert_eq!(once.len(), written.len(), "an edit is in the log twice");
        let lost: Vec<_> = edited.iter().filter(|text| !once.contains(text)).collect();
        assert!(lost.is_empty(), "{} of {} acknowledged edits are lost: {lost:?}", lost.len(), edited.len());
        let known: HashSet<&String> = edited.iter().chain(&open).collect();
        assert!(once.is_subset(&known), "the log holds edits that nobody asked for");
        let made: Vec<(String, String)> =
            sqlx::query_as("SELECT payload->>'name', aggregate_id FROM events WHERE event_type = 'ProjectCreated'")
                .fetch_all(pool)
                .await
                .expect("projects");
        for named in &created {
            let same: Vec<_> = made.iter().filter(|(name, _)| *name == named.0).collect();
            assert_eq!(same, [named], "one project for one key");
        }
        for name in &not_created {
            assert!(made.iter().filter(|(made, _)| made == name).count() <= 1, "two projects for one key");
        }
        eprintln!(
            "load: {} edits and {} projects acknowledged, {} answered 503, {} not answered",
            edited.len(),
            created.len(),
            self.counters.busy.load(Ordering::Relaxed),
            self.counters.failed.load(Ordering::Relaxed)
        );
        assert_proved(world, pool).await;
    }
}

impl Told {
    fn add(&mut self, other: Self) {
        self.edited.extend(other.edited);
        self.open.extend(other.open);
        self.created.extend(other.created);
        self.not_created.extend(other.not_created);
    }
}

/// Views equal a replay, and every event was allowed, as the commands say that prove it.
pub async fn assert_proved(world: &World, pool: &PgPool) {
    eventually("the views are at the head of the log", || async {
        let behind: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM projection_checkpoints WHERE position < (SELECT max(position) FROM events)",
        )
        .fetch_one(pool)
        .await
        .unwrap_or(1);
        behind == 0
    })
    .await;
    let (verified, text) = world.command(&["projections", "verify"]).await;
    assert!(verified, "{text}");
    let (proved, text) = world.command(&["audit", "access"]).await;
    assert!(proved, "{text}");
}

/// A person with a few projects to edit.
pub async fn ada(server: &Server) -> (Person, Vec<String>) {
    let ada = server.person("ada").await;
    let mut projects = Vec::new();
    for name in ["Mercury", "Gemini", "Apollo"] {
        projects.push(ada.project(name).await);
    }
    (ada, projects)
}
