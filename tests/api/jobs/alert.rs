//! Whoever submitted a job is told that it has failed for good: by mail, once an hour at most.

use serde_json::json;
use sqlx::PgPool;

use super::lifecycle::{bash, with};
use crate::support::{MailServer, Manner, Person, Server, World, eventually};

async fn server(world: &World, mails: &MailServer) -> Server {
    world.server_with(&[], &[("WORKROOM_SMTP_URL", &mails.url())]).await
}

/// Has a job fail, in a project or none.
async fn fail(person: &Person, project: Option<&str>) -> String {
    let job = person.job(with(bash("exit 7"), json!({"project_id": project}))).await;
    assert_eq!(person.finished(&job).await["status"], "failed");
    job
}

/// Waits until all that has failed so far was looked at, and all mails that are due were dealt with.
async fn settled(pool: &PgPool) {
    eventually("all mails are dealt with", async || {
        let waiting: i64 = sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM mails
                     WHERE due_at <= now() AND sent_at IS NULL AND failed_at IS NULL AND dropped_at IS NULL)
                    + (SELECT count(*) FROM events WHERE event_type = 'JobDeadLettered' AND position >
                           (SELECT position FROM reactor_checkpoints WHERE reactor = 'failures'))",
        )
        .fetch_one(pool)
        .await
        .expect("a count");
        waiting == 0
    })
    .await;
}

/// How many mails wait for their time.
async fn waiting(pool: &PgPool) -> i64 {
    let waiting = "SELECT count(*) FROM mails WHERE kind = 'jobs_failed' AND sent_at IS NULL AND dropped_at IS NULL";
    sqlx::query_scalar(waiting).fetch_one(pool).await.expect("a count")
}

/// An hour passes.
async fn come_due(pool: &PgPool) {
    let due = "UPDATE mails SET due_at = now() WHERE kind = 'jobs_failed' AND sent_at IS NULL";
    sqlx::query(due).execute(pool).await.expect("a mail");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_failure_is_told_at_once_and_the_next_ones_together() {
    let (world, mails) = (World::new().await, MailServer::new(Manner::Takes).await);
    let (server, pool) = (server(&world, &mails).await, world.pool().await);
    let [ada, grace] = [server.person("ada").await, server.person("grace").await];
    let project = ada.project("Apollo").await;
    ada.invite(&project, &grace, "collaborator").await;
    let first = fail(&ada, Some(&project)).await;
    eventually("a mail", async || !mails.mails(&ada.email, "A job has failed: Apollo").is_empty()).await;
    assert!(mails.mails(&ada.email, "A job has failed: Apollo")[0].text.contains(&first));
    for _ in 0..3 {
        fail(&ada, Some(&project)).await;
    }
    // Others, and other places, have hours of their own.
    fail(&ada, None).await;
    fail(&grace, Some(&project)).await;
    eventually("her own", async || !mails.mails(&ada.email, "A job has failed").is_empty()).await;
    eventually("grace's", async || !mails.mails(&grace.email, "A job has failed: Apollo").is_empty()).await;
    settled(&pool).await;
    let told = |person: &Person| {
        let subjects = mails.taken().into_iter().filter(|mail| mail.to == person.email);
        subjects.filter(|mail| mail.header("Subject").contains("failed")).count()
    };
    assert_eq!((told(&ada), told(&grace), waiting(&pool).await), (2, 1, 1));
    come_due(&pool).await;
    eventually("the others", async || !mails.mails(&ada.email, "3 jobs have failed: Apollo").is_empty()).await;
    settled(&pool).await;
    assert_eq!((told(&ada), waiting(&pool).await), (3, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_of_a_project_that_they_have_left() {
    let (world, mails) = (World::new().await, MailServer::new(Manner::PutsOff).await);
    let (server, pool) = (server(&world, &mails).await, world.pool().await);
    let [ada, grace] = [server.person("ada").await, server.person("grace").await];
    let project = ada.project("Apollo").await;
    ada.invite(&project, &grace, "collaborator").await;
    fail(&grace, Some(&project)).await;
    eventually("a mail waits", async || waiting(&pool).await == 1).await;
    ada.delete(&format!("/projects/{project}/members/{}", grace.id)).await.is(204);
    // Nothing can be sent all the while: it is dropped.
    come_due(&pool).await;
    eventually("none waits", async || waiting(&pool).await == 0).await;
    assert!(mails.mails(&grace.email, "A job has failed: Apollo").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_at_an_address_that_is_not_proven() {
    let world = World::new().await;
    let server = world.server_with(&[], &[("WORKROOM_EMAIL_PROOF", "mail")]).await;
    let ada = server.person("ada").await;
    fail(&ada, None).await;
    let pool = world.pool().await;
    eventually("it was looked at", async || {
        let looked = "SELECT position >= (SELECT max(position) FROM events WHERE event_type = 'JobDeadLettered')
                      FROM reactor_checkpoints WHERE reactor = 'failures'";
        sqlx::query_scalar(looked).fetch_one(&pool).await.expect("a checkpoint")
    })
    .await;
    assert_eq!(waiting(&pool).await, 0);
}
