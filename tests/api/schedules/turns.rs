//! Which of many schedules that are due runs first.

use sqlx::PgPool;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;
use workroom_projections::schedules;

use crate::support::World;

/// Schedules of an account in the view: the first is due a second after a moment, each a second after the one before.
async fn insert(pool: &PgPool, count: i32, after: OffsetDateTime) {
    sqlx::query(
        "INSERT INTO views.schedules (id, created_by, acts_for, time_zone, missed, paused, job_type, priority,
                                      max_attempts, counted_from, next_at, created_at, updated_at, version)
         SELECT gen_random_uuid(), $1::uuid, $1::uuid, 'UTC', 'all', false, 'noop', 3, 1, now(),
                $2::timestamptz + make_interval(secs => n), now(), now(), 1
         FROM generate_series(1, $3::int) AS n",
    )
    .bind(Uuid::now_v7())
    .bind(after)
    .bind(count)
    .execute(pool)
    .await
    .expect("rows");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_time_goes_first_and_of_what_is_late_each_tenant_has_a_turn() {
    let world = World::new().await;
    let pool = world.pool().await;
    let (now, first) = schedules::first_due(&pool, &[]).await.expect("the time");
    assert_eq!(first, None);
    let at = |seconds: i64| now + Duration::seconds(seconds);
    // One has very many that are late, another one of them; a third one is on time, and a fourth is not due yet.
    insert(&pool, 500, at(-3600)).await;
    insert(&pool, 1, at(-11)).await;
    insert(&pool, 1, at(-2)).await;
    insert(&pool, 1, at(0)).await;

    let due = async |but_for: &[Uuid], limit: i64| {
        schedules::due(&pool, now, at(-2), but_for, limit).await.expect("schedules")
    };
    let found = due(&[], 4).await;
    let moments: Vec<_> = found.iter().map(|schedule| schedule.next_at).collect();
    assert_eq!(moments, [at(-1), at(-3599), at(-10), at(-3598)]);
    assert_eq!(due(&[], 1000).await.len(), 502, "all that are due");

    let resting: Vec<_> = found[..2].iter().map(|schedule| schedule.id).collect();
    let others: Vec<_> = due(&resting, 2).await.iter().map(|schedule| schedule.next_at).collect();
    assert_eq!(others, [at(-3598), at(-10)]);
    let (_, first) = schedules::first_due(&pool, &resting).await.expect("the time");
    assert_eq!(first, Some(at(-3598)));
}
