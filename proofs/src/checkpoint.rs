//! Checkpoints (C2SP tlog-checkpoint): the size and the root of a tree, as the text of a signed note.

use std::{fmt, str::FromStr};

use uuid::Uuid;

use crate::hash::Hash;

/// What a tree was at a size. Its text is one line a field, the root in base64.
///
/// Its text can be read again if the origin and each extension are one line each, and not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which tree: see [`origin`] and [`feed_origin`].
    pub origin: String,
    /// The number of leaves.
    pub size: u64,
    /// The tree's root.
    pub root: Hash,
    /// Lines behind the root. A feed's checkpoint has one, `log <size>`: the log's size when the feed was as it says.
    pub extensions: Vec<String>,
}

/// The text is not a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a checkpoint: a line each for the origin, the size in decimal and the root in base64, none empty")]
pub struct InvalidCheckpoint;

/// The name of a log's tree, and of the keys that sign its checkpoints.
pub fn origin(log_id: Uuid) -> String {
    format!("workroom/{log_id}")
}

/// The name of a feed's tree. The log's keys sign it.
pub fn feed_origin(log_id: Uuid, feed_id: Uuid) -> String {
    format!("workroom/{log_id}/feed/{feed_id}")
}

/// The name under which the header of an export is signed, with the log's size and root and these lines behind them:
/// `header <hex SHA-256>` and `context <leaves> <root>`.
pub fn export_origin(log_id: Uuid) -> String {
    format!("workroom/{log_id}/export")
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, self.root.to_base64())?;
        self.extensions.iter().try_for_each(|extension| writeln!(f, "{extension}"))
    }
}

impl FromStr for Checkpoint {
    type Err = InvalidCheckpoint;

    fn from_str(text: &str) -> Result<Self, InvalidCheckpoint> {
        // What is read too kindly is found by writing it again.
        read(text).filter(|checkpoint| checkpoint.to_string() == text).ok_or(InvalidCheckpoint)
    }
}

fn read(text: &str) -> Option<Checkpoint> {
    let lines: Vec<_> = text.strip_suffix('\n')?.split('\n').collect();
    if lines.contains(&"") {
        return None;
    }
    let [origin, size, root, extensions @ ..] = lines.as_slice() else { return None };
    Some(Checkpoint {
        origin: (*origin).to_owned(),
        size: size.parse().ok()?,
        root: Hash::from_base64(root)?,
        extensions: extensions.iter().map(|line| (*line).to_owned()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::note::{Signer, open};

    /// The specification's example.
    const EXAMPLE: &str = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    #[test]
    fn the_example_is_read_and_written() {
        let checkpoint: Checkpoint = EXAMPLE.parse().unwrap();
        assert_eq!((checkpoint.origin.as_str(), checkpoint.size), ("example.com/behind-the-sofa", 20_852_163));
        assert_eq!(checkpoint.root.to_string(), "0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62");
        assert!(checkpoint.extensions.is_empty());
        assert_eq!(checkpoint.to_string(), EXAMPLE);
    }

    #[test]
    fn origins_name_the_log_and_the_feed() {
        let (log, feed) = (Uuid::from_u128(1), Uuid::from_u128(0xab));
        assert_eq!(origin(log), "workroom/00000000-0000-0000-0000-000000000001");
        assert_eq!(feed_origin(log, feed), format!("{}/feed/00000000-0000-0000-0000-0000000000ab", origin(log)));
    }

    #[test]
    fn extensions_follow_the_root() {
        let extensions = vec!["log 12".to_owned()];
        let checkpoint = Checkpoint { origin: "a".to_owned(), size: 0, root: Hash::EMPTY, extensions };
        assert_eq!(checkpoint.to_string(), "a\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\nlog 12\n");
        assert_eq!(checkpoint.to_string().parse(), Ok(checkpoint));
    }

    #[test]
    fn what_is_no_checkpoint_is_refused() {
        let root = Hash::EMPTY.to_base64();
        for text in [
            String::new(),
            "\n\n\n".to_owned(),
            "a\n1\n".to_owned(),
            format!("a\n1\n{root}"),
            format!("\n1\n{root}\n"),
            format!("a\n\n{root}\n"),
            format!("a\n01\n{root}\n"),
            format!("a\n+1\n{root}\n"),
            format!("a\n-1\n{root}\n"),
            format!("a\n1 \n{root}\n"),
            format!("a\n18446744073709551616\n{root}\n"),
            format!("a\n1\n{}\n", Hash::EMPTY),
            format!("a\n1\n{}\n", root.trim_end_matches('=')),
            format!("a\n1\n{root}\n\n"),
            format!("a\n1\n{root}\n\nlog 1\n"),
            EXAMPLE.replace('\n', "\r\n"),
        ] {
            assert_eq!(text.parse::<Checkpoint>(), Err(InvalidCheckpoint), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_signed_is_read_again(
            log: u128, size: u64, root: [u8; 32], extensions in prop::collection::vec("[^\\x00-\\x1f]{1,20}", 0..3),
        ) {
            let origin = origin(Uuid::from_u128(log));
            let signer = Signer::from_seed(&origin, &[1; 32]).unwrap();
            let checkpoint = Checkpoint { origin, size, root: Hash(root), extensions };
            let note = signer.sign(&checkpoint.to_string()).unwrap();
            let read = open(&note, &[signer.verifier()]).unwrap().parse();
            prop_assert_eq!(read, Ok(checkpoint));
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>(), lines in "[a0-9+/= \\n]{0,80}") {
            prop_assert!(text.parse::<Checkpoint>().is_err());
            if let Ok(checkpoint) = lines.parse::<Checkpoint>() {
                prop_assert_eq!(checkpoint.to_string(), lines);
            }
        }
    }
}
