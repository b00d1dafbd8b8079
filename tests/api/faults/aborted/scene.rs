//! What the requests are about: one of each thing that a path can name, made as clients make it.

use serde_json::{Value, json};

use super::{
    asked::{Asked, Ids},
    bodies::{NEVER, NOWHERE, unique, unknown},
    operations::{
        COMMENT, DELETE_TASKS, FILE, MEMBER, ORGANIZATION, ORGANIZATION_MEMBER, Operation, PROJECT, ROOM, SCHEDULE,
        TASK, WEBHOOK, WEBHOOKS,
    },
};
use crate::{
    organizations::add,
    support::{Person, Server, World, eventually},
};

/// The things, and who asks.
pub struct Scene<'a> {
    pub(super) world: &'a World,
    pub(super) server: &'a Server,
    /// Who owns all of it.
    pub(super) ada: Person,
    /// A member everywhere. It is her sessions that end.
    pub(super) bea: Person,
    /// Whose password is changed, to the same one.
    pub(super) cid: Person,
    ids: Ids,
}

impl<'a> Scene<'a> {
    pub async fn new(world: &'a World, server: &'a Server) -> Self {
        let (ada, bea, cid) = tokio::join!(server.person("ada"), server.person("bea"), server.person("cid"));
        let organization = create(&ada, "/organizations", json!({"name": "Works"})).await;
        add(&ada, &organization, &bea, "member").await;
        let project = ada.project("Apollo").await;
        ada.invite(&project, &bea, "viewer").await;
        let in_project = |nouns: &str| format!("/projects/{project}/{nouns}");
        let workspace = create(&ada, &in_project("workspaces"), json!({"name": "Main"})).await;
        let files = in_project(&format!("workspaces/{workspace}/files"));
        let file = create(&ada, &files, json!({"path": "a.txt", "content": "a"})).await;
        let task = create(&ada, &in_project("tasks"), json!({"title": "Think"})).await;
        let comments = in_project(&format!("tasks/{task}/comments"));
        let comment = create(&ada, &comments, json!({"body": "Twice."})).await;
        let hook = json!({"url": NOWHERE, "event_types": ["ScheduleCreated"]});
        let webhook = create(&ada, &in_project("webhooks"), hook).await;
        let schedule = json!({"project_id": project, "cron": "@yearly", "job": {"type": "noop"}});
        let schedule = create(&ada, "/schedules", schedule).await;
        let job = ada.job(json!({"type": "noop", "project_id": project, "run_at": NEVER})).await;
        let token = create(&ada, "/auth/tokens", json!({"name": "kept"})).await;
        let deliveries = in_project(&format!("webhooks/{webhook}/deliveries"));
        eventually("a delivery", async || !ada.get(&deliveries).await.is(200).items().is_empty()).await;
        let deliveries = ada.get(&deliveries).await.is(200).json;
        let delivery = deliveries["items"][0]["id"].as_str().expect("an id").to_owned();
        eventually("a checkpoint", async || ada.get("/log/checkpoint").await.status == 200).await;
        let ids = Ids::from([
            ("organization_id", organization),
            ("project_id", project),
            ("user_id", bea.id.clone()),
            ("workspace_id", workspace),
            ("file_id", file),
            ("task_id", task),
            ("comment_id", comment),
            ("webhook_id", webhook),
            ("delivery_id", delivery),
            ("schedule_id", schedule),
            ("job_id", job),
            ("token_id", token),
            ("seq", "1".to_owned()),
            // A tile that every tree of the log has.
            ("level", "0".to_owned()),
            ("index", "000.p/1".to_owned()),
        ]);
        Self { world, server, ada, bea, cid, ids }
    }

    pub fn address(&self) -> &str {
        &self.server.address
    }

    pub fn project(&self) -> &str {
        &self.ids["project_id"]
    }

    /// A request of an operation that the service can carry out, as it is sent.
    pub async fn request(&self, operation: &Operation) -> String {
        let (method, path) = (operation.method.as_str(), operation.path.as_str());
        let asked = match self.of_accounts(method, path).await {
            Some(asked) => asked,
            None => {
                let made = self.made_for(method, path).await;
                made.into_iter().fold(self.by(self.ada.token()), |asked, (name, id)| asked.id(name, &id))
            }
        };
        asked.request(operation, self.address())
    }

    /// Asked with the things that stay.
    pub(super) fn by(&self, token: &str) -> Asked {
        Asked::new(&self.ids, Some(token))
    }

    /// The same, without a token.
    pub(super) fn by_nobody(&self) -> Asked {
        Asked::new(&self.ids, None)
    }

