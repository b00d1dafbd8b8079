//! A way to NATS that can be cut for a moment, while NATS itself goes on.

use std::time::Duration;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// A TCP proxy before NATS; gone when dropped.
pub struct Cable {
    /// The URL to reach NATS by.
    pub url: String,
    is_whole: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Cable {
    /// A way to the NATS of this URL.
    pub async fn to(nats_url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut url = reqwest::Url::parse(nats_url).expect("a URL");
        let target = format!("{}:{}", url.host_str().expect("a host"), url.port().expect("a port"));
        let port = listener.local_addr().expect("an address").port();
        url.set_port(Some(port)).expect("a port");
        let (is_whole, state) = watch::channel(true);
        let task = tokio::spawn(async move {
            // Ends its connections with itself.
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(carry(client, target.clone(), state.clone()));
                // Those that have ended need no place.
                while connections.try_join_next().is_some() {}
            }
        });
        Self { url: url.to_string(), is_whole, task }
    }

    /// Ends all connections, and takes none for so long.
    pub async fn cut_for(&self, time: Duration) {
        self.is_whole.send_replace(false);
        tokio::time::sleep(time).await;
        self.is_whole.send_replace(true);
    }
}

async fn carry(mut client: TcpStream, target: String, mut is_whole: watch::Receiver<bool>) {
    if !*is_whole.borrow_and_update() {
        return;
    }
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    tokio::select! {
        // A connection that breaks is for its ends to notice.
        _ = copy_bidirectional(&mut client, &mut server) => {}
        _ = is_whole.changed() => {}
    }
}
