//! The table of operations × callers, as callers meet it. Every operation of the OpenAPI document has a row here, or the
//! test fails.

mod growth;
mod relation;
mod revocation;

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    organizations::add,
    support::{Client, Person, Server, World},
};

/// What the callers of an operation are told.
#[derive(Clone, Copy)]
enum Expected {
    /// In a project: owner, collaborator, viewer, visitor of a public project. Admins of its organization are told what
    /// owners are; its auditors what visitors are, of private projects too (see [`to_auditors`]). To strangers, to other members of the organization, and to members that were removed, it does not
    /// exist.
    Project([u16; 4]),
    /// About an organization: admin, member; its auditors are told what members are. To strangers it does not exist.
    Organization([u16; 2]),
    /// About the caller's own account: whoever is signed in.
    Own(u16),
    /// Open to all; credentials do not matter.
    Open(u16),
}
use Expected::{Open, Organization, Own, Project};

type Row = (&'static str, &'static str, Option<Value>, Expected);

const WEBHOOKS: &str = "/projects/{project_id}/webhooks";
const WEBHOOK: &str = "/projects/{project_id}/webhooks/{webhook_id}";
const SECRET: &str = "/projects/{project_id}/webhooks/{webhook_id}/secret";
const DELIVERIES: &str = "/projects/{project_id}/webhooks/{webhook_id}/deliveries";
const REDELIVER: &str = "/projects/{project_id}/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver";
const ROOM: &str = "/projects/{project_id}/workspaces/{workspace_id}";
const FILES: &str = "/projects/{project_id}/workspaces/{workspace_id}/files";
const FILE: &str = "/projects/{project_id}/workspaces/{workspace_id}/files/{file_id}";
const CONTENT: &str = "/projects/{project_id}/workspaces/{workspace_id}/files/{file_id}/content";
const JOB: &str = "/jobs/{job_id}";
const RETRY: &str = "/jobs/{job_id}/retry";

