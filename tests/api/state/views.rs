//! The views of a project: what they are now, and what they were when the project's history had come so far.

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    slice,
};

use serde_json::Value;
use sqlx::{Connection, PgConnection, PgExecutor, PgPool};
use uuid::Uuid;
use workroom_projections::{
    Group,
    changes::ViewWriter,
    groups,
    log::{LogReader, Recorded},
    state::KEPT,
};

use crate::support::{World, eventually};

/// Rows as JSON, by table, in the order of their ids.
pub(super) type Rows = BTreeMap<String, Vec<Value>>;

/// The id of a row, or of an item of a state; of a member the account's.
pub(super) fn id(item: &Value) -> String {
    let found = ["id", "user_id", "account_id", "project_id"].iter().find_map(|name| item[*name].as_str());
    found.expect("an id").to_owned()
}

/// The rows of a project, in all tables that a state is made of.
async fn rows(executor: impl PgExecutor<'_>, schema: &str, project: Uuid) -> Rows {
    let selects: Vec<String> = KEPT
        .iter()
        .map(|kept| {
            let table = kept.table;
            let is_its = match table {
                "projects" => "t.id = $1".to_owned(),
                "files" => format!("t.workspace_id IN (SELECT id FROM {schema}.workspaces WHERE project_id = $1)"),
                // Deliveries of webhooks have histories of their own.
                "jobs" => "t.project_id = $1 AND t.job_type <> 'webhook_delivery'".to_owned(),
                _ => "t.project_id = $1".to_owned(),
            };
            format!("SELECT '{table}' AS name, to_jsonb(t) AS content FROM {schema}.{table} t WHERE {is_its}")
        })
        .collect();
    let found: Vec<(String, Value)> =
        sqlx::query_as(&selects.join(" UNION ALL ")).bind(project).fetch_all(executor).await.expect("rows");
    let mut rows: Rows = KEPT.iter().map(|kept| (kept.table.to_owned(), Vec::new())).collect();
    for (table, row) in found {
        rows.entry(table).or_default().push(row);
    }
    for rows in rows.values_mut() {
        rows.sort_by_key(id);
    }
    rows
}

/// Insists that rows are the same, table by table.
#[track_caller]
pub(super) fn assert_same_rows(rows: &Rows, others: &Rows, at: &str) {
    for (table, rows) in rows {
        assert_eq!(rows, &others[table], "{at}: {table}");
    }
}

/// The live views of a project, at a place of its history.
#[derive(Debug)]
pub(super) struct Moment {
    pub(super) seq: i64,
    /// The head of the log.
    pub(super) position: i64,
    pub(super) rows: Rows,
}

/// The live views of a project, once they have all that the log has, and nothing more comes.
pub(super) async fn at_rest(pool: &PgPool, project: Uuid) -> Moment {
    let heads = async || -> (i64, i64, i64) {
        sqlx::query_as(
            "SELECT (SELECT max(feed_seq) FROM events WHERE feed_id = $1), (SELECT max(position) FROM events),
                    (SELECT min(position) FROM projection_checkpoints)",
        )
        .bind(project)
        .fetch_one(pool)
        .await
        .expect("the heads")
    };
    let found = RefCell::new(None);
    eventually("the views are at rest", async || {
        let (seq, position, reached) = heads().await;
        if reached < position {
            return false;
        }
        let rows = rows(pool, "views", project).await;
        let (_, now, _) = heads().await;
        *found.borrow_mut() = (now == position).then_some(Moment { seq, position, rows });
        now == position
    })
    .await;
    found.into_inner().expect("a moment")
}

/// Views that are made anew from a project's history alone, event by event, by what makes the live ones.
pub(super) struct Replay {
    connection: PgConnection,
    groups: Vec<(Group, ViewWriter)>,
    reader: LogReader,
    schema: String,
    project: Uuid,
    /// How far the log was read.
    read: i64,
    /// What was read of the project, and not carried out.
    waiting: VecDeque<Recorded>,
}

impl Replay {
    /// Views without a row.
    pub(super) async fn begin(world: &World, project: Uuid) -> Self {
        let mut connection = PgConnection::connect(&world.database_url).await.expect("a connection");
        let schema = format!("replay_{}", Uuid::now_v7().simple());
        let groups = groups();
        let mut create = format!("CREATE SCHEMA {schema};");
        for table in groups.iter().flat_map(Group::tables) {
            create += &format!("CREATE TABLE {schema}.{table} (LIKE views.{table} INCLUDING ALL);");
        }
        create += &format!("SET search_path = {schema}, public");
        sqlx::raw_sql(&create).execute(&mut connection).await.expect("a schema");
        let mut prepared = Vec::new();
        for group in groups {
            let writer = ViewWriter::prepare(&mut connection, &group).await.expect("statements");
            prepared.push((group, writer));
        }
        let (reader, waiting) = (LogReader::everything(), VecDeque::new());
        Self { connection, groups: prepared, reader, schema, project, read: 0, waiting }
    }

    /// Takes up what the log has up to a position.
    pub(super) async fn read(&mut self, until: i64) {
        while self.read < until {
            let entries =
                self.reader.read(&mut self.connection, self.read, until, 1000).await.expect("the log without a hole");
            self.read = entries.last().expect("an entry").position;
            let project = self.project;
            let events = entries.into_iter().filter_map(|entry| entry.recorded);
            self.waiting.extend(events.filter(|recorded| recorded.feed_id == project));
        }
    }

    /// Carries out the next event of the project, if there is one.
    pub(super) async fn step(&mut self) -> Option<Recorded> {
        let recorded = self.waiting.pop_front()?;
        for (group, writer) in &self.groups {
            let changes = writer.changes(group, slice::from_ref(&recorded)).expect("rows");
            writer.change(&mut self.connection, changes).await.expect("a change");
        }
        Some(recorded)
    }

    /// What there is now.
    pub(super) async fn rows(&mut self) -> Rows {
        rows(&mut self.connection, &self.schema, self.project).await
    }
}
