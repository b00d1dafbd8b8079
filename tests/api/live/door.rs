//! An address that stays, while what is behind it comes and goes, or cannot be reached.

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// Passes connections on to an address, as long as it leads to one; gone when dropped.
pub struct Door {
    /// Where it is: `host:port`.
    pub address: String,
    leads_to: watch::Sender<Option<String>>,
    passing: JoinHandle<()>,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.passing.abort();
    }
}

impl Door {
    /// A door that leads to this `host:port`.
    pub async fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let (leads_to, target) = watch::channel(Some(target.to_owned()));
        let passing = tokio::spawn(async move {
            // Ends its connections with itself.
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let (near, _) = accepted.expect("a connection");
                        connections.spawn(pass(near, target.clone()));
                    }
                    Some(_) = connections.join_next() => {}
                }
            }
        });
        Self { address, leads_to, passing }
    }

    /// Ends all connections, and takes none until it leads somewhere again.
    pub fn shut(&self) {
        self.leads_to.send_replace(None);
    }

    pub fn lead_to(&self, target: &str) {
        self.leads_to.send_replace(Some(target.to_owned()));
    }
}

async fn pass(mut near: TcpStream, mut leads_to: watch::Receiver<Option<String>>) {
    let Some(target) = leads_to.borrow_and_update().clone() else { return };
    let Ok(mut far) = TcpStream::connect(target).await else { return };
    tokio::select! {
        // A connection that breaks is for its ends to notice: both are closed then.
        _ = copy_bidirectional(&mut near, &mut far) => {}
        _ = leads_to.changed() => {}
    }
}
