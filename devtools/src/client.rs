//! The REST client of the demo and the seed: a clear sentence when the reply is not the expected one.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::{Context, anyhow, bail};
use reqwest::{
    Method, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
};
use serde_json::Value;

/// Where the API begins.
pub(super) const BASE: &str = "/api/v1";
/// How long a reply may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// The service, as its REST clients reach it.
pub(super) struct Api {
    http: reqwest::Client,
    url: String,
    requests: AtomicU32,
}

/// A request to be sent.
pub(super) struct Call<'a> {
    method: Method,
    path: String,
    token: Option<&'a str>,
    key: Option<&'a str>,
    body: Option<Body<'a>>,
}

#[derive(Clone, Copy)]
enum Body<'a> {
    Json(&'a Value),
    Text(&'a str),
}

impl<'a> Call<'a> {
    fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), token: None, key: None, body: None }
    }

    pub(super) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub(super) fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path)
    }

    pub(super) fn patch(path: impl Into<String>) -> Self {
        Self::new(Method::PATCH, path)
    }

    pub(super) fn put(path: impl Into<String>) -> Self {
        Self::new(Method::PUT, path)
    }

    pub(super) fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path)
    }

    /// In the name of a token's owner.
    pub(super) fn token(self, token: &'a str) -> Self {
        Self { token: Some(token), ..self }
    }

    /// With an `Idempotency-Key`.
    pub(super) fn key(self, key: &'a str) -> Self {
        Self { key: Some(key), ..self }
    }

    /// With a JSON body.
    pub(super) fn body(self, body: &'a Value) -> Self {
        Self { body: Some(Body::Json(body)), ..self }
    }

    /// With a body that is plain text.
    pub(super) fn plain(self, text: &'a str) -> Self {
        Self { body: Some(Body::Text(text)), ..self }
    }
}

/// What came back.
pub(super) struct Reply {
    /// The request's method.
    pub(super) method: Method,
    /// The request's path and query.
    pub(super) path: String,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    /// The body; null when there is none, and a text when it is plain text.
    pub(super) body: Value,
}

impl Api {
    /// For the service at an address such as `http://127.0.0.1:8080`.
    pub(super) fn new(url: &str) -> anyhow::Result<Self> {
        let parsed = Url::parse(url).with_context(|| format!("{url} is not a URL such as http://127.0.0.1:8080"))?;
        if parsed.scheme() != "http" || parsed.host_str().is_none() {
            bail!("only plain HTTP is spoken here: give a URL such as http://127.0.0.1:8080 instead of {url}");
        }
        // The WebSocket goes straight to the service; so do the requests.
        let http = reqwest::Client::builder().timeout(REQUEST_TIMEOUT).no_proxy().build()?;
        Ok(Self { http, url: url.trim_end_matches('/').to_owned(), requests: AtomicU32::new(0) })
    }

    /// The address of the service.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The address of the WebSocket, with its query.
    pub(super) fn realtime(&self, query: &str) -> String {
        format!("ws{}{BASE}/realtime{query}", self.url.strip_prefix("http").unwrap_or(&self.url))
    }

    /// How many requests were answered.
    pub(super) fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Sends a request, and takes whatever comes back.
    pub(super) async fn send(&self, call: Call<'_>) -> anyhow::Result<Reply> {
        let Call { method, path, token, key, body } = call;
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.url));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        request = match body {
            Some(Body::Json(json)) => request.json(json),
            Some(Body::Text(text)) => request.header(CONTENT_TYPE, "text/plain; charset=utf-8").body(text.to_owned()),
            None => request,
        };
        let response = request.send().await.map_err(|error| self.unanswered(&method, &path, error))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.map_err(|error| self.unanswered(&method, &path, error))?;
        self.requests.fetch_add(1, Ordering::Relaxed);
        let body = read(&headers, text)
            .with_context(|| format!("{method} {path} answered {status} with a body that is no JSON"))?;
        Ok(Reply { method, path, status, headers, body })
    }

    /// Sends a request whose reply must have this status.
    pub(super) async fn expect(&self, status: u16, call: Call<'_>) -> anyhow::Result<Reply> {
        self.send(call).await?.must_be(status)
    }

    fn unanswered(&self, method: &Method, path: &str, error: reqwest::Error) -> anyhow::Error {
        if error.is_connect() {
            return anyhow!("nothing answers at {}: start the service with ./dev up first", self.url);
        }
        if error.is_timeout() {
            return anyhow!("{method} {path} was not answered within {} s", REQUEST_TIMEOUT.as_secs());
        }
        anyhow::Error::new(error).context(format!("{method} {path} was not answered in HTTP"))
    }
}

fn read(headers: &HeaderMap, text: String) -> serde_json::Result<Value> {
    let media_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    match text.as_str() {
        _ if media_type.starts_with(b"text/plain") => Ok(Value::String(text)),
        "" => Ok(Value::Null),
        json => serde_json::from_str(json),
    }
}

impl Reply {
    /// Insists on a status; an error must be a problem document of that status.
    pub(super) fn must_be(self, status: u16) -> anyhow::Result<Self> {
        if self.status != status {
            return Err(self.unexpected(&format!("instead of {status}")));
        }
        if status >= 400 && (self.header("content-type") != "application/problem+json" || self.body["status"] != status)
        {
            return Err(self.unexpected("without a problem document (RFC 9457)"));
        }
        Ok(self)
    }

    /// An error about this reply.
    pub(super) fn unexpected(&self, what: &str) -> anyhow::Error {
        let Self { method, path, status, body, .. } = self;
        let said = match (body["detail"].as_str(), body.get("errors")) {
            (Some(detail), Some(errors)) => format!("{detail} {errors}"),
            (Some(detail), None) => detail.to_owned(),
            (None, _) => body.to_string().chars().take(300).collect(),
        };
        anyhow!("{method} {path} answered {status} {what}: {said}")
    }

    /// A header, or nothing.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// A text of the body.
    pub(super) fn text(&self, pointer: &str) -> anyhow::Result<&str> {
        let text = self.body.pointer(pointer).and_then(Value::as_str);
        text.ok_or_else(|| self.unexpected(&format!("without a text at {pointer}")))
    }

    /// A list of the body.
    pub(super) fn list(&self, pointer: &str) -> anyhow::Result<&Vec<Value>> {
        let list = self.body.pointer(pointer).and_then(Value::as_array);
        list.ok_or_else(|| self.unexpected(&format!("without a list at {pointer}")))
    }

    /// Insists on a value in the body.
    pub(super) fn must_say(&self, pointer: &str, expected: &Value) -> anyhow::Result<()> {
        match self.body.pointer(pointer) {
            Some(value) if value == expected => Ok(()),
            value => {
                let value = value.unwrap_or(&Value::Null);
                Err(self.unexpected(&format!("with {value} instead of {expected} at {pointer}")))
            }
        }
    }

    /// The log position that a command's reply is about.
    pub(super) fn position(&self) -> anyhow::Result<i64> {
        let value = self.header("workroom-position");
        value.parse().map_err(|_| self.unexpected(&format!("with {value:?} as Workroom-Position")))
    }
}
