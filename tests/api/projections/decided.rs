//! Replies of commands while the views are behind or cannot be read: what was decided, never what was before it, and never
//! that nothing was carried out.

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{PgPool, Postgres, Transaction};

use crate::{
    organizations::{add, organization},
    support::{Person, Reply, Server, World, eventually},
    tasks::titled,
    workspaces::{file, workspace},
};

/// Holds the views where they are until it is dropped.
async fn hold_views(pool: &PgPool) -> Transaction<'static, Postgres> {
    let mut held = pool.begin().await.expect("a transaction");
    sqlx::query("SELECT FROM projection_checkpoints FOR UPDATE").execute(&mut *held).await.expect("the checkpoints");
    held
}

/// A change of something, and how to read it afterwards.
struct Change {
    method: Method,
    path: String,
    body: Value,
    /// What the reply must say.
    expected: Value,
}

impl Change {
    fn new(method: Method, path: &str, body: Value, expected: Value) -> Self {
        Self { method, path: path.to_owned(), body, expected }
    }

    fn patch(path: &str, body: Value) -> Self {
        Self::new(Method::PATCH, path, body.clone(), body)
    }

    /// Where what was changed is read.
    fn resource(&self) -> &str {
        self.path.strip_suffix("/content").unwrap_or(&self.path)
    }

    async fn carry_out(&self, person: &Person) -> Reply {
        if self.path.ends_with("/content") {
            let plain = person.with_header("content-type", "text/plain");
            let text = self.body.as_str().expect("text").to_owned();
            return plain.send(self.method.clone(), &self.path, Some(text)).await;
        }
        person.send(self.method.clone(), &self.path, Some(self.body.to_string())).await
    }
}

#[track_caller]
fn assert_says(reply: &Value, expected: &Value) {
    for (field, value) in expected.as_object().expect("an object") {
        assert_eq!(&reply[field], value, "{field} of {reply}");
    }
}

/// The version in an entity tag.
#[track_caller]
fn version(reply: &Reply) -> i64 {
    let tag = reply.header("etag").trim_matches('"');
    tag.split('.').next().and_then(|version| version.parse().ok()).expect("a version")
}

/// One of each thing that can be changed, with somebody else in all of them.
struct Things {
    ada: Person,
    grace: Person,
    project: String,
    task: String,
    comment: String,
    workspace: String,
    room: String,
    files: [String; 2],
    organizations: [String; 2],
}

impl Things {
    async fn furnish(server: &Server) -> Self {
        let (ada, grace) = (server.person("ada").await, server.person("grace").await);
        let project = ada.project("Apollo").await;
        ada.invite(&project, &grace, "viewer").await;
        let task = titled(&ada, &project, "Launch").await;
        let comments = format!("{task}/comments");
        let comment = ada.post(&comments, json!({"body": "Soon."})).await.is(201).id();
        let workspace = self::workspace(&ada, &project, "Lab").await;
        let room = self::workspace(&ada, &project, "Room").await;
        let files = [file(&ada, &room, "a", "one").await, file(&ada, &room, "b", "one").await];
        let organizations = [organization(&ada, "Acme").await, organization(&ada, "Ajax").await];
        for organization in &organizations {
            add(&ada, organization, &grace, "member").await;
        }
        let comment = format!("{comments}/{comment}");
        Self { ada, grace, project, task, comment, workspace, room, files, organizations }
    }

    fn changes(&self) -> Vec<Change> {
        let grace = &self.grace.id;
        let assigned = json!({"title": "Land", "assignee_id": grace, "comment_count": 1});
        let settings = json!({"members_can_create_projects": true});
        let settled = json!({"members_can_create_projects": true, "allow_guests": false});
        vec![
            Change::patch(&format!("/projects/{}", self.project), json!({"name": "Gemini"})),
            Change::new(Method::PATCH, &self.task, json!({"title": "Land", "assignee_id": grace}), assigned),
            Change::patch(&self.comment, json!({"body": "Now."})),
            Change::patch(&self.workspace, json!({"name": "Attic"})),
            Change::patch(&self.files[0], json!({"path": "folder/a"})),
            Change::new(Method::PUT, &format!("{}/content", self.files[1]), json!("twelve bytes"), json!({"size": 12})),
            Change::patch(&format!("/projects/{}/members/{grace}", self.project), json!({"role": "collaborator"})),
            Change::new(
                Method::PATCH,
                &format!("/organizations/{}", self.organizations[0]),
                json!({"settings": settings}),
                json!({"settings": settled}),
            ),
            Change::patch(
                &format!("/organizations/{}/members/{grace}", self.organizations[1]),
                json!({"role": "admin"}),
            ),
        ]
    }

    /// What is created while the views are behind, and changed afterwards.
    fn creations(&self) -> Vec<(String, Value, Value)> {
        vec![
            ("/projects".to_owned(), json!({"name": "New"}), json!({"name": "Newer"})),
            (format!("/projects/{}/tasks", self.project), json!({"title": "New"}), json!({"title": "Newer"})),
            (format!("{}/comments", self.task), json!({"body": "New."}), json!({"body": "Newer."})),
            (format!("/projects/{}/workspaces", self.project), json!({"name": "New"}), json!({"name": "Newer"})),
            (format!("{}/files", self.room), json!({"path": "new"}), json!({"path": "newer"})),
            ("/organizations".to_owned(), json!({"name": "New"}), json!({"name": "Newer"})),
        ]
    }

