//! Checkpoints: signed, stored, thinned.

use sqlx::{PgConnection, PgExecutor};
use sqlx_macros::FromRow;
use uuid::Uuid;
use workroom_proofs::{
    checkpoint::{self, Checkpoint},
    hash::Hash,
    note::Signer,
};

use super::{TreeError, from_stored, keys, store, to_stored};

/// A checkpoint of the log's tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// Events in the tree.
    pub size: u64,
    /// The root of the tree.
    pub root: Hash,
    /// The signed note (C2SP tlog-checkpoint).
    pub note: String,
}

#[derive(FromRow)]
struct Stored {
    size: i64,
    root: Vec<u8>,
    note: String,
}

impl Stored {
    fn read(self) -> Result<SignedCheckpoint, TreeError> {
        let Self { size, root, note } = self;
        Ok(SignedCheckpoint { size: from_stored(size), root: store::decode(&root)?, note })
    }
}

/// The latest checkpoint.
pub(super) async fn latest(executor: impl PgExecutor<'_>) -> Result<Option<SignedCheckpoint>, TreeError> {
    let found: Option<Stored> =
        sqlx::query_as("SELECT size, root, note FROM log_checkpoints ORDER BY size DESC LIMIT 1")
            .fetch_optional(executor)
            .await?;
    found.map(Stored::read).transpose()
}

/// Signs a tree of the log.
pub(super) fn sign(signer: &Signer, log_id: Uuid, size: u64, root: Hash) -> Result<SignedCheckpoint, TreeError> {
    let text = Checkpoint { origin: checkpoint::origin(log_id), size, root, extensions: Vec::new() };
    let note = signer.sign(&text.to_string()).map_err(|error| TreeError::Signing(error.to_string()))?;
    Ok(SignedCheckpoint { size, root, note })
}

/// Signs the tree of a feed, and says at which size of the log.
pub(super) fn sign_feed(
    signer: &Signer,
    (log_id, feed_id): (Uuid, Uuid),
    size: u64,
    root: Hash,
    log_size: u64,
) -> Result<String, TreeError> {
    let origin = checkpoint::feed_origin(log_id, feed_id);
    let text = Checkpoint { origin, size, root, extensions: vec![format!("log {log_size}")] };
    signer.sign(&text.to_string()).map_err(|error| TreeError::Signing(error.to_string()))
}

/// Signs what the header of an export says, and how large the log was then.
pub(super) fn sign_export(
    signer: &Signer,
    log_id: Uuid,
    (size, root): (u64, Hash),
    extensions: Vec<String>,
) -> Result<String, TreeError> {
    let text = Checkpoint { origin: checkpoint::export_origin(log_id), size, root, extensions };
    signer.sign(&text.to_string()).map_err(|error| TreeError::Signing(error.to_string()))
}

/// Signs the tree as it stands, and stores that, by the leader's own session: nobody else can.
pub(super) async fn sign_and_store(
    connection: &mut PgConnection,
    log_id: Uuid,
    size: u64,
    root: Hash,
) -> Result<SignedCheckpoint, TreeError> {
    let signer = keys::signer(&mut *connection, log_id).await?;
    let checkpoint = sign(&signer, log_id, size, root)?;
    sqlx::query("INSERT INTO log_checkpoints (size, root, note) VALUES ($1, $2, $3)")
        .bind(to_stored(size))
        .bind(root.0.as_slice())
        .bind(&checkpoint.note)
        .execute(connection)
        .await?;
    Ok(checkpoint)
}

/// Keeps all checkpoints of the last hour, the last of each minute for a day, and the last of each hour for ever.
pub(super) async fn thin(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM log_checkpoints WHERE size IN (
             SELECT size FROM (
                 SELECT size, signed_at, lead(signed_at) OVER (ORDER BY size) AS next FROM log_checkpoints) AS c
             WHERE (signed_at < statement_timestamp() - interval '1 hour'
                    AND date_trunc('minute', next) = date_trunc('minute', signed_at))
                OR (signed_at < statement_timestamp() - interval '1 day'
                    AND date_trunc('hour', next) = date_trunc('hour', signed_at)))",
    )
    .execute(connection)
    .await
    .map(drop)
}
