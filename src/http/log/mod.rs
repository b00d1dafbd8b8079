//! `/log/…`: what proves the log, for whoever asks: signed checkpoints, tiles, keys, consistency (C2SP tlog-checkpoint and
//! tlog-tiles).
//!
//! Nobody has to sign in: hashes tell nothing of what they are made of, since each payload is hashed with a salt. Entry bundles of
//! tlog-tiles are not served: they would show every tenant's metadata to everybody.

use axum::{
    Json, Router,
    extract::{Path, State as Extract},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use workroom_proofs::tile::Tile;

use super::{
    State,
    extract::{IfNoneMatch, Query},
};
use crate::{
    application::{Error, codes::OUT_OF_RANGE},
    log_tree::{Tree, keys::KeyRow},
};

/// A reader asks again each time.
const ALWAYS_ASKED: &str = "no-cache";
/// A full tile is the same for ever.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// A partial tile is the same, too, but nobody asks for it once it is full.
const SHORT_LIVED: &str = "public, max-age=60";

/// The routes: a tile's index is a path of its own.
pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/api/v1/log/checkpoint", get(checkpoint))
        .route("/api/v1/log/tile/{level}/{*index}", get(tile))
        .route("/api/v1/log/keys", get(keys))
        .route("/api/v1/log/consistency", get(consistency))
}

/// The latest checkpoint: the size and the root of the log's tree, signed (C2SP tlog-checkpoint). At most a second behind.
#[utoipa::path(
    get,
    path = "/log/checkpoint",
    tag = "log",
    operation_id = "getLogCheckpoint",
    security(()),
    params(("If-None-Match" = Option<String>, Header, description = "Send the checkpoint only if it differs from this `ETag`; else the reply is 304.")),
    responses(
        (
            status = 200, description = "The signed note.", body = String, content_type = "text/plain",
            headers(
                ("ETag" = String, description = "The size of the tree."),
                ("Cache-Control" = String, description = "A reader asks again each time: `no-cache`.")
            )
        ),
        (
            status = 304, description = "The client has it: `If-None-Match` names what is there.",
            headers(
                ("ETag" = String, description = "The size of the tree."),
                ("Cache-Control" = String, description = "A reader asks again each time: `no-cache`.")
            )
        ),
        (status = 404),
        (status = 429),
        (status = 503)
    )
)]
pub async fn checkpoint(Extract(state): Extract<State>, known: IfNoneMatch) -> Result<Response, Error> {
    let signed = state.app.trees().checkpoint().await?.ok_or_else(|| Error::not_found("checkpoint"))?;
    // After a rotation the same tree may be signed anew.
    let etag = format!("\"{}.{:08x}\"", signed.size, crc32fast::hash(signed.note.as_bytes()));
    let mut response = if known.has(&etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))], signed.note).into_response()
    };
    response.headers_mut().insert(header::ETAG, HeaderValue::from_str(&etag).map_err(Error::failure)?);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(ALWAYS_ASKED));
    Ok(response)
}

/// A tile of the log's tree: up to 256 hashes of 32 octets each, side by side (C2SP tlog-tiles), such as `/log/tile/0/x001/067` or, where it is
/// not full yet, `/log/tile/0/x001/067.p/8`. The index may have slashes.
#[utoipa::path(
    get,
    path = "/log/tile/{level}/{index}",
    tag = "log",
    operation_id = "getLogTile",
    security(()),
    params(
        ("level" = String, Path, description = "The level: 0 for leaves; each further one covers 256 hashes of the one below."),
        ("index" = String, Path, description = "The place in the level, in groups of three digits, all but the last with `x`; `.p/<width>` for a partial tile.")
    ),
    responses(
        (
            status = 200, description = "The hashes.", body = Vec<u8>, content_type = "application/octet-stream",
            headers(("Cache-Control" = String, description = "A full tile is the same for ever."))
        ),
        (status = 404),
        (status = 429),
        (status = 503)
    )
)]
pub async fn tile(
    Extract(state): Extract<State>,
    Path((level, index)): Path<(String, String)>,
) -> Result<Response, Error> {
    let absent = || Error::not_found("tile");
    let tile: Tile = format!("{level}/{index}").parse().map_err(|_| absent())?;
    let hashes = state.app.trees().tile(&tile).await?.ok_or_else(absent)?;
    let octets: Vec<u8> = hashes.iter().flat_map(|hash| hash.0).collect();
    let is_full = u64::from(tile.width) == workroom_proofs::tile::WIDTH;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static(if is_full { IMMUTABLE } else { SHORT_LIVED })),
    ];
    Ok((headers, octets).into_response())
}

