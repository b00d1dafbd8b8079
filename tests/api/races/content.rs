//! Rules about what is in projects: tasks and comments, workspaces and files, jobs.

use reqwest::Method;
use serde_json::json;

use super::{all_rounds, assert_proved, count, instances, rounds};
use crate::support::{Person, World, eventually};

/// Events of one type behind the end of what they belong to, which `key` names in their payload.
pub(super) fn behind(child: &str, key: &str, end: &str) -> String {
    format!(
        "SELECT count(*) FROM events c JOIN events e ON e.aggregate_id = c.payload->>'{key}' AND e.event_type = '{end}'
         WHERE c.event_type = '{child}' AND c.position > e.position"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_about_a_task_nor_written_to_a_workspace_that_is_deleted() {
    let world = World::new().await;
    let (here, there) = instances(&world).await;
    let ada = here.person("ada").await;
    let project = format!("/projects/{}", ada.project("Apollo").await);
    rounds(all_rounds(), async |number| {
        let other = ada.at(&there.address);
        let (gone, said) = if number % 2 == 0 {
            let task = ada.post(&format!("{project}/tasks"), json!({"title": "Launch"})).await.is(201).id();
            let task = format!("{project}/tasks/{task}");
            let comments = format!("{task}/comments");
            tokio::join!(ada.delete(&task), other.post(&comments, json!({"body": "Soon."})))
        } else {
            let room = ada.post(&format!("{project}/workspaces"), json!({"name": "Lab"})).await.is(201).id();
            let room = format!("{project}/workspaces/{room}");
            let body = json!({"path": "a", "content": "a"});
            let file = ada.post(&format!("{room}/files"), body).await.is(201).id();
            let content = format!("{room}/files/{file}/content");
            let other = other.with_header("content-type", "text/plain; charset=utf-8");
            tokio::join!(ada.delete(&room), other.send(Method::PUT, &content, Some("b".to_owned())))
        };
        gone.is(204);
        assert!(matches!(said.status, 200 | 201 | 204 | 404), "{}", said.text);
    })
    .await;
    let pool = world.pool().await;
    assert_eq!(count(&pool, &behind("CommentPosted", "task_id", "TaskDeleted")).await, 0);
    assert_eq!(count(&pool, &behind("FileContentWritten", "workspace_id", "WorkspaceDeleted")).await, 0);
    assert_proved(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_job_is_left_in_a_project_that_is_deleted() {
    let world = World::new().await;
    // Nobody runs them, so that those which are left stay.
    let roles = ["--roles", "api,live,projector,relay,scheduler"];
    let (here, there) = tokio::join!(world.server_with(&roles, &[]), world.server_with(&roles, &[]));
    let ada = here.person("ada").await;
    rounds(all_rounds(), async |_| {
        let project = ada.project("Doomed").await;
        let job = json!({"type": "code_execution", "language": "bash", "code": "true", "project_id": project});
        let other = ada.at(&there.address);
        let path = format!("/projects/{project}");
        let (gone, submitted) = tokio::join!(ada.delete(&path), other.post("/jobs", job));
        gone.is(204);
        assert!(matches!(submitted.status, 202 | 404), "{}", submitted.text);
    })
    .await;
    let pool = world.pool().await;
    assert_eq!(count(&pool, &behind("JobRequested", "project_id", "ProjectDeleted")).await, 0);
    let open = "SELECT count(*) FROM views.jobs WHERE status IN ('pending', 'running')";
    eventually("no job is open", async || count(&pool, open).await == 0).await;
    assert_proved(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_has_one_worker_and_a_job_one_end() {
    let world = World::new().await;
    let (here, there) = instances(&world).await;
    let ada = here.person("ada").await;
    // Whoever runs it, and whoever ends it with its project, are not the same process.
    rounds(all_rounds(), async |_| {
        let project = ada.project("Doomed").await;
        let job = json!({"type": "code_execution", "language": "bash", "code": "true", "project_id": project});
        ada.at(&there.address).post("/jobs", job).await.is(202);
        ada.delete(&format!("/projects/{project}")).await.is(204);
    })
    .await;
    let pool = world.pool().await;
    let ended = "SELECT count(DISTINCT aggregate_id) FROM events
                 WHERE event_type IN ('JobSucceeded', 'JobDeadLettered', 'JobCancelled')";
    let all = i64::try_from(all_rounds()).expect("a count");
    eventually("every job has ended", async || count(&pool, ended).await == all).await;
    let twice = "SELECT count(*) FROM (
                     SELECT FROM events WHERE event_type IN ('JobSucceeded', 'JobDeadLettered', 'JobCancelled')
                     GROUP BY aggregate_id HAVING count(*) > 1
                     UNION ALL
                     SELECT FROM events WHERE event_type = 'JobStarted'
                     GROUP BY aggregate_id, payload->>'attempt' HAVING count(*) > 1) AS t";
    assert_eq!(count(&pool, twice).await, 0);
    let run = "SELECT count(*) FROM events WHERE event_type IN ('JobStarted', 'JobSucceeded')";
    eprintln!("{} starts and successes of {} jobs", count(&pool, run).await, all_rounds());
    assert_proved(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_a_file_is_what_its_last_event_says() {
    let world = World::new().await;
    let (here, there) = instances(&world).await;
    let ada = here.person("ada").await;
    let other = ada.at(&there.address);
    let project = format!("/projects/{}", ada.project("Apollo").await);
    let room = ada.post(&format!("{project}/workspaces"), json!({"name": "Lab"})).await.is(201).id();
    let files = format!("{project}/workspaces/{room}/files");
    let file = ada.post(&files, json!({"path": "a", "content": ""})).await.is(201);
    let (path, mut version) = (format!("{files}/{}/content", file.id()), file.header("etag").to_owned());
    let pool = world.pool().await;
    for round in 0..all_rounds() {
        let write = |person: &Person, text: String| {
            let client = person.with_header("if-match", &version).with_header("content-type", "text/plain");
            let path = path.clone();
            async move { client.send(Method::PUT, &path, Some(text)).await }
        };
        let texts = [format!("here {round}"), format!("there {round}")];
        let (one, two) = tokio::join!(write(&ada, texts[0].clone()), write(&other, texts[1].clone()));
        let (text, won) = match (one.status, two.status) {
            (200, 412) => (&texts[0], one),
            (412, 200) => (&texts[1], two),
            statuses => panic!("{statuses:?}: {} {}", one.text, two.text),
        };
        won.header("etag").clone_into(&mut version);
        let stored: Vec<u8> = sqlx::query_scalar(
            "SELECT c.content FROM events e JOIN file_contents c ON c.sha256 = decode(e.payload->>'sha256', 'hex')
             WHERE e.event_type = 'FileContentWritten' ORDER BY e.position DESC LIMIT 1",
        )
        .fetch_one(&pool)
        .await
        .expect("the content of the last event");
        assert_eq!(stored, text.as_bytes());
        assert_eq!(ada.get(&path).await.is(200).text, *text);
    }
    assert_proved(&world).await;
}
