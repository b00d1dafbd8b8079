//! The tree in tiles (C2SP tlog-tiles): 256 hashes side by side, eight levels of the tree apart, at paths that never
//! change.

use std::{fmt, str::FromStr};

use crate::{frontier::Frontier, hash::Hash, tree::Subtree};

/// The number of hashes in a full tile.
pub const WIDTH: u64 = 256;

/// The same, as a tile's field has it.
const FULL: u16 = 256;

/// The levels of the tree between a tile's hashes and those of the tile above it.
const HEIGHT: u32 = 8;

/// Some of the hashes of one level.
///
/// Hash `i` of a tile is that of the `256^level` leaves from `(index * 256 + i) * 256^level` on.
///
/// Its text is its path, `0/x001/x234/067.p/8`. Levels to 63 have one; no tree here reaches above 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    /// 0 holds the hashes of leaves, 1 those of full tiles of level 0, and so on.
    pub level: u8,
    /// Its place among the tiles of its level, from 0.
    pub index: u64,
    /// How many hashes it has: 1 to 256. Less than 256 are a partial tile, at the right edge of a tree.
    pub width: u16,
}

/// The text is not the path of a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the path of a tile, such as 0/x001/067 or 0/x001/067.p/8")]
pub struct InvalidTile;

impl Tile {
    /// The full tile that has a subtree's hash, or the hashes below it.
    ///
    /// In [`Self::subtree_hash`] of that tile, the level in the tile is the subtree's level modulo 8, and the index in
    /// the tile is the subtree's index modulo the number of such subtrees in a tile, `WIDTH >> level_in_tile`.
    pub fn holding(subtree: Subtree) -> Self {
        let level = u8::try_from(subtree.level / HEIGHT).unwrap_or(u8::MAX);
        Self { level, index: subtree.index >> (HEIGHT - subtree.level % HEIGHT), width: FULL }
    }

