//! Whether hashes prove what they are said to prove. Whatever is given, the answer is yes or no.

use super::{consistency, inclusion};
use crate::hash::Hash;

/// Whether `path` proves that the tree with this root and size has this leaf at `index`.
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    let Some(ranges) = inclusion(index, size).filter(|ranges| ranges.len() == path.len()) else { return false };
    let computed = ranges.iter().zip(path).fold(*leaf, |hash, (range, other)| {
        if range.start > index { Hash::node(&hash, other) } else { Hash::node(other, &hash) }
    });
    computed == *root
}

/// Whether `path` proves that the tree of `from` leaves is the beginning of the tree of `to` leaves.
///
/// About the greater tree an empty one proves nothing: its root is not looked at then.
pub fn verify_consistency(from: u64, from_root: &Hash, to: u64, to_root: &Hash, path: &[Hash]) -> bool {
    let Some(ranges) = consistency(from, to).filter(|ranges| ranges.len() == path.len()) else { return false };
    if from == 0 {
        return *from_root == Hash::EMPTY && (to > 0 || *to_root == Hash::EMPTY);
    }
    let mut pairs = ranges.iter().zip(path);
    // Where both trees agree at first: all of the old one if it is a complete subtree of the new one, else its last
    // such part.
    let complete = from == to || from.is_power_of_two();
    let shared = if complete { Some(from_root) } else { pairs.next().map(|(_, hash)| hash) };
    let Some(shared) = shared else { return false };
    let (mut old, mut new) = (*shared, *shared);
    for (range, hash) in pairs {
        if range.start >= from {
            new = Hash::node(&new, hash);
        } else {
            old = Hash::node(hash, &old);
            new = Hash::node(hash, &new);
        }
    }
    old == *from_root && new == *to_root
}
