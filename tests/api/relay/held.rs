//! A way to NATS on which one request is held back.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Request {
    Expected,
    Held,
    Released,
}

/// A proxy before a server that holds the first request with a mark, and what its sender says after it, until it is
/// released. Gone when dropped.
pub struct Held {
    pub port: u16,
    request: watch::Sender<Request>,
    task: JoinHandle<()>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Held {
    /// Before a port of this machine.
    pub async fn before(port: u16, mark: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let (request, own) = (watch::Sender::new(Request::Expected), listener.local_addr().expect("an address").port());
        let state = request.clone();
        let task = tokio::spawn(async move {
            let mut clients = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", port)).await.expect("the server");
                clients.spawn(pass(client, server, mark, state.clone()));
            }
        });
        Self { port: own, request, task }
    }

    /// Waits until the request was sent and is held.
    pub async fn is_held(&self) {
        self.request.subscribe().wait_for(|request| *request == Request::Held).await.expect("a proxy");
    }

    /// Lets it through.
    pub fn release(&self) {
        self.request.send_replace(Request::Released);
    }
}

async fn pass(client: TcpStream, server: TcpStream, mark: &str, request: watch::Sender<Request>) {
    let (mut client_says, mut to_client) = client.into_split();
    let (mut server_says, mut to_server) = server.into_split();
    let questions = async {
        let mut some = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = client_says.read(&mut some).await {
            let said = &some[..count];
            if said.windows(mark.len()).any(|window| window == mark.as_bytes())
                && request.send_if_modified(|request| {
                    let first = *request == Request::Expected;
                    if first {
                        *request = Request::Held;
                    }
                    first
                })
            {
                request.subscribe().wait_for(|request| *request == Request::Released).await.expect("a test");
            }
            if to_server.write_all(said).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        _ = copy(&mut server_says, &mut to_client) => {}
        () = questions => {}
    }
}
