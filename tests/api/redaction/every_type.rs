//! Of every type of event that holds texts, and of each of its fields, a text is redacted. A type that is added to the table of the
//! domain needs something here that it happens to.

use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;
use workroom_domain::redaction::{ADDRESS, DIGEST, Placeholder, TEXTS};

use super::{
    are_gone, dump, has, redact,
    written::{create, id, in_project, rule},
};
use crate::support::{Person, World, eventually};

const WORD: &str = "canary";

/// Fields that are in the table and in no event: what schedules run has been outside the log ever since there are any.
const NEVER: [(&str, &str); 4] = [
    ("ScheduleCreated", "code"),
    ("ScheduleCreated", "stdin"),
    ("ScheduleUpdated", "code"),
    ("ScheduleUpdated", "stdin"),
];

/// The tables that show what was written, or keep it beside the log.
const TABLES: [&str; 13] = [
    "views.projects",
    "views.tasks",
    "views.comments",
    "views.workspaces",
    "views.files",
    "views.jobs",
    "views.job_rules",
    "views.schedules",
    "views.organizations",
    "public.file_contents",
    "public.job_inputs",
    "public.schedule_inputs",
    "public.idempotency_receipts",
];

/// An event of a type that holds texts.
struct Stored {
    event_type: String,
    feed: String,
    seq: i64,
    payload: Value,
}

impl Stored {
    /// The texts in its fields, with what is to stand for them.
    fn texts(&self) -> Vec<(&'static str, Placeholder, String)> {
        let of_type = TEXTS.iter().filter(|(event_type, _)| *event_type == self.event_type);
        let mut texts = Vec::new();
        for (field, placeholder) in of_type.flat_map(|(_, fields)| *fields) {
            texts.extend(texts_in(&self.payload, field).into_iter().map(|text| (*field, *placeholder, text)));
        }
        texts
    }

    /// The digests of what people wrote.
    fn digests(&self) -> Vec<String> {
        let digests = self.texts().into_iter().filter(|(_, placeholder, _)| *placeholder == Placeholder::Digest);
        digests.map(|(_, _, digest)| digest).collect()
    }

    /// Whether anything in it was written by the test.
    fn is_written(&self) -> bool {
        self.payload.to_string().contains(WORD) || !self.digests().is_empty()
    }
}

/// The texts that a field of this name holds, wherever in a payload it stands.
fn texts_in(payload: &Value, field: &str) -> Vec<String> {
    match payload {
        Value::Object(entries) => entries
            .iter()
            .flat_map(|(name, value)| if name == field { strings(value) } else { texts_in(value, field) })
            .collect(),
        Value::Array(items) => items.iter().flat_map(|item| texts_in(item, field)).collect(),
        _ => Vec::new(),
    }
}

fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Object(entries) => entries.values().flat_map(strings).collect(),
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        _ => Vec::new(),
    }
}

/// All events whose types hold texts.
async fn stored(pool: &PgPool) -> Vec<Stored> {
    let types: Vec<&str> = TEXTS.iter().map(|(event_type, _)| *event_type).collect();
    let rows: Vec<(String, String, i64, String)> = sqlx::query_as(
        "SELECT event_type, feed_id::text, feed_seq, payload::text FROM events WHERE event_type = ANY($1)
         ORDER BY position",
    )
    .bind(types)
    .fetch_all(pool)
    .await
    .expect("events");
    let read = |(event_type, feed, seq, payload): (String, String, i64, String)| {
        let payload = serde_json::from_str(&payload).expect("JSON");
        Stored { event_type, feed, seq, payload }
    };
    rows.into_iter().map(read).collect()
}

/// Writes a job into the log as its first version was stored, with the program in the event. It is over.
async fn plant_inline_job(pool: &PgPool, person: &Person) {
    let requested = json!({
        "type": "JobRequested", "project_id": null, "submitted_by": person.id, "job_type": "code_execution",
        "language": "python", "code": "# canary-inline", "stdin": "canary-inline-stdin", "timeout_seconds": 30,
        "max_attempts": 1,
    });
    let cancelled = json!({"type": "JobCancelled", "reason": "requested"});
    sqlx::query(
        "INSERT INTO events
         SELECT last.position + n.place, gen_random_uuid(), $1::uuid,
                (SELECT max(feed_seq) FROM events WHERE feed_id = $1::uuid) + n.place, 'job', $2, n.place, n.event_type,
                '1', n.payload::json, last.metadata, last.recorded_at
         FROM (SELECT * FROM events ORDER BY position DESC LIMIT 1) AS last,
              (VALUES (1, 'JobRequested', $3), (2, 'JobCancelled', $4)) AS n (place, event_type, payload)",
    )
    .bind(&person.id)
    .bind(Uuid::now_v7().to_string())
    .bind(requested.to_string())
    .bind(cancelled.to_string())
    .execute(pool)
    .await
    .expect("a job");
}

