//! The tables of a log with some history, no server, and all rights; and what a verifier says of them.

use std::{collections::BTreeMap, io};

use serde_json::json;
use sqlx::{PgPool, postgres::PgPoolOptions};
use sqlx_macros::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom::{
    audit::{
        export::{Asked, Export, ExportError, Scope, Sink},
        verify::{Options, Report, verify},
    },
    log_tree::Trees,
};
use workroom_proofs::{
    checkpoint::{Checkpoint, origin},
    entry::{Entry, commitment},
    frontier::Frontier,
    hash::Hash,
    note::{Signer, Verifier},
};

use super::Random;
use crate::support::{Person, World, eventually};

/// Leaves that a stored hash covers.
const WIDTH: usize = 256;
/// Events that are planted at a time, twice: more than a stored hash covers.
const PLANTED: i32 = 150;
/// What the planted events say, and a liar would have them say.
const SAID: [&str; 2] = ["To the moon.", "To the Moon."];
/// Far behind the end of everything: where rows wait while others take their places.
const ASIDE: i64 = 1_000_000;

/// What is exported.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ask {
    /// The whole log.
    All,
    /// The same, behind a position.
    Behind(i64),
    /// The project that most events are of.
    Project,
}

/// Why an export is refused, by the exporter or by the verifier.
#[derive(Debug)]
pub(super) struct Refusal {
    pub why: String,
    pub position: Option<i64>,
}

/// Where an event stands.
#[derive(Clone, Debug, FromRow)]
pub(super) struct Place {
    pub position: i64,
    pub feed_id: Uuid,
    pub feed_seq: i64,
    pub aggregate_type: String,
    pub aggregate_id: String,
    pub sequence: i64,
}

/// An event, with what its leaf is made of.
#[derive(FromRow)]
struct Row {
    position: i64,
    event_id: Uuid,
    feed_id: Uuid,
    feed_seq: i64,
    aggregate_type: String,
    aggregate_id: String,
    sequence: i64,
    event_type: String,
    event_version: String,
    payload: String,
    metadata: String,
    recorded_at: OffsetDateTime,
    salt: Option<Vec<u8>>,
    epoch: Uuid,
}

struct Kept(Vec<u8>);

impl Sink for Kept {
    async fn take(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        self.0.extend(bytes);
        Ok(())
    }

