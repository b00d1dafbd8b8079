//! What an operation is asked with, and the request that this makes.

use std::collections::BTreeMap;

use super::{bodies, operations::Operation};

/// Ids, by the names of the parameters of paths.
pub type Ids = BTreeMap<&'static str, String>;

/// What an operation is asked with.
pub struct Asked {
    ids: Ids,
    /// The access token, if somebody asks who is signed in.
    token: Option<String>,
    headers: Vec<(&'static str, String)>,
    /// The body, where it is not one that [`bodies`] knows.
    body: Option<String>,
}

impl Asked {
    pub fn new(ids: &Ids, token: Option<&str>) -> Self {
        Self { ids: ids.clone(), token: token.map(str::to_owned), headers: Vec::new(), body: None }
    }

    pub fn id(mut self, name: &'static str, id: &str) -> Self {
        self.ids.insert(name, id.to_owned());
        self
    }

    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub fn body(mut self, body: impl ToString) -> Self {
        self.body = Some(body.to_string());
        self
    }

    /// The request as it is sent.
    pub fn request(self, Operation { method, path }: &Operation, host: &str) -> String {
        let address = format!("{}{}", filled(path, &self.ids), query(path, &self.ids));
        let body = self.body.unwrap_or_else(|| bodies::body(method, path, &self.ids));
        let content_type = if path.ends_with("/content") { "text/plain" } else { "application/json" };
        let mut request = format!(
            "{method} /api/v1{address} HTTP/1.1\r\nhost: {host}\r\ncontent-type: {content_type}\r\n\
             content-length: {}\r\n",
            body.len()
        );
        let token = self.token.map(|token| ("authorization", format!("Bearer {token}")));
        for (name, value) in self.headers.into_iter().chain(token) {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        format!("{request}\r\n{body}")
    }
}

/// A path with ids in the places of all of its parameters.
fn filled(path: &str, ids: &Ids) -> String {
    let parts = path.split('/').map(|part| match part.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
        Some(name) => ids.get(name).unwrap_or_else(|| panic!("{path}: the scene has no {name}")).as_str(),
        None => part,
    });
    let filled = parts.collect::<Vec<_>>().join("/");
    assert!(!filled.contains('{'), "{path}: {filled}");
    filled
}

/// What reads ask for that need it.
fn query(path: &str, ids: &Ids) -> String {
    match path {
        "/events/stream" => format!("?project_id={}", ids["project_id"]),
        "/log/consistency" => "?from=1&to=2".to_owned(),
        _ => String::new(),
    }
}
