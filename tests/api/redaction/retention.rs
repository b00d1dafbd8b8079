//! `PUT /organizations/{organization_id}/retention`

use serde_json::json;

use crate::{
    organizations::organization,
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
    let age = "UPDATE views.jobs SET completed_at = now() - interval '31 days'";
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