/// `{email}` is the address of an account that is no member.
fn table() -> Vec<Row> {
    let edit = || Some(json!({"description": "edited"}));
    let said = || Some(json!({"body": "Said."}));
    let role = || Some(json!({"role": "viewer"}));
    let reason = || Some(json!({"reason": "posted by mistake"}));
    let run = json!({"type": "code_execution", "language": "bash", "code": "true", "project_id": "{project_id}"});
    let many = || Some(json!({"project_id": "{project_id}"}));
    let schedule = json!({"project_id": "{project_id}", "cron": "@yearly", "job": {"type": "noop"}});
    let wrong = || Some(json!({"token": "wrm_none", "new_password": "a good new password"}));
    vec![
        ("post", "/auth/register", Some(json!({"email": "{email}", "password": "some good password"})), Open(409)),
        ("post", "/auth/login", Some(json!({"email": "nobody@example.com", "password": "x"})), Open(401)),
        ("post", "/auth/refresh", Some(json!({"refresh_token": "wrt_none"})), Open(401)),
        ("post", "/auth/password/forgot", Some(json!({"email": "nobody@example.com"})), Open(202)),
        ("post", "/auth/password/reset", wrong(), Open(422)),
        ("post", "/auth/email/verify", Some(json!({"token": "wrm_none"})), Open(422)),
        ("post", "/webhooks/identity", Some(json!({})), Open(404)),
        ("get", "/auth/me", None, Own(200)),
        ("patch", "/auth/me", Some(json!({"full_name": "Somebody"})), Own(200)),
        ("put", "/auth/me", Some(json!({"full_name": "Somebody"})), Own(200)),
        ("delete", "/auth/me", Some(json!({"password": "not the password"})), Own(422)),
        ("get", "/auth/me/events", None, Own(200)),
        ("get", "/auth/me/events/{seq}/proof", None, Own(200)),
        ("get", "/log/checkpoint", None, Open(200)),
        ("get", "/log/keys", None, Open(200)),
        // No tile, and no sizes, are named.
        ("get", "/log/tile/{level}/{index}", None, Open(404)),
        ("get", "/log/consistency", None, Open(422)),
        ("get", "/auth/me/events/{seq}", None, Own(200)),
        // The first event of an account has no text.
        ("post", "/auth/me/events/{seq}/redact", reason(), Own(409)),
        ("post", "/auth/logout", None, Own(204)),
        ("get", "/auth/sessions", None, Own(200)),
        ("delete", "/auth/sessions/{session_id}", None, Own(404)),
        ("get", "/auth/tokens", None, Own(200)),
        ("post", "/auth/tokens", Some(json!({"name": "a token"})), Own(201)),
        ("delete", "/auth/tokens/{token_id}", None, Own(404)),
        ("get", "/auth/tokens/{token_id}", None, Own(404)),
        ("post", "/auth/password", Some(json!({"current_password": "no", "new_password": "a good one"})), Own(422)),
        ("post", "/auth/email/verification", None, Own(202)),
        ("post", "/realtime/tickets", None, Own(201)),
        ("get", "/realtime", None, Open(426)),
        ("get", "/organizations", None, Own(200)),
        ("post", "/organizations", Some(json!({"name": "Another"})), Own(201)),
        ("get", "/organizations/{organization_id}", None, Organization([200, 200])),
        ("get", "/organizations/{organization_id}/members", None, Organization([200, 200])),
        ("get", "/organizations/{organization_id}/projects", None, Organization([200, 200])),
        ("get", "/organizations/{organization_id}/events", None, Organization([200, 200])),
        ("get", "/organizations/{organization_id}/events/{seq}/proof", None, Organization([200, 200])),
        ("get", "/organizations/{organization_id}/events/export", None, Organization([200, 403])),
        ("get", "/organizations/{organization_id}/events/{seq}", None, Organization([200, 200])),
        ("post", "/organizations/{organization_id}/events/{seq}/redact", reason(), Organization([201, 403])),
        (
            "put",
            "/organizations/{organization_id}/retention",
            Some(json!({"job_output_days": 30})),
            Organization([200, 403]),
        ),
        ("patch", "/organizations/{organization_id}", Some(json!({"name": "Edited"})), Organization([200, 403])),
        ("put", "/organizations/{organization_id}", Some(json!({"name": "Edited"})), Organization([200, 403])),
        (
            "post",
            "/organizations/{organization_id}/members",
            Some(json!({"email": "{email}"})),
            Organization([201, 403]),
        ),
        (
            "patch",
            "/organizations/{organization_id}/members/{user_id}",
            Some(json!({"role": "admin"})),
            Organization([200, 403]),
        ),
        ("delete", "/organizations/{organization_id}/members/{user_id}", None, Organization([204, 403])),
        ("get", "/organizations/{organization_id}/members/{user_id}", None, Organization([200, 200])),
        (
            "put",
            "/organizations/{organization_id}/members/{user_id}",
            Some(json!({"role": "admin"})),
            Organization([200, 403]),
        ),
        ("delete", "/organizations/{organization_id}", None, Organization([204, 403])),
        ("get", "/organizations/{organization_id}/invitations", None, Organization([200, 403])),
        ("get", "/organizations/{organization_id}/invitations/{invitation_id}", None, Organization([200, 403])),
        ("delete", "/organizations/{organization_id}/invitations/{invitation_id}", None, Organization([204, 403])),
        ("post", "/invitations/{token}/accept", None, Own(404)),
        ("post", "/invitations/{token}/block", None, Open(404)),
        ("get", "/projects", None, Own(200)),
        ("post", "/projects", Some(json!({"name": "Another"})), Own(201)),
        ("get", "/projects/{project_id}", None, Project([200, 200, 200, 200])),
        ("get", "/projects/{project_id}/events", None, Project([200, 200, 200, 200])),
        ("get", "/projects/{project_id}/events/{seq}/proof", None, Project([200, 200, 200, 200])),
        ("get", "/projects/{project_id}/events/export", None, Project([200, 200, 200, 403])),
        ("get", "/projects/{project_id}/state", None, Project([200, 200, 200, 200])),
        ("get", "/projects/{project_id}/diff", None, Project([200, 200, 200, 200])),
        ("get", "/projects/{project_id}/events/{seq}", None, Project([200, 200, 200, 200])),
        ("post", "/projects/{project_id}/events/{seq}/redact", reason(), Project([201, 403, 403, 403])),
        // It is not deleted.
        ("post", "/projects/{project_id}/purge", reason(), Project([409, 403, 403, 403])),
        ("get", "/projects/{project_id}/events/stream", None, Project([200, 200, 200, 403])),
        ("get", "/events/stream", None, Project([200, 200, 200, 403])),
        (
            "post",
            "/projects/{project_id}/realtime",
            Some(json!({"name": "saved", "data": null})),
            Project([202, 202, 403, 403]),
        ),
        ("get", "/projects/{project_id}/members", None, Project([200, 200, 200, 403])),
        ("get", "/projects/{project_id}/members/{user_id}", None, Project([200, 200, 200, 403])),
        ("get", WEBHOOKS, None, Project([200, 403, 403, 403])),
        ("post", WEBHOOKS, Some(json!({"url": "https://hooks.invalid/"})), Project([201, 403, 403, 403])),
        ("get", WEBHOOK, None, Project([200, 403, 403, 403])),
        ("patch", WEBHOOK, Some(json!({"description": "edited"})), Project([200, 403, 403, 403])),
        ("delete", WEBHOOK, None, Project([204, 403, 403, 403])),
        ("post", SECRET, None, Project([201, 403, 403, 403])),
        ("get", DELIVERIES, None, Project([200, 403, 403, 403])),
        // There is none.
        ("post", REDELIVER, None, Project([404, 403, 403, 403])),
        ("get", "/jobs", None, Project([200, 200, 200, 403])),
        ("get", "/jobs/{job_id}", None, Project([200, 200, 200, 403])),
        ("get", "/jobs/{job_id}/logs", None, Project([200, 200, 200, 403])),
        ("get", "/jobs/{job_id}/artifacts", None, Project([200, 200, 200, 403])),
        ("get", "/projects/{project_id}/tasks", None, Project([200, 200, 200, 200])),
        ("get", "/projects/{project_id}/tasks/{task_id}", None, Project([200, 200, 200, 200])),
        ("get", "/projects/{project_id}/tasks/{task_id}/comments", None, Project([200, 200, 200, 200])),
        ("get", "/projects/{project_id}/tasks/{task_id}/comments/{comment_id}", None, Project([200, 200, 200, 200])),
        ("post", "/projects/{project_id}/tasks", Some(json!({"title": "Another"})), Project([201, 201, 403, 403])),
        ("get", "/projects/{project_id}/workspaces", None, Project([200, 200, 200, 403])),
        ("post", "/projects/{project_id}/workspaces", Some(json!({"name": "Lab"})), Project([201, 201, 403, 403])),
        ("get", ROOM, None, Project([200, 200, 200, 403])),
        ("patch", ROOM, edit(), Project([200, 200, 403, 403])),
        ("put", ROOM, edit(), Project([200, 200, 403, 403])),
        ("delete", ROOM, None, Project([204, 204, 403, 403])),
        ("get", FILES, None, Project([200, 200, 200, 403])),
        ("post", FILES, Some(json!({"path": "another"})), Project([201, 201, 403, 403])),
        ("get", FILE, None, Project([200, 200, 200, 403])),
        ("patch", FILE, Some(json!({"path": "elsewhere"})), Project([200, 200, 403, 403])),
        ("put", FILE, Some(json!({"path": "elsewhere"})), Project([200, 200, 403, 403])),
        ("delete", FILE, None, Project([204, 204, 403, 403])),
        ("get", CONTENT, None, Project([200, 200, 200, 403])),
        ("put", CONTENT, Some(json!("text")), Project([200, 200, 403, 403])),
        ("patch", "/projects/{project_id}/tasks/{task_id}", edit(), Project([200, 200, 403, 403])),
        ("put", "/projects/{project_id}/tasks/{task_id}", edit(), Project([200, 200, 403, 403])),
        ("post", "/projects/{project_id}/tasks/{task_id}/comments", said(), Project([201, 201, 403, 403])),
        // The collaborator said it.
        (
            "patch",
            "/projects/{project_id}/tasks/{task_id}/comments/{comment_id}",
            said(),
            Project([403, 200, 403, 403]),
        ),
        ("put", "/projects/{project_id}/tasks/{task_id}/comments/{comment_id}", said(), Project([403, 200, 403, 403])),
        ("delete", "/projects/{project_id}/tasks/{task_id}/comments/{comment_id}", None, Project([204, 204, 403, 403])),
        (
            "post",
            "/projects/{project_id}/tasks/delete",
            Some(json!({"ids": ["{task_id}"]})),
            Project([200, 200, 403, 403]),
        ),
        ("delete", "/projects/{project_id}/tasks/{task_id}", None, Project([204, 204, 403, 403])),
        ("patch", "/projects/{project_id}", edit(), Project([200, 200, 403, 403])),
        ("put", "/projects/{project_id}", edit(), Project([200, 200, 403, 403])),
        ("post", "/jobs", Some(run), Project([202, 202, 403, 403])),
        ("get", "/schedules", None, Project([200, 200, 200, 403])),
        ("post", "/schedules", Some(schedule), Project([201, 201, 403, 403])),
        ("get", "/schedules/{schedule_id}", None, Project([200, 200, 200, 403])),
        ("patch", "/schedules/{schedule_id}", Some(json!({"name": "Edited"})), Project([200, 200, 403, 403])),
        ("put", "/schedules/{schedule_id}", Some(json!({"name": "Edited"})), Project([200, 200, 403, 403])),
        ("delete", "/schedules/{schedule_id}", None, Project([204, 204, 403, 403])),
        ("post", "/jobs/{job_id}/cancel", None, Project([200, 200, 403, 403])),
        ("post", RETRY, None, Project([200, 200, 403, 403])),
        ("delete", JOB, None, Project([204, 204, 403, 403])),
        ("get", "/jobs/rules", None, Project([200, 200, 200, 403])),
        ("post", "/jobs/pause", many(), Project([200, 403, 403, 403])),
        ("post", "/jobs/resume", many(), Project([200, 403, 403, 403])),
        ("put", "/jobs/rules", many(), Project([200, 403, 403, 403])),
        ("post", "/jobs/cancel", many(), Project([202, 202, 403, 403])),
        ("post", "/jobs/retry", many(), Project([202, 202, 403, 403])),
        ("post", "/jobs/delete", many(), Project([202, 202, 403, 403])),
        ("patch", "/projects/{project_id}/members/{user_id}", role(), Project([200, 403, 403, 403])),
        ("put", "/projects/{project_id}/members/{user_id}", role(), Project([200, 403, 403, 403])),
        ("post", "/projects/{project_id}/members", Some(json!({"email": "{email}"})), Project([201, 403, 403, 403])),
        ("delete", "/projects/{project_id}/members/{user_id}", None, Project([204, 403, 403, 403])),
        ("get", "/projects/{project_id}/invitations", None, Project([200, 403, 403, 403])),
        ("get", "/projects/{project_id}/invitations/{invitation_id}", None, Project([200, 403, 403, 403])),
        ("delete", "/projects/{project_id}/invitations/{invitation_id}", None, Project([204, 403, 403, 403])),
        ("delete", "/projects/{project_id}", None, Project([204, 403, 403, 403])),
    ]
}

