//! Behind a connection pooler the service works, or refuses in one sentence.

use std::time::Duration;

use sqlx::Row;

use super::use_it;
use crate::{
    cli::process::{assert_one_sentence, command, run},
    support::{Pooler, Pooling, World},
};

const SOON: Duration = Duration::from_secs(15);

#[tokio::test]
async fn a_pooler_that_keeps_sessions_is_as_good_as_postgres() {
    for lenient in [false, true] {
        let mut world = World::without_schema().await;
        let pooler = Pooler::new(&world.service_url, Pooling { by_session: true, lenient }).await;
        // The commands too.
        world.service_url.clone_from(&pooler.url);
        let (one, two) = (world.server().await, world.server().await);
        use_it(&world, &one, &two).await;
        assert!(pooler.ports().len() > 10, "everything went through it");
    }
}

#[tokio::test]
async fn a_pooler_that_deals_out_sessions_by_the_transaction_is_refused() {
    for lenient in [false, true] {
        let world = World::without_schema().await;
        let pooler = Pooler::new(&world.database_url, Pooling { by_session: false, lenient }).await;
        for arguments in [
            &["serve", "--port", "0"][..],
            &["migrate"],
            &["audit", "access"],
            &["projections", "verify"],
            &["keys", "list"],
        ] {
            let mut command = command(arguments);
            command.env("DATABASE_URL", &pooler.url).env("NATS_URL", world.nats_url());
            let output = run(command, SOON).await;
            assert_one_sentence(&output, &["DATABASE_URL", &pooler.address(), "pool_mode = session"]);
        }
        // A direct way beside it does not make the queries' way a better one.
        let mut command = command(&["serve", "--port", "0"]);
        command.env("DATABASE_URL", &pooler.url).env("DIRECT_URL", &world.database_url);
        command.env("NATS_URL", world.nats_url());
        let output = run(command, SOON).await;
        assert_one_sentence(&output, &["DATABASE_URL", &pooler.address(), "pool_mode = session"]);
    }
}

#[tokio::test]
async fn what_belongs_to_one_session_goes_the_direct_way() {
    let world = World::without_schema().await;
    let direct = world.service_url.clone();
    let pooler = Pooler::new(&direct, Pooling { by_session: true, lenient: false }).await;
    let mut beside = World::without_schema().await;
    beside.service_url.clone_from(&pooler.url);
    beside.database_url.clone_from(&world.database_url);
    let variables = [("DIRECT_URL", direct.as_str())];
    let (one, two) = (beside.server_with(&[], &variables).await, beside.server_with(&[], &variables).await);
    use_it(&beside, &one, &two).await;
    let pooled = pooler.ports();
    let leaders = sqlx::query(
        "SELECT a.client_port, l.objid::bigint FROM pg_locks l JOIN pg_stat_activity a USING (pid)
         WHERE l.locktype = 'advisory' AND l.classid = 7770002 AND a.datname = current_database()",
    );
    let leaders = leaders.fetch_all(&world.pool().await).await.expect("leaders");
    assert!(leaders.len() >= 3, "two groups of views and the relay: {}", leaders.len());
    for leader in leaders {
        let port = u16::try_from(leader.get::<i32, _>(0)).expect("a port");
        assert!(!pooled.contains(&port), "a leader holds its lock through the pooler");
    }
}

#[tokio::test]
async fn two_ways_to_two_databases_are_refused() {
    let (one, other) = (World::without_schema().await, World::without_schema().await);
    let mut command = command(&["serve", "--port", "0"]);
    command.env("DATABASE_URL", &one.database_url).env("DIRECT_URL", &other.database_url);
    let output = run(command, SOON).await;
    assert_one_sentence(&output, &["DATABASE_URL", "DIRECT_URL", "different databases"]);
}
