//! Codes of a service that stops.

use nix::sys::signal::Signal;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::{Met, begin, reply};
use crate::support::{World, eventually};

pub const MET: &[&str] = &["unavailable"];

/// Whether all that was sent on a connection has been read on its other end, which is on this machine, too.
fn is_read(stream: &TcpStream) -> bool {
    let (here, there) = (stream.local_addr().expect("an address"), stream.peer_addr().expect("an address"));
    let connections = std::fs::read_to_string("/proc/net/tcp").expect("the connections of this machine");
    // What waits to be sent, and to be read, on an end.
    let waiting = |from: u16, to: u16| {
        let (from, to) = (format!(":{from:04X}"), format!(":{to:04X}"));
        connections.lines().find_map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let is_it = fields.get(1)?.ends_with(&from) && fields.get(2)?.ends_with(&to);
            is_it.then(|| fields.get(4)?.split_once(':')).flatten()
        })
    };
    const NOTHING: &str = "00000000";
    let sent = waiting(here.port(), there.port()).is_some_and(|(to_send, _)| to_send == NOTHING);
    sent && waiting(there.port(), here.port()).is_some_and(|(_, to_read)| to_read == NOTHING)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_socket_is_opened_by_a_service_that_stops() {
    let mut met = Met::default();
    let world = World::new().await;
    let server = world.server().await;
    // Half a request has come when the service is told to stop; what has begun is answered still.
    let request = "GET /api/v1/realtime HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n";
    let mut stream = begin(&server.address, request).await;
    eventually("the first half is read", async || is_read(&stream)).await;
    server.signal(Signal::SIGTERM);
    eventually("nobody else is let in", async || TcpStream::connect(&server.address).await.is_err()).await;
    let rest = "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(rest.as_bytes()).await.expect("the rest of a request");
    met.refused(reply(&mut stream).await, "unavailable");
    met.are(MET);
}
