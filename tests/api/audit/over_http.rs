//! Exports over HTTP: who is told what before anything is read, and for how long one may be prepared.

use reqwest::Method;
use serde_json::json;

use crate::{
    organizations::{add, organization},
    state::hold,
    support::World,
};

#[tokio::test(flavor = "multi_thread")]
async fn who_may_export_is_told_at_once_and_has_longer_than_other_requests() {
    let world = World::new().await;
    let hasty = [("WORKROOM_REQUEST_TIMEOUT_SECONDS", "1"), ("WORKROOM_RATE_LIMITS__WRITES_PER_ACCOUNT", "20")];
    let (server, hasty) = tokio::join!(world.server_without_worker(), world.server_with(&["--roles", "api"], &hasty));
    let (ada, grace, eve) = (server.person("ada").await, server.person("grace").await, server.person("eve").await);
    let personal = ada.get("/organizations").await.is(200).items()[0]["id"].as_str().expect("an id").to_owned();
    let acme = organization(&ada, "Acme").await;
    add(&ada, &acme, &grace, "member").await;
    // An export would wait for the leaf of this event, and then say that the tree is behind.
    let tree = hold(&world, "log_leaves").await;
    ada.patch(&format!("/organizations/{acme}"), json!({"name": "Acme, Inc."})).await.is(200);
    for (person, id, code) in [
        // Nobody exports a personal organization with all its projects.
        (&ada, &personal, "forbidden"),
        (&eve, &personal, "not-found"),
        (&grace, &acme, "forbidden"),
        (&eve, &acme, "not-found"),
    ] {
        let path = format!("/organizations/{id}/events/export");
        let refused = person.get(&path).await.refused(code);
        assert_eq!(person.send(Method::HEAD, &path, None).await.status, refused.status, "{code}");
    }
    let path = format!("/organizations/{acme}/events/export");
    ada.send(Method::HEAD, &path, None).await.is(200);
    for (query, pointer) in [("after=999999999", "/after"), ("consistency_from=999999999", "/consistency_from")] {
        let beyond = format!("{path}?{query}");
        ada.get(&beyond).await.refused_field(pointer, "out-of-range");
        ada.send(Method::HEAD, &beyond, None).await.is(422);
    }

    let renamed = ada.get(&format!("/organizations/{acme}/events?type=OrganizationUpdated")).await.is(200);
    let proof = format!("/organizations/{acme}/events/{}/proof", renamed.items()[0]["seq"]);
    let ada = ada.at(&hasty.address);
    let (export, ()) = tokio::join!(ada.get(&path), async {
        // What waits for the same leaf is given up after its second, and again after another.
        for _ in 0..2 {
            ada.get(&proof).await.problem(503);
        }
        drop(tree);
    });
    let end = export.is(200).text.lines().last().expect("a line").to_owned();
    assert!(end.starts_with(r#"{"end":true"#), "{end}");

    // It is counted as a change before it is prepared: that would wait for the tree.
    let _tree = hold(&world, "log_leaves").await;
    let address = format!("/organizations/{acme}");
    let mut asked = 0;
    while ada.patch(&address, json!({"name": "Acme & Sons"})).await.status != 429 {
        asked += 1;
        assert!(asked <= 30, "there is a quota");
    }
    let refused = ada.get(&path).await.refused("too-many-requests");
    assert!(refused.text.contains("the account asks too often"), "{}", refused.text);
}
