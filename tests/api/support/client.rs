//! REST clients.

use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use uuid::Uuid;
use workroom::http::problem::codes;
use workroom_domain::refusal::Kind;

use super::described::assert_described;

/// A REST client; paths are below `/api/v1` unless they begin with `//`.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    address: String,
    token: Option<String>,
    headers: Vec<(String, String)>,
}

/// A reply.
#[derive(Debug)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, if that is JSON; else null.
    pub json: Value,
    /// Its body as text.
    pub text: String,
}

impl Reply {
    /// Insists on a status.
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// Insists on an error of this status in the documented form.
    #[track_caller]
    pub fn problem(self, status: u16) -> Self {
        let reply = self.is(status);
        assert_eq!(reply.header("content-type"), "application/problem+json", "{}", reply.text);
        for field in ["type", "title", "code", "detail", "instance"] {
            assert!(reply.json[field].as_str().is_some_and(|text| !text.is_empty()), "no {field}: {}", reply.text);
        }
        assert_eq!(reply.json["instance"].as_str(), reply.headers["x-request-id"].to_str().ok());
        reply.assert_documented();
        reply
    }

    /// Insists on a refusal that is known by this code.
    #[track_caller]
    pub fn refused(self, code: &str) -> Self {
        let documented = codes::all().find(|known| known.name == code).expect("a documented code");
        let reply = self.problem(codes::status(documented).as_u16());
        assert_eq!(reply.json["code"], code, "{}", reply.text);
        reply
    }

    /// Insists that this field, and no other, does not hold, for a reason that is known by this code.
    #[track_caller]
    pub fn refused_field(self, pointer: &str, code: &str) -> Self {
        let reply = self.refused("invalid");
        let errors = reply.json["errors"].as_array().expect("errors");
        assert_eq!(errors.len(), 1, "{}", reply.text);
        assert_eq!((&errors[0]["pointer"], &errors[0]["code"]), (&json!(pointer), &json!(code)), "{}", reply.text);
        reply
    }

    /// An error says nothing but what is documented, whatever it is.
    #[track_caller]
    fn assert_documented(&self) {
        let text = &self.text;
        let code = self.json["code"].as_str().unwrap_or_default();
        let known = codes::all().find(|known| known.name == code && known.kind != Kind::Field);
        let known = known.unwrap_or_else(|| panic!("no documented code: {text}"));
        assert_eq!(codes::status(known).as_u16(), self.status, "{text}");
        assert_eq!(self.json["status"], self.status, "{text}");
        assert_eq!(self.json["type"], format!("urn:workroom:problem:{code}"), "{text}");
        for error in self.json["errors"].as_array().unwrap_or(&Vec::new()) {
            let is_documented = codes::all().any(|known| error["code"] == known.name && known.kind == Kind::Field);
            assert!(is_documented, "no documented code of a field: {text}");
        }
    }

    /// A header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The log position that a command's reply is about.
    #[track_caller]
    pub fn position(&self) -> i64 {
        self.header("workroom-position").parse().expect("a position")
    }

    /// The resource's id.
    #[track_caller]
    pub fn id(&self) -> String {
        self.json["id"].as_str().expect("an id").to_owned()
    }

    /// The items of a list.
    #[track_caller]
    pub fn items(&self) -> &Vec<Value> {
        self.json["items"].as_array().expect("items")
    }
}

impl Client {
    pub(super) fn new(address: &str) -> Self {
        let http = reqwest::Client::builder().timeout(std::time::Duration::from_secs(60)).build().expect("a client");
        Self { http, address: address.to_owned(), token: None, headers: Vec::new() }
    }

    /// The same client with another access token.
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The same client at another instance.
    pub fn at(&self, address: &str) -> Self {
        Self { address: address.to_owned(), ..self.clone() }
    }

    /// The same client with a further header on every request.
    pub fn with_header(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.push((name.to_owned(), value.to_owned()));
        client
    }

    /// The access token.
    pub fn token(&self) -> &str {
        self.token.as_deref().expect("somebody signed in")
    }

    /// Whether somebody signed in.
    pub fn is_signed_in(&self) -> bool {
        self.token.is_some()
    }

