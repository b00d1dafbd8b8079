//! `workroom log-keys`

use workroom_proofs::note;

use super::{change, covering, opened, verifiers};
use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn after_a_rotation_old_checkpoints_verify_and_new_ones_are_signed_by_the_new_key() {
    let world = World::new().await;
    let server = world.server().await;
    let (client, ada) = (server.client(), server.person("ada").await);
    let project = ada.project("Apollo").await;
    let (before, old) = covering(&client, change(&ada, &project, "before").await).await;
    let old_keys = verifiers(&client).await;
    assert_eq!(old_keys.len(), 1);
    let (done, printed) = world.command(&["log-keys", "rotate"]).await;
    assert!(done && printed.contains("current") && printed.contains("old"), "{printed}");
    let (after, new) = covering(&client, change(&ada, &project, "after").await).await;
    let keys = verifiers(&client).await;
    assert_eq!((keys.len(), &keys[1]), (2, &old_keys[0]), "the one that signs comes first");
    assert!(after.size > before.size);
    assert_eq!(opened(&old.text, &keys), before);
    assert_eq!(opened(&new.text, &keys[..1]), after);
    assert!(note::open(&new.text, &old_keys).is_err() && note::open(&old.text, &keys[..1]).is_err());
    let listed = client.get("/log/keys").await.is(200).json;
    assert!(listed["items"][0]["retired_at"].is_null() && listed["items"][1]["retired_at"].is_string(), "{listed}");
    let secret = sqlx::query_scalar("SELECT count(*) FROM log_signing_keys WHERE seed IS NOT NULL");
    let secrets: i64 = secret.fetch_one(&world.pool().await).await.expect("a count");
    assert_eq!(secrets, 1);
}
