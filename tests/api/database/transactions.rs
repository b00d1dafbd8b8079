//! A connection that comes back to its pool in a transaction.

use workroom::database;

use crate::support::World;

#[tokio::test]
async fn a_connection_that_comes_back_in_a_transaction_is_closed_and_counted() {
    let world = World::without_schema().await;
    world.pool().await;
    let pool = database::pool(database::options(&world.database_url).expect("options"), 1);
    let mark = "INSERT INTO service_secrets (name, secret) VALUES ('lost', 'x')";
    for (round, left_in) in ["BEGIN", "BEGIN; SELECT 1", "BEGIN; DO $$ BEGIN RAISE 'failed'; END $$"].iter().enumerate()
    {
        let before = database::closed_in_transaction();
        let mut connection = pool.acquire().await.expect("a connection");
        let _ = sqlx::raw_sql(left_in).execute(&mut *connection).await;
        drop(connection);
        // The pool has one connection: whoever comes next would get that one.
        sqlx::query(mark).execute(&pool).await.expect("a row");
        let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM service_secrets WHERE name = 'lost'")
            .fetch_one(&world.pool().await)
            .await
            .expect("a count");
        assert_eq!(kept, 1, "round {round}: what was committed is there for all");
        assert!(database::closed_in_transaction() > before, "round {round}: counted");
        sqlx::query("DELETE FROM service_secrets WHERE name = 'lost'").execute(&pool).await.expect("no row");
    }
}