/// A key that signs, or has signed, checkpoints.
#[derive(Serialize, ToSchema)]
pub struct LogKey {
    /// The key's name: the same for all keys of this log.
    name: String,
    /// The key's id: eight hexadecimal digits.
    key_id: String,
    /// What verifies its signatures, `<name>+<key_id>+<public key>` (C2SP signed-note).
    verifier: String,
    /// Since when it signs.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// Since when it signs no more; null for the one that signs.
    #[serde(with = "time::serde::rfc3339::option")]
    retired_at: Option<OffsetDateTime>,
}

impl From<KeyRow> for LogKey {
    fn from(row: KeyRow) -> Self {
        let (name, key_id) = row.name_and_id();
        let (name, key_id) = (name.to_owned(), key_id.to_owned());
        Self { name, key_id, verifier: row.verifier, created_at: row.created_at, retired_at: row.retired_at }
    }
}

/// The keys of the log.
#[derive(Serialize, ToSchema)]
pub struct LogKeys {
    /// All keys that ever signed; the one that signs comes first.
    items: Vec<LogKey>,
}

/// The keys that checkpoints can be verified with. Who verifies keeps them from before: a service could serve others.
#[utoipa::path(
    get,
    path = "/log/keys",
    tag = "log",
    operation_id = "listLogKeys",
    security(()),
    responses((status = 200, description = "The keys.", body = LogKeys), (status = 429), (status = 503))
)]
pub async fn keys(Extract(state): Extract<State>) -> Result<Json<LogKeys>, Error> {
    let keys = state.app.trees().keys().await?;
    Ok(Json(LogKeys { items: keys.into_iter().map(LogKey::from).collect() }))
}

/// Two sizes of the log's tree.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Sizes {
    /// The size of the older tree, at least 1.
    #[param(minimum = 1)]
    from: u64,
    /// The size of the younger tree.
    #[param(minimum = 1)]
    to: u64,
}

/// That a tree of the log continues an older one.
#[derive(Serialize, ToSchema)]
pub struct Consistency {
    /// The size of the older tree.
    from: u64,
    /// The size of the younger tree.
    to: u64,
    /// The proof (RFC 6962, 2.1.2): hashes in base64.
    hashes: Vec<String>,
}

/// A proof that the log's tree of size `to` continues the one of size `from`: nothing was changed or taken away between them.
#[utoipa::path(
    get,
    path = "/log/consistency",
    tag = "log",
    operation_id = "getLogConsistency",
    security(()),
    params(Sizes),
    responses(
        (status = 200, description = "The proof.", body = Consistency),
        (status = 422),
        (status = 429),
        (status = 503)
    )
)]
pub async fn consistency(
    Extract(state): Extract<State>,
    Query(Sizes { from, to }): Query<Sizes>,
) -> Result<Json<Consistency>, Error> {
    let trees = state.app.trees();
    if from == 0 || from > to {
        return Err(Error::invalid("/from", OUT_OF_RANGE, "must be at least 1, and not greater than `to`"));
    }
    // What is not signed may still be lost, and grow again as something else.
    if to > trees.signed_size().await? {
        return Err(Error::invalid("/to", OUT_OF_RANGE, "must not be greater than the size of the latest checkpoint"));
    }
    let hashes = trees.consistency(Tree::Log, from, to).await?;
    Ok(Json(Consistency { from, to, hashes: hashes.iter().map(workroom_proofs::hash::Hash::to_base64).collect() }))
}