    /// Where the service listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, None).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.send(Method::DELETE, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.send(Method::POST, path, Some(body.to_string())).await
    }

    /// A request for which a password is hashed. While too many wait for that, it is asked again, as the reply says.
    pub async fn with_password(&self, path: &str, body: &Value) -> Reply {
        loop {
            let reply = self.post(path, body.clone()).await;
            if reply.json["code"] != "sign-ins-busy" {
                return reply;
            }
            let seconds = reply.header("retry-after").parse().expect("when to come again");
            tokio::time::sleep(std::time::Duration::from_secs(seconds)).await;
        }
    }

    pub async fn patch(&self, path: &str, body: Value) -> Reply {
        self.send(Method::PATCH, path, Some(body.to_string())).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Reply {
        self.send(Method::PUT, path, Some(body.to_string())).await
    }

    /// Sends whatever is given; a body goes as JSON whether it is or not.
    pub async fn send(&self, method: Method, path: &str, body: Option<String>) -> Reply {
        self.try_send(method, path, body).await.expect("a reply")
    }

    /// The status of a read, also of one that fails within the service.
    pub async fn status_of(&self, path: &str) -> u16 {
        let mut request = self.http.get(format!("http://{}/api/v1{path}", self.address));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        request.send().await.expect("a reply").status().as_u16()
    }

    /// As [`Client::delete`], for services that may die meanwhile.
    pub async fn try_delete(&self, path: &str) -> reqwest::Result<Reply> {
        self.try_send(Method::DELETE, path, None).await
    }

    /// As [`Client::send`], for services that may die meanwhile.
    pub async fn try_send(&self, method: Method, path: &str, body: Option<String>) -> reqwest::Result<Reply> {
        let (asked, verb) = (path, method.clone());
        let path = path
            .strip_prefix('/')
            .filter(|rest| rest.starts_with('/'))
            .map_or_else(|| format!("/api/v1{path}"), str::to_owned);
        let mut request = self.http.request(method, format!("http://{}{path}", self.address));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(body) = body {
            if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
                request = request.header("content-type", "application/json");
            }
            request = request.body(body);
        }
        let reply = request.send().await?;
        let (status, headers) = (reply.status(), reply.headers().clone());
        // A stream of events has no end to wait for.
        let is_stream = headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
        let text = if is_stream { String::new() } else { reply.text().await? };
        let json = serde_json::from_str(&text).unwrap_or_default();
        assert!(status != StatusCode::INTERNAL_SERVER_ERROR, "an internal error: {path}: {text}");
        let reply = Reply { status: status.as_u16(), headers, json, text };
        // A reply to HEAD has no body, whatever its header says.
        if verb != Method::HEAD {
            if reply.header("content-type") == "application/problem+json" {
                reply.assert_documented();
            }
            assert_described(verb.as_str(), asked, &reply);
        }
        Ok(reply)
    }
}

/// An event of a history as webhooks and exports carry it: without the names of those who caused it.
pub fn published(shown: &Value) -> Value {
    let mut event = shown.clone();
    for field in ["actor_name", "actor_status"] {
        event.as_object_mut().and_then(|fields| fields.remove(field)).expect("a field of a history");
    }
    event
}

/// Somebody with an account, signed in.
#[derive(Clone)]
pub struct Person {
    client: Client,
    /// The account's id.
    pub id: String,
    /// The account's e-mail address.
    pub email: String,
    /// The account's password.
    pub password: String,
    /// The latest refresh token.
    pub refresh_token: String,
}

impl std::ops::Deref for Person {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Person {
    pub(super) async fn register(address: &str, name: &str) -> Self {
        Self::register_as(address, name, &format!("{name}-{}@example.com", Uuid::now_v7().simple())).await
    }

    pub(super) async fn register_as(address: &str, name: &str, email: &str) -> Self {
        let email = email.to_owned();
        let password = format!("{name} has a good password");
        let client = Client::new(address);
        let account = json!({"email": email, "password": password, "full_name": name});
        let id = client.with_password("/auth/register", &account).await.is(201).id();
        let credentials = json!({"email": email, "password": password});
        let tokens = client.with_password("/auth/login", &credentials).await.is(200).json;
        Self {
            client: client.with_token(tokens["access_token"].as_str().expect("an access token")),
            id,
            email,
            password,
            refresh_token: tokens["refresh_token"].as_str().expect("a refresh token").to_owned(),
        }
    }

    /// The same person at another instance.
    pub fn at(&self, address: &str) -> Self {
        Self { client: self.client.at(address), ..self.clone() }
    }

    /// Founds a project of this name; returns its id.
    pub async fn project(&self, name: &str) -> String {
        self.post("/projects", json!({"name": name})).await.is(201).id()
    }

    /// Adds somebody to a project.
    pub async fn invite(&self, project: &str, other: &Self, role: &str) -> Reply {
        let body = json!({"email": other.email, "role": role});
        self.post(&format!("/projects/{project}/members"), body).await.is(201)
    }

    /// Submits a Python program, in a project if one is given; returns the job's id.
    pub async fn run_python(&self, code: &str, project: Option<&str>) -> String {
        let mut job = json!({"type": "code_execution", "language": "python", "code": code, "timeout_seconds": 20});
        if let Some(project) = project {
            job["project_id"] = project.into();
        }
        self.post("/jobs", job).await.is(202).id()
    }

    /// Submits a job; returns its id.
    pub async fn job(&self, job: Value) -> String {
        self.post("/jobs", job).await.is(202).id()
    }

    /// Cancels a job.
    pub async fn cancel(&self, job: &str) -> Reply {
        self.send(Method::POST, &format!("/jobs/{job}/cancel"), None).await
    }

    /// Has a job done again.
    pub async fn retry(&self, job: &str) -> Reply {
        self.send(Method::POST, &format!("/jobs/{job}/retry"), None).await
    }

    /// Waits until a job is over; returns it.
    pub async fn finished(&self, job: &str) -> Value {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        loop {
            let job = self.get(&format!("/jobs/{job}")).await.is(200).json;
            if matches!(job["status"].as_str(), Some("completed" | "failed" | "cancelled")) {
                return job;
            }
            assert!(std::time::Instant::now() < deadline, "never over: {job}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// The whole history of a project, read page by page.
    pub async fn history(&self, project: &str) -> Vec<Value> {
        let mut events = Vec::new();
        let mut after = 0;
        loop {
            let path = format!("/projects/{project}/events?limit=100&after={after}");
            let page = self.get(&path).await.is(200).json;
            events.extend(page["items"].as_array().expect("items").iter().cloned());
            match page["next_after"].as_i64() {
                Some(next) => after = next,
                None => return events,
            }
        }
    }
}