/// What auditors are told, who also export histories.
fn to_auditors(path: &str, status: u16) -> u16 {
    if path.ends_with("/events/export") { 200 } else { status }
}

struct Cast {
    owner: Person,
    collaborator: Person,
    viewer: Person,
    removed: Person,
    stranger: Person,
    further: Person,
    /// An admin, a member, and an auditor, of the organization.
    admin: Person,
    clerk: Person,
    auditor: Person,
    organization: String,
    /// Who has no, or no good, credentials.
    outsiders: Vec<(&'static str, Client)>,
}

impl Cast {
    async fn gather(server: &Server, brief: &Server) -> Self {
        let erased = server.person("erased").await;
        let body = json!({"password": erased.password}).to_string();
        let deleted = erased.send(Method::DELETE, "/auth/me", Some(body)).await;
        deleted.is(204);
        let owner = server.person("owner").await;
        let login = json!({"email": owner.email, "password": owner.password});
        let expired = brief.client().post("/auth/login", login).await.is(200).json["access_token"].clone();
        let expired = server.client().with_token(expired.as_str().expect("a token"));
        crate::support::eventually("the token expires", async || expired.get("/auth/me").await.status == 401).await;
        let mut forged: Vec<String> = owner.token().split('.').map(str::to_owned).collect();
        let claims = URL_SAFE_NO_PAD.decode(&forged[1]).expect("base64url");
        let mut claims: Value = serde_json::from_slice(&claims).expect("claims");
        claims["sub"] = owner.id.replace('0', "1").into();
        forged[1] = URL_SAFE_NO_PAD.encode(claims.to_string());
        let outsiders = vec![
            ("anonymous", server.client()),
            ("expired", expired),
            ("forged", server.client().with_token(&forged.join("."))),
            ("erased", (*erased).clone()),
        ];
        let (admin, clerk) = (server.person("admin").await, server.person("clerk").await);
        let auditor = server.person("auditor").await;
        let body = json!({"name": "Acme", "settings": {"members_can_create_projects": true, "allow_guests": true}});
        let organization = admin.post("/organizations", body).await.is(201).id();
        for member in [&owner, &clerk] {
            add(&admin, &organization, member, "member").await;
        }
        add(&admin, &organization, &auditor, "auditor").await;
        Self {
            admin,
            clerk,
            auditor,
            organization,
            owner,
            collaborator: server.person("collaborator").await,
            viewer: server.person("viewer").await,
            removed: server.person("removed").await,
            stranger: server.person("stranger").await,
            further: server.person("further").await,
            outsiders,
        }
    }

