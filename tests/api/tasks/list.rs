//! `GET /projects/{project_id}/tasks`

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::{Value, json};

use super::task;
use crate::support::{Person, World};

async fn titles(person: &Person, path: &str) -> Vec<String> {
    let page = person.get(path).await.is(200);
    page.items().iter().map(|task| task["title"].as_str().expect("a title").to_owned()).collect()
}

/// All pages, `limit` at a time.
async fn walk(person: &Person, path: &str, limit: usize) -> Vec<String> {
    let (mut seen, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let from = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let page = person.get(&format!("{path}limit={limit}{from}")).await.is(200);
        seen.extend(page.items().iter().map(|task| task["title"].as_str().expect("a title").to_owned()));
        match page.json["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return seen,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_narrowed_by_status_type_priority_assignee_and_due_time() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &grace, "viewer").await;
    for body in [
        json!({"title": "a", "status": "done", "due_at": "2027-03-01T00:00:00Z"}),
        json!({"title": "b", "type": "bug", "assignee_id": grace.id, "due_at": "2027-01-01T00:00:00Z"}),
        json!({"title": "c", "priority": "low", "assignee_id": ada.id}),
        json!({"title": "d", "status": "done", "assignee_id": grace.id, "due_at": "2027-02-01T00:00:00Z"}),
    ] {
        task(&ada, &project, body).await;
    }
    let path = format!("/projects/{project}/tasks");
    for (query, expected) in [
        ("", vec!["d", "c", "b", "a"]),
        ("?status=done", vec!["d", "a"]),
        ("?type=bug", vec!["b"]),
        ("?priority=low", vec!["c"]),
        (&format!("?assignee_id={}", grace.id), vec!["d", "b"]),
        (&format!("?assignee_id={}&status=done", grace.id), vec!["d"]),
        ("?assignee_id=none", vec!["a"]),
        ("?due_before=2027-02-15T00:00:00Z", vec!["b", "d"]),
        ("?due_from=2027-02-01T00:00:00Z", vec!["d", "a"]),
        ("?due_from=2027-01-01T00:00:00Z&due_before=2027-02-01T00:00:00Z&status=todo", vec!["b"]),
        ("?limit=1&skip=2", vec!["b"]),
        ("?due_from=2027-01-01T00:00:00Z&limit=1&skip=2", vec!["a"]),
    ] {
        assert_eq!(titles(&grace, &format!("{path}{query}")).await, expected, "{query}");
    }
    let listed = grace.get(&path).await.is(200);
    assert_eq!(listed.items()[0]["assignee"]["user_id"], grace.id);
    for bad in [
        "status=x",
        "type=x",
        "assignee_id=x",
        "due_before=tomorrow",
        "limit=0",
        "cursor=x",
        "due_from=2027-01-01T00:00:00Z&cursor=x",
        "x=1",
    ] {
        grace.get(&format!("{path}?{bad}")).await.problem(422);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_neither_repeat_nor_miss_while_tasks_are_written() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let write = |number: usize| {
        let body =
            json!({"title": format!("old {number:03}"), "due_at": format!("2027-01-01T00:{:02}:00Z", number / 2)});
        let (ada, project) = (ada.clone(), project.clone());
        async move { task(&ada, &project, body).await }
    };
    for number in 0..60 {
        write(number).await;
    }
    let writing = async {
        for number in 0..60 {
            task(&ada, &project, json!({"title": format!("new {number}"), "due_at": "2026-12-31T00:00:00Z"})).await;
        }
    };
    let newest = format!("/projects/{project}/tasks?");
    let by_due = format!("/projects/{project}/tasks?due_from=2027-01-01T00:00:00Z&");
    let ((), newest, by_due) = tokio::join!(writing, walk(&ada, &newest, 7), walk(&ada, &by_due, 7));
    let old =
        |seen: &[String]| -> Vec<String> { seen.iter().filter(|title| title.starts_with("old")).cloned().collect() };
    let mut expected: Vec<_> = (0..60).map(|number| format!("old {number:03}")).collect();
    assert_eq!(by_due, expected, "by due time, and by age where that is the same");
    expected.reverse();
    assert_eq!(old(&newest), expected);
    assert_eq!(newest.iter().collect::<BTreeSet<_>>().len(), newest.len(), "nothing twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_carries_comments_where_it_is_asked_to() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, eve) = (server.person("ada").await, server.person("eve").await);
    let project = ada.post("/projects", json!({"name": "Open", "is_public": true})).await.is(201).id();
    let tasks = format!("/projects/{project}/tasks");
    let mut ids = Vec::new();
    for (title, comments) in [("Silent", 0), ("Talked about", 3), ("Much talked about", 22)] {
        let id = task(&ada, &project, json!({"title": title})).await["id"].as_str().expect("an id").to_owned();
        for number in 0..comments {
            ada.post(&format!("{tasks}/{id}/comments"), json!({"body": format!("Word {number}")})).await.is(201);
        }
        ids.push(id);
    }
    let plain = ada.get(&tasks).await.is(200);
    assert!(plain.items().iter().all(|task| task.get("comments").is_none()), "{}", plain.text);
    let listed = ada.get(&format!("{tasks}?include=comments")).await.is(200);
    let listed = listed.items();
    let told: Vec<_> = listed
        .iter()
        .map(|task| (task["title"].as_str().unwrap(), task["comments"].as_array().unwrap().len()))
        .collect();
    assert_eq!(told, [("Much talked about", 20), ("Talked about", 3), ("Silent", 0)]);
    assert_eq!(listed[0]["comment_count"], 22, "which tells that there are more");
    for (task, id) in listed.iter().zip(ids.iter().rev()) {
        let own = ada.get(&format!("{tasks}/{id}/comments")).await.is(200);
        assert_eq!(task["comments"].as_array().unwrap(), own.items());
    }
    // Visitors see them as they do elsewhere, and pages go on as they do without.
    let seen = eve.get(&format!("{tasks}?include=comments")).await.is(200);
    assert!(!seen.text.contains(&ada.email) && seen.items()[1]["comments"][0]["author"].is_null());
    let mut page = ada.get(&format!("{tasks}?include=comments&limit=1")).await.is(200);
    page = ada
        .get(&format!("{tasks}?include=comments&limit=1&cursor={}", page.json["next_cursor"].as_str().unwrap()))
        .await
        .is(200);
    assert_eq!(page.items()[0]["comments"].as_array().unwrap().len(), 3);
    ada.get(&format!("{tasks}?include=everything")).await.problem(422);
    server.person("grace").await.get(&format!("{tasks}?include=comments")).await.is(200);

    // A mebibyte at most, whatever was written.
    let long = json!({"body": "x".repeat(20_000)});
    let say_much = async |id: &str| {
        let path = format!("{tasks}/{id}/comments");
        for reply in join_all((0..20).map(|_| ada.post(&path, long.clone()))).await {
            reply.is(201);
        }
    };
    say_much(&ids[0]).await;
    for number in 0..3 {
        let task = task(&ada, &project, json!({"title": format!("Long {number}")})).await;
        say_much(task["id"].as_str().expect("an id")).await;
    }
    let all = ada.get(&format!("{tasks}?include=comments")).await.is(200);
    let bytes = |task: &Value| -> usize {
        task["comments"].as_array().unwrap().iter().map(|comment| comment["body"].as_str().unwrap().len()).sum()
    };
    let told: Vec<_> = all.items().iter().map(bytes).collect();
    assert_eq!(told, [400_000, 400_000, 240_000, 0, 0, 0], "the first 52 of the newest");
}

#[tokio::test(flavor = "multi_thread")]
async fn visitors_of_a_public_project_see_tasks_and_comments_but_not_who_people_are() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, eve) = (server.person("ada").await, server.person("eve").await);
    let project = ada.post("/projects", json!({"name": "Open", "is_public": true})).await.is(201).id();
    let task = task(&ada, &project, json!({"title": "Launch", "assignee_id": ada.id})).await;
    let path = format!("/projects/{project}/tasks/{}", task["id"].as_str().expect("an id"));
    let comment = ada.post(&format!("{path}/comments"), json!({"body": "Soon."})).await.is(201).id();
    for read in [
        eve.get(&path).await.is(200).json,
        eve.get(&format!("/projects/{project}/tasks")).await.is(200).items()[0].clone(),
        eve.get(&format!("{path}/comments/{comment}")).await.is(200).json,
        eve.get(&format!("{path}/comments")).await.is(200).items()[0].clone(),
    ] {
        assert!(!read.to_string().contains(&ada.email), "{read}");
    }
    assert_eq!(eve.get(&path).await.is(200).json["assignee"], Value::Null);
    let history = eve.history(&project).await;
    assert!(history.iter().any(|event| event["data"]["title"] == "Launch"));
    eve.patch(&path, json!({"title": "Mine"})).await.problem(403);
    eve.post(&format!("{path}/comments"), json!({"body": "Hello"})).await.problem(403);
}
