//! A connection pooler, as pgbouncer is one: it takes few startup parameters, and deals out sessions.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// The startup parameters that are kept track of; others are refused, or dropped.
const TRACKED: [&str; 7] =
    ["user", "database", "client_encoding", "datestyle", "timezone", "standard_conforming_strings", "application_name"];

/// How the pooler behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pooling {
    /// Whether a client keeps its session until it goes; else only to the end of each transaction.
    pub by_session: bool,
    /// Whether unknown startup parameters are dropped without a word; else they are refused.
    pub lenient: bool,
}

/// A pooler; gone when dropped.
pub struct Pooler {
    /// The URL to reach the database by.
    pub url: String,
    address: SocketAddr,
    shared: Arc<Shared>,
    open: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

struct Shared {
    pooling: Pooling,
    server: String,
    /// Sessions that nobody uses, the last one used on top.
    idle: Mutex<Vec<TcpStream>>,
    /// The local ports of all sessions ever opened.
    ports: Mutex<Vec<u16>>,
}

impl Drop for Pooler {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Pooler {
    /// A pooler before a database.
    pub async fn new(database_url: &str, pooling: Pooling) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut url = reqwest::Url::parse(database_url).expect("a URL");
        let server = format!("{}:{}", url.host_str().expect("a host"), url.port().expect("a port"));
        url.set_port(Some(address.port())).expect("a port");
        let shared = Arc::new(Shared { pooling, server, idle: Mutex::default(), ports: Mutex::default() });
        let (open, opened) = watch::channel(true);
        let task = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move {
                // Ends its connections with itself.
                let mut clients = tokio::task::JoinSet::new();
                while let Ok((client, _)) = listener.accept().await {
                    let (shared, mut opened) = (Arc::clone(&shared), opened.clone());
                    clients.spawn(async move {
                        if opened.wait_for(|open| *open).await.is_ok() {
                            // A connection that breaks is the client's to notice.
                            let _ = serve(client, &shared).await;
                        }
                    });
                }
            }
        });
        Self { url: url.to_string(), address, shared, open, task }
    }

    /// Where it listens.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Lets new clients wait, or lets them in.
    pub fn lets_in(&self, yes: bool) {
        self.open.send_replace(yes);
    }

    /// The ports, on its side, of the sessions that it has opened.
    pub fn ports(&self) -> Vec<u16> {
        self.shared.ports.lock().expect("a lock").clone()
    }
}

/// A message: its type and all of it.
async fn message(stream: &mut TcpStream) -> std::io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 5];
    stream.read_exact(&mut head).await?;
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
    let mut all = head.to_vec();
    all.resize(length + 1, 0);
    stream.read_exact(&mut all[5..]).await?;
    Ok((head[0], all))
}

async fn startup(client: &mut TcpStream) -> std::io::Result<Vec<(String, String)>> {
    loop {
        let length = client.read_u32().await?;
        let mut body = vec![0; length as usize - 4];
        client.read_exact(&mut body).await?;
        // A request for TLS.
        if body == 80_877_103_u32.to_be_bytes() {
            client.write_all(b"N").await?;
            continue;
        }
        let mut words = body[4..].split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
        let mut parameters = Vec::new();
        while let (Some(name), Some(value)) = (words.next().filter(|name| !name.is_empty()), words.next()) {
            parameters.push((name, value));
        }
        return Ok(parameters);
    }
}

async fn serve(mut client: TcpStream, shared: &Shared) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let mut parameters = startup(&mut client).await?;
    let tracked = |name: &str| TRACKED.contains(&name.to_lowercase().as_str());
    if let Some((name, _)) = parameters.iter().find(|(name, _)| !tracked(name)).filter(|_| !shared.pooling.lenient) {
        let text = format!("SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: {name}\0\0");
        client.write_all(b"E").await?;
        client.write_u32(u32::try_from(text.len() + 4).expect("a length")).await?;
        return client.write_all(text.as_bytes()).await;
    }
    parameters.retain(|(name, _)| tracked(name));
    let mut server = TcpStream::connect(&shared.server).await?;
    server.set_nodelay(true)?;
    shared.ports.lock().expect("a lock").push(server.local_addr()?.port());
    let mut body = 196_608_u32.to_be_bytes().to_vec();
    for (name, value) in &parameters {
        body.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
    }
    body.push(0);
    server.write_u32(u32::try_from(body.len() + 4).expect("a length")).await?;
    server.write_all(&body).await?;
    // The client signs in by itself: sessions are exchanged only among clients with one password.
    loop {
        let (kind, text) = message(&mut server).await?;
        client.write_all(&text).await?;
        let asks = kind == b'R' && matches!(text[8], 3 | 5 | 10 | 11);
        if asks {
            server.write_all(&message(&mut client).await?.1).await?;
        }
        if kind == b'E' {
            return Ok(());
        }
        if kind == b'Z' {
            break;
        }
    }
    if shared.pooling.by_session {
        copy_bidirectional(&mut client, &mut server).await?;
        return Ok(());
    }
    shared.idle.lock().expect("a lock").push(server);
    by_transaction(client, shared).await
}

/// Gives the client a session at the start of each transaction, and takes it back at its end.
async fn by_transaction(mut client: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut held: Option<TcpStream> = None;
    loop {
        let (kind, text) = message(&mut client).await?;
        if kind == b'X' {
            return Ok(());
        }
        let mut server = match held.take() {
            Some(server) => server,
            None => shared.idle.lock().expect("a lock").pop().expect("as many sessions as clients"),
        };
        server.write_all(&text).await?;
        let mut within = true;
        if matches!(kind, b'Q' | b'S') {
            loop {
                let (kind, text) = message(&mut server).await?;
                client.write_all(&text).await?;
                if kind == b'Z' {
                    within = text[5] != b'I';
                    break;
                }
            }
        }
        if within {
            held = Some(server);
        } else {
            shared.idle.lock().expect("a lock").push(server);
        }
    }
}
