//! `workroom-dev demo`: the story, and its own checks of it.

use std::time::Duration;

use super::process::{assert_one_sentence, dev, run};
use crate::support::World;

#[tokio::test]
async fn the_story_is_played_to_its_end_any_number_of_times() {
    let world = World::new().await;
    let server = world.server().await;
    let url = format!("http://{}", server.address);
    for _ in 0..2 {
        let output = run(dev(&["demo", "--url", &url]), Duration::from_secs(60)).await;
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{text}");
        assert!(text.contains("none lost or doubled, live = audit"), "{text}");
        for kind in ["TaskCreated", "CommentPosted", "FileContentWritten", "InvitationRevoked", "TaskUnassigned"] {
            assert!(text.contains(kind), "no {kind}: {text}");
        }
    }
    drop(server);
    assert_one_sentence(
        &run(dev(&["demo", "--url", "http://127.0.0.1:9"]), Duration::from_secs(20)).await,
        &["http://127.0.0.1:9", "./dev up"],
    );
}
