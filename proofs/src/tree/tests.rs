use proptest::prelude::*;

use super::*;
use crate::naive;

const MOST: u64 = 70;

/// The hash of a range, as whoever keeps complete subtrees computes it.
fn hash(leaves: &[Hash], range: &Range<u64>) -> Hash {
    let subtrees = cover(range.clone());
    let hashes: Vec<_> = subtrees.iter().map(|subtree| naive::root(naive::part(leaves, &of(subtree)))).collect();
    root_of_cover(&hashes)
}

fn hashes(leaves: &[Hash], ranges: &[Range<u64>]) -> Vec<Hash> {
    ranges.iter().map(|range| hash(leaves, range)).collect()
}

fn of(subtree: &Subtree) -> Range<u64> {
    subtree.index << subtree.level..(subtree.index + 1) << subtree.level
}

/// All lists that differ from this one in one hash: changed, left out, added.
fn spoiled(path: &[Hash]) -> Vec<Vec<Hash>> {
    let mut all = Vec::new();
    for at in 0..path.len() {
        let mut changed = path.to_vec();
        changed[at].0[at % 32] ^= 1 << (at % 8);
        all.push(changed);
        let mut without = path.to_vec();
        without.remove(at);
        all.push(without);
        let mut twice = path.to_vec();
        twice.insert(at, path[at]);
        all.push(twice);
    }
    all.push([path, &[Hash::EMPTY]].concat());
    all
}

fn flipped(hash: &Hash) -> Hash {
    let mut other = *hash;
    other.0[31] ^= 0x80;
    other
}

#[test]
fn a_cover_is_complete_in_order_and_as_short_as_can_be() {
    let leaves = naive::leaves(MOST);
    for start in 0..=MOST {
        for end in start..=MOST {
            let subtrees = cover(start..end);
            let mut next = start;
            for subtree in &subtrees {
                assert_eq!(of(subtree).start, next);
                next = of(subtree).end;
            }
            assert_eq!(next, end);
            for pair in subtrees.windows(2) {
                let could_be_one = pair[0].level == pair[1].level && pair[0].index % 2 == 0;
                assert!(!could_be_one, "{start}..{end}: {pair:?}");
            }
            if start % (end - start).next_power_of_two() == 0 {
                assert_eq!(hash(&leaves, &(start..end)), naive::root(naive::part(&leaves, &(start..end))));
            }
        }
    }
}

#[test]
fn every_leaf_is_proven_at_its_place_and_at_no_other() {
    for size in 0..=MOST {
        let leaves = naive::leaves(size);
        let root = naive::root(&leaves);
        for (index, leaf) in (0..).zip(&leaves) {
            let ranges = inclusion(index, size).unwrap();
            for range in &ranges {
                assert_eq!(hash(&leaves, range), naive::root(naive::part(&leaves, range)));
            }
            let path = hashes(&leaves, &ranges);
            assert!(verify_inclusion(leaf, index, size, &path, &root), "{index} of {size}");
            for elsewhere in (0..size + 2).filter(|elsewhere| *elsewhere != index) {
                assert!(!verify_inclusion(leaf, elsewhere, size, &path, &root), "{index} at {elsewhere} of {size}");
            }
            assert!(!verify_inclusion(&flipped(leaf), index, size, &path, &root));
            assert!(!verify_inclusion(leaf, index, size, &path, &flipped(&root)));
            for wrong in spoiled(&path) {
                assert!(!verify_inclusion(leaf, index, size, &wrong, &root), "{index} of {size}");
            }
        }
        assert_eq!(inclusion(size, size), None);
    }
}

#[test]
fn every_tree_is_proven_to_continue_every_smaller_one() {
    let leaves = naive::leaves(MOST);
    let root = |size: u64| naive::root(naive::part(&leaves, &(0..size)));
    for to in 0..=MOST {
        for from in 0..=to {
            let ranges = consistency(from, to).unwrap();
            for range in &ranges {
                assert_eq!(hash(&leaves, range), naive::root(naive::part(&leaves, range)));
            }
            let path = hashes(&leaves, &ranges);
            let (old, new) = (root(from), root(to));
            assert!(verify_consistency(from, &old, to, &new, &path), "{from} to {to}");
            assert!(!verify_consistency(from, &flipped(&old), to, &new, &path), "{from} to {to}");
            if from > 0 {
                assert!(!verify_consistency(from, &old, to, &flipped(&new), &path), "{from} to {to}");
            }
            for wrong in spoiled(&path) {
                assert!(!verify_consistency(from, &old, to, &new, &wrong), "{from} to {to}");
            }
        }
        assert_eq!(consistency(to + 1, to), None);
        assert!(!verify_consistency(to + 1, &root(to), to, &root(to), &[]));
    }
}

