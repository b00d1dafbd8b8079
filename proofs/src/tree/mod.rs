//! Merkle trees of RFC 6962: which hashes prove something about them, and whether they do.
//!
//! What a proof holds is said in ranges of leaves. Whoever has the tree turns each into a hash by way of [`cover`],
//! which needs stored subtrees only, and [`root_of_cover`].

mod verify;

#[cfg(test)]
mod tests;

use std::ops::Range;

pub use verify::{verify_consistency, verify_inclusion};

use crate::hash::Hash;

/// A complete subtree: the leaves from `index << level` to before `(index + 1) << level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subtree {
    /// Its height: 0 is a leaf.
    pub level: u32,
    /// Its place among the subtrees of its level, from 0.
    pub index: u64,
}

/// The fewest complete subtrees that have the leaves of a range, in order.
pub fn cover(mut range: Range<u64>) -> Vec<Subtree> {
    let mut subtrees = Vec::new();
    while range.start < range.end {
        let level = range.start.trailing_zeros().min((range.end - range.start).ilog2());
        subtrees.push(Subtree { level, index: range.start >> level });
        range.start += 1 << level;
    }
    subtrees
}

/// The ranges whose roots are the audit path of a leaf (RFC 6962 §2.1.1), from the leaf up. None if the tree has no
/// such leaf.
pub fn inclusion(index: u64, size: u64) -> Option<Vec<Range<u64>>> {
    if index >= size {
        return None;
    }
    let mut path = Vec::new();
    let mut within = 0..size;
    while within.end - within.start > 1 {
        let middle = middle(&within);
        if index < middle {
            path.push(middle..within.end);
            within.end = middle;
        } else {
            path.push(within.start..middle);
            within.start = middle;
        }
    }
    path.reverse();
    Some(path)
}

/// The ranges whose roots prove that a tree of `from` leaves is the beginning of one of `to` (RFC 6962 §2.1.2), in its
/// order.
///
/// None if `from` is greater. The empty tree is the beginning of all, and each of itself: nothing is needed to prove
/// it.
pub fn consistency(from: u64, to: u64) -> Option<Vec<Range<u64>>> {
    if from > to {
        return None;
    }
    let mut path = Vec::new();
    let mut within = 0..to;
    while from > 0 && from < within.end {
        let middle = middle(&within);
        if from <= middle {
            path.push(middle..within.end);
            within.end = middle;
        } else {
            path.push(within.start..middle);
            within.start = middle;
        }
    }
    // A part of the old tree that does not begin where it does: its root is not known to whoever has the old root
    // alone.
    if within.start > 0 {
        path.push(within);
    }
    path.reverse();
    Some(path)
}

/// The root of a range's leaves, of the hashes of its [`cover`]; [`Hash::EMPTY`] if there are none.
///
/// It is the tree hash of RFC 6962 for ranges that begin at a multiple of a power of two not less than their length, as
/// those from 0 on do, and all that [`inclusion`] and [`consistency`] name.
pub fn root_of_cover(hashes: &[Hash]) -> Hash {
    hashes.iter().copied().rev().reduce(|right, left| Hash::node(&left, &right)).unwrap_or(Hash::EMPTY)
}

/// Where RFC 6962 divides a range of two leaves or more: behind the greatest power of two that is less than their
/// number.
fn middle(range: &Range<u64>) -> u64 {
    range.start + (1 << (range.end - range.start - 1).ilog2())
}