/// Insists that an event of each type was there, with a text in each field.
fn insist_on_all(events: &[Stored]) {
    for (event_type, fields) in TEXTS {
        let of_type: Vec<&Stored> = events.iter().filter(|event| event.event_type == *event_type).collect();
        assert!(!of_type.is_empty(), "no {event_type} has happened here");
        for (field, placeholder) in *fields {
            let mut texts = of_type.iter().flat_map(|event| texts_in(&event.payload, field));
            let is_there = texts.any(|text| *placeholder == Placeholder::Digest || text.contains(WORD));
            assert_ne!(is_there, NEVER.contains(&(*event_type, *field)), "{field} of {event_type}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_every_type_of_event_each_text_goes() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let pool = world.pool().await;
    // Before anything else that the service goes on to write about.
    plant_inline_job(&pool, &ada).await;
    let fields =
        json!({"name": "canary-acme", "slug": "canary-slug", "image_url": "https://example.com/canary-picture"});
    let organization = create(&ada, "/organizations", fields).await;
    let change =
        json!({"name": "canary-ajax", "slug": "canary-other", "image_url": "https://example.com/canary-other"});
    ada.patch(&organization, change).await.is(200);
    let project = create(&ada, "/projects", json!({"name": "canary-project", "description": "canary-about"})).await;
    let written = in_project(&ada, &project, WORD).await;
    rule(&ada, &project, WORD).await;
    let filter = json!({"project_id": id(&project), "key": "canary-filter", "fairness_key": "canary-filter-fairness"});
    let control = ada.post("/jobs/cancel", filter).await.is(202).id();
    assert_eq!(ada.finished(&control).await["status"], "completed");

    let events = stored(&pool).await;
    insist_on_all(&events);
    for table in TABLES {
        let begin = format!("{table} ");
        let is_written = |row: &str| row.starts_with(&begin) && has(row, WORD);
        eventually(table, async || dump(&pool).await.lines().any(is_written)).await;
    }
    ada.cancel(&written.waiting).await.is(200);

    let digests: Vec<String> = events.iter().flat_map(Stored::digests).collect();
    let path_of = |event: &Stored| {
        let feeds = [&organization, &project];
        let feed = feeds.into_iter().find(|path| id(path) == event.feed).map_or("/auth/me", String::as_str);
        (feed, json!(event.seq))
    };
    let events: Vec<Stored> = events.into_iter().filter(Stored::is_written).collect();
    for event in &events {
        let (feed, seq) = path_of(event);
        let reply = redact(&ada, feed, &seq).await;
        assert_eq!(reply.status, 201, "{}: {}", event.event_type, reply.text);
    }
    let texts: Vec<&str> = digests.iter().map(String::as_str).chain([WORD]).collect();
    are_gone(&pool, &texts).await;

    // Whatever is left is shown as documented.
    for event in &events {
        let (feed, seq) = path_of(event);
        assert_eq!(ada.get(&format!("{feed}/events/{seq}")).await.is(200).json["redacted"], true);
    }
    for path in &written.paths {
        ada.get(path).await.is(200);
    }
    assert_eq!(ada.get(&project).await.is(200).json["name"], "[redacted]");
    let rules = ada.get(&format!("/jobs/rules?project_id={}", id(&project))).await.is(200);
    assert!(rules.items()[0]["key"].as_str().is_some_and(|key| key.starts_with("[redacted]-")), "{}", rules.text);
    let shown = ada.get(&organization).await.is(200).json;
    assert_eq!((&shown["name"], &shown["image_url"]), (&json!("[redacted]"), &json!(ADDRESS)));
    assert!(shown["slug"].as_str().is_some_and(|slug| slug.starts_with("[redacted]-")), "{shown}");
    for event in stored(&pool).await {
        for (field, placeholder, text) in event.texts() {
            if placeholder == Placeholder::Digest {
                assert_eq!(text, hex::encode(DIGEST.0), "{field} of {}", event.event_type);
            }
        }
    }
    assert!(server.stop().await);
    let (equal, printed) = world.command(&["projections", "verify"]).await;
    assert!(equal, "{printed}");
}