/// The proofs that RFC 6962 works out for a tree of seven leaves (§2.1.3).
#[test]
fn the_examples_of_the_rfc_have_the_same_ranges() {
    assert_eq!(inclusion(0, 7), Some(vec![1..2, 2..4, 4..7]));
    assert_eq!(inclusion(3, 7), Some(vec![2..3, 0..2, 4..7]));
    assert_eq!(inclusion(4, 7), Some(vec![5..6, 6..7, 0..4]));
    assert_eq!(inclusion(6, 7), Some(vec![4..6, 0..4]));
    assert_eq!(consistency(3, 7), Some(vec![2..3, 3..4, 0..2, 4..7]));
    assert_eq!(format!("{:?}", consistency(4, 7)), "Some([4..7])");
    assert_eq!(consistency(6, 7), Some(vec![4..6, 6..7, 0..4]));
}

/// Proofs that the tests of Certificate Transparency have, with their hashes.
#[test]
fn the_known_proofs_hold() {
    let read = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<Hash>>();
    let roots = read(&[
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ]);
    let sixth = Hash::leaf(b"@ABC");
    let path = read(&[
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]);
    assert!(verify_inclusion(&sixth, 5, 8, &path, &roots[3]));
    let from_6 = read(&[
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]);
    assert!(verify_consistency(6, &roots[2], 8, &roots[3], &from_6));
    let from_2 = read(&[
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ]);
    assert!(verify_consistency(2, &roots[0], 5, &roots[1], &from_2));
}

#[test]
fn sizes_and_paths_of_any_length_are_answered() {
    let many = vec![Hash::EMPTY; 10_000];
    for size in [0, 1, 2, u64::MAX / 2, u64::MAX / 2 + 1, u64::MAX / 2 + 2, u64::MAX - 1, u64::MAX] {
        for other in [0, 1, 2, size / 2, size.saturating_sub(1), size, size.saturating_add(1), u64::MAX] {
            for count in [0, 1, 62, 63, 64, 65, 10_000] {
                assert!(!verify_inclusion(&flipped(&Hash::EMPTY), other, size, &many[..count], &Hash::EMPTY));
                // (True for some: an empty tree, and a tree and itself.)
                verify_consistency(other, &Hash::EMPTY, size, &Hash::EMPTY, &many[..count]);
            }
            assert!(inclusion(other, size).is_none_or(|path| path.len() <= 64));
            assert!(consistency(other, size).is_none_or(|path| path.len() <= 65));
            assert!(cover(other..size).len() <= 128);
        }
    }
}

proptest! {
    #[test]
    fn any_changed_bit_of_a_proof_is_noticed(
        size in 1_u64..300, at: prop::sample::Index, hash: prop::sample::Index, byte in 0_usize..32, bit in 0_u8..8,
    ) {
        let leaves = naive::leaves(size);
        let root = naive::root(&leaves);
        let place = at.index(leaves.len());
        let index = u64::try_from(place).unwrap();
        // The leaf, the path, the root: one of them is changed.
        let mut all = vec![leaves[place]];
        all.extend(hashes(&leaves, &inclusion(index, size).unwrap()));
        all.push(root);
        let last = all.len() - 1;
        prop_assert!(verify_inclusion(&all[0], index, size, &all[1..last], &all[last]));
        let changed = hash.index(all.len());
        all[changed].0[byte] ^= 1 << bit;
        prop_assert!(!verify_inclusion(&all[0], index, size, &all[1..last], &all[last]));
    }

    #[test]
    fn random_sizes_are_consistent(to in 1_u64..600, at: prop::sample::Index) {
        let leaves = naive::leaves(to);
        let from = u64::try_from(at.index(leaves.len() + 1)).unwrap();
        let path = hashes(&leaves, &consistency(from, to).unwrap());
        let old = naive::root(naive::part(&leaves, &(0..from)));
        prop_assert!(verify_consistency(from, &old, to, &naive::root(&leaves), &path));
    }

    #[test]
    fn covers_of_any_range_join(start: u64, end: u64) {
        let mut next = start;
        for subtree in cover(start..end) {
            prop_assert_eq!(u128::from(subtree.index) << subtree.level, u128::from(next));
            next += 1 << subtree.level;
        }
        prop_assert_eq!(next, start.max(end));
    }
}
