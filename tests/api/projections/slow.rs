//! A batch that takes the database longer than a statement may take at first.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "waits for most of a minute; ./dev test --long"]
async fn drill_a_batch_that_takes_long_is_done_at_last() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    // As a deletion of millions of rows would.
    sqlx::raw_sql(
        "CREATE FUNCTION views.slow() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN IF NEW.title = 'slow' THEN PERFORM pg_sleep(23); END IF; RETURN NULL; END $$;
         CREATE TRIGGER slow AFTER INSERT ON views.tasks FOR EACH ROW EXECUTE FUNCTION views.slow();",
    )
    .execute(&world.pool().await)
    .await
    .expect("a trigger");
    let tasks = format!("/projects/{project}/tasks");
    let reply = ada.post(&tasks, json!({"title": "slow"})).await.is(201);
    assert_eq!(reply.header("workroom-visible"), "false");
    let path = format!("{tasks}/{}", reply.id());
    let began = Instant::now();
    while ada.get(&path).await.status == 404 {
        assert!(began.elapsed() < Duration::from_secs(120), "the views never follow");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    // All goes on as before.
    let edited = ada.patch(&path, json!({"title": "quick"})).await.is(200);
    assert_eq!(edited.header("workroom-visible"), "");
}
