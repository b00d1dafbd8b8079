//! The keys that sign access tokens, as the deployment has them.

mod store;

pub use store::{KeyRow, SHORTEST_LEAD, list, open, refresh, rotate};
