//! The right edge of a growing tree: what is needed to append to it and to tell its root, one hash for each bit of its
//! size.

use crate::{
    hash::Hash,
    tree::{Subtree, cover, root_of_cover},
};

/// Positions are as great as this at most.
const MOST: u64 = i64::MAX.unsigned_abs();

/// A tree to which leaves are appended, without the leaves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// The hashes of `cover(0..size)`, from the greatest subtree to the smallest.
    hashes: Vec<Hash>,
}

/// A subtree begins at a multiple of its own size, and the tree does not end at one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a subtree of level {level} cannot follow {size} leaves")]
pub struct Misaligned {
    /// The subtree's level.
    pub level: u32,
    /// The tree's size.
    pub size: u64,
}

impl Frontier {
    /// The empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// The tree with these hashes of `cover(0..size)`, as [`Self::nodes`] gives them; none if they are too many or too
    /// few.
    pub fn from_nodes(size: u64, hashes: &[Hash]) -> Option<Self> {
        let needed = usize::try_from(size.count_ones()).ok()?;
        (size <= MOST && hashes.len() == needed).then(|| Self { size, hashes: hashes.to_vec() })
    }

    /// The number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf.
    pub fn push(&mut self, leaf: Hash) {
        self.append(0, leaf);
    }

    /// Appends a complete subtree of `1 << level` leaves, unless the size is not a multiple of that.
    pub fn push_subtree(&mut self, level: u32, hash: Hash) -> Result<(), Misaligned> {
        let leaves = 1_u64.checked_shl(level).filter(|leaves| self.size.is_multiple_of(*leaves));
        if leaves.and_then(|leaves| self.size.checked_add(leaves)).is_none_or(|size| size > MOST) {
            return Err(Misaligned { level, size: self.size });
        }
        self.append(level, hash);
        Ok(())
    }

    /// The root of the tree as it is now.
    pub fn root(&self) -> Hash {
        root_of_cover(&self.hashes)
    }

    /// The complete subtrees that the tree consists of, from the left, and their hashes.
    pub fn nodes(&self) -> impl Iterator<Item = (Subtree, Hash)> {
        cover(0..self.size).into_iter().zip(self.hashes.iter().copied())
    }

    /// Joins the new subtree with those of its size at its left, as a carry goes through a sum.
    fn append(&mut self, level: u32, mut hash: Hash) {
        let mut neighbours = self.size >> level;
        while neighbours & 1 == 1
            && let Some(left) = self.hashes.pop()
        {
            hash = Hash::node(&left, &hash);
            neighbours >>= 1;
        }
        self.hashes.push(hash);
        self.size += 1 << level;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::naive;

    fn of(leaves: &[Hash]) -> Frontier {
        let mut frontier = Frontier::new();
        for leaf in leaves {
            frontier.push(*leaf);
        }
        frontier
    }

    fn range(subtree: Subtree) -> std::ops::Range<u64> {
        subtree.index << subtree.level..(subtree.index + 1) << subtree.level
    }

    #[test]
    fn roots_and_nodes_are_those_of_the_tree_at_every_size() {
        let leaves = naive::leaves(300);
        let mut frontier = Frontier::new();
        assert_eq!((frontier.size(), frontier.root()), (0, Hash::EMPTY));
        for (before, leaf) in leaves.iter().enumerate() {
            frontier.push(*leaf);
            assert_eq!(frontier.size(), u64::try_from(before + 1).unwrap());
            assert_eq!(frontier.root(), naive::root(&leaves[..=before]));
            for (subtree, hash) in frontier.nodes() {
                assert_eq!(hash, naive::root(naive::part(&leaves, &range(subtree))));
            }
        }
    }

    #[test]
    fn it_is_made_again_of_its_nodes() {
        let leaves = naive::leaves(70);
        for size in 0..=70 {
            let mut frontier = of(naive::part(&leaves, &(0..size)));
            let hashes: Vec<_> = frontier.nodes().map(|(_, hash)| hash).collect();
            let mut again = Frontier::from_nodes(size, &hashes).unwrap();
            assert_eq!(again, frontier);
            again.push(Hash::EMPTY);
            frontier.push(Hash::EMPTY);
            assert_eq!(again.root(), frontier.root());
            assert_eq!(Frontier::from_nodes(size, &[&hashes[..], &[Hash::EMPTY]].concat()), None);
            assert_eq!(Frontier::from_nodes(size, &hashes[..hashes.len().saturating_sub(1)]).is_none(), size > 0);
        }
        assert_eq!(Frontier::from_nodes(u64::MAX, &[Hash::EMPTY; 64]), None);
        assert_eq!(Frontier::from_nodes(1 << 63, &[Hash::EMPTY]), None);
    }

    #[test]
    fn a_subtree_is_appended_where_one_begins() {
        let leaves = naive::leaves(70);
        for size in 0..=70 {
            let frontier = of(naive::part(&leaves, &(0..size)));
            for level in 0..100 {
                let fits = level < 63 && size % (1 << level) == 0;
                let mut longer = frontier.clone();
                let appended = longer.push_subtree(level, Hash::EMPTY);
                assert_eq!(appended, if fits { Ok(()) } else { Err(Misaligned { level, size }) }, "{level} at {size}");
                assert_eq!(longer.size(), if fits { size + (1 << level) } else { size });
            }
        }
        assert_eq!(Frontier::new().push_subtree(u32::MAX, Hash::EMPTY), Err(Misaligned { level: u32::MAX, size: 0 }));
    }

    #[test]
    fn it_can_become_as_great_as_positions_and_no_greater() {
        let mut frontier = Frontier::new();
        for level in (0..63).rev() {
            frontier.push_subtree(level, Hash::EMPTY).unwrap();
        }
        assert_eq!(frontier.size(), MOST);
        assert!(frontier.push_subtree(0, Hash::EMPTY).is_err());
    }

    proptest! {
        /// As a reader of an export does: some leaves are read, and those between come as subtrees.
        #[test]
        fn skipped_leaves_come_as_the_cover_of_their_range(read in prop::collection::vec(any::<bool>(), 0..300)) {
            let size = u64::try_from(read.len()).unwrap();
            let leaves = naive::leaves(size);
            let mut frontier = Frontier::new();
            let skip_to = |frontier: &mut Frontier, end: u64| {
                for subtree in cover(frontier.size()..end) {
                    let hash = naive::root(naive::part(&leaves, &range(subtree)));
                    frontier.push_subtree(subtree.level, hash).unwrap();
                }
            };
            for (index, leaf) in (0..).zip(&leaves).zip(&read).filter(|(_, read)| **read).map(|(leaf, _)| leaf) {
                skip_to(&mut frontier, index);
                frontier.push(*leaf);
            }
            skip_to(&mut frontier, size);
            prop_assert_eq!(frontier, of(&leaves));
        }
    }
}
