//! Somebody on the way to a server, who listens, and may change what the server says first.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// Somebody on the way; gone when dropped.
pub struct Tap {
    pub port: u16,
    heard: Arc<Mutex<Vec<u8>>>,
    connections: Arc<AtomicUsize>,
    open: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Tap {
    /// On the way to a port of this machine. A NATS there is made to tell of further servers, if any are given.
    pub async fn new(to: u16, further: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (heard, connections) = (Arc::<Mutex<Vec<u8>>>::default(), Arc::<AtomicUsize>::default());
        let (open, opened) = watch::channel(true);
        let task = tokio::spawn({
            let (heard, connections) = (Arc::clone(&heard), Arc::clone(&connections));
            async move {
                let mut clients = JoinSet::new();
                while let Ok((client, _)) = listener.accept().await {
                    connections.fetch_add(1, Ordering::SeqCst);
                    let (heard, further, mut opened) = (Arc::clone(&heard), further.clone(), opened.clone());
                    clients.spawn(async move {
                        tokio::select! {
                            _ = pass(client, to, &further, &heard) => {}
                            _ = opened.wait_for(|open| !open) => {}
                        }
                    });
                }
            }
        });
        Self { port, heard, connections, open, task }
    }

    /// All that clients have said so far.
    pub fn heard(&self) -> Vec<u8> {
        self.heard.lock().expect("a lock").clone()
    }

    /// How many connections there were so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Cuts all connections, and those to come.
    pub fn cut(&self) {
        self.open.send_replace(false);
    }
}

async fn pass(client: TcpStream, to: u16, further: &[String], heard: &Mutex<Vec<u8>>) -> std::io::Result<()> {
    let (server_says, mut to_server) = TcpStream::connect(("127.0.0.1", to)).await?.into_split();
    let (mut client_says, mut to_client) = client.into_split();
    let mut server_says = BufReader::new(server_says);
    let answers = async {
        if !further.is_empty() {
            let mut line = String::new();
            server_says.read_line(&mut line).await?;
            let mut info: Value = serde_json::from_str(line.trim_start_matches("INFO ")).expect("a greeting");
            info["connect_urls"] = json!(further);
            to_client.write_all(format!("INFO {info}\r\n").as_bytes()).await?;
        }
        copy(&mut server_says, &mut to_client).await
    };
    let questions = async {
        let mut some = [0; 4096];
        loop {
            let read = client_says.read(&mut some).await?;
            if read == 0 {
                return Ok(());
            }
            heard.lock().expect("a lock").extend_from_slice(&some[..read]);
            to_server.write_all(&some[..read]).await?;
        }
    };
    tokio::select! {
        done = answers => done.map(|_| ()),
        done = questions => done,
    }
}
