//! What tests compare with: RFC 6962's definition of a tree's root (§2.1), word by word.

use std::ops::Range;

use crate::hash::Hash;

/// So many leaves, all different.
pub(crate) fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|index| Hash::leaf(&index.to_be_bytes())).collect()
}

/// The Merkle tree hash.
pub(crate) fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::EMPTY,
        [leaf] => *leaf,
        _ => {
            let mut left = 1;
            while left * 2 < leaves.len() {
                left *= 2;
            }
            Hash::node(&root(&leaves[..left]), &root(&leaves[left..]))
        }
    }
}

/// The leaves of a range.
pub(crate) fn part<'a>(leaves: &'a [Hash], range: &Range<u64>) -> &'a [Hash] {
    &leaves[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()]
}