    /// What can be read of something, as soon as the views show a reply.
    async fn read(&self, path: &str, reply: &Reply) -> Value {
        let position = reply.position();
        if let Some((members, id)) = path.split_once("/members/").filter(|_| path.starts_with("/organizations/")) {
            let listed = self.ada.get(&format!("{members}/members?min_position={position}")).await.is(200);
            return listed.items().iter().find(|member| member["user_id"] == id).expect("the member").clone();
        }
        self.ada.get(&format!("{path}?min_position={position}")).await.is(200).json
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_show_what_was_decided_while_the_views_are_behind() {
    let world = World::new().await;
    let server = world.server().await;
    let things = Things::furnish(&server).await;
    let ada = &things.ada;
    let pool = world.pool().await;
    let changes = things.changes();
    let mut before = Vec::new();
    for change in &changes {
        let is_listed_only = change.path.starts_with("/organizations/") && change.path.contains("/members/");
        let path = if is_listed_only {
            format!("/organizations/{}", things.organizations[1])
        } else {
            change.resource().to_owned()
        };
        before.push(version(&ada.get(&path).await.is(200)));
    }

    let held = hold_views(&pool).await;
    let created = join_all(things.creations().into_iter().map(|(path, body, change)| async move {
        let reply = ada.post(&path, body).await.is(201);
        let path = reply.header("location").strip_prefix("/api/v1").expect("a location").to_owned();
        (reply, Change::patch(&path, change))
    }));
    let changed = join_all(changes.iter().map(|change| change.carry_out(ada)));
    let (created, changed) = tokio::join!(created, changed);
    for ((reply, change), before) in changed.iter().zip(&changes).zip(before) {
        assert_eq!(reply.status, 200, "{} {}: {}", change.method, change.path, reply.text);
        assert_eq!(reply.header("workroom-visible"), "false", "the views are held");
        assert_says(&reply.json, &change.expected);
        assert_eq!(version(reply), before + 1, "{}", change.path);
    }
    assert_eq!(changed[1].json["assignee"]["user_id"], things.grace.id);
    assert_eq!(changed[1].json["assignee"]["email"], things.grace.email);

    // The same again changes nothing; and what the views have never shown can be changed.
    let again = join_all(changes.iter().map(|change| change.carry_out(ada)));
    let new = join_all(created.iter().map(|(_, change)| change.carry_out(ada)));
    let (again, new) = tokio::join!(again, new);
    for (reply, first) in again.iter().zip(&changed) {
        assert_eq!(reply.status, 200, "{}", reply.text);
        assert_eq!((&reply.json, version(reply)), (&first.json, version(first)), "the same again");
    }
    for (reply, (created, change)) in new.iter().zip(&created) {
        assert_eq!(reply.status, 200, "{}: {}", change.path, reply.text);
        assert_eq!(reply.header("workroom-visible"), "false");
        assert_says(&reply.json, &change.expected);
        assert_eq!(version(reply), version(created) + 1, "{}", change.path);
        for field in ["id", "created_at", "created_by"] {
            assert_eq!(reply.json[field], created.json[field], "{field} of {}", change.path);
        }
    }

    drop(held);
    for (reply, change) in changed.iter().zip(&changes).chain(new.iter().zip(created.iter().map(|(_, change)| change)))
    {
        let mut seen = things.read(change.resource(), reply).await;
        if change.path == things.task {
            // The comments that came meanwhile.
            assert_eq!(seen["comment_count"], 2);
            seen["comment_count"] = 1.into();
        }
        assert_says(&seen, &reply.json);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_carried_out_is_acknowledged_though_nothing_can_be_read_afterwards() {
    let world = World::with_own_postgres().await;
    let server = world.server().await;
    let things = Things::furnish(&server).await;
    let pool = world.pool().await;
    let head = async || -> i64 {
        sqlx::query_scalar("SELECT max(position) FROM events").fetch_one(&pool).await.expect("the head")
    };
    let (changes, before) = (things.changes(), head().await);
    let _held = hold_views(&pool).await;
    let carried_out = join_all(changes.iter().map(|change| change.carry_out(&things.ada)));
    let expected = before + i64::try_from(changes.len()).expect("a count");
    let killed = async {
        eventually("all are committed", async || head().await == expected).await;
        world.services().postgres().expect("a Postgres of one's own").kill9().await;
    };
    let (replies, ()) = tokio::join!(carried_out, killed);
    for (reply, change) in replies.iter().zip(&changes) {
        assert_eq!(reply.status, 200, "{} {}: {}", change.method, change.path, reply.text);
        assert_says(&reply.json, &change.expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_need_no_view() {
    let world = World::new().await;
    let server = world.server().await;
    let things = Things::furnish(&server).await;
    let pool = world.pool().await;
    for table in [
        "tasks",
        "comments",
        "workspaces",
        "files",
        "organizations",
        "organization_members",
        "members",
        "rosters",
        "projects",
    ] {
        let rename = format!("ALTER TABLE views.{table} RENAME TO {table}_away");
        sqlx::query(&rename).execute(&pool).await.expect("a view");
    }
    let changes = things.changes();
    for (reply, change) in
        join_all(changes.iter().map(|change| change.carry_out(&things.ada))).await.iter().zip(&changes)
    {
        assert_eq!(reply.status, 200, "{} {}: {}", change.method, change.path, reply.text);
        let mut expected = change.expected.clone();
        // Comments are counted by a view alone.
        expected.as_object_mut().expect("an object").remove("comment_count");
        assert_says(&reply.json, &expected);
    }
}
