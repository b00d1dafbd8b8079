//! Accounts as others see them: the erasable rows, read only.

mod query;

pub use query::{AccountRow, NameRow, find, find_by_email, names};
