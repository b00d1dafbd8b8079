//! WebSocket subscribers.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{self, Message, client::IntoClientRequest, http::Request},
};

use super::{client::Client, described_frames::assert_frame_described};

/// How long a frame may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The socket was closed, with this code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed(pub u16);

/// A WebSocket subscriber.
pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

fn request(address: &str, query: &str) -> Request<()> {
    let mut request = format!("ws://{address}/api/v1/realtime{query}").into_client_request().expect("a request");
    request.headers_mut().insert("sec-websocket-protocol", "workroom.v1".parse().expect("a header"));
    request
}

impl Socket {
    /// Opens a socket, signed in by header.
    pub async fn open(client: &Client) -> Self {
        let mut request = request(client.address(), "");
        let bearer = format!("Bearer {}", client.token()).parse().expect("a header");
        request.headers_mut().insert("authorization", bearer);
        let mut socket = Self::connect(request).await.expect("a socket");
        socket.expect("welcome").await;
        socket
    }

    /// Opens a socket with a ticket.
    pub async fn with_ticket(address: &str, ticket: &str) -> Self {
        Self::connect(request(address, &format!("?ticket={ticket}"))).await.expect("a socket")
    }

    /// Opens a socket without credentials.
    pub async fn anonymous(address: &str) -> Self {
        Self::connect(request(address, "")).await.expect("a socket")
    }

    /// Tries to open a socket with this query string and these headers.
    pub async fn attempt(address: &str, query: &str, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        let mut request = request(address, query);
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a header"));
        }
        Self::connect(request).await.map_err(|error| match error {
            tungstenite::Error::Http(reply) => reply.status().as_u16(),
            other => panic!("neither a socket nor a refusal: {other}"),
        })
    }

    async fn connect(request: Request<()>) -> Result<Self, tungstenite::Error> {
        let (stream, _) = connect_async(request).await?;
        Ok(Self { stream })
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: Value) {
        self.send_text(&frame.to_string()).await;
    }

    /// Sends any text.
    pub async fn send_text(&mut self, text: &str) {
        self.stream.send(Message::text(text.to_owned())).await.expect("an open socket");
    }

    /// The next frame, or how the socket was closed.
    pub async fn next(&mut self) -> Result<Value, Closed> {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.stream.next()).await.expect("a frame in time");
            match message {
                Some(Ok(Message::Text(text))) => {
                    let frame = serde_json::from_str(&text).expect("a JSON frame");
                    assert_frame_described(&frame);
                    return Ok(frame);
                }
                Some(Ok(Message::Close(frame))) => return Err(Closed(frame.map_or(1005, |frame| frame.code.into()))),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(Closed(1006)),
            }
        }
    }

    /// The next frame of a type, passing over `head`s, `pong`s and nothing else.
    #[track_caller]
    pub fn expect<'a>(&'a mut self, frame_type: &'a str) -> impl Future<Output = Value> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            loop {
                let frame = self.next().await.unwrap_or_else(|closed| {
                    panic!("{closed:?} while waiting for {frame_type} at {caller}");
                });
                let passing = frame["type"] == "head" || frame["type"] == "pong";
                if frame["type"] == frame_type {
                    return frame;
                }
                assert!(passing, "{frame} while waiting for {frame_type} at {caller}");
            }
        }
    }

    /// Subscribes to a project from a place on, and returns the events until it has caught up.
    pub async fn subscribe(&mut self, project: &str, since: i64) -> Vec<Value> {
        self.send(json!({"type": "subscribe", "project_id": project, "since": {"seq": since}})).await;
        self.expect("subscribed").await;
        let mut events = Vec::new();
        loop {
            let frame = self.next().await.expect("an open socket");
            match frame["type"].as_str() {
                Some("event") => events.push(frame),
                Some("caught_up") => return events,
                Some("head") => {}
                _ => panic!("{frame} while catching up"),
            }
        }
    }

    /// The next event.
    pub async fn event(&mut self) -> Value {
        self.expect("event").await
    }

    /// Closes it, and waits until the server has: it is in no room then.
    pub async fn close(mut self) {
        self.stream.close(None).await.expect("an open socket");
        assert_eq!(self.until_closed().await.1, Closed(1005), "the server closes it as it was asked to");
    }

    /// Reads to the socket's end; returns the frames on the way and the close code.
    pub async fn until_closed(&mut self) -> (Vec<Value>, Closed) {
        let mut frames = Vec::new();
        loop {
            match self.next().await {
                Ok(frame) => frames.push(frame),
                Err(closed) => return (frames, closed),
            }
        }
    }
}
