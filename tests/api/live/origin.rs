//! Where browsers may come from, and the subprotocol.

use super::raw;
use crate::support::{Server, Socket, World};

async fn opens(server: &Server, origin: &str) -> Result<(), u16> {
    Socket::attempt(&server.address, "", &[("origin", origin)]).await.map(drop)
}

#[tokio::test]
async fn pages_come_from_the_service_itself_or_from_the_list() {
    let world = World::new().await;
    let server = world.server().await;
    assert_eq!(opens(&server, &format!("http://{}", server.address)).await, Ok(()));
    let lookalike = format!("http://{}.evil.example", server.address);
    for foreign in ["https://evil.example", "null", lookalike.as_str()] {
        assert_eq!(opens(&server, foreign).await, Err(403), "{foreign}");
    }
    let listing = world.server_with(&[], &[("WORKROOM_ALLOWED_ORIGINS", r#"["https://app.example"]"#)]).await;
    assert_eq!(opens(&listing, "https://app.example").await, Ok(()));
    assert_eq!(opens(&listing, "https://evil.example").await, Err(403));
}

#[tokio::test]
async fn the_subprotocol_is_named_to_those_who_ask() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let asked = [("sec-websocket-protocol", "other.v7, workroom.v1")];
    let (_raw, reply) = raw::open(&ada, &asked, None).await;
    assert_eq!(reply.headers()["sec-websocket-protocol"], "workroom.v1");
    let (_raw, reply) = raw::open(&ada, &[], None).await;
    assert!(!reply.headers().contains_key("sec-websocket-protocol"));
}
