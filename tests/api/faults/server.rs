//! The server is killed; its successor, or the other instance, goes on.

use std::time::{Duration, Instant};

use serde_json::json;

use super::load::{Load, ada, assert_proved};
use crate::support::World;

#[tokio::test]
async fn a_server_killed_in_the_middle_of_a_load_loses_and_doubles_nothing() {
    let world = World::new().await;
    let mut server = world.server().await;
    let (ada, projects) = ada(&server).await;
    let pool = world.pool().await;
    let mut load = Load::begin(&server, &ada, &projects);
    for _ in 0..4 {
        load.goes_on(120).await;
        server.kill9().await;
        server = world.server().await;
        load.turn_to(&server);
    }
    load.goes_on(120).await;
    assert!(load.failed() > 0, "no request was under way when the server was killed");
    load.end(&world, &pool).await;
}

#[tokio::test]
async fn when_the_leader_is_killed_the_other_takes_over_and_replies_stay_visible() {
    let world = World::new().await;
    let mut leader = world.server().await;
    let ada = leader.person("ada").await;
    let project = ada.project("Apollo").await;
    let path = format!("/projects/{project}");
    for round in 0..3 {
        let heir = world.server().await;
        let here = ada.at(&heir.address);
        here.patch(&path, json!({"description": format!("before {round}")})).await.is(200);
        leader.kill9().await;
        let killed = Instant::now();
        for edit in 0..20 {
            let text = format!("after {round}, {edit}");
            let reply = here.patch(&path, json!({"description": text})).await.is(200);
            assert_eq!(reply.header("workroom-visible"), "", "a reply that is not visible");
            assert_eq!(reply.json["description"], text.as_str());
            assert_eq!(here.get(&path).await.is(200).json["description"], text.as_str());
            if edit == 0 {
                let took = killed.elapsed();
                eprintln!("take-over: {took:?}");
                assert!(took < Duration::from_millis(1500), "the other took over only after {took:?}");
            }
        }
        leader = heir;
    }
    assert_proved(&world, &world.pool().await).await;
}
