//! Codes of a service without its database.

use super::Met;
use crate::support::World;

pub const MET: &[&str] = &["database-away", "not-ready"];

#[tokio::test(flavor = "multi_thread")]
async fn the_database_is_away() {
    let mut met = Met::default();
    let world = World::with_own_postgres().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    world.services().postgres().expect("a Postgres of one's own").stop().await;
    met.refused(ada.get("/projects").await, "database-away");
    met.refused(ada.get("//ready").await, "not-ready");
    met.are(MET);
}
