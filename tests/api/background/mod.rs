//! What goes on behind the requests: how it is told, and that it cleans up.

use serde_json::{Value, json};

use crate::support::{Client, World, eventually};

/// How background tasks do, in a reply that must be 200.
async fn background(client: &Client) -> Value {
    client.get("//ready").await.is(200).json["background"].clone()
}

fn failing(background: &Value) -> Vec<&str> {
    let tasks = background.as_object().expect("tasks").iter();
    tasks.filter(|(_, task)| task["ok"] != true).map(|(name, _)| name.as_str()).collect()
}

#[tokio::test]
async fn a_task_that_fails_is_named_and_takes_nobody_out_of_service() {
    let world = World::new().await;
    let server = world.server().await;
    let client = server.client();
    let all = background(&client).await;
    for name in ["incarnation", "signing_keys", "views_workspace", "relay", "dispatcher", "task_mails", "cleanup"] {
        assert_eq!(all[name]["ok"], true, "{name}: {all}");
    }
    eventually("it has done its work", async || {
        let task = background(&client).await["signing_keys"].clone();
        task["last_success"]["age_seconds"].as_f64().is_some_and(|age| age < 5.0)
    })
    .await;

    let pool = world.pool().await;
    sqlx::query("ALTER TABLE signing_keys RENAME TO mislaid").execute(&pool).await.expect("another name");
    eventually("it is named", async || failing(&background(&client).await) == ["signing_keys"]).await;
    let task = background(&client).await["signing_keys"].clone();
    assert!(task["last_error"]["reason"].as_str().is_some_and(|reason| reason.contains("signing_keys")), "{task}");
    assert!(task["failures"].as_u64() > Some(1), "{task}");
    let ready = client.get("//ready").await.is(200).json;
    assert!(ready["checks"].as_object().expect("checks").values().all(|check| check["ok"] == true), "{ready}");
    let from_afar = client.with_header("x-forwarded-for", "203.0.113.1").get("//ready").await.is(200);
    assert_eq!(from_afar.json, json!({"status": "ready"}));

    sqlx::query("ALTER TABLE mislaid RENAME TO signing_keys").execute(&pool).await.expect("its name");
    eventually("it works again", async || failing(&background(&client).await).is_empty()).await;
}

#[tokio::test]
async fn one_scheduler_runs_schedules_and_another_stands_by_until_it_is_gone() {
    let world = World::new().await;
    let (one, other) = tokio::join!(world.server(), world.server());
    let stands_by = async |client: &Client| background(client).await["schedules"]["state"] == "standing_by";
    eventually("one leads", async || stands_by(&one.client()).await != stands_by(&other.client()).await).await;
    let (leader, heir) = if stands_by(&one.client()).await { (other, one) } else { (one, other) };
    assert!(leader.stop().await);
    eventually("the other leads", async || !stands_by(&heir.client()).await).await;
    assert_eq!(background(&heir.client()).await["schedules"]["ok"], true);
}

#[tokio::test]
async fn a_process_that_only_runs_jobs_tells_of_its_own_tasks() {
    let world = World::new().await;
    let _service = world.server().await;
    let worker = world.server_with(&["--roles", "worker"], &[]).await;
    let all = background(&worker.client()).await;
    assert!(all["ringer"]["ok"] == true && all["dispatcher"].is_null() && failing(&all).is_empty(), "{all}");
}

#[tokio::test]
async fn what_has_had_its_time_is_deleted_portion_by_portion() {
    let world = World::new().await;
    let pool = world.pool().await;
    let old = "INSERT INTO webhook_messages (id, received_at)
               SELECT 'old ' || n, now() - interval '2 days' FROM generate_series(1, 2500) n";
    sqlx::query(old).execute(&pool).await.expect("old messages");
    let new = "INSERT INTO webhook_messages (id, received_at) VALUES ('new', now() - interval '1 hour')";
    sqlx::query(new).execute(&pool).await.expect("a new message");
    let server = world.server().await;
    eventually("only what may still be needed is left", async || {
        let left: Vec<String> =
            sqlx::query_scalar("SELECT id FROM webhook_messages").fetch_all(&pool).await.expect("rows");
        left == ["new"]
    })
    .await;
    eventually("it is told", async || {
        let cleanup = background(&server.client()).await["cleanup"].clone();
        cleanup["last_success"]["detail"]["webhook_messages"] == 2500
    })
    .await;
}
