//! The relay as part of the service.

use super::{assert_copied, copied, stream};
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_submitted_job_is_handed_to_the_work_queue() {
    let world = World::new().await;
    let roles = [("WORKROOM_ROLES", r#"["api", "projector", "relay"]"#)];
    let server = world.server_with(&[], &roles).await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let job = ada.run_python("print(1)", Some(&project)).await;
    let handed = || async {
        let stream = stream(&world, "JOBS").await;
        let sequence = stream.cached_info().state.last_sequence;
        let message = stream.get_raw_message(sequence).await;
        message.is_ok_and(|message| String::from_utf8_lossy(&message.payload).contains(&job))
    };
    eventually("the job is handed out", handed).await;
}
