//! A client with as little work of its own as possible: one kept-alive HTTP/1.1 connection.

use anyhow::{Context, bail};
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// One connection to the service.
pub struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    host: String,
    token: Option<String>,
}

impl Connection {
    /// Opens a connection to `address`, which is `host:port`.
    ///
    /// # Errors
    /// Nobody listens there.
    pub async fn open(address: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.context("the service does not answer")?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender, host: address.to_owned(), token: None })
    }

    /// Signs every request from now on.
    pub fn sign_in(&mut self, token: &str) {
        self.token = Some(format!("Bearer {token}"));
    }

    /// Sends a request and reads the whole reply; anything but success is an error.
    ///
    /// # Errors
    /// The connection broke, or the service refused.
    pub async fn send(&mut self, method: Method, path: &str, body: Bytes) -> anyhow::Result<Bytes> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", &self.host)
            .header("content-type", "application/json");
        if let Some(token) = &self.token {
            request = request.header("authorization", token);
        }
        self.sender.ready().await?;
        let reply = self.sender.send_request(request.body(Full::new(body))?).await?;
        let status = reply.status();
        let body = reply.into_body().collect().await?.to_bytes();
        if !status.is_success() {
            bail!("{path} answered {status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(body)
    }

    /// Posts JSON as a proxy would for a client at `from`, whatever comes back.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn forwarded(&mut self, from: &str, path: &str, body: Bytes) -> anyhow::Result<()> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header("host", &self.host)
            .header("content-type", "application/json")
            .header("x-forwarded-for", from);
        self.sender.ready().await?;
        self.sender.send_request(request.body(Full::new(body))?).await?.into_body().collect().await?;
        Ok(())
    }

    /// Sends and receives JSON.
    ///
    /// # Errors
    /// As [`Connection::send`], or the reply is no JSON.
    pub async fn json(&mut self, method: Method, path: &str, body: &Value) -> anyhow::Result<Value> {
        let reply = self.send(method, path, Bytes::from(body.to_string())).await?;
        Ok(serde_json::from_slice(&reply)?)
    }
}
