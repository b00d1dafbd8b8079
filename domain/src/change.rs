//! What changed, from and to: the auditor reads both sides without replaying.

use serde::{Deserialize, Serialize};

/// A field's change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change<T> {
    /// The value before.
    pub from: T,
    /// The value after.
    pub to: T,
}

impl<T: PartialEq> Change<T> {
    /// The change from `current` to `wanted`, or nothing when they are equal or nothing is wanted.
    pub fn between(current: &T, wanted: Option<T>) -> Option<Self>
    where
        T: Clone,
    {
        wanted.filter(|to| to != current).map(|to| Self { from: current.clone(), to })
    }
}

/// Applies a change to the field it describes.
pub(crate) fn apply<T: Clone>(field: &mut T, change: Option<&Change<T>>) {
    if let Some(change) = change {
        field.clone_from(&change.to);
    }
}
