//! `GET /projects/{project_id}/state` and `GET /projects/{project_id}/diff`: a project as it was.

mod acts;
mod bounds;
mod every_place;
mod readers;
mod refusals;
mod roots;
mod shown;
mod snapshots;
mod told;
mod views;

pub use refusals::MET;

use serde_json::Value;
use sqlx::{Connection, PgConnection, PgPool};
use uuid::Uuid;
use workroom_projections::state::KEPT;

use crate::support::World;

/// How long a project's history is.
async fn head(pool: &PgPool, project: &str) -> i64 {
    sqlx::query_scalar("SELECT max(feed_seq) FROM events WHERE feed_id = $1")
        .bind(Uuid::parse_str(project).expect("an id"))
        .fetch_one(pool)
        .await
        .expect("the head")
}

/// Keeps a table as it is until this is dropped: the log tree by `log_leaves`, a view by its name. It can be read meanwhile.
pub async fn hold(world: &World, table: &str) -> PgConnection {
    let mut connection = PgConnection::connect(&world.database_url).await.expect("a connection");
    let lock = format!("BEGIN; LOCK TABLE {table} IN SHARE MODE");
    sqlx::raw_sql(&lock).execute(&mut connection).await.expect("a lock");
    connection
}

/// A state without what tells when it was read.
fn content(mut state: Value) -> Value {
    let fields = state.as_object_mut().expect("a state");
    for name in ["seq", "position", "time", "feed_root"] {
        fields.remove(name).expect(name);
    }
    state
}

#[tokio::test]
async fn what_is_folded_has_the_columns_of_the_views() {
    let world = World::new().await;
    let pool = world.pool().await;
    for kept in KEPT {
        let mut columns: Vec<(String, bool)> = sqlx::query_as(
            "SELECT attname::text, attnotnull FROM pg_attribute
             WHERE attrelid = ('views.' || $1)::regclass AND attnum > 0 AND NOT attisdropped",
        )
        .bind(kept.table)
        .fetch_all(&pool)
        .await
        .expect("columns");
        let mut folded: Vec<_> =
            kept.columns.iter().map(|column| (column.name.to_owned(), column.is_required())).collect();
        columns.sort();
        folded.sort();
        assert_eq!(folded, columns, "{}", kept.table);
    }
}
