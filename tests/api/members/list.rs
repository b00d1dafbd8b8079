//! `GET /projects/{project_id}/members`, and of one member.

use std::collections::BTreeSet;

use serde_json::json;
use uuid::Uuid;

use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn the_roster_comes_page_by_page_each_member_once() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let mut expected = BTreeSet::from([ada.id.clone()]);
    for name in ["b", "c", "d", "e"] {
        let other = server.person(name).await;
        ada.invite(&project, &other, "viewer").await;
        expected.insert(other.id.clone());
    }
    let members = format!("/projects/{project}/members");
    let mut seen = Vec::new();
    let mut path = format!("{members}?limit=2");
    loop {
        let page = ada.get(&path).await.is(200);
        assert!(page.items().len() <= 2);
        seen.extend(page.items().iter().map(|member| member["user_id"].as_str().unwrap().to_owned()));
        let Some(cursor) = page.json["next_cursor"].as_str() else { break };
        path = format!("{members}?limit=2&cursor={cursor}");
    }
    assert_eq!(seen.len(), 5);
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), expected);
    assert_eq!(ada.get(&format!("{members}?skip=3")).await.is(200).items().len(), 2);
    for wrong in ["limit=0", "limit=101", "skip=-1", "cursor=x", "role=owner", "min_position=x"] {
        ada.get(&format!("{members}?{wrong}")).await.problem(422);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_member_can_be_read_where_their_location_says() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let project = ada.project("Apollo").await;
    let added = ada.invite(&project, &grace, "viewer").await;
    let location = added.header("location").strip_prefix("/api/v1").expect("an address in the API");
    for person in [&ada, &grace] {
        let read = person.get(location).await.is(200);
        assert_eq!(read.json, added.json);
        person.with_header("if-none-match", read.header("etag")).get(location).await.is(304);
    }
    // The version is the membership's, and good for a change of it.
    let known = ada.get(location).await.is(200).header("etag").to_owned();
    let change = json!({"role": "collaborator"});
    ada.with_header("if-match", &known).patch(location, change.clone()).await.is(200);
    ada.with_header("if-match", &known).patch(location, change).await.problem(412);
    ada.with_header("if-none-match", &known).get(location).await.is(200);
    ada.get(&format!("/projects/{project}/members/{}", Uuid::now_v7())).await.problem(404);
}
