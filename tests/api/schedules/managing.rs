//! Creating, reading, changing and deleting schedules.

use serde_json::{Value, json};

use super::{created, events, in_project};
use crate::{
    jobs::lifecycle::{bash, moment, types, with},
    support::{Reply, World},
};

fn nightly() -> Value {
    json!({"cron": "30 3 * * mon-fri", "job": {"type": "noop"}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_is_created_read_listed_changed_and_deleted() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let job = json!({"type": "noop", "priority": 2, "max_attempts": 3, "key": "nightly", "fairness_key": "reports"});
    let schedule = json!({
        "name": " Nightly ", "project_id": project, "cron": "30 3 * * mon-fri", "time_zone": "europe/berlin",
        "missed": "skip", "job": job,
    });
    let reply = ada.post("/schedules", schedule).await.is(201);
    let path = format!("/schedules/{}", reply.id());
    assert_eq!((reply.header("location"), reply.header("etag")), (format!("/api/v1{path}").as_str(), "\"1\""));
    for (field, expected) in [
        ("name", json!("Nightly")),
        ("project_id", json!(project)),
        ("created_by", json!(ada.id)),
        ("acts_for", json!(ada.id)),
        ("cron", json!("30 3 * * mon-fri")),
        ("every_seconds", Value::Null),
        ("time_zone", json!("Europe/Berlin")),
        ("missed", json!("skip")),
        ("paused", json!(false)),
        ("suspended", Value::Null),
        ("last_run_at", Value::Null),
        ("last_job_id", Value::Null),
        ("passed_over", Value::Null),
        ("version", json!(1)),
    ] {
        assert_eq!(reply.json[field], expected, "{field}");
    }
    let expected = json!({
        "type": "noop", "language": null, "timeout_seconds": null, "priority": 2, "max_attempts": 3, "key": "nightly",
        "fairness_key": "reports", "workspace_id": null, "unique_seconds": null,
    });
    assert_eq!(reply.json["job"], expected);
    let runs: Vec<_> = reply.json["next_runs"].as_array().expect("runs").iter().map(moment).collect();
    assert!(runs.len() == 5 && runs.is_sorted() && runs[0] > moment(&reply.json["created_at"]), "{}", reply.text);
    assert!(runs.iter().all(|run| run.minute() == 30 && (1..=2).contains(&run.hour())), "{}", reply.text);
    assert_eq!(ada.get(&path).await.is(200).json, reply.json);

    let second = ada.post("/schedules", with(nightly(), json!({"project_id": project}))).await.is(201);
    let own = ada.post("/schedules", nightly()).await.is(201);
    let ids = |reply: &Reply| reply.items().iter().map(|schedule| schedule["id"].clone()).collect::<Vec<_>>();
    let listed = ada.get(&format!("/schedules?project_id={project}")).await.is(200);
    assert_eq!(ids(&listed), [&second.json["id"], &reply.json["id"]].map(Clone::clone));
    assert_eq!(listed.items()[1], reply.json);
    assert_eq!(ids(&ada.get("/schedules").await.is(200)), [own.json["id"].clone()]);
    let page = ada.get(&format!("/schedules?project_id={project}&limit=1")).await.is(200);
    let cursor = page.json["next_cursor"].as_str().expect("more");
    let rest = ada.get(&format!("/schedules?project_id={project}&limit=1&cursor={cursor}")).await.is(200);
    assert_eq!(ids(&rest), [reply.json["id"].clone()]);

    let patch = json!({"name": null, "every_seconds": 3600, "missed": "all", "job": {"type": "noop"}});
    let patched = ada.with_header("if-match", "\"1\"").patch(&path, patch).await.is(200);
    assert_eq!((patched.header("etag"), &patched.json["version"]), ("\"2\"", &json!(2)));
    let shown = ["name", "cron", "every_seconds", "missed", "time_zone"].map(|field| patched.json[field].clone());
    assert_eq!(json!(shown), json!([null, null, 3600, "all", "Europe/Berlin"]));
    assert_eq!((&patched.json["job"]["priority"], &patched.json["job"]["key"]), (&json!(3), &Value::Null));
    assert_eq!(patched.json["created_at"], reply.json["created_at"]);
    let hour = moment(&patched.json["next_runs"][0]) - moment(&patched.json["updated_at"]);
    assert_eq!(hour.whole_seconds(), 3600);
    assert_eq!(ada.get(&path).await.is(200).json, patched.json);
    ada.with_header("if-match", "\"1\"").patch(&path, json!({"name": "Late"})).await.problem(412);
    let same = ada.patch(&path, json!({"missed": "all"})).await.is(200);
    assert_eq!(same.json, patched.json);

    ada.with_header("if-match", "\"1\"").delete(&path).await.problem(412);
    ada.delete(&path).await.is(204);
    ada.get(&path).await.refused("not-found");
    ada.patch(&path, json!({"paused": true})).await.refused("not-found");
    ada.delete(&path).await.refused("not-found");
    let history = events(&ada, &project, &path).await;
    assert_eq!(types(&history), ["ScheduleCreated", "ScheduleUpdated", "ScheduleDeleted"]);
    assert_eq!(history[1]["data"]["changes"]["name"], json!({"from": "Nightly", "to": null}));
}

#[tokio::test(flavor = "multi_thread")]
async fn next_runs_are_right_through_both_changes_of_summer_time() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    // Half past two does not exist on the last Sunday of March, and is there twice on the last one of October.
    for (month, hour, minute) in [(3, 1, 0), (10, 0, 30)] {
        let cron = format!("30 2 * {month} sunL");
        let schedule = json!({"cron": cron, "time_zone": "Europe/Berlin", "job": {"type": "noop"}});
        let reply = ada.post("/schedules", schedule).await.is(201);
        let runs: Vec<_> = reply.json["next_runs"].as_array().expect("runs").iter().map(moment).collect();
        let years: Vec<_> = runs.iter().map(|run| run.year()).collect();
        assert!(years.windows(2).all(|pair| pair[1] == pair[0] + 1) && years.len() == 5, "{}", reply.text);
        assert!(runs.iter().all(|run| u8::from(run.month()) == month), "{}", reply.text);
        assert!(runs.iter().all(|run| (run.hour(), run.minute()) == (hour, minute)), "{}", reply.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_schedule_has_no_next_runs() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let path = created(&ada, with(nightly(), json!({"paused": true}))).await;
    let runs = async || ada.get(&path).await.is(200).json["next_runs"].as_array().expect("runs").len();
    assert_eq!(runs().await, 0);
    let goes_on = ada.patch(&path, json!({"paused": false})).await.is(200);
    assert_eq!(goes_on.json["next_runs"].as_array().map(Vec::len), Some(5));
    assert_eq!(runs().await, 5);
    let rests = ada.patch(&path, json!({"paused": true, "cron": "@daily"})).await.is(200);
    assert_eq!((&rests.json["next_runs"], &rests.json["cron"]), (&json!([]), &json!("@daily")));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_is_one_schedule() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let keyed = ada.with_header("idempotency-key", "schedule 1");
    let first = keyed.post("/schedules", nightly()).await.is(201);
    let again = keyed.post("/schedules", nightly()).await.is(201);
    assert_eq!((again.text, again.headers["idempotent-replayed"].to_str().ok()), (first.text, Some("true")));
    assert_eq!(ada.get("/schedules").await.is(200).items().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn schedules_are_for_whom_jobs_of_the_project_are() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let (viewer, stranger) = (server.person("vera").await, server.person("sam").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &grace, "collaborator").await;
    ada.invite(&project, &viewer, "viewer").await;
    let shared = created(&ada, with(nightly(), json!({"project_id": project}))).await;
    let own = created(&ada, nightly()).await;
    let of_project = format!("/schedules?project_id={project}");
    for reader in [&grace, &viewer] {
        reader.get(&shared).await.is(200);
        assert_eq!(reader.get(&of_project).await.is(200).items().len(), 1);
        assert_eq!(reader.get("/schedules").await.is(200).items().len(), 0);
    }
    let create = in_project(&project, json!({"paused": true}));
    for (person, code) in [(&viewer, "forbidden"), (&stranger, "not-found")] {
        person.post("/schedules", create.clone()).await.refused(code);
        person.patch(&shared, json!({"paused": true})).await.refused(code);
        person.delete(&shared).await.refused(code);
    }
    stranger.get(&shared).await.refused("not-found");
    stranger.get(&of_project).await.refused("not-found");
    for person in [&grace, &viewer, &stranger] {
        person.get(&own).await.refused("not-found");
        person.patch(&own, json!({"paused": true})).await.refused("not-found");
        person.delete(&own).await.refused("not-found");
    }
    server.client().get(&shared).await.problem(401);

    // Who changes something else than the job does not lend their name to it.
    let paused = grace.patch(&shared, json!({"paused": true})).await.is(200);
    assert_eq!(paused.json["acts_for"], ada.id.as_str());
    let changed = grace.patch(&shared, json!({"job": bash("true")})).await.is(200);
    assert_eq!((&changed.json["acts_for"], &changed.json["job"]["language"]), (&json!(grace.id), &json!("bash")));
    grace.delete(&shared).await.is(204);
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}
