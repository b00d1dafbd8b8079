//! `GET /projects`

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Person, Reply, World};

fn names(reply: &Reply) -> Vec<String> {
    reply.items().iter().map(|item| item["name"].as_str().expect("a name").to_owned()).collect()
}

async fn five_projects(ada: &Person) {
    for n in 1..=5 {
        ada.project(&format!("P{n}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_of_what_one_belongs_to_newest_first() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    assert_eq!(ada.get("/projects").await.is(200).json, json!({"items": [], "next_cursor": null}));
    let first = ada.project("First").await;
    ada.project("Second").await;
    grace.project("Hers").await;
    ada.invite(&first, &grace, "viewer").await;
    assert_eq!(names(&ada.get("/projects").await.is(200)), ["Second", "First"]);
    let hers = grace.get("/projects").await.is(200);
    assert_eq!(names(&hers), ["Hers", "First"]);
    let roles: Vec<_> = hers.items().iter().map(|item| (&item["role"], &item["member_count"])).collect();
    assert_eq!(roles, [(&json!("owner"), &json!(1)), (&json!("viewer"), &json!(2))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_goes_on_where_the_page_ended_whatever_came_in_between() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    five_projects(&ada).await;
    let mut seen = Vec::new();
    let mut path = "/projects?limit=2".to_owned();
    for pages in 1.. {
        let page = ada.get(&path).await.is(200);
        assert!(page.items().len() <= 2);
        seen.extend(names(&page));
        ada.project("Newcomer").await;
        let Some(cursor) = page.json["next_cursor"].as_str() else {
            assert_eq!(pages, 3);
            break;
        };
        path = format!("/projects?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, ["P5", "P4", "P3", "P2", "P1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_ends_with_the_list_has_no_cursor() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    five_projects(&ada).await;
    assert_eq!(ada.get("/projects?limit=5").await.is(200).json["next_cursor"], Value::Null);
    assert!(ada.get("/projects?limit=4").await.is(200).json["next_cursor"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn skip_passes_over_items() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    five_projects(&ada).await;
    assert_eq!(names(&ada.get("/projects?skip=0&limit=2").await.is(200)), ["P5", "P4"]);
    assert_eq!(names(&ada.get("/projects?skip=2&limit=2").await.is(200)), ["P3", "P2"]);
    assert_eq!(names(&ada.get("/projects?skip=4&limit=2").await.is(200)), ["P1"]);
    assert_eq!(names(&ada.get("/projects?skip=5").await.is(200)), Vec::<String>::new());
    assert_eq!(names(&ada.get("/projects?skip=100000").await.is(200)), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_can_be_narrowed() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let organization = ada.get("/auth/me").await.is(200).json["personal_organization_id"].clone();
    let organization = organization.as_str().unwrap();
    let graces = grace.project("Hers").await;
    grace.invite(&graces, &ada, "viewer").await;
    for status in ["active", "on_hold", "active"] {
        ada.post("/projects", json!({"name": status, "status": status})).await.is(201);
    }
    assert_eq!(names(&ada.get("/projects?status=active").await.is(200)), ["active", "active"]);
    assert_eq!(names(&ada.get("/projects?status=cancelled").await.is(200)), Vec::<String>::new());
    let own = ada.get(&format!("/projects?organization_id={organization}")).await.is(200);
    assert_eq!(names(&own), ["active", "on_hold", "active"]);
    let both = ada.get(&format!("/projects?organization_id={organization}&status=on_hold")).await.is(200);
    assert_eq!(names(&both), ["on_hold"]);
    let unknown = ada.get(&format!("/projects?organization_id={}", Uuid::now_v7())).await.is(200);
    assert_eq!(names(&unknown), Vec::<String>::new());
    assert_eq!(names(&ada.get("/projects").await.is(200)).len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_has_twenty_items_unless_asked_for_one_to_a_hundred() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    futures::future::join_all((0..21).map(|_| ada.project("P"))).await;
    assert_eq!(ada.get("/projects").await.is(200).items().len(), 20);
    assert_eq!(ada.get("/projects?limit=1").await.is(200).items().len(), 1);
    assert_eq!(ada.get("/projects?limit=100").await.is(200).items().len(), 21);
    let cursor = "A".repeat(22);
    ada.get(&format!("/projects?cursor={cursor}")).await.is(200);
    for wrong in [
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=ten",
        "limit=",
        "limit=99999999999999999999",
        "limit=1&limit=2",
        "skip=-1",
        "skip=100001",
        "skip=x",
        "cursor=nonsense",
        "cursor=%00",
        "cursor=AAAA",
        "status=done",
        "status=Active",
        "organization_id=mine",
        "order=name",
        "min_position=-1",
        "status=%00",
    ] {
        ada.get(&format!("/projects?{wrong}")).await.problem(422);
    }
}
