//! Pages of a list: newest first by id (`UUIDv7` sorts by time), continued by cursor, or by `skip`.
//!
//! A list belongs to a parent, and has an index on parent and id. Its query compares, and orders by, both together, as in
//! `(c.task_id, c.id) > ($1, $2) … ORDER BY c.task_id, c.id`: with a plain `c.task_id = $1 … ORDER BY c.id` the planner may
//! as well walk all ids, in the belief that many of them belong to that parent, and read the whole table for a small one.

use uuid::Uuid;

/// Which part of a list.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// At most so many items.
    pub limit: i64,
    /// Those that follow this id.
    pub after: Option<Uuid>,
    /// Pass over so many first.
    pub skip: i64,
}

/// A part of a list, and where it goes on.
#[derive(Clone, Debug)]
pub struct Listed<T> {
    /// The items in the order of the list, at most as many as the page's limit.
    pub items: Vec<T>,
    /// The id to continue after, when there is more.
    pub next: Option<Uuid>,
}

impl<T> Listed<T> {
    /// From a query that asked for one item more than the page holds.
    pub fn from_one_more(mut items: Vec<T>, page: Page, id: impl Fn(&T) -> Uuid) -> Self {
        let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(id) } else { None };
        Self { items, next }
    }
}
