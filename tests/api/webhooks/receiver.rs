//! Whoever receives what webhooks send.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Response, Uri},
};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};
use workroom::clock::now;
use workroom_credentials::webhook::signature::{SigningSecret, WebhookVerifier};

/// A message as it came.
#[derive(Clone, Debug)]
pub struct Message {
    /// The path that it was sent to.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub bytes: Bytes,
    /// Its body, as JSON.
    pub json: Value,
}

impl Message {
    /// A header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The type of the event that it is about.
    pub fn event_type(&self) -> &str {
        self.json["data"]["event_type"].as_str().expect("an event")
    }

    /// Whether a receiver that knows this secret takes it.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let verifier = WebhookVerifier::new(vec![SigningSecret::parse(secret).expect("a secret")]);
        let header = |name: &str| self.headers.get(name).and_then(|value| value.to_str().ok());
        let verified = verifier.verify(header, &self.bytes, now());
        verified.is_ok_and(|id| id.as_str() == self.header("webhook-id"))
    }
}

/// A status and headers.
type Answer = (u16, Vec<(&'static str, String)>);

#[derive(Default)]
struct Inner {
    received: Vec<Message>,
    answers: VecDeque<Answer>,
    usual: Option<Answer>,
}

/// A server that takes messages. It answers 204, unless it is told otherwise.
pub struct Receiver {
    address: SocketAddr,
    inner: Arc<Mutex<Inner>>,
    serving: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take(State(inner): State<Arc<Mutex<Inner>>>, uri: Uri, headers: HeaderMap, bytes: Bytes) -> Response<Body> {
    let mut inner = inner.lock().expect("a lock");
    let json = serde_json::from_slice(&bytes).unwrap_or_default();
    inner.received.push(Message { path: uri.path().to_owned(), headers, bytes, json });
    let answer = inner.answers.pop_front().or_else(|| inner.usual.clone());
    let (status, headers) = answer.unwrap_or((204, Vec::new()));
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(Body::empty()).expect("a response")
}

impl Receiver {
    /// A receiver on this machine.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let inner = Arc::new(Mutex::new(Inner::default()));
        let router = Router::new().fallback(take).with_state(Arc::clone(&inner));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.expect("a server") });
        Self { address, inner, serving }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("a lock")
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// What came so far.
    pub fn received(&self) -> Vec<Message> {
        self.inner().received.clone()
    }

    /// Answers so from now on, where nothing else was said.
    pub fn usually(&self, status: u16, headers: Vec<(&'static str, String)>) {
        self.inner().usual = Some((status, headers));
    }

    /// Answers so once.
    pub fn answer(&self, status: u16, headers: Vec<(&'static str, String)>) {
        self.inner().answers.push_back((status, headers));
    }
}
