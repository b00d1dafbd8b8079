//! `PUT /organizations/{organization_id}/retention`

use serde_json::json;

use crate::{
    organizations::organization,
    state::hold,
    support::{World, eventually},
};

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_says_how_long_what_its_jobs_leave_is_kept() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let acme = organization(&ada, "Acme").await;
    let path = format!("/organizations/{acme}/retention");
    for wrong in [0, 3651] {
        ada.put(&path, json!({"job_output_days": wrong})).await.refused_field("/job_output_days", "out-of-range");
    }
    let body = json!({"name": "Apollo", "organization_id": acme});
    let project = ada.post("/projects", body).await.is(201).id();
    let elsewhere = ada.run_python("print('kept')", None).await;
    let job = ada.run_python("print('printed')", Some(&project)).await;
    ada.finished(&job).await;
    ada.finished(&elsewhere).await;
    let pool = world.pool().await;
    let age = "UPDATE views.jobs SET ended_at = now() - interval '31 days'";
    sqlx::query(age).execute(&pool).await.expect("age");
    let settled = ada.put(&path, json!({"job_output_days": 30, "job_code_days": 90})).await.is(200);
    assert_eq!(settled.json, json!({"job_output_days": 30, "job_code_days": 90}));
    // Each rule is due when a process begins.
    let _second = world.server_without_worker().await;
    let rows = async |table: &str, job: &str| -> i64 {
        let count = format!("SELECT count(*) FROM {table} WHERE job_id = $1::uuid");
        sqlx::query_scalar(&count).bind(job).fetch_one(&pool).await.expect("a count")
    };
    eventually("its output is gone", async || rows("job_output_pieces", &job).await == 0).await;
    assert_eq!(rows("job_inputs", &job).await, 1, "programs are kept for longer");
    assert!(rows("job_output_pieces", &elsewhere).await > 0, "a job of nobody's organization");

    let settled = ada.put(&path, json!({"job_output_days": null})).await.is(200);
    assert_eq!(settled.json, json!({"job_output_days": null, "job_code_days": null}));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_longer_settled_deletes_nothing_while_a_view_still_shows_it() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let mut jobs = Vec::new();
    for name in ["Acme", "Initech", "Hooli"] {
        let id = organization(&ada, name).await;
        ada.put(&format!("/organizations/{id}/retention"), json!({"job_code_days": 30})).await.is(200);
        let body = json!({"name": "Apollo", "organization_id": id});
        let project = ada.post("/projects", body).await.is(201).id();
        let job = ada.run_python("print()", Some(&project)).await;
        ada.cancel(&job).await.is(200);
        jobs.push((id, job));
    }
    let [(acme, kept), (_, old), (_, again)]: [(String, String); 3] = jobs.try_into().expect("three");
    let pool = world.pool().await;
    // Done again: a version that knew nothing of `ended_at` left the end from before in it.
    ada.retry(&again).await.is(200);
    ada.cancel(&again).await.is(200);
    let age = "UPDATE views.jobs SET ended_at = now() - interval '31 days'";
    sqlx::query(age).execute(&pool).await.expect("age");
    let age = "UPDATE job_inputs SET created_at = now() - interval '31 days'";
    sqlx::query(age).execute(&pool).await.expect("age");
    let programs = async |job: &str| -> i64 {
        let count = "SELECT count(*) FROM job_inputs WHERE job_id = $1::uuid";
        sqlx::query_scalar(count).bind(job).fetch_one(&pool).await.expect("a count")
    };
    assert_eq!((programs(&kept).await, programs(&old).await, programs(&again).await), (1, 1, 1));

    let view = hold(&world, "views.organizations").await;
    // Its reply waits for a view that does not come.
    let lifting = tokio::spawn({
        let (ada, path) = (ada.clone(), format!("/organizations/{acme}/retention"));
        async move { ada.put(&path, json!({"job_code_days": null})).await }
    });
    eventually("it is in the log", async || {
        let count = "SELECT count(*) FROM events WHERE event_type = 'OrganizationUpdated' AND aggregate_id = $1";
        let updates: i64 = sqlx::query_scalar(count).bind(&acme).fetch_one(&pool).await.expect("a count");
        updates == 2
    })
    .await;
    // Each rule is due when a process begins.
    let _second = world.server_without_worker().await;
    eventually("what is settled elsewhere is done", async || programs(&old).await == 0).await;
    assert_eq!(programs(&kept).await, 1, "nothing is settled any more");
    assert_eq!(programs(&again).await, 1, "it ended just now");
    drop(view);
    lifting.await.expect("a reply").is(200);
}