    async fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The tables, as a superuser has them whom no trigger stops.
pub(super) struct Tables {
    /// One session, so that all that is read is of the transaction in which something was changed.
    pub pool: PgPool,
    /// Events in the log.
    pub size: i64,
    /// The project that most events are of.
    pub project: Uuid,
    /// Changes of that project's description, which nothing depends on.
    pub harmless: Vec<i64>,
    pub log_id: Uuid,
    /// What an auditor has kept: the last checkpoint, and the keys.
    kept: String,
    keys: Vec<Verifier>,
}

/// Waits until a checkpoint has all of the log.
async fn signed(pool: &PgPool) {
    let is_signed = "SELECT (SELECT max(size) FROM log_checkpoints) = (SELECT max(position) FROM events)";
    let is_signed = async || {
        let asked = sqlx::query_scalar::<_, Option<bool>>(is_signed).fetch_one(pool).await;
        asked.expect("an answer").unwrap_or_default()
    };
    eventually("a checkpoint of all", is_signed).await;
}

/// What people do in two projects; returns the first one.
async fn work(ada: &Person, grace: &Person) -> String {
    let (apollo, gemini) = (ada.project("Apollo").await, ada.project("Gemini").await);
    ada.invite(&apollo, grace, "collaborator").await;
    for (number, project) in [&apollo, &gemini, &apollo, &gemini, &apollo].into_iter().enumerate() {
        let tasks = format!("/projects/{project}/tasks");
        let task = ada.post(&tasks, json!({"title": format!("Task \"{number}\" 🚀")})).await.is(201).id();
        ada.patch(&format!("{tasks}/{task}"), json!({"status": "in_progress"})).await.is(200);
        ada.post(&format!("{tasks}/{task}/comments"), json!({"body": "Line\nbreak"})).await.is(201);
    }
    let job = ada.run_python("print(1)", Some(&apollo)).await;
    ada.finished(&job).await;
    ada.patch(&format!("/projects/{apollo}/members/{}", grace.id), json!({"role": "viewer"})).await.is(200);
    ada.patch(&format!("/projects/{apollo}"), json!({"description": SAID[0]})).await.is(200);
    apollo
}

/// Copies the last change of a project to the end of the log, so often: a server would take long to make so many.
async fn plant(pool: &PgPool, project: &str) {
    let planted = sqlx::query(
        "INSERT INTO events
         SELECT l.position + n, gen_random_uuid(), e.feed_id,
                (SELECT max(feed_seq) FROM events f WHERE f.feed_id = e.feed_id) + n, e.aggregate_type, e.aggregate_id,
                (SELECT max(sequence) FROM events s
                 WHERE s.aggregate_type = e.aggregate_type AND s.aggregate_id = e.aggregate_id) + n,
                e.event_type, e.event_version, e.payload, e.metadata, l.recorded_at + n * interval '1 microsecond'
         FROM generate_series(1, $2) AS n,
              (SELECT * FROM events WHERE feed_id = $1::uuid AND event_type = 'ProjectUpdated'
               ORDER BY position DESC LIMIT 1) AS e,
              (SELECT position, recorded_at FROM events ORDER BY position DESC LIMIT 1) AS l",
    );
    planted.bind(project).bind(PLANTED).execute(pool).await.expect("planted events");
}

impl Tables {
    /// Lets a server make history, and stops it.
    pub(super) async fn of(world: &World) -> Self {
        let server = world.server().await;
        let (ada, grace) = (server.person("ada").await, server.person("grace").await);
        let project = work(&ada, &grace).await;
        let pool = world.pool().await;
        signed(&pool).await;
        for _ in 0..2 {
            plant(&pool, &project).await;
            signed(&pool).await;
        }
        assert!(server.stop().await);
        pool.close().await;
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .after_connect(|connection, _| {
                Box::pin(async move {
                    // No trigger says that history is final.
                    let unguarded = sqlx::query("SET session_replication_role = replica");
                    unguarded.execute(connection).await.map(drop)
                })
            })
            .connect(&world.urls().admin)
            .await
            .expect("a superuser's session");
        let log_id: Uuid = sqlx::query_scalar("SELECT log_id FROM log_identity").fetch_one(&pool).await.expect("a log");
        let project = Uuid::try_parse(&project).expect("an id");
        let (harmless, keys) = (Vec::new(), Trees::new(pool.clone()).verifiers().await.expect("keys"));
        let mut tables = Self { pool, size: 0, project, harmless, log_id, kept: String::new(), keys };
        tables.size = tables.number("SELECT max(position) FROM events").await;
        // What the server wrote when it ended, perhaps.
        let signed = tables.number("SELECT max(size) FROM log_checkpoints").await;
        if signed < tables.size {
            tables.rehash(signed + 1).await;
            tables.sign(&tables.signer().await).await;
        }
        let harmless = sqlx::query_scalar(
            "SELECT position FROM events WHERE feed_id = $1 AND event_type = 'ProjectUpdated'
             AND strpos(payload::text, $2) > 0 ORDER BY position",
        );
        tables.harmless = harmless.bind(project).bind(SAID[0]).fetch_all(&tables.pool).await.expect("positions");
        let kept = "SELECT note FROM log_checkpoints ORDER BY size DESC LIMIT 1";
        tables.kept = sqlx::query_scalar(kept).fetch_one(&tables.pool).await.expect("a checkpoint");
        assert!(tables.harmless.len() > WIDTH, "a feed with a hash above its leaves");
        tables
    }

    /// Runs statements.
    pub(super) async fn run(&self, statements: &str) {
        sqlx::raw_sql(statements).execute(&self.pool).await.unwrap_or_else(|error| panic!("{statements}: {error}"));
    }

    /// Runs a statement that changes something.
    pub(super) async fn change(&self, statement: &str) {
        let done = sqlx::raw_sql(statement).execute(&self.pool).await;
        let done = done.unwrap_or_else(|error| panic!("{statement}: {error}"));
        assert!(done.rows_affected() > 0, "{statement}: nothing was changed");
    }

    /// A number.
    pub(super) async fn number(&self, question: &str) -> i64 {
        sqlx::query_scalar(question).fetch_one(&self.pool).await.unwrap_or_else(|error| panic!("{question}: {error}"))
    }

    /// A text.
    pub(super) async fn text(&self, question: &str) -> String {
        sqlx::query_scalar(question).fetch_one(&self.pool).await.unwrap_or_else(|error| panic!("{question}: {error}"))
    }

    /// Any position from this one on.
    pub(super) fn position(&self, random: &mut Random, from: i64) -> i64 {
        from + i64::try_from(random.below(usize::try_from(self.size - from + 1).expect("a count"))).expect("a position")
    }

    /// Any position, half of the time one of what people did.
    pub(super) fn any(&self, random: &mut Random) -> i64 {
        let last = if random.below(2) == 0 { self.size } else { self.harmless[0] };
        1 + i64::try_from(random.below(usize::try_from(last).expect("a count"))).expect("a position")
    }

    /// The position of a change of a description.
    pub(super) fn harmless(&self, random: &mut Random) -> i64 {
        self.harmless[random.below(self.harmless.len())]
    }

