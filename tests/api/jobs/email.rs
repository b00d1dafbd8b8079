//! `email`: a mail to whoever has submitted the job.

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{MailServer, Manner, World, eventually};

fn mail(subject: &str) -> Value {
    json!({"type": "email", "subject": subject, "text": "Coffee is ready.\nCome."})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_comes_once_to_who_has_submitted_it() {
    let (world, mails) = (World::new().await, MailServer::new(Manner::Takes).await);
    let server = world.server_with(&[], &[("WORKROOM_SMTP_URL", &mails.url())]).await;
    let ada = server.person("ada").await;
    let job = ada.finished(&ada.job(mail("Good morning")).await).await;
    assert_eq!((&job["status"], &job["type"]), (&json!("completed"), &json!("email")), "{job}");
    eventually("the mail", async || !mails.mails(&ada.email, "Good morning").is_empty()).await;
    let sent = mails.mails(&ada.email, "Good morning");
    assert_eq!(sent.len(), 1);
    assert!(sent[0].text.contains("Coffee is ready."), "{}", sent[0].text);
    // What it says is in no event.
    let told: i64 = sqlx::query_scalar("SELECT count(*) FROM events WHERE payload::text LIKE '%Good morning%'")
        .fetch_one(&world.pool().await)
        .await
        .expect("a count");
    assert_eq!(told, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_to_an_account_that_was_erased() {
    let world = World::new().await;
    let first = world.server_with(&["--roles", "api,live,projector,relay"], &[]).await;
    let ada = first.person("ada").await;
    let job = ada.job(mail("Too late")).await;
    ada.send(Method::DELETE, "/auth/me", Some(json!({"password": ada.password}).to_string())).await.is(204);
    let _second = world.server().await;
    let pool = world.pool().await;
    eventually("the job is over", async || {
        let over = "SELECT count(*) FROM events WHERE aggregate_id = $1
                    AND event_type IN ('JobDeadLettered', 'JobCancelled')";
        sqlx::query_scalar::<_, i64>(over).bind(&job).fetch_one(&pool).await.expect("a count") == 1
    })
    .await;
    let waiting: i64 = sqlx::query_scalar("SELECT count(*) FROM mails WHERE kind = 'job_email'")
        .fetch_one(&pool)
        .await
        .expect("a count");
    assert_eq!(waiting, 0);
    assert!(world.mails(&ada.email, "Too late").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_to_an_address_that_nobody_has_proven() {
    let world = World::new().await;
    let server = world.server_with(&[], &[("WORKROOM_EMAIL_PROOF", "mail")]).await;
    let ada = server.person("ada").await;
    let job = ada.finished(&ada.job(mail("Good morning")).await).await;
    assert_eq!(job["status"], "failed", "{job}");
    assert!(job["result"]["stderr"].as_str().is_some_and(|told| told.contains("proven")), "{job}");
    assert!(world.mails(&ada.email, "Good morning").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_send_only_so_many_mails_in_an_hour() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    sqlx::query(
        "INSERT INTO mails (id, account_id, kind, about, reason, due_at, expires_at, sent_at)
         SELECT gen_random_uuid(), $1::uuid, 'job_email', gen_random_uuid(), 'job_email:' || n, now(), now(), now()
         FROM generate_series(1, 20) n",
    )
    .bind(&ada.id)
    .execute(&world.pool().await)
    .await
    .expect("mails");
    let job = ada.finished(&ada.job(mail("Good morning")).await).await;
    assert_eq!(job["status"], "failed", "{job}");
    assert!(job["result"]["stderr"].as_str().is_some_and(|told| told.contains("too many")), "{job}");
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_send_only_so_many_mails_in_an_hour_however_many_at_once() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let (ada, pool) = (server.person("ada").await, world.pool().await);
    // The function that the workers call, many at a time.
    let added = (0..40).map(|_| {
        let add = "SELECT has_address, are_many FROM add_job_email($1::uuid, true, 'job_email', gen_random_uuid(), 20)";
        sqlx::query_as::<_, (bool, bool)>(add).bind(&ada.id).fetch_one(&pool)
    });
    let added: Vec<_> = join_all(added).await.into_iter().map(|added| added.expect("an answer")).collect();
    assert!(added.iter().all(|(has_address, _)| *has_address));
    assert_eq!(added.iter().filter(|(_, are_many)| *are_many).count(), 20);
    let mails: i64 = sqlx::query_scalar("SELECT count(*) FROM mails WHERE kind = 'job_email'")
        .fetch_one(&pool)
        .await
        .expect("a count");
    assert_eq!(mails, 20);
}

#[tokio::test]
async fn a_mail_without_subject_or_text_is_refused() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    for (pointer, value, code) in [
        ("subject", Value::Null, "missing-field"),
        ("text", Value::Null, "missing-field"),
        ("subject", json!("two\nlines"), "forbidden-character"),
        ("text", json!("x".repeat(20_001)), "too-long"),
    ] {
        let mut job = mail("Good morning");
        match value {
            Value::Null => drop(job.as_object_mut().expect("fields").remove(pointer)),
            value => job[pointer] = value,
        }
        ada.post("/jobs", job).await.refused_field(&format!("/{pointer}"), code);
    }
}
