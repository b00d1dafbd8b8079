//! What the release before wrote of deliveries, once the schema is brought up to date.

use sqlx::PgPool;

use super::{Receiver, Webhook, only_tasks, server, task};
use crate::support::{World, eventually};

/// Deliveries as they are; the release before kept them when their webhook went.
const SAVE: &str = "CREATE TABLE public.left_behind AS
    SELECT id, webhook_id, event_id, event_position FROM views.webhook_deliveries";

/// The schema as it was before four migrations, with what the release of that time had in it.
const AS_BEFORE: &str = "
    ALTER TABLE views.webhook_deliveries DROP COLUMN project_id;
    INSERT INTO views.webhook_deliveries (id, webhook_id, event_id, event_position)
        TABLE public.left_behind ON CONFLICT DO NOTHING;
    DROP TABLE public.left_behind;
    ALTER TABLE views.jobs DROP COLUMN ended_at;
    CREATE INDEX jobs_over_of_organization ON views.jobs (organization_id, completed_at)
        WHERE organization_id IS NOT NULL AND completed_at IS NOT NULL;
    DELETE FROM _sqlx_migrations WHERE version IN (50, 52, 53, 54);";

/// Of each delivery that is kept, its webhook and its project.
async fn kept(pool: &PgPool) -> Vec<(String, Option<String>)> {
    let rows = "SELECT webhook_id::text, project_id::text FROM views.webhook_deliveries ORDER BY 1";
    sqlx::query_as(rows).fetch_all(pool).await.expect("rows")
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_of_an_earlier_release_are_read_and_go_as_those_of_this_one() {
    let world = World::new().await;
    let pool = world.pool().await;
    let receiver = Receiver::start().await;
    let served = server(&world).await;
    let ada = served.person("ada").await;
    let (apollo, gemini, closed) =
        (ada.project("Apollo").await, ada.project("Gemini").await, ada.project("Closed").await);
    let stays = Webhook::create(&ada, &apollo, &receiver, only_tasks()).await;
    let deleted = Webhook::create(&ada, &apollo, &receiver, only_tasks()).await;
    let elsewhere = Webhook::create(&ada, &gemini, &receiver, only_tasks()).await;
    let with_project = Webhook::create(&ada, &closed, &receiver, only_tasks()).await;
    for project in [&apollo, &gemini, &closed] {
        task(&ada, project, "Launch").await;
    }
    for webhook in [&stays, &deleted, &elsewhere, &with_project] {
        webhook.settles(&ada, 1, "completed").await;
    }
    // Jobs that ended otherwise, and one that is to be done again.
    let (cancelled, again) =
        (ada.run_python("print()", Some(&apollo)).await, ada.run_python("print()", Some(&apollo)).await);
    for job in [&cancelled, &again] {
        ada.cancel(job).await.is(200);
    }
    ada.retry(&again).await.is(200);

    let saved = sqlx::query(SAVE).execute(&pool).await.expect("a table").rows_affected();
    assert_eq!(saved, 4);
    ada.delete(&deleted.path).await.is(204);
    ada.delete(&format!("/projects/{closed}")).await.is(204);
    eventually("their deliveries are gone", async || kept(&pool).await.len() == 2).await;
    let listed = [stays.deliveries(&ada).await, elsewhere.deliveries(&ada).await];
    assert!(served.stop().await);
    sqlx::raw_sql(AS_BEFORE).execute(&pool).await.expect("the schema of before");

    let pool = world.pool().await;
    let mut expected =
        [(&stays.id, &apollo), (&elsewhere.id, &gemini)].map(|(id, project)| (id.clone(), Some(project.clone())));
    expected.sort();
    assert_eq!(kept(&pool).await, expected);
    let served = server(&world).await;
    let ada = ada.at(&served.address);
    assert_eq!([stays.deliveries(&ada).await, elsewhere.deliveries(&ada).await], listed);
    // Of every row, what a replay of the log writes: when each job ended as well.
    let (equal, printed) = world.command(&["projections", "verify"]).await;
    assert!(equal, "{printed}");
    ada.delete(&format!("/projects/{gemini}")).await.is(204);
    eventually("the deliveries go with their project", async || {
        kept(&pool).await.iter().all(|(webhook, _)| *webhook == stays.id)
    })
    .await;
}
