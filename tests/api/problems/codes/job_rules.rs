//! Codes of rules for jobs.

use serde_json::json;

use super::Met;
use crate::support::World;

pub const MET: &[&str] = &["too-many-job-rules"];

#[tokio::test(flavor = "multi_thread")]
async fn there_are_only_so_many_rules() {
    let mut met = Met::default();
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let rule = |number: u32| json!({"fairness_key": format!("key {number}"), "running": 1});
    for number in 0..100 {
        ada.put("/jobs/rules", rule(number)).await.is(200);
    }
    met.refused(ada.put("/jobs/rules", rule(100)).await, "too-many-job-rules");
    ada.put("/jobs/rules", json!({"fairness_key": "key 7"})).await.is(200);
    ada.put("/jobs/rules", rule(100)).await.is(200);
    met.are(MET);
}