    /// A project with one member of each role, one to be acted upon, and one who was removed.
    async fn project(&self, is_public: bool, with_a_job: bool) -> Stage {
        let body = json!({"name": "Stage", "is_public": is_public, "organization_id": self.organization});
        let project = self.owner.post("/projects", body).await.is(201).id();
        for (person, role) in [
            (&self.collaborator, "collaborator"),
            (&self.viewer, "viewer"),
            (&self.further, "collaborator"),
            (&self.removed, "owner"),
        ] {
            self.owner.invite(&project, person, role).await;
        }
        self.owner.delete(&format!("/projects/{project}/members/{}", self.removed.id)).await.is(204);
        let mut job = String::new();
        if with_a_job {
            // It waits, so that it can be cancelled.
            let waiting = json!({"type": "noop", "project_id": project, "run_at": "2100-01-01T00:00:00Z"});
            job = self.owner.job(waiting).await;
        }
        let schedule = json!({"project_id": project, "cron": "@yearly", "job": {"type": "noop"}});
        let schedule = self.owner.post("/schedules", schedule).await.is(201).id();
        let tasks = format!("/projects/{project}/tasks");
        let task = self.owner.post(&tasks, json!({"title": "Launch"})).await.is(201).id();
        let comments = format!("{tasks}/{task}/comments");
        let comment = self.collaborator.post(&comments, json!({"body": "Soon."})).await.is(201).id();
        let workspaces = format!("/projects/{project}/workspaces");
        let workspace = self.owner.post(&workspaces, json!({"name": "Lab"})).await.is(201).id();
        let files = format!("{workspaces}/{workspace}/files");
        let file = self.owner.post(&files, json!({"path": "a", "content": "a"})).await.is(201).id();
        let hook = json!({"url": "https://hooks.invalid/", "event_types": ["ProjectDeleted"]});
        let webhook = self.owner.post(&format!("/projects/{project}/webhooks"), hook).await.is(201).id();
        let invitation = self.owner.post(&format!("/projects/{project}/members"), unknown()).await.is(201).id();
        Stage {
            project,
            job,
            schedule,
            task,
            comment,
            workspace,
            webhook,
            file,
            invitation,
            organization: self.organization.clone(),
        }
    }

