//! Schedules of an account that its issuer closes, opens again, and deletes.

use serde_json::{Value, json};

use super::{created, each_second, in_project, lost_rights::suspensions, ticks};
use crate::{
    auth::{external::Issuer, webhook},
    jobs::lifecycle::{bash, with},
    support::{World, eventually},
};

#[tokio::test(flavor = "multi_thread")]
async fn schedules_of_a_closed_account_rest_until_somebody_resumes_them_and_its_own_end_with_it() {
    let world = World::new().await;
    let issuer = Issuer::new();
    let (server, provider) = webhook::start(&world, &issuer).await;
    let told = async |at: i64, banned: bool| {
        let mut person = webhook::person(1_700_000_000_000 + at, "Grace");
        person["banned"] = banned.into();
        provider.tell("user.updated", person).await.is(204);
    };
    told(0, false).await;
    let grace = server.client().with_token(&issuer.token(&json!({"sub": "user_1"})));
    let id = grace.get("/auth/me").await.is(200).id();
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let body = json!({"email": "ada@example.com", "role": "collaborator"});
    ada.post(&format!("/projects/{project}/members"), body).await.is(201);
    let create =
        async |schedule: Value| format!("/schedules/{}", grace.post("/schedules", schedule).await.is(201).id());
    let own = create(with(each_second(), json!({"job": bash("true")}))).await;
    let shared = create(in_project(&project, json!({}))).await;
    let others = created(&ada, in_project(&project, json!({}))).await;
    let count = async |path: &str| ticks(&ada, &project, path).await.len();
    let shown = async || grace.get(&own).await.is(200).json;
    eventually("a run", async || count(&shared).await > 0).await;
    eventually("a run", async || shown().await["last_job_id"].is_string()).await;

    told(1, true).await;
    let pool = world.pool().await;
    let suspended = async || ada.get(&shared).await.is(200).json["suspended"].clone();
    eventually("the project's rests", async || suspended().await == "account_deactivated").await;
    eventually("her own rests", async || suspensions(&pool, &own).await == ["account_deactivated"]).await;

    // Opening the account lets none of them go on. A third one tells that they would have run.
    told(2, false).await;
    let before = (count(&shared).await, count(&others).await);
    eventually("others run", async || count(&others).await >= before.1 + 2).await;
    assert_eq!(count(&shared).await, before.0);
    let rests = shown().await;
    assert_eq!((&rests["suspended"], &rests["next_runs"]), (&json!("account_deactivated"), &json!([])));

    let resumed = grace.patch(&own, json!({"paused": false})).await.is(200).json;
    assert_eq!((&resumed["suspended"], &resumed["acts_for"]), (&Value::Null, &json!(id)));
    eventually("it goes on", async || shown().await["last_job_id"] != resumed["last_job_id"]).await;
    let resumed = ada.patch(&shared, json!({"paused": false})).await.is(200).json;
    assert_eq!((&resumed["suspended"], &resumed["acts_for"]), (&Value::Null, &json!(ada.id)));

    provider.tell("user.deleted", json!({"id": "user_1", "deleted": true})).await.is(204);
    let both = ["account_deactivated", "account_erased"];
    eventually("her own has ended", async || suspensions(&pool, &own).await == both).await;
    let kept = async || -> i64 {
        sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM schedule_slots WHERE owner_id = $1::uuid)
                  + (SELECT count(*) FROM schedule_inputs)",
        )
        .bind(&id)
        .fetch_one(&pool)
        .await
        .expect("a count")
    };
    eventually("nothing is kept of it", async || kept().await == 0).await;
    let before = count(&shared).await;
    eventually("the project's goes on", async || count(&shared).await > before).await;
    assert_eq!(suspensions(&pool, &shared).await, both[..1], "it acts for somebody else by now");
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}
