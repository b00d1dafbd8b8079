//! Readers of server-sent events.

use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt, stream::BoxStream};
use serde_json::Value;

use super::{client::Client, described_frames::assert_frame_described};

/// How long an event may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// An event of a stream (WHATWG HTML, 9.2.6).
#[derive(Clone, Debug, PartialEq)]
pub struct StreamEvent {
    /// Its name; `message` where it has none.
    pub name: String,
    /// The last id so far.
    pub id: String,
    /// What it says.
    pub data: Value,
}

/// A reader of server-sent events.
pub struct EventStream {
    chunks: BoxStream<'static, reqwest::Result<Bytes>>,
    buffer: String,
    last_id: String,
}

impl EventStream {
    /// Opens a stream of the API, with these further headers.
    ///
    /// # Errors
    /// The status and body of a refusal.
    pub async fn attempt(client: &Client, path: &str, headers: &[(&str, &str)]) -> Result<Self, (u16, Value)> {
        let mut request = reqwest::Client::new().get(format!("http://{}/api/v1{path}", client.address()));
        if client.is_signed_in() {
            request = request.bearer_auth(client.token());
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.expect("a reply");
        if response.status() != 200 {
            let status = response.status().as_u16();
            return Err((status, response.json().await.unwrap_or_default()));
        }
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Ok(Self::of(response.bytes_stream()))
    }

    fn of(chunks: impl Stream<Item = reqwest::Result<Bytes>> + Send + 'static) -> Self {
        Self { chunks: chunks.boxed(), buffer: String::new(), last_id: String::new() }
    }

    /// Opens a stream of the API.
    pub async fn open(client: &Client, path: &str) -> Self {
        Self::attempt(client, path, &[]).await.unwrap_or_else(|refusal| panic!("{refusal:?}"))
    }

    /// What a browser would send as `Last-Event-ID`.
    pub fn last_id(&self) -> &str {
        &self.last_id
    }

    /// The next event, or `None` at the end of the stream.
    pub async fn next(&mut self) -> Option<StreamEvent> {
        loop {
            if let Some((block, rest)) = self.buffer.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.buffer = rest;
                match self.parse(&block) {
                    Some(event) => return Some(event),
                    None => continue,
                }
            }
            let chunk = tokio::time::timeout(PATIENCE, self.chunks.next()).await.expect("an event in time")?;
            let chunk = chunk.ok()?;
            self.buffer.push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
        }
    }

    fn parse(&mut self, block: &str) -> Option<StreamEvent> {
        let (mut name, mut data) = ("message".to_owned(), Vec::new());
        for line in block.lines() {
            match line.split_once(": ") {
                Some(("event", value)) => value.clone_into(&mut name),
                Some(("id", value)) => value.clone_into(&mut self.last_id),
                Some(("data", value)) => data.push(value),
                Some(("" | "retry", _)) => {}
                other => panic!("{other:?} in {block}"),
            }
        }
        if data.is_empty() {
            return None;
        }
        let data = serde_json::from_str(&data.join("\n")).expect("JSON");
        assert_frame_described(&data);
        Some(StreamEvent { name, id: self.last_id.clone(), data })
    }

    /// The next event of a name, passing over `head`s and nothing else.
    pub async fn expect(&mut self, name: &str) -> StreamEvent {
        loop {
            let event = self.next().await.unwrap_or_else(|| panic!("the end while waiting for {name}"));
            if event.name == name {
                return event;
            }
            assert_eq!(event.name, "head", "{event:?} while waiting for {name}");
        }
    }

    /// Reads until it has caught up; returns the events of the feed.
    pub async fn caught_up(&mut self) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let event = self.next().await.expect("an open stream");
            match event.name.as_str() {
                "message" => events.push(event.data),
                "caught_up" => return events,
                "welcome" | "subscribed" | "reset" | "head" => {}
                other => panic!("{other} while catching up"),
            }
        }
    }
}
