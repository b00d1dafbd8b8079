//! What an identity provider tells is done, whoever dies over it, and the newest of it holds.

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, PgPool};

use super::{
    external::Issuer,
    webhook::{person, start},
};
use crate::{
    event_store::log::release,
    support::{World, eventually},
};

/// When somebody came, in seconds.
const BEGAN: i64 = 1_700_000_000;

/// What is true of somebody so many seconds later.
fn told(seconds: i64, banned: bool) -> Value {
    let mut person = person((BEGAN + seconds) * 1000, "Ada");
    person["banned"] = banned.into();
    person
}

/// Keeps sessions from being read, and so accounts from being closed, until this is released.
async fn hold_sessions(world: &World) -> PgConnection {
    let mut connection = PgConnection::connect(&world.database_url).await.expect("a connection");
    let lock = "BEGIN; LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE";
    sqlx::raw_sql(lock).execute(&mut connection).await.expect("a lock");
    connection
}

/// Waits until what was true so many seconds later is noted.
async fn noted(pool: &PgPool, seconds: i64) {
    eventually("it is noted", async || -> bool {
        sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM external_identities WHERE extract(epoch FROM updated_at)::bigint = $1)",
        )
        .bind(BEGAN + seconds)
        .fetch_one(pool)
        .await
        .expect("an answer")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_closed_though_whoever_was_told_so_died_over_it() {
    let world = World::new().await;
    let issuer = Issuer::new();
    let (server, provider) = start(&world, &issuer).await;
    provider.tell("user.created", told(0, false)).await.is(204);
    let pool = world.pool().await;
    let sessions = hold_sessions(&world).await;
    tokio::select! {
        reply = provider.tell("user.updated", told(1, true)) => panic!("it was answered: {}", reply.text),
        () = noted(&pool, 1) => {}
    }
    server.kill9().await;
    release(sessions).await;
    // The provider has no answer, and tells it again.
    let (server, provider) = start(&world, &issuer).await;
    provider.tell("user.updated", told(1, true)).await.is(204);
    let ada = server.client().with_token(&issuer.token(&json!({"sub": "user_1"})));
    ada.get("/auth/me").await.problem(401);
    provider.tell("user.updated", told(2, false)).await.is(204);
    ada.get("/auth/me").await.is(200);
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_messages_the_newer_one_holds_though_the_older_one_takes_longer() {
    let world = World::new().await;
    let issuer = Issuer::new();
    let ((here, older), (_there, newer)) = tokio::join!(start(&world, &issuer), start(&world, &issuer));
    older.tell("user.created", told(0, false)).await.is(204);
    let pool = world.pool().await;
    let sessions = hold_sessions(&world).await;
    let (closing, ()) = tokio::join!(older.tell("user.updated", told(1, true)), async {
        noted(&pool, 1).await;
        newer.tell("user.updated", told(2, false)).await.is(204);
        release(sessions).await;
    });
    closing.is(204);
    let ada = here.client().with_token(&issuer.token(&json!({"sub": "user_1"})));
    ada.get("/auth/me").await.is(200);
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}
