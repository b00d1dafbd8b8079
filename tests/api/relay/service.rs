//! The relay as part of the service.

use super::{assert_copied, copied};
use crate::support::{World, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_rest_clients_do_is_copied_whoever_of_the_instances_dies() {
    let world = World::new().await;
    let pool = world.pool().await;
    let (one, two) = (world.server().await, world.server().await);
    let ada = one.person("ada").await;
    for number in 0..20 {
        ada.project(&format!("Apollo {number}")).await;
    }
    // The first to come leads.
    one.kill9().await;
    let ada = ada.at(&two.address);
    for number in 20..40 {
        ada.project(&format!("Apollo {number}")).await;
    }
    let head = workroom_projections::log::head(&pool).await.expect("a head");
    let position = || async { copied(&world).await.last().map(|message| message.1) };
    eventually("everything is copied", || async { position().await == Some(head) }).await;
    assert_copied(&world, &pool).await;
}
