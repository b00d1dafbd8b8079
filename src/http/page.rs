//! Pages of lists: `?limit=&cursor=`, or `?skip=`.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;
use uuid::Uuid;
use workroom_projections::page::{Listed, Page};

use crate::application::Error;
use crate::application::codes::{MALFORMED_CURSOR, OUT_OF_RANGE};

const LIMIT_BOUNDS: std::ops::RangeInclusive<i64> = 1..=100;
const SKIP_BOUNDS: std::ops::RangeInclusive<i64> = 0..=100_000;

/// Checks a limit.
///
/// # Errors
/// Out of bounds.
pub fn limit(limit: Option<i64>) -> Result<i64, Error> {
    let limit = limit.unwrap_or(20);
    if LIMIT_BOUNDS.contains(&limit) {
        Ok(limit)
    } else {
        Err(Error::invalid("/limit", OUT_OF_RANGE, "must be from 1 to 100"))
    }
}

/// Checks how many items are passed over.
///
/// # Errors
/// Out of bounds.
pub fn skip(skip: Option<i64>) -> Result<i64, Error> {
    let skip = skip.unwrap_or(0);
    if SKIP_BOUNDS.contains(&skip) {
        Ok(skip)
    } else {
        Err(Error::invalid("/skip", OUT_OF_RANGE, "must be from 0 to 100000"))
    }
}

/// Which part of a list, where nothing else narrows it.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PageParams {
    /// Most items to return, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<i64>,
    /// Where to go on: `next_cursor` of the page before.
    cursor: Option<String>,
    /// Pass over so many items first.
    #[param(minimum = 0, maximum = 100_000)]
    skip: Option<i64>,
    /// Wait, for a bounded time, until the list shows this log position.
    pub min_position: Option<i64>,
}

impl PageParams {
    /// The part that is wanted.
    ///
    /// # Errors
    /// As [`page`].
    pub fn page(&self) -> Result<Page, Error> {
        page(self.limit, self.cursor.as_deref(), self.skip)
    }
}

/// Checks which part of a list is wanted.
///
/// # Errors
/// A limit or skip out of bounds, a cursor that is none of ours.
pub fn page(given_limit: Option<i64>, cursor: Option<&str>, skip: Option<i64>) -> Result<Page, Error> {
    let skip = self::skip(skip)?;
    let after = cursor.map(decode).transpose()?;
    Ok(Page { limit: limit(given_limit)?, after, skip })
}

fn encode(id: Uuid) -> String {
    URL_SAFE_NO_PAD.encode(id.as_bytes())
}

fn decode(cursor: &str) -> Result<Uuid, Error> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
    bytes
        .map(Uuid::from_bytes)
        .ok_or_else(|| Error::invalid("/cursor", MALFORMED_CURSOR, "is not a cursor of this list"))
}

/// A part of a list.
#[derive(Clone, Debug, Serialize)]
pub struct Items<T> {
    /// The items of this page, at most `limit`.
    pub items: Vec<T>,
    /// Where to go on; null at the end.
    pub next_cursor: Option<String>,
}

impl<T> Items<T> {
    /// From rows.
    ///
    /// # Errors
    /// A row that does not convert.
    pub fn of<R>(listed: Listed<R>, convert: impl Fn(R) -> Result<T, Error>) -> Result<Self, Error> {
        let next_cursor = listed.next.map(encode);
        let items = listed.items.into_iter().map(convert).collect::<Result<_, _>>()?;
        Ok(Self { items, next_cursor })
    }
}