    /// The hash of a complete subtree within a tile, of the tile's hashes. None if the tile does not have all of it.
    ///
    /// `level_in_tile` is its height above the tile's hashes, `index_in_tile` its place among those of its height in
    /// the tile.
    pub fn subtree_hash(hashes: &[Hash], level_in_tile: u32, index_in_tile: u64) -> Option<Hash> {
        if level_in_tile > HEIGHT {
            return None;
        }
        let count = 1_usize << level_in_tile;
        let start = usize::try_from(index_in_tile).ok()?.checked_mul(count)?;
        let mut frontier = Frontier::new();
        for hash in hashes.get(start..start.checked_add(count)?)? {
            frontier.push(*hash);
        }
        Some(frontier.root())
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.level)?;
        thousands(f, self.index / 1000)?;
        write!(f, "{:03}", self.index % 1000)?;
        if self.width == FULL { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

/// The folders before the last part of an index, three digits each.
fn thousands(f: &mut fmt::Formatter<'_>, index: u64) -> fmt::Result {
    if index == 0 {
        return Ok(());
    }
    thousands(f, index / 1000)?;
    write!(f, "x{:03}/", index % 1000)
}

impl FromStr for Tile {
    type Err = InvalidTile;

    fn from_str(path: &str) -> Result<Self, InvalidTile> {
        // What is read too kindly is found by writing it again: each tile has one path.
        read(path).filter(|tile| tile.to_string() == path).ok_or(InvalidTile)
    }
}

fn read(path: &str) -> Option<Tile> {
    let (level, rest) = path.split_once('/')?;
    let level = level.parse::<u8>().ok().filter(|level| *level <= 63)?;
    let (groups, width) = match rest.split_once(".p/") {
        Some((groups, width)) => (groups, width.parse::<u16>().ok().filter(|width| (1..FULL).contains(width))?),
        None => (rest, FULL),
    };
    let index = groups.split('/').try_fold(0_u64, |index, group| {
        let digits: u16 = group.strip_prefix('x').unwrap_or(group).parse().ok()?;
        index.checked_mul(1000)?.checked_add(digits.into())
    })?;
    Some(Tile { level, index, width })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::naive;

    #[test]
    fn paths_are_those_of_the_specification() {
        for (path, level, index, width) in [
            ("0/x001/x234/067", 0, 1_234_067, 256),
            ("0/x001/x234/067.p/8", 0, 1_234_067, 8),
            ("0/000", 0, 0, 256),
            ("0/273.p/112", 0, 273, 112),
            ("2/000.p/1", 2, 0, 1),
            ("63/999", 63, 999, 256),
            ("1/x001/000.p/255", 1, 1000, 255),
            ("0/x018/x446/x744/x073/x709/x551/615", 0, u64::MAX, 256),
        ] {
            let tile = Tile { level, index, width };
            assert_eq!(tile.to_string(), path);
            assert_eq!(path.parse(), Ok(tile));
        }
    }

    #[test]
    fn a_tile_has_one_path() {
        for path in [
            "",
            "/",
            "0",
            "0/",
            "0/0",
            "0/00",
            "0/0000",
            "0/1000",
            "0/67",
            "00/067",
            "+0/067",
            "-1/067",
            "64/067",
            "256/067",
            "x/067",
            "0/x067",
            "0/001/067",
            "0/x000/067",
            "0/x1/067",
            "0/x001/x067",
            "0/x001//067",
            "0/x0001/067",
            "0/X001/067",
            "0/xx01/067",
            "0/+67",
            "0/-67",
            "0/067/",
            "/0/067",
            "0/067.p",
            "0/067.p/",
            "0/067.p/0",
            "0/067.p/00",
            "0/067.p/08",
            "0/067.p/+8",
            "0/067.p/256",
            "0/067.p/257",
            "0/067.p/65536",
            "0/067.p/8/",
            "0/067.p/8.p/8",
            "0/067.P/8",
            "0/067p/8",
            "0/ 67",
            "0/067 ",
            "0/०६७",
            "tile/0/067",
            "entries/067",
            "0/x018/x446/x744/x073/x709/x551/616",
            "0/x999/x999/x999/x999/x999/x999/x999/x999/999",
        ] {
            assert_eq!(path.parse::<Tile>(), Err(InvalidTile), "{path}");
        }
        assert!(format!("0/{}000", "x001/".repeat(10_000)).parse::<Tile>().is_err());
    }

    #[test]
    fn every_subtree_is_found_in_the_tile_that_holds_it() {
        let leaves = naive::leaves(512);
        for level in 0..8 {
            for index in 0..512 >> level {
                let tile = Tile::holding(Subtree { level, index });
                assert_eq!(tile, Tile { level: 0, index: (index << level) / WIDTH, width: FULL });
                let hashes = naive::part(&leaves, &(tile.index * WIDTH..(tile.index + 1) * WIDTH));
                let within = index % (WIDTH >> level);
                let expected = naive::root(naive::part(&leaves, &(index << level..(index + 1) << level)));
                assert_eq!(Tile::subtree_hash(hashes, level, within), Some(expected), "{level}, {index}");
            }
        }
        assert_eq!(Tile::subtree_hash(&leaves[..256], 8, 0), Some(naive::root(&leaves[..256])));
        assert_eq!(Tile::holding(Subtree { level: 8, index: 300 }), Tile { level: 1, index: 1, width: FULL });
        assert_eq!(Tile::holding(Subtree { level: 17, index: 300 }), Tile { level: 2, index: 2, width: FULL });
        assert_eq!(Tile::holding(Subtree { level: u32::MAX, index: u64::MAX }).level, u8::MAX);
    }

    #[test]
    fn what_a_tile_does_not_have_is_none() {
        let hashes = naive::leaves(10);
        assert_eq!(Tile::subtree_hash(&hashes, 0, 9), Some(hashes[9]));
        for (level, index) in [(0, 10), (1, 5), (3, 1), (4, 0), (8, 0), (9, 0), (64, 0), (u32::MAX, 0), (8, u64::MAX)] {
            assert_eq!(Tile::subtree_hash(&hashes, level, index), None, "{level}, {index}");
        }
        assert_eq!(Tile::subtree_hash(&[], 0, 0), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(level in 0_u8..64, index: u64, bits in 0_u32..64, width in 1_u16..=256) {
            let tile = Tile { level, index: index >> bits, width };
            prop_assert_eq!(tile.to_string().parse(), Ok(tile));
        }

        #[test]
        fn what_is_read_was_written(path in "[0-9]{1,2}/(x[0-9]{2,4}/){0,3}[0-9]{2,4}(\\.p/[0-9]{1,3})?") {
            if let Ok(tile) = path.parse::<Tile>() {
                prop_assert!((1..=256).contains(&tile.width));
                prop_assert_eq!(tile.to_string(), path);
            }
        }

        #[test]
        fn any_text_is_read_or_refused(path in any::<String>()) {
            prop_assert!(path.parse::<Tile>().is_err());
        }
    }
}
