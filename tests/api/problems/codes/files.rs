//! Codes of files.

use serde_json::json;

use super::{Met, hold};
use crate::{
    support::World,
    workspaces::{file, workspace},
};

pub const MET: &[&str] = &["malformed-path", "path-below-a-file", "path-is-a-folder", "path-taken", "workspace-full"];

/// Fills a workspace that has two files: repeats in the log how the last one was created, under the lock that the service
/// writes under. By requests it would take minutes.
async fn fill(world: &World, workspace: &str) {
    let id = workspace.rsplit('/').next().expect("an id");
    let mut log = hold(world, "SELECT pg_advisory_xact_lock(7770001)").await;
    let filled = sqlx::query(
        "INSERT INTO events (position, event_id, feed_id, feed_seq, aggregate_type, aggregate_id, sequence, event_type,
                             event_version, payload, metadata, recorded_at)
         SELECT (SELECT max(position) FROM events) + n, gen_random_uuid(), e.feed_id,
                (SELECT max(feed_seq) FROM events f WHERE f.feed_id = e.feed_id) + n, e.aggregate_type, e.aggregate_id,
                e.sequence + n, e.event_type, e.event_version,
                (e.payload::jsonb || jsonb_build_object('file_id', gen_random_uuid(), 'path', 'copy/' || n))::json,
                e.metadata, (SELECT max(recorded_at) FROM events)
         FROM (SELECT * FROM events WHERE aggregate_id = $1 ORDER BY sequence DESC LIMIT 1) e,
              generate_series(1, 9998) n
         WHERE e.event_type = 'FileCreated'",
    );
    let filled = filled.bind(id).execute(&mut log).await.expect("files");
    assert_eq!(filled.rows_affected(), 9_998);
    sqlx::query("COMMIT").execute(&mut log).await.expect("a commit");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_has_no_place() {
    let mut met = Met::default();
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let workspace = workspace(&ada, &ada.project("Apollo").await, "Lab").await;
    file(&ada, &workspace, "src/main.py", "").await;
    file(&ada, &workspace, "README.md", "").await;
    let create = async |path: &str| ada.post(&format!("{workspace}/files"), json!({"path": path})).await;
    met.refused(create("README.md").await, "path-taken");
    met.refused(create("README.md/chapter").await, "path-below-a-file");
    met.refused(create("src").await, "path-is-a-folder");
    met.refused_field(create("/etc/passwd").await, "/path", "malformed-path");
    fill(&world, &workspace).await;
    met.refused(create("one-more").await, "workspace-full");
    met.are(MET);
}
