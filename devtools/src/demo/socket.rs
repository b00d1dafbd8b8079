//! A WebSocket of the service: opened with credentials, frames out and in, every wait bounded.

use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use futures::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{ClientRequestBuilder, Message, protocol::CloseFrame},
};

use super::{cast::Person, client::Api};

/// How long a frame may take.
pub(super) const FRAME_TIMEOUT: Duration = Duration::from_secs(10);

/// How to sign in before the first frame.
#[derive(Clone, Copy)]
pub(super) enum Credential<'a> {
    /// An access token, in the `Authorization` header.
    Header(&'a str),
    /// A ticket, in the address.
    Ticket(&'a str),
}

/// What the server did.
pub(super) enum Frame {
    /// It said something.
    Said(Value),
    /// It ended the socket.
    Closed(Option<u16>, String),
}

/// A socket that was welcomed.
pub(super) struct Socket {
    who: &'static str,
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    welcome: Value,
}

impl Socket {
    /// Opens a socket, and waits for the welcome.
    pub(super) async fn open(api: &Api, who: &Person, credential: Credential<'_>) -> anyhow::Result<Self> {
        let (query, header) = match credential {
            Credential::Header(token) => (String::new(), Some(token)),
            Credential::Ticket(ticket) => (format!("?ticket={ticket}"), None),
        };
        let mut request =
            ClientRequestBuilder::new(api.realtime(&query).parse()?).with_sub_protocol("workroom.v1".to_owned());
        if let Some(token) = header {
            request = request.with_header("Authorization", format!("Bearer {token}"));
        }
        let failed = || format!("GET {} (WebSocket, for {})", api.realtime(""), who.name);
        let opening = timeout(FRAME_TIMEOUT, connect_async(request)).await.with_context(failed)?;
        let (stream, _) = opening.with_context(failed)?;
        let mut socket = Self { who: who.name, stream, welcome: Value::Null };
        socket.welcome = socket.said(Instant::now() + FRAME_TIMEOUT, "the welcome").await?;
        if socket.welcome["type"] != "welcome" || socket.welcome["user_id"] != who.id.as_str() {
            bail!("{}’s socket was not welcomed as {}: {}", who.name, who.id, socket.welcome);
        }
        Ok(socket)
    }

    /// Whose it is.
    pub(super) fn who(&self) -> &'static str {
        self.who
    }

    /// How often the server pings, in seconds.
    pub(super) fn ping_interval(&self) -> &Value {
        &self.welcome["ping_interval"]
    }

    pub(super) async fn say(&mut self, message: &Value) -> anyhow::Result<()> {
        let sent = timeout(FRAME_TIMEOUT, self.stream.send(Message::text(message.to_string()))).await;
        let who = self.who;
        sent.map_err(anyhow::Error::new)
            .and_then(|sent| sent.map_err(anyhow::Error::new))
            .with_context(|| format!("{who}’s socket does not take {message}"))
    }

    /// What the server does next.
    pub(super) async fn next(&mut self, until: Instant, awaited: &str) -> anyhow::Result<Frame> {
        let who = self.who;
        loop {
            let next = timeout_at(until, self.stream.next()).await;
            match next.map_err(|_| anyhow!("{who}’s socket waited too long for {awaited}"))? {
                Some(Ok(Message::Text(text))) => {
                    let frame = serde_json::from_str(text.as_str());
                    return frame.map(Frame::Said).with_context(|| format!("{who}’s socket got no JSON: {text}"));
                }
                Some(Ok(Message::Close(frame))) => return Ok(closed(frame)),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Ok(Frame::Closed(None, error.to_string())),
                None => return Ok(Frame::Closed(None, "the connection ended".to_owned())),
            }
        }
    }

    /// What the server says next, other than that it is alive; its closing is an error, and so is an error frame.
    pub(super) async fn said(&mut self, until: Instant, awaited: &str) -> anyhow::Result<Value> {
        let who = self.who;
        match self.next(until, awaited).await? {
            Frame::Said(frame) if frame["type"] == "error" => {
                bail!("{who}’s socket waited for {awaited} and got the error {}: {}", frame["code"], frame["detail"])
            }
            Frame::Said(frame) => Ok(frame),
            Frame::Closed(code, reason) => {
                let code = code.map_or("no code".to_owned(), |code| code.to_string());
                bail!("{who}’s socket was closed while it waited for {awaited}: {code}, {reason}")
            }
        }
    }
}

fn closed(frame: Option<CloseFrame>) -> Frame {
    match frame {
        Some(frame) => Frame::Closed(Some(frame.code.into()), frame.reason.to_string()),
        None => Frame::Closed(None, "closed without a reason".to_owned()),
    }
}