    /// What is made for one request, since it ends that, or cannot be done with it twice.
    async fn made_for(&self, method: &str, path: &str) -> Vec<(&'static str, String)> {
        match (method, path) {
            ("DELETE", ORGANIZATION) | ("POST", "/organizations/{organization_id}/events/{seq}/redact") => {
                vec![("organization_id", self.organization().await)]
            }
            ("DELETE", ORGANIZATION_MEMBER) => {
                let organization = self.organization().await;
                add(&self.ada, &organization, &self.bea, "member").await;
                vec![("organization_id", organization)]
            }
            (_, "/organizations/{organization_id}/invitations/{invitation_id}") => {
                let members = format!("/organizations/{}/members", self.ids["organization_id"]);
                vec![("invitation_id", self.create(&members, json!({"email": unknown()})).await)]
            }
            (_, "/projects/{project_id}/invitations/{invitation_id}") => {
                vec![("invitation_id", self.create_here("members", json!({"email": unknown()})).await)]
            }
            ("POST", "/auth/me/events/{seq}/redact") => vec![("seq", self.own_event().await)],
            ("DELETE", "/auth/tokens/{token_id}") => {
                vec![("token_id", self.create("/auth/tokens", json!({"name": "spare"})).await)]
            }
            ("DELETE", PROJECT) | ("POST", WEBHOOKS | "/projects/{project_id}/events/{seq}/redact") => {
                vec![("project_id", self.ada.project("Gemini").await)]
            }
            ("POST", "/projects/{project_id}/purge") => {
                let project = self.ada.project("Gemini").await;
                self.ada.delete(&format!("/projects/{project}")).await.is(204);
                vec![("project_id", project)]
            }
            ("DELETE", MEMBER) => {
                let project = self.ada.project("Gemini").await;
                self.ada.invite(&project, &self.bea, "viewer").await;
                vec![("project_id", project)]
            }
            ("DELETE", WEBHOOK) => {
                let project = self.ada.project("Gemini").await;
                let webhook = self.create(&format!("/projects/{project}/webhooks"), json!({"url": NOWHERE})).await;
                vec![("project_id", project), ("webhook_id", webhook)]
            }
            ("DELETE", TASK) | ("POST", DELETE_TASKS) => {
                vec![("task_id", self.create_here("tasks", json!({"title": unique()})).await)]
            }
            ("DELETE", COMMENT) => {
                let comments = format!("tasks/{}/comments", self.ids["task_id"]);
                vec![("comment_id", self.create_here(&comments, json!({"body": unique()})).await)]
            }
            ("DELETE", ROOM) => vec![("workspace_id", self.create_here("workspaces", json!({"name": unique()})).await)],
            ("DELETE", FILE) => {
                let files = format!("workspaces/{}/files", self.ids["workspace_id"]);
                vec![("file_id", self.create_here(&files, json!({"path": unique(), "content": "b"})).await)]
            }
            ("DELETE", SCHEDULE) => vec![("schedule_id", self.schedule(Some(self.project())).await)],
            ("POST", "/jobs/{job_id}/cancel" | "/jobs/cancel") => self.waiting_job().await.into(),
            ("POST", "/jobs/{job_id}/retry" | "/jobs/retry" | "/jobs/delete") | ("DELETE", "/jobs/{job_id}") => {
                let job = self.waiting_job().await;
                self.ada.cancel(&job[0].1).await.is(200);
                job.into()
            }
            _ => Vec::new(),
        }
    }

    async fn create(&self, path: &str, body: Value) -> String {
        create(&self.ada, path, body).await
    }

    async fn create_here(&self, nouns: &str, body: Value) -> String {
        self.create(&format!("/projects/{}/{nouns}", self.project()), body).await
    }

    async fn organization(&self) -> String {
        self.create("/organizations", json!({"name": unique()})).await
    }

    /// A schedule of a project, or of `ada` alone.
    async fn schedule(&self, project: Option<&str>) -> String {
        let mut schedule = json!({"name": unique(), "cron": "@yearly", "job": {"type": "noop"}});
        if let Some(project) = project {
            schedule["project_id"] = project.into();
        }
        self.create("/schedules", schedule).await
    }

    /// The place of an event with a text in the history of `ada`'s account.
    async fn own_event(&self) -> String {
        let schedule = self.schedule(None).await;
        let listed = self.ada.get("/auth/me/events?type=ScheduleCreated&limit=100").await.is(200);
        let event = listed.items().iter().find(|event| event["aggregate_id"] == schedule);
        event.expect("its event")["seq"].to_string()
    }

    /// A job that waits, and its key, which no other has.
    async fn waiting_job(&self) -> [(&'static str, String); 2] {
        let key = unique();
        let job = json!({"type": "noop", "project_id": self.project(), "key": key, "run_at": NEVER});
        [("job_id", self.ada.job(job).await), ("key", key)]
    }
}

async fn create(person: &Person, path: &str, body: Value) -> String {
    person.post(path, body).await.is(201).id()
}