    /// Where the event of a position stands.
    pub(super) async fn place(&self, position: i64) -> Place {
        sqlx::query_as(
            "SELECT position, feed_id, feed_seq, aggregate_type, aggregate_id, sequence
             FROM events WHERE position = $1",
        )
        .bind(position)
        .fetch_one(&self.pool)
        .await
        .expect("an event")
    }

    /// Moves all that stands in or behind a place by so many: in the log, in its feed, in its stream.
    pub(super) async fn shift(&self, place: &Place, by: i64) {
        let Place { position, feed_id, feed_seq, aggregate_type, aggregate_id, sequence } = place;
        let stream = format!("aggregate_type = '{aggregate_type}' AND aggregate_id = '{aggregate_id}'");
        for (column, from, of) in [
            ("position", position, "true".to_owned()),
            ("feed_seq", feed_seq, format!("feed_id = '{feed_id}'")),
            ("sequence", sequence, stream),
        ] {
            self.run(&format!(
                "UPDATE events SET {column} = {column} + {ASIDE} WHERE {of} AND {column} >= {from};
                 UPDATE events SET {column} = {column} - {ASIDE} + ({by}) WHERE {of} AND {column} >= {ASIDE}"
            ))
            .await;
        }
    }

    /// Takes an event away; all behind it closes up.
    pub(super) async fn take_away(&self, position: i64) {
        let place = self.place(position).await;
        self.change(&format!("DELETE FROM events WHERE position = {position}")).await;
        self.shift(&place, -1).await;
    }

    /// Puts a copy of an event before it; all behind makes room.
    pub(super) async fn put_in(&self, position: i64) {
        let place = self.place(position).await;
        self.shift(&place, 1).await;
        self.change(&format!(
            "INSERT INTO events
             SELECT {position}, gen_random_uuid(), feed_id, {}, aggregate_type, aggregate_id, {}, event_type,
                    event_version, payload, metadata, recorded_at
             FROM events WHERE position = {}",
            place.feed_seq,
            place.sequence,
            position + 1
        ))
        .await;
    }

    /// Exchanges the positions of two rows of a table.
    pub(super) async fn swap(&self, table: &str, one: i64, other: i64) {
        self.change(&format!("UPDATE {table} SET position = {ASIDE} WHERE position = {one}")).await;
        self.change(&format!("UPDATE {table} SET position = {one} WHERE position = {other}")).await;
        self.change(&format!("UPDATE {table} SET position = {other} WHERE position = {ASIDE}")).await;
    }

    /// Makes a description say something else.
    pub(super) async fn lie(&self, position: i64) {
        let [said, lie] = SAID;
        self.change(&format!(
            "UPDATE events SET payload = replace(payload::text, '{said}', '{lie}')::json
             WHERE position = {position} AND strpos(payload::text, '{said}') > 0"
        ))
        .await;
    }