    /// An organization of its own to act upon: an admin, an auditor, a member, and another one.
    async fn organization(&self) -> Stage {
        let organization = self.admin.post("/organizations", json!({"name": "Stage"})).await.is(201).id();
        for member in [&self.clerk, &self.further] {
            add(&self.admin, &organization, member, "member").await;
        }
        add(&self.admin, &organization, &self.auditor, "auditor").await;
        let members = format!("/organizations/{organization}/members");
        let invitation = self.admin.post(&members, unknown()).await.is(201).id();
        Stage { organization, invitation, ..Stage::default() }
    }
}

#[derive(Clone, Default)]
struct Stage {
    organization: String,
    project: String,
    job: String,
    schedule: String,
    task: String,
    comment: String,
    workspace: String,
    file: String,
    invitation: String,
    webhook: String,
}

/// Somebody who has no account.
fn unknown() -> Value {
    json!({"email": format!("unknown-{}@example.com", uuid::Uuid::now_v7().simple())})
}

async fn meets(client: &Client, who: &str, row: &Row, stage: &Stage, cast: &Cast, status: u16) {
    let (method, path, body, _) = row;
    let fill = |text: &str| {
        text.replace("{project_id}", &stage.project)
            .replace("{organization_id}", &stage.organization)
            .replace("{job_id}", &stage.job)
            .replace("{schedule_id}", &stage.schedule)
            .replace("{task_id}", &stage.task)
            .replace("{comment_id}", &stage.comment)
            .replace("{workspace_id}", &stage.workspace)
            .replace("{file_id}", &stage.file)
            .replace("{invitation_id}", &stage.invitation)
            .replace("{webhook_id}", &stage.webhook)
            .replace("{delivery_id}", &cast.further.id)
            .replace("{token}", "wrm_none")
            .replace("{seq}", "1")
            .replace("{user_id}", &cast.further.id)
            .replace("{session_id}", &cast.further.id)
            .replace("{token_id}", &cast.further.id)
            .replace("{email}", &cast.stranger.email)
    };
    let method = method.to_uppercase().parse().expect("a method");
    let of_project = ["/jobs", "/jobs/rules", "/schedules", "/events/stream"].contains(path);
    let query = if of_project { format!("?project_id={}", stage.project) } else { String::new() };
    let path_and_query = format!("{}{}", fill(path), if method == Method::GET { query.as_str() } else { "" });
    let client = if *path == CONTENT { &client.with_header("content-type", "text/plain") } else { client };
    let reply = client.send(method, &path_and_query, body.as_ref().map(|body| fill(&body.to_string()))).await;
    assert_eq!(reply.status, status, "{who}: {} {path}: {}", row.0, reply.text);
    if status >= 400 {
        reply.problem(status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_caller_may_do_what_the_table_says_and_nothing_else() {
    let world = World::new().await;
    let server = world.server().await;
    let brief = world.server_with(&[], &[("WORKROOM_ACCESS_TOKEN_SECONDS", "1")]).await;
    let document = server.client().get("/openapi.json").await.is(200).json;
    let mut without_a_row = BTreeSet::new();
    // What lies beside the API is for everybody.
    let paths = document["paths"].as_object().expect("paths");
    for (path, item) in paths.iter().filter(|(_, item)| item.get("servers").is_none()) {
        without_a_row.extend(item.as_object().expect("operations").keys().map(|method| (method.clone(), path.clone())));
    }
    let cast = Cast::gather(&server, &brief).await;
    for row in table() {
        let (method, path, _, expected) = &row;
        assert!(
            without_a_row.remove(&((*method).to_owned(), (*path).to_owned())),
            "{method} {path}: no such operation"
        );
        let project = async |is_public: bool| {
            let stage = cast.project(is_public, path.contains("{job_id}")).await;
            if *path == RETRY || (*method, *path) == ("delete", JOB) {
                cast.owner.cancel(&stage.job).await.is(200);
            }
            stage
        };
        let private = project(false).await;
        let outsiders = async |status: u16| {
            for (who, client) in &cast.outsiders {
                meets(client, who, &row, &private, &cast, status).await;
            }
        };
        match *expected {
            Open(status) => outsiders(status).await,
            Own(status) => {
                outsiders(401).await;
                let somebody = server.person("somebody").await;
                meets(&somebody, "somebody", &row, &private, &cast, status).await;
            }
            Project([owner, collaborator, viewer, visitor]) => {
                outsiders(401).await;
                let public = project(true).await;
                let before = cast.owner.history(&public.project).await.len();
                meets(&cast.stranger, "stranger", &row, &private, &cast, 404).await;
                meets(&cast.removed, "removed", &row, &private, &cast, 404).await;
                meets(&cast.clerk, "organization member", &row, &private, &cast, 404).await;
                meets(&cast.auditor, "auditor", &row, &private, &cast, to_auditors(path, visitor)).await;
                meets(&cast.stranger, "visitor", &row, &public, &cast, visitor).await;
                meets(&cast.removed, "removed, as a visitor", &row, &public, &cast, visitor).await;
                assert_eq!(cast.owner.history(&public.project).await.len(), before, "{path}: a visitor left a trace");
                meets(&cast.viewer, "viewer", &row, &private, &cast, viewer).await;
                meets(&cast.collaborator, "collaborator", &row, &private, &cast, collaborator).await;
                // Each on a stage of their own: their deeds may end the project.
                let stage = project(false).await;
                meets(&cast.owner, "owner", &row, &stage, &cast, owner).await;
                let stage = project(false).await;
                meets(&cast.admin, "organization admin", &row, &stage, &cast, owner).await;
            }
            Organization([admin, member]) => {
                outsiders(401).await;
                let stage = cast.organization().await;
                meets(&cast.stranger, "stranger", &row, &stage, &cast, 404).await;
                meets(&cast.clerk, "member", &row, &stage, &cast, member).await;
                meets(&cast.auditor, "auditor", &row, &stage, &cast, to_auditors(path, member)).await;
                meets(&cast.admin, "admin", &row, &stage, &cast, admin).await;
            }
        }
    }
    assert_eq!(without_a_row, BTreeSet::new(), "operations without a row");
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}
