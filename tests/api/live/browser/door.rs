//! An address that stays, while the servers behind it come and go: what browsers know of a service.

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use crate::support::Server;

/// Passes connections on to a server, as long as there is one; drops them, when there is none.
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
    pub async fn open(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let (leads_to, target) = watch::channel(Some(server.address.clone()));
        let passing = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let (near, _) = accepted.expect("a connection");
                        let target = target.borrow().clone();
                        if let Some(target) = target {
                            connections.spawn(pass(near, target));
                        }
                    }
                    Some(_) = connections.join_next() => {}
                }
            }
        });
        Self { address, leads_to, passing }
    }

    /// There is no server. Connections to the last one end with it.
    pub fn shut(&self) {
        self.leads_to.send_replace(None);
    }

    pub fn lead_to(&self, server: &Server) {
        self.leads_to.send_replace(Some(server.address.clone()));
    }
}

async fn pass(mut near: TcpStream, target: String) {
    let Ok(mut far) = TcpStream::connect(target).await else { return };
    // However it ends: both sides are closed then.
    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
}
