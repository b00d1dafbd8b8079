//! `head` frames: how far a project is, every few seconds, for those who missed the last event.

use serde_json::json;

use super::{edit, follow, head};
use crate::support::{Socket, World};

#[tokio::test]
async fn heads_are_told_now_and_then_also_to_those_who_want_no_events() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let mut events = Socket::open(&ada).await;
    follow(&mut events, &project).await;
    let mut heads = Socket::open(&ada).await;
    heads.send(json!({"type": "subscribe", "project_id": project, "events": false, "since": {"seq": 0}})).await;
    heads.expect("subscribed").await;
    assert_eq!(heads.next().await.expect("an open socket")["type"], "caught_up", "no events, and no history either");
    edit(&ada, &project).await;
    events.event().await;
    let expected = json!({"type": "head", "project_id": project, "seq": head(&ada, &project).await});
    for socket in [&mut events, &mut heads] {
        // One may have been under way before the change.
        while socket.expect("head").await != expected {}
    }
}
