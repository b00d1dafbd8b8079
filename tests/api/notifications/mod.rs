//! What people are told of their tasks by mail.

use std::time::Duration;

use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use crate::support::{MailServer, Manner, Person, Server, World, eventually};

async fn server(world: &World, mails: &MailServer) -> Server {
    let app_url = ("WORKROOM_APP_URL", "https://app.example.com");
    world.server_with(&[], &[("WORKROOM_SMTP_URL", &mails.url()), app_url]).await
}

fn after(wait: Duration) -> String {
    (workroom::clock::now() + wait).format(&Rfc3339).expect("a moment")
}

async fn create(person: &Person, project: &str, body: Value) -> String {
    let id = person.post(&format!("/projects/{project}/tasks"), body).await.is(201).id();
    format!("/projects/{project}/tasks/{id}")
}

/// Waits until no mail is waiting that is due by now, and everything in the log was looked at.
async fn settled(world: &World) {
    let pool = world.pool().await;
    eventually("all mails are dealt with", async || {
        let waiting: i64 = sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM mails
                     WHERE due_at <= now() AND sent_at IS NULL AND failed_at IS NULL AND dropped_at IS NULL)
                    + (SELECT max(position) FROM events) - (SELECT position FROM notifier_checkpoint)",
        )
        .fetch_one(&pool)
        .await
        .expect("a count");
        waiting == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_given_a_task_is_told_at_once_and_so_is_the_next() {
    let (world, mails) = (World::new().await, MailServer::new(Manner::Takes).await);
    let (one, _other) = (server(&world, &mails).await, server(&world, &mails).await);
    let [ada, grace, bob] = [one.person("ada").await, one.person("grace").await, one.person("bob").await];
    let project = ada.project("Apollo").await;
    for person in [&grace, &bob] {
        ada.invite(&project, person, "collaborator").await;
    }
    let body = json!({
        "title": "Launch <now>", "description": "All engines.\nAnd lights.", "priority": "high",
        "assignee_id": grace.id, "due_at": "2096-12-24T18:00:00+01:00",
    });
    let task = create(&ada, &project, body).await;
    let subject = "Assigned to you: Launch <now>";
    eventually("a mail", async || !mails.mails(&grace.email, subject).is_empty()).await;
    let mail = mails.mails(&grace.email, subject).remove(0).text.replace("=3D", "=");
    for said in [
        "All engines.",
        "“Apollo”",
        "24 December 2096, 17:00 UTC",
        "Priority: high",
        "View task",
        "Launch &lt;now&gt;",
        &format!("https://app.example.com{task}"),
    ] {
        assert!(decoded(&mail).contains(said), "{said}: {mail}");
    }
    ada.patch(&task, json!({"assignee_id": bob.id})).await.is(200);
    eventually("a mail to the next", async || !mails.mails(&bob.email, subject).is_empty()).await;
    ada.patch(&task, json!({"assignee_id": grace.id})).await.is(200);
    eventually("a second mail", async || mails.mails(&grace.email, subject).len() == 2).await;
    // A change of something else is no assignment, nor is the same again.
    ada.patch(&task, json!({"status": "in_progress", "assignee_id": grace.id})).await.is(200);
    settled(&world).await;
    assert_eq!(mails.mails(&grace.email, subject).len(), 2);
    assert_eq!(mails.mails(&bob.email, subject).len(), 1);
    assert_eq!(mails.taken().iter().filter(|mail| mail.header("Subject").starts_with("Due")).count(), 0);
}

/// Quoted-printable (RFC 2045), as mails are written.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.filter(|_| *first == b'=').and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reminder_comes_when_a_task_is_due_and_only_if_it_is_still_to_be_done() {
    let (world, mails) = (World::new().await, MailServer::new(Manner::Takes).await);
    let server = server(&world, &mails).await;
    let [ada, grace, bob] = [server.person("ada").await, server.person("grace").await, server.person("bob").await];
    let project = ada.project("Apollo").await;
    for person in [&grace, &bob] {
        ada.invite(&project, person, "collaborator").await;
    }
    let due = after(Duration::from_secs(4));
    let task = async |title: &str| {
        create(&ada, &project, json!({"title": title, "assignee_id": grace.id, "due_at": due})).await
    };
    task("stays").await;
    let done = task("done").await;
    let gone = task("gone").await;
    let given = task("given").await;
    let later = task("later").await;
    let undated = task("undated").await;
    let again = task("again").await;
    let nobodys = create(&ada, &project, json!({"title": "nobody's", "due_at": due})).await;
    create(&ada, &project, json!({"title": "left", "assignee_id": bob.id, "due_at": due})).await;
    create(&ada, &project, json!({"title": "long ago", "assignee_id": grace.id, "due_at": "2020-01-01T00:00:00Z"}))
        .await;
    create(&ada, &project, json!({"title": "9999", "assignee_id": grace.id, "due_at": "9999-12-31T23:59:59Z"})).await;
    ada.patch(&done, json!({"status": "done"})).await.is(200);
    ada.delete(&gone).await.is(204);
    ada.patch(&given, json!({"assignee_id": ada.id})).await.is(200);
    ada.patch(&later, json!({"due_at": "2096-12-24T18:00:00Z"})).await.is(200);
    ada.patch(&undated, json!({"due_at": null})).await.is(200);
    // There and back is the same reminder.
    for at in ["2096-12-24T18:00:00Z", due.as_str()] {
        ada.patch(&again, json!({"due_at": at})).await.is(200);
    }
    ada.patch(&nobodys, json!({"priority": "high"})).await.is(200);
    ada.delete(&format!("/projects/{project}/members/{}", bob.id)).await.is(204);
    let reminders = || {
        let mut reminders: Vec<_> = mails
            .taken()
            .iter()
            .filter(|mail| mail.header("Subject").starts_with("Due: "))
            .map(|mail| (mail.header("Subject").to_owned(), mail.to.clone()))
            .collect();
        reminders.sort();
        reminders
    };
    assert!(reminders().is_empty(), "too early");
    let expected: Vec<_> = [("again", &grace), ("given", &ada), ("stays", &grace)]
        .map(|(title, person)| (format!("Due: {title}"), person.email.clone()))
        .into();
    eventually("the reminders", async || reminders().len() >= expected.len()).await;
    settled(&world).await;
    assert_eq!(reminders(), expected);
    // Moved after it was due: due again.
    let soon = after(Duration::from_secs(1));
    ada.patch(&later, json!({"due_at": soon})).await.is(200);
    eventually("the one that was moved", async || reminders().len() == expected.len() + 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reminders_outlive_the_processes_that_promised_them_and_come_once() {
    let (world, mails) = (World::new().await, MailServer::new(Manner::Takes).await);
    let first = server(&world, &mails).await;
    let ada = first.person("ada").await;
    let project = ada.project("Apollo").await;
    let due = after(Duration::from_secs(2));
    for number in 0..20 {
        create(&ada, &project, json!({"title": format!("task {number}"), "assignee_id": ada.id, "due_at": due})).await;
    }
    // The answer promised it: nothing else has to happen before the process dies.
    first.kill9().await;
    eventually("the time has come", async || after(Duration::ZERO) > due).await;
    assert_eq!(mails.taken().iter().filter(|mail| mail.header("Subject").starts_with("Due: ")).count(), 0);
    let (_one, _other) = (server(&world, &mails).await, server(&world, &mails).await);
    eventually("all reminders", async || {
        mails.taken().iter().filter(|mail| mail.header("Subject").starts_with("Due: ")).count() >= 20
    })
    .await;
    settled(&world).await;
    for number in 0..20 {
        for kind in ["Due", "Assigned to you"] {
            let sent = mails.mails(&ada.email, &format!("{kind}: task {number}")).len();
            // The kill may have come between a mail and its note.
            assert!(sent == 1 || kind == "Assigned to you" && sent <= 2, "{kind} {number}: {sent}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_when_a_task_is_due_gets_the_reminder_later() {
    let (world, mails) = (World::new().await, MailServer::new(Manner::PutsOff).await);
    let server = server(&world, &mails).await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let body = json!({"title": "Launch", "assignee_id": ada.id, "due_at": after(Duration::from_millis(500))});
    create(&ada, &project, body).await;
    let pool = world.pool().await;
    eventually("the reminder was put off", async || {
        let attempts: Option<i32> = sqlx::query_scalar("SELECT attempts FROM mails WHERE kind = 'task_due'")
            .fetch_optional(&pool)
            .await
            .expect("a row");
        attempts.is_some_and(|attempts| attempts >= 2)
    })
    .await;
    mails.behave(Manner::Takes);
    eventually("the reminder", async || !mails.mails(&ada.email, "Due: Launch").is_empty()).await;
    settled(&world).await;
    assert_eq!(mails.mails(&ada.email, "Due: Launch").len(), 1);
    assert_eq!(mails.mails(&ada.email, "Assigned to you: Launch").len(), 1);
}

/// Plants a task that was written down an hour ago, assigned, and due so many minutes ago.
async fn plant(world: &World, ada: &Person, project: &str, title: &str, minutes: i64) {
    let due = (workroom::clock::now() - time::Duration::minutes(minutes)).format(&Rfc3339).expect("a moment");
    let created = json!({
        "type": "TaskCreated", "project_id": project, "title": title, "description": "", "status": "todo",
        "task_type": "task", "priority": "medium", "assignee_id": ada.id, "due_at": due,
    });
    sqlx::query(
        "INSERT INTO events SELECT l.position + 1, gen_random_uuid(), $1::uuid,
             (SELECT max(feed_seq) + 1 FROM events WHERE feed_id = $1::uuid), 'task', gen_random_uuid()::text, 1,
             'TaskCreated', '1', $2::json, l.metadata, now() - interval '1 hour'
         FROM (SELECT * FROM events ORDER BY position DESC LIMIT 1) l",
    )
    .bind(project)
    .bind(created.to_string())
    .execute(&world.pool().await)
    .await
    .expect("an event");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reminder_comes_late_when_nobody_was_there_to_send_it_and_too_late_never() {
    let (world, mails) = (World::new().await, MailServer::new(Manner::Takes).await);
    let first = world.server_with(&["--roles", "api,live,projector,relay"], &[]).await;
    let ada = first.person("ada").await;
    let project = ada.project("Apollo").await;
    // Nobody looks after reminders meanwhile: one has become due 40 minutes ago, one 10, one before it was written down.
    for (title, minutes) in [("too late", 40), ("late", 10), ("long ago", 70)] {
        plant(&world, &ada, &project, title, minutes).await;
    }
    let settings = [("WORKROOM_SMTP_URL", mails.url()), ("WORKROOM_REMINDER_LATEST_MINUTES", "30".to_owned())];
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let _scheduler = world.server_with(&[], &settings).await;
    eventually("the late reminder", async || !mails.mails(&ada.email, "Due: late").is_empty()).await;
    settled(&world).await;
    let due = mails.taken().iter().filter(|mail| mail.header("Subject").starts_with("Due: ")).count();
    assert_eq!(due, 1);
}