    /// Makes the leaves from a position on, and all nodes, fit to the events.
    pub(super) async fn rehash(&self, from: i64) {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT e.position, e.event_id, e.feed_id, e.feed_seq, e.aggregate_type, e.aggregate_id, e.sequence,
                    e.event_type, e.event_version, e.payload::text AS payload, e.metadata::text AS metadata,
                    e.recorded_at, l.salt, (SELECT t.epoch FROM log_tree_epochs t WHERE t.first_position <= e.position
                             ORDER BY t.first_position DESC LIMIT 1) AS epoch
             FROM events e LEFT JOIN log_leaves l ON l.position = e.position
             WHERE e.position >= $1 ORDER BY e.position",
        )
        .bind(from)
        .fetch_all(&self.pool)
        .await
        .expect("events");
        let (mut positions, mut salts, mut leaves) = (Vec::new(), Vec::new(), Vec::new());
        for row in &rows {
            let salt = row.salt.as_deref().map_or([7; 16], |salt| salt.try_into().expect("a salt"));
            let entry = Entry {
                log_id: self.log_id,
                epoch: row.epoch,
                position: row.position,
                event_id: row.event_id,
                feed_id: row.feed_id,
                feed_seq: row.feed_seq,
                aggregate_type: &row.aggregate_type,
                aggregate_id: &row.aggregate_id,
                sequence: row.sequence,
                event_type: &row.event_type,
                event_version: &row.event_version,
                recorded_at: row.recorded_at,
                metadata: &row.metadata,
                commitment: commitment(&salt, row.payload.as_bytes()),
            };
            positions.push(row.position);
            salts.push(salt.to_vec());
            leaves.push(entry.leaf().expect("a leaf").0.to_vec());
        }
        self.run(&format!("DELETE FROM log_leaves WHERE position >= {from}")).await;
        let leaves = sqlx::query(
            "INSERT INTO log_leaves (position, salt, hash)
             SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[])",
        )
        .bind(positions)
        .bind(salts)
        .bind(leaves);
        leaves.execute(&self.pool).await.expect("leaves");
        self.build().await;
    }

    /// Builds all that stands above the leaves.
    pub(super) async fn build(&self) {
        let leaves: Vec<(Uuid, Vec<u8>)> = sqlx::query_as(
            "SELECT e.feed_id, l.hash FROM events e JOIN log_leaves l ON l.position = e.position ORDER BY e.position",
        )
        .fetch_all(&self.pool)
        .await
        .expect("leaves");
        let mut trees = BTreeMap::<Uuid, Vec<Hash>>::new();
        for (feed_id, leaf) in leaves {
            let leaf = Hash::from_slice(&leaf).expect("a hash");
            for tree in [Uuid::nil(), feed_id] {
                trees.entry(tree).or_default().push(leaf);
            }
        }
        self.run("DELETE FROM log_nodes").await;
        for (tree, leaves) in trees {
            let (mut row, mut level) = (leaves, 0_i16);
            while row.len() >= WIDTH {
                row = row.chunks_exact(WIDTH).map(root).collect();
                level += 1;
                for (index, hash) in (0_i64..).zip(&row) {
                    let node = sqlx::query("INSERT INTO log_nodes (tree, level, index, hash) VALUES ($1, $2, $3, $4)");
                    let node = node.bind(tree).bind(level).bind(index).bind(hash.0.to_vec());
                    node.execute(&self.pool).await.expect("a node");
                }
            }
        }
    }

    /// The log's key, which lies in the database.
    pub(super) async fn signer(&self) -> Signer {
        let seed = sqlx::query_scalar("SELECT seed FROM log_signing_keys WHERE retired_at IS NULL");
        let seed: Vec<u8> = seed.fetch_one(&self.pool).await.expect("a seed");
        Signer::from_seed(&origin(self.log_id), &seed.try_into().expect("32 bytes")).expect("a key")
    }

    /// Signs the tree as its leaves stand; what was signed of this size, or of more, goes.
    pub(super) async fn sign(&self, signer: &Signer) {
        let leaves = sqlx::query_scalar("SELECT hash FROM log_leaves ORDER BY position");
        let leaves: Vec<Vec<u8>> = leaves.fetch_all(&self.pool).await.expect("leaves");
        let leaves: Vec<Hash> = leaves.iter().map(|leaf| Hash::from_slice(leaf).expect("a hash")).collect();
        let (size, root) = (leaves.len() as u64, root(&leaves));
        let text = Checkpoint { origin: origin(self.log_id), size, root, extensions: Vec::new() }.to_string();
        let size = i64::try_from(size).expect("a size");
        self.run(&format!("DELETE FROM log_checkpoints WHERE size >= {size}")).await;
        let checkpoint = sqlx::query("INSERT INTO log_checkpoints (size, root, note) VALUES ($1, $2, $3)")
            .bind(size)
            .bind(root.0.to_vec())
            .bind(signer.sign(&text).expect("a note"));
        checkpoint.execute(&self.pool).await.expect("a checkpoint");
    }

    /// Exports, as a server would that begins now: it remembers nothing of the trees.
    pub(super) async fn exported(&self, ask: Ask) -> Result<Vec<u8>, ExportError> {
        let (scope, after) = match ask {
            Ask::All => (Scope::All(true), 0),
            Ask::Behind(after) => (Scope::All(true), after),
            Ask::Project => (Scope::Project(self.project), 0),
        };
        let asked = Asked { scope, after, consistency_from: None };
        let export = Export::prepare(&self.pool, &Trees::new(self.pool.clone()), &asked).await?;
        let mut kept = Kept(Vec::new());
        export.write(&mut kept, &|_| {}).await?;
        Ok(kept.0)
    }

    /// Exports and verifies, with what an auditor has kept.
    pub(super) async fn verdict(&self, ask: Ask, with_keys: bool, with_kept: bool) -> Result<Report, Refusal> {
        let export = self.exported(ask).await.map_err(|error| {
            let position = match &error {
                ExportError::Event { position, .. } => Some(*position),
                _ => None,
            };
            Refusal { why: error.to_string(), position }
        })?;
        let keys = if with_keys { self.keys.clone() } else { Vec::new() };
        let options = Options { keys, older: with_kept.then(|| self.kept.clone()) };
        verify(export.as_slice(), &options).map_err(|failure| {
            let position = failure.place().map(|place| place.position);
            Refusal { why: failure.to_string(), position }
        })
    }
}

fn root(leaves: &[Hash]) -> Hash {
    let mut tree = Frontier::new();
    leaves.iter().for_each(|leaf| tree.push(*leaf));
    tree.root()
}
