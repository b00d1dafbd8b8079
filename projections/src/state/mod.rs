//! What a project was at a moment: its feed, folded up to there through the same projections that write the views, into tables in
//! memory. [`snapshots`] keep some of these states, so that a reading need not begin with the first event.

mod fold;
pub mod places;
pub mod snapshots;
mod tables;
#[cfg(test)]
mod tests;

pub use fold::{Fold, FoldError, page, wanted};
pub use tables::{Form, KEPT, NOUNS, Noun, Shown, shape};
