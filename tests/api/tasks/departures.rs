//! What becomes of the tasks of a member who leaves.

use serde_json::{Value, json};

use super::task;
use crate::support::{World, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn open_tasks_of_a_member_who_leaves_are_nobodys_and_done_ones_stay() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let (project, other) = (ada.project("Apollo").await, ada.project("Gemini").await);
    for project in [&project, &other] {
        ada.invite(project, &grace, "collaborator").await;
    }
    let mut paths = Vec::new();
    for status in ["todo", "in_progress", "done"] {
        let task = task(&ada, &project, json!({"title": status, "status": status, "assignee_id": grace.id})).await;
        paths.push(format!("/projects/{project}/tasks/{}", task["id"].as_str().expect("an id")));
    }
    let elsewhere = task(&ada, &other, json!({"title": "Elsewhere", "assignee_id": grace.id})).await;
    grace.delete(&format!("/projects/{project}/members/{}", grace.id)).await.is(204);
    for (path, assignee) in paths.iter().zip([Value::Null, Value::Null, json!(grace.id)]) {
        assert_eq!(ada.get(path).await.is(200).json["assignee_id"], assignee, "{path}");
    }
    let elsewhere = format!("/projects/{other}/tasks/{}", elsewhere["id"].as_str().expect("an id"));
    assert_eq!(ada.get(&elsewhere).await.is(200).json["assignee_id"], grace.id);
    let history = ada.history(&project).await;
    let unassigned: Vec<_> = history.iter().filter(|event| event["event_type"] == "TaskUnassigned").collect();
    assert_eq!(unassigned.len(), 2);
    assert!(unassigned.iter().all(|event| event["actor"] == "system:reconciler"));
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_left_with_a_task_who_was_removed_while_it_was_given_to_them() {
    let world = World::new().await;
    let (here, there) = tokio::join!(world.server(), world.server());
    let (ada, grace) = (here.person("ada").await, here.person("grace").await);
    let project = ada.project("Apollo").await;
    for _ in 0..5 {
        ada.invite(&project, &grace, "collaborator").await;
        let giving = (0..20).map(|number| {
            let ada = if number % 2 == 0 { ada.clone() } else { ada.at(&there.address) };
            let (path, body) = (format!("/projects/{project}/tasks"), json!({"title": "x", "assignee_id": grace.id}));
            async move { ada.post(&path, body).await.status }
        });
        let hers = format!("/projects/{project}/members/{}", grace.id);
        let removing = ada.delete(&hers);
        let (given, removed) = tokio::join!(futures::future::join_all(giving), removing);
        removed.is(204);
        assert!(given.iter().all(|status| matches!(status, 201 | 422)), "{given:?}");
        let hers = format!("/projects/{project}/tasks?assignee_id={}", grace.id);
        assert!(ada.get(&hers).await.is(200).items().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_left_is_found() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &grace, "collaborator").await;
    task(&ada, &project, json!({"title": "Launch", "assignee_id": grace.id})).await;
    // A removal whose process died before it came to the tasks.
    let pool = world.pool().await;
    sqlx::query(
        "INSERT INTO events SELECT l.position + 1, gen_random_uuid(), e.feed_id,
             (SELECT max(feed_seq) + 1 FROM events WHERE feed_id = e.feed_id), 'membership', e.aggregate_id, e.sequence + 1,
             'MemberRemoved', '1', json_build_object('type', 'MemberRemoved', 'account_id', $2, 'role', 'collaborator'),
             e.metadata, l.recorded_at
         FROM events e, (SELECT * FROM events ORDER BY position DESC LIMIT 1) l
         WHERE e.aggregate_type = 'membership' AND e.aggregate_id = $1 ORDER BY e.sequence DESC LIMIT 1",
    )
    .bind(&project)
    .bind(&grace.id)
    .execute(&pool)
    .await
    .expect("an event");
    let path = format!("/projects/{project}/tasks?assignee_id=none");
    eventually("the task is nobody's", async || ada.get(&path).await.is(200).items().len() == 1).await;
}
