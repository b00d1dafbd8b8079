//! Pauses and limits: what holds jobs back, and whom it does not touch.

use std::time::Duration;

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::lifecycle::{bash, moment, with};
use crate::support::{Person, World, eventually};

fn noop(project: &str) -> Value {
    json!({"type": "noop", "project_id": project})
}

async fn status(person: &Person, job: &str) -> Value {
    person.get(&format!("/jobs/{job}")).await.is(200).json["status"].clone()
}

/// When the attempts of jobs began, in their order.
async fn starts(person: &Person, jobs: &[String]) -> Vec<time::OffsetDateTime> {
    let mut starts = Vec::new();
    for job in jobs {
        starts.push(moment(&person.finished(job).await["started_at"]));
    }
    starts.sort();
    starts
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_paused_waits_until_it_is_resumed_and_nobody_else_does() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let (apollo, other, gemini) =
        (ada.project("Apollo").await, ada.project("Other").await, grace.project("Gemini").await);
    let scope = json!({"project_id": apollo});
    let paused = ada.post("/jobs/pause", scope.clone()).await.is(200);
    assert_eq!((&paused.json["paused"], &paused.json["project_id"]), (&json!(true), &json!(apollo)));
    assert_eq!(paused.json["version"], 1);
    let listed = ada.get(&format!("/jobs/rules?project_id={apollo}")).await.is(200);
    assert_eq!(listed.items(), &vec![paused.json.clone()]);
    // Again changes nothing.
    assert_eq!(ada.post("/jobs/pause", scope.clone()).await.is(200).json, paused.json);

    let waits = ada.job(noop(&apollo)).await;
    for (person, project) in [(&ada, &other), (&grace, &gemini)] {
        let job = person.job(noop(project)).await;
        assert_eq!(person.finished(&job).await["status"], "completed");
    }
    assert_eq!(status(&ada, &waits).await, "pending", "those that came later are done");
    let resumed = ada.post("/jobs/resume", scope).await.is(200);
    assert_eq!((&resumed.json["paused"], &resumed.json["version"]), (&json!(false), &json!(2)));
    assert_eq!(ada.finished(&waits).await["status"], "completed");
    assert!(ada.get(&format!("/jobs/rules?project_id={apollo}")).await.is(200).items().is_empty());
    let events = ada.history(&apollo).await;
    let told = events.iter().filter(|event| event["event_type"] == "JobRuleChanged").count();
    assert_eq!(told, 2, "{events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_touches_nothing_that_runs_and_may_be_for_some_jobs_only() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let runs = ada.job(with(bash("sleep 1"), json!({"fairness_key": "bulk"}))).await;
    crate::support::eventually("it runs", async || status(&ada, &runs).await == "running").await;
    ada.post("/jobs/pause", json!({"fairness_key": "bulk"})).await.is(200);
    let waits = ada.job(json!({"type": "noop", "fairness_key": "bulk"})).await;
    let goes = ada.job(json!({"type": "noop", "fairness_key": "desk"})).await;
    assert_eq!(ada.finished(&goes).await["status"], "completed");
    assert_eq!(ada.finished(&runs).await["status"], "completed");
    assert_eq!(status(&ada, &waits).await, "pending");
    // What waits may be cancelled.
    ada.cancel(&waits).await.is(200);
    ada.post("/jobs/resume", json!({"fairness_key": "bulk"})).await.is(200);
    assert_eq!(status(&ada, &waits).await, "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_survives_whoever_dispatches() {
    let world = World::new().await;
    let roles = ["--roles", "api,projector,relay,scheduler"];
    let first = world.server_with(&roles, &[]).await;
    let second = world.server_with(&roles, &[]).await;
    let _worker = world.worker().await;
    let ada = first.person("ada").await.at(&second.address);
    let (apollo, other) = (ada.project("Apollo").await, ada.project("Other").await);
    ada.post("/jobs/pause", json!({"project_id": apollo})).await.is(200);
    let waits = ada.job(noop(&apollo)).await;
    first.kill9().await;
    let also = ada.job(noop(&apollo)).await;
    let goes = ada.job(noop(&other)).await;
    assert_eq!(ada.finished(&goes).await["status"], "completed");
    for job in [&waits, &also] {
        assert_eq!(status(&ada, job).await, "pending");
    }
    ada.post("/jobs/resume", json!({"project_id": apollo})).await.is(200);
    for job in [&waits, &also] {
        assert_eq!(ada.finished(job).await["status"], "completed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_whose_key_was_redacted_holds_nothing_back_whoever_dispatches() {
    let world = World::new().await;
    let roles = ["--roles", "api,projector,relay,scheduler"];
    let first = world.server_with(&roles, &[]).await;
    let second = world.server_with(&roles, &[]).await;
    let ada = first.person("ada").await.at(&second.address);
    let apollo = ada.project("Apollo").await;
    let keyed = json!({"type": "noop", "project_id": apollo, "key": "canary"});
    let scope = json!({"project_id": apollo, "key": "canary"});
    ada.post("/jobs/pause", scope.clone()).await.is(200);
    let waits = ada.job(keyed.clone()).await;
    let goes = ada.job(noop(&apollo)).await;
    assert_eq!(ada.finished(&goes).await["status"], "completed");
    assert_eq!(status(&ada, &waits).await, "pending");
    let history = ada.history(&apollo).await;
    let set = history.iter().find(|event| event["event_type"] == "JobRuleChanged").expect("a rule");
    let path = format!("/projects/{apollo}/events/{}/redact", set["seq"]);
    ada.post(&path, json!({"reason": "it names somebody"})).await.is(201);
    assert_eq!(ada.finished(&waits).await["status"], "completed", "who followed the log knows of no such key");
    // Who reads the rules anew does neither, and follows when it is set again.
    first.kill9().await;
    let also = ada.job(keyed.clone()).await;
    assert_eq!(ada.finished(&also).await["status"], "completed");
    ada.post("/jobs/pause", scope.clone()).await.is(200);
    let held = ada.job(keyed).await;
    let goes = ada.job(noop(&apollo)).await;
    assert_eq!(ada.finished(&goes).await["status"], "completed");
    assert_eq!(status(&ada, &held).await, "pending");
    ada.post("/jobs/resume", scope).await.is(200);
    assert_eq!(ada.finished(&held).await["status"], "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_start_in_a_time() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let rule = ada.put("/jobs/rules", json!({"rate": {"count": 2, "seconds": 1}})).await.is(200);
    assert_eq!(rule.json["rate"], json!({"count": 2, "seconds": 1}));
    let mut jobs = Vec::new();
    for _ in 0..6 {
        jobs.push(ada.job(json!({"type": "noop"})).await);
    }
    let starts = starts(&ada, &jobs).await;
    // Two at once, and four more, each half a second after the one before it.
    assert!(starts[5] - starts[0] >= Duration::from_millis(1500), "{starts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_run_at_a_time() {
    let world = World::new().await;
    let server = world.server_with(&[], &[("WORKROOM_WORKER_SLOTS", "4")]).await;
    let ada = server.person("ada").await;
    ada.put("/jobs/rules", json!({"type": "code_execution", "running": 1})).await.is(200);
    let mut jobs = Vec::new();
    for _ in 0..3 {
        jobs.push(ada.job(bash("sleep 0.2")).await);
    }
    let mut spans = Vec::new();
    for job in &jobs {
        let job = ada.finished(job).await;
        spans.push((moment(&job["started_at"]), moment(&job["completed_at"])));
    }
    spans.sort();
    for pair in spans.windows(2) {
        assert!(pair[0].1 <= pair[1].0, "two at a time: {spans:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_decides_about_all_jobs_sets_rules() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let (admin, member, stranger) =
        (server.person("admin").await, server.person("member").await, server.person("stranger").await);
    let organization = admin.post("/organizations", json!({"name": "Acme"})).await.is(201).id();
    let email = json!({"email": member.email, "role": "member"});
    admin.post(&format!("/organizations/{organization}/members"), email).await.is(201);
    let of_organization = json!({"organization_id": organization, "fairness_key": "bulk", "weight": 3, "running": 5});
    stranger.put("/jobs/rules", of_organization.clone()).await.problem(404);
    member.put("/jobs/rules", of_organization.clone()).await.problem(403);
    let set = admin.put("/jobs/rules", of_organization).await.is(200);
    assert_eq!((&set.json["weight"], &set.json["running"]), (&json!(3), &json!(5)));
    let path = format!("/jobs/rules?organization_id={organization}");
    assert_eq!(member.get(&path).await.is(200).items().len(), 1);
    stranger.get(&path).await.problem(404);
    stranger.post("/jobs/pause", json!({"organization_id": organization})).await.problem(404);
    member.post("/jobs/pause", json!({"organization_id": organization})).await.problem(403);
    // Everybody's own.
    stranger.post("/jobs/pause", json!({})).await.is(200);
    assert_eq!(stranger.get("/jobs/rules").await.is(200).items().len(), 1);
    assert!(member.get("/jobs/rules").await.is(200).items().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    for (rule, pointer, code) in [
        (json!({"running": 0}), "/running", "out-of-range"),
        (json!({"rate": {"count": 0, "seconds": 1}}), "/rate/count", "out-of-range"),
        (json!({"rate": {"count": 1, "seconds": 86_401}}), "/rate/seconds", "out-of-range"),
        (json!({"fairness_key": "a", "weight": 101}), "/weight", "out-of-range"),
        // What one gets beside other organizations it does not decide.
        (json!({"weight": 5}), "/weight", "invalid-value"),
        (json!({"project_id": project, "fairness_key": "a", "weight": 5}), "/weight", "invalid-value"),
        (json!({"project_id": project, "organization_id": project}), "/organization_id", "invalid-value"),
        (json!({"key": ""}), "/key", "empty"),
    ] {
        ada.put("/jobs/rules", rule).await.refused_field(pointer, code);
    }
    let mut given = json!({"running": 3, "rate": {"count": 1, "seconds": 1}});
    ada.put("/jobs/rules", given.clone()).await.is(200);
    given["running"] = Value::Null;
    let cleared = ada.put("/jobs/rules", given).await.is(200);
    assert_eq!(cleared.json["running"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_says_what_an_organization_gets_beside_others() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let organization = ada.post("/organizations", json!({"name": "Acme"})).await.is(201).id();
    let limits = |running: u32| json!({"organization_id": organization, "running": running});
    ada.put("/jobs/rules", limits(5)).await.is(200);
    ada.put("/jobs/rules", json!({"organization_id": organization, "key": "a\"b", "running": 2})).await.is(200);
    let weigh = async |organization: &str, weight: &str| {
        world.command(&["jobs", "weight", "--organization", organization, "--weight", weight]).await
    };
    let (done, text) = weigh(&organization, "3").await;
    assert!(done && text.contains(&format!("{organization} has the weight 3")), "{text}");

    let path = format!("/jobs/rules?organization_id={organization}");
    let of_all = async || {
        let rules = ada.get(&path).await.is(200).items().clone();
        rules.into_iter().find(|rule| rule["key"].is_null())
    };
    let rule = of_all().await.expect("a rule");
    assert_eq!((&rule["weight"], &rule["running"]), (&json!(3), &json!(5)), "the limit stays: {rule}");
    // Its admins cannot undo it.
    let set = ada.put("/jobs/rules", limits(7)).await.is(200).json;
    assert_eq!((&set["weight"], &set["running"]), (&json!(3), &json!(7)));
    let cleared = ada.put("/jobs/rules", json!({"organization_id": organization})).await.is(200).json;
    assert_eq!((&cleared["weight"], &cleared["running"]), (&json!(3), &Value::Null));

    let (done, text) = world.command(&["jobs", "rules"]).await;
    assert!(done && text.contains(&format!("organization {organization}  weight 3\n")), "{text}");
    let (done, text) = world.command(&["jobs", "rules", "--organization", &organization]).await;
    let told = format!("organization {organization}  key \"a\\\"b\"  running 2\n");
    assert!(done && text.contains(&told) && text.contains("  weight 3\n"), "{text}");
    let another = uuid::Uuid::now_v7().to_string();
    let (done, text) = world.command(&["jobs", "rules", "--organization", &another]).await;
    assert!(done && !text.contains("organization"), "{text}");

    for (id, weight) in [(another.as_str(), "3"), (organization.as_str(), "0"), (organization.as_str(), "101")] {
        let (done, text) = weigh(id, weight).await;
        assert!(!done, "{id} {weight}: {text}");
    }
    assert!(weigh(&organization, "1").await.0);
    assert_eq!(of_all().await, None, "it says nothing any more");
    let (proved, text) = world.command(&["audit", "access"]).await;
    assert!(proved && text.contains(" 0 violations"), "{text}");
}

/// How many rules are counted.
async fn slots(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM job_rule_slots").fetch_one(pool).await.expect("a count")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_has_a_hundred_rules_at_most_however_many_are_set_at_once() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let (ada, pool) = (server.person("ada").await, world.pool().await);
    let rule = |number: usize| json!({"fairness_key": format!("key {number}"), "running": 1});
    let replies = join_all((0..150).map(|number| ada.put("/jobs/rules", rule(number)))).await;
    let (set, refused): (Vec<_>, Vec<_>) = (0..150).zip(replies).partition(|(_, reply)| reply.status == 200);
    assert_eq!((set.len(), refused.len()), (100, 50));
    for (_, reply) in refused {
        reply.refused("too-many-job-rules");
    }
    // In the log as in the table.
    let told = "SELECT count(*) FROM events WHERE event_type = 'JobRuleChanged'";
    let told: i64 = sqlx::query_scalar(told).fetch_one(&pool).await.expect("a count");
    assert_eq!((told, slots(&pool).await), (100, 100));
    // One that is there may change; a pause of others needs room.
    let (first, second) = (set[0].0, set[1].0);
    let scope = json!({"fairness_key": format!("key {first}")});
    ada.post("/jobs/pause", scope.clone()).await.is(200);
    ada.post("/jobs/pause", json!({})).await.refused("too-many-job-rules");
    // It goes when it says nothing any more, neither a limit nor a pause.
    ada.put("/jobs/rules", scope.clone()).await.is(200);
    assert_eq!(slots(&pool).await, 100);
    ada.post("/jobs/resume", scope).await.is(200);
    assert_eq!(slots(&pool).await, 99);
    ada.put("/jobs/rules", json!({"fairness_key": format!("key {second}")})).await.is(200);
    assert_eq!(slots(&pool).await, 98);
    ada.post("/jobs/pause", json!({})).await.is(200);
    assert_eq!(slots(&pool).await, 99);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_limit_of_rules_holds_the_operator() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let (ada, pool) = (server.person("ada").await, world.pool().await);
    let organization = ada.post("/organizations", json!({"name": "Acme"})).await.is(201).id();
    let fill = "INSERT INTO job_rule_slots (rule_id, owner_id)
                SELECT gen_random_uuid(), $1::uuid FROM generate_series(1, 100)";
    sqlx::query(fill).bind(&organization).execute(&pool).await.expect("rows");
    let limit = |running: Option<u32>| json!({"organization_id": organization, "running": running});
    ada.put("/jobs/rules", limit(Some(5))).await.refused("too-many-job-rules");
    let weigh = async |weight: &str| {
        let (done, text) =
            world.command(&["jobs", "weight", "--organization", &organization, "--weight", weight]).await;
        assert!(done, "{text}");
    };
    weigh("3").await;
    assert_eq!(slots(&pool).await, 101);
    // It is there now, and may be changed.
    ada.put("/jobs/rules", limit(Some(5))).await.is(200);
    ada.put("/jobs/rules", limit(None)).await.is(200);
    assert_eq!(slots(&pool).await, 101, "the weight stays");
    weigh("1").await;
    assert_eq!(slots(&pool).await, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_counted_of_rules_goes_with_their_owner() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let pool = world.pool().await;
    let project = ada.project("Apollo").await;
    let organization = ada.post("/organizations", json!({"name": "Acme"})).await.is(201).id();
    ada.post("/jobs/pause", json!({"project_id": project})).await.is(200);
    ada.post("/jobs/pause", json!({"organization_id": organization})).await.is(200);
    ada.post("/jobs/pause", json!({})).await.is(200);
    grace.post("/jobs/pause", json!({})).await.is(200);
    assert_eq!(slots(&pool).await, 4);
    ada.delete(&format!("/projects/{project}")).await.is(204);
    eventually("that of the project is gone", async || slots(&pool).await == 3).await;
    ada.delete(&format!("/organizations/{organization}")).await.is(204);
    eventually("that of the organization is gone", async || slots(&pool).await == 2).await;
    let erase = json!({"password": grace.password}).to_string();
    grace.send(Method::DELETE, "/auth/me", Some(erase)).await.is(204);
    assert_eq!(slots(&pool).await, 1);
}
