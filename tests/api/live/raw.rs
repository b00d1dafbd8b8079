//! WebSockets in the raw, for clients that do what a polite one never would.

use tokio::net::TcpSocket;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{client::IntoClientRequest, handshake::client::Response},
};

use crate::support::Client;

/// A WebSocket in the raw.
pub(super) type Raw = WebSocketStream<tokio::net::TcpStream>;

/// Opens a socket, signed in by header, with these further headers; returns it with the handshake's reply. A
/// `receive_buffer` makes the kernel take no more than that from a service whose client does not read.
pub(super) async fn open(
    client: &Client,
    headers: &[(&'static str, &str)],
    receive_buffer: Option<u32>,
) -> (Raw, Response) {
    let mut request = format!("ws://{}/api/v1/realtime", client.address()).into_client_request().expect("a request");
    let bearer = format!("Bearer {}", client.token()).parse().expect("a header");
    request.headers_mut().insert("authorization", bearer);
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().expect("a header"));
    }
    let socket = TcpSocket::new_v4().expect("a socket");
    if let Some(bytes) = receive_buffer {
        socket.set_recv_buffer_size(bytes).expect("a buffer");
    }
    let stream = socket.connect(client.address().parse().expect("an address")).await.expect("a connection");
    let (raw, reply) = client_async(request, stream).await.expect("a WebSocket");
    (raw, reply)
}
