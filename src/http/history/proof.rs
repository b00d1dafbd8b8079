//! `GET …/events/{seq}/proof`: that an event is in the log, and in its feed, as a signed checkpoint says.
//!
//! A proof has no payload: whoever may read the history may read it, visitors of public projects, too.

use std::time::Duration;

use axum::extract::State as Extract;
use serde::Serialize;
use tokio::time::{Instant, sleep};
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_proofs::hash::Hash;

use crate::{
    application::{Error, codes::VIEWS_BEHIND},
    http::{
        State,
        extract::{AccountEventPath, AccountOwner, Caller, OrganizationEventPath, ProjectEventPath, Query},
        projects::read::ReadParams,
        reply::{Shown, at_position},
    },
    log_tree::{SignedCheckpoint, Tree, reader::EventEntry},
};

/// How long a request waits until its event is signed.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often it looks: another process may sign.
const LOOKING: Duration = Duration::from_millis(50);

/// A leaf's place in a tree, and the path from it to the root.
#[derive(Serialize, ToSchema)]
pub struct Inclusion {
    /// The tree's size and root, signed: a note (C2SP tlog-checkpoint).
    checkpoint: String,
    /// The leaf's place in the tree, from 0 on.
    index: u64,
    /// The size of the tree.
    size: u64,
    /// The audit path (RFC 6962, 2.1.1): hashes in base64.
    hashes: Vec<String>,
}

/// That an event is in the log.
#[derive(Serialize, ToSchema)]
pub struct EventProof {
    /// Its place in the whole log.
    position: i64,
    /// Its place in the feed.
    seq: i64,
    /// The feed it belongs to.
    feed_id: Uuid,
    /// What is hashed: a line each for what identifies the event, the hash of its metadata, and the salted hash of its payload.
    entry: String,
    /// The leaf in both trees, `SHA-256(0x00 || entry)`, in base64.
    leaf_hash: String,
    /// Its place in the tree over the whole log.
    log: Inclusion,
    /// Its place in the tree over the feed.
    feed: Inclusion,
}

/// A proof that an event of a project's history is in the log.
#[utoipa::path(
    get,
    path = "/projects/{project_id}/events/{seq}/proof",
    tag = "history",
    operation_id = "getProjectEventProof"
)]
pub async fn prove_project_event(
    Extract(state): Extract<State>,
    caller: Caller,
    path: ProjectEventPath,
    Query(params): Query<ReadParams>,
) -> Result<Shown<EventProof>, Error> {
    at_position(&state, params.min_position).await?;
    super::project_visibility(&state, caller.identity.account_id, path.project_id).await?;
    prove(&state, path.project_id.into(), path.seq).await
}

/// A proof that an event of an organization's history is in the log.
#[utoipa::path(
    get,
    path = "/organizations/{organization_id}/events/{seq}/proof",
    tag = "history",
    operation_id = "getOrganizationEventProof"
)]
pub async fn prove_organization_event(
    Extract(state): Extract<State>,
    caller: Caller,
    path: OrganizationEventPath,
    Query(params): Query<ReadParams>,
) -> Result<Shown<EventProof>, Error> {
    at_position(&state, params.min_position).await?;
    state.app.organization_for(caller.identity.account_id, path.organization_id).await?;
    prove(&state, path.organization_id.into(), path.seq).await
}

/// A proof that an event of the signed-in account's own history is in the log. Not for personal access tokens.
#[utoipa::path(get, path = "/auth/me/events/{seq}/proof", tag = "auth", operation_id = "getAccountEventProof")]
pub async fn prove_account_event(
    Extract(state): Extract<State>,
    AccountOwner(caller): AccountOwner,
    path: AccountEventPath,
    Query(params): Query<ReadParams>,
) -> Result<Shown<EventProof>, Error> {
    at_position(&state, params.min_position).await?;
    prove(&state, caller.identity.account_id.into(), path.seq).await
}

async fn prove(state: &State, feed_id: Uuid, seq: i64) -> Result<Shown<EventProof>, Error> {
    let position: Option<i64> = sqlx::query_scalar("SELECT position FROM events WHERE feed_id = $1 AND feed_seq = $2")
        .bind(feed_id)
        .bind(seq)
        .fetch_optional(state.app.pool())
        .await?;
    let position = position.ok_or_else(|| Error::not_found("event"))?;
    let trees = state.app.trees();
    let signed = covering(state, position).await?;
    let entry = trees.event_entry(feed_id, seq).await?.ok_or_else(|| Error::failure("a signed leaf is missing"))?;
    let EventEntry { position, feed_seq: seq, entry, leaf } = entry;
    let index = |place: i64| u64::try_from(place - 1).unwrap_or_default();
    let feed_size = trees.feed_size(feed_id, signed.size).await?;
    let log = Inclusion {
        index: index(position),
        size: signed.size,
        hashes: texts(&trees.inclusion(Tree::Log, index(position), signed.size).await?),
        checkpoint: signed.note,
    };
    let feed = Inclusion {
        checkpoint: trees.sign_feed(feed_id, signed.size).await?,
        index: index(seq),
        size: feed_size,
        hashes: texts(&trees.inclusion(Tree::Feed(feed_id), index(seq), feed_size).await?),
    };
    Ok(Shown(EventProof { position, seq, feed_id, entry, leaf_hash: leaf.to_base64(), log, feed }))
}

fn texts(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(Hash::to_base64).collect()
}

/// The latest checkpoint, once it covers a position.
async fn covering(state: &State, position: i64) -> Result<SignedCheckpoint, Error> {
    let began = Instant::now();
    loop {
        let signed = state.app.trees().checkpoint().await?;
        if let Some(signed) = signed.filter(|signed| i64::try_from(signed.size).is_ok_and(|size| size >= position)) {
            return Ok(signed);
        }
        if began.elapsed() >= PATIENCE {
            return Err(Error::later(VIEWS_BEHIND, Duration::from_secs(1)));
        }
        sleep(LOOKING).await;
    }
}
