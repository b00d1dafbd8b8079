//! SHA-256 as RFC 6962 uses it (§2.1): leaves and nodes begin with different bytes, so that none can pass for the
//! other.

use std::{fmt, str::FromStr};

use aws_lc_rs::digest::{Context, SHA256};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A SHA-256 hash. Text is lower-case hex, JSON is standard base64 with padding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

/// The text is not 32 bytes in lower-case hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a hash of 32 bytes in lower-case hex")]
pub struct InvalidHash;

impl Hash {
    /// The root of the empty tree: SHA-256 of nothing.
    pub const EMPTY: Self = Self([
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae,
        0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
    ]);

    /// The hash of bytes by themselves, as any other program makes it: of what is left of a redacted payload.
    pub fn of(bytes: &[u8]) -> Self {
        sha256(&[bytes])
    }

    /// The hash of a leaf.
    pub fn leaf(entry: &[u8]) -> Self {
        sha256(&[&[0], entry])
    }

    /// The hash of a node above two others.
    pub fn node(left: &Self, right: &Self) -> Self {
        sha256(&[&[1], &left.0, &right.0])
    }

    /// The hash that these bytes are, if they are 32.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Standard base64 with padding, 44 characters.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.0)
    }

    /// Reads what [`Self::to_base64`] writes, and no other spelling of it.
    pub fn from_base64(text: &str) -> Option<Self> {
        Self::from_slice(&STANDARD.decode(text).ok()?)
    }
}

/// SHA-256 of the parts, one behind the other.
pub(crate) fn sha256(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut bytes = [0; 32];
    bytes.copy_from_slice(context.finish().as_ref());
    Hash(bytes)
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

impl FromStr for Hash {
    type Err = InvalidHash;

    fn from_str(text: &str) -> Result<Self, InvalidHash> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidHash)?;
        if text.contains(|character: char| character.is_ascii_uppercase()) { Err(InvalidHash) } else { Ok(Self(bytes)) }
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_base64())
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_base64(&text).ok_or_else(|| D::Error::custom("not a hash of 32 bytes in base64"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::de::{IntoDeserializer, value};

    use super::*;
    use crate::naive;

    /// The leaves that the tests of Certificate Transparency have.
    const LEAVES: [&str; 8] =
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];

    /// The roots of the trees of the first leaf, the first two, …
    const ROOTS: [&str; 8] = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    /// Its JSON without the quotes: a formatter is a serializer, too.
    struct Written(Hash);

    impl fmt::Display for Written {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.serialize(f)
        }
    }

    fn read(text: &str) -> Result<Hash, value::Error> {
        Hash::deserialize(text.into_deserializer())
    }

    #[test]
    fn the_known_trees_have_the_known_roots() {
        let leaves: Vec<_> = LEAVES.iter().map(|leaf| Hash::leaf(&hex::decode(leaf).unwrap())).collect();
        for (size, root) in (1..).zip(ROOTS) {
            assert_eq!(naive::root(&leaves[..size]).to_string(), root);
        }
    }

    #[test]
    fn the_empty_tree_is_the_hash_of_nothing() {
        assert_eq!(Hash::EMPTY, sha256(&[]));
        assert_eq!(Hash::EMPTY.to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(Hash::EMPTY.to_base64(), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }

    #[test]
    fn a_hash_has_one_spelling() {
        let hex = Hash::EMPTY.to_string();
        for other in
            [hex.to_uppercase(), hex[2..].to_owned(), format!("{hex}00"), format!("0x{hex}"), format!("{hex} ")]
        {
            assert_eq!(other.parse::<Hash>(), Err(InvalidHash), "{other}");
        }
        let base64 = Hash::EMPTY.to_base64();
        // Without padding; with bits that no byte has; in the alphabet of URLs; a byte less; a byte more.
        let bare = base64.trim_end_matches('=').to_owned();
        let bits = base64.replace("FU=", "FV=");
        let short = STANDARD.encode([0; 31]);
        let long = STANDARD.encode([0; 33]);
        for other in [bare, bits, base64.replace('+', "-"), short, long, format!("{base64}\n")] {
            assert_eq!(Hash::from_base64(&other), None, "{other}");
            assert!(read(&other).is_err());
        }
        assert_eq!(Hash::from_slice(&[0; 31]), None);
        assert_eq!(Hash::from_slice(&[0; 33]), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(bytes: [u8; 32]) {
            let hash = Hash(bytes);
            prop_assert_eq!(hash.to_string().parse(), Ok(hash));
            prop_assert_eq!(Hash::from_base64(&hash.to_base64()), Some(hash));
            prop_assert_eq!(Hash::from_slice(&bytes), Some(hash));
            prop_assert_eq!(Written(hash).to_string(), hash.to_base64());
            prop_assert_eq!(read(&hash.to_base64()), Ok(hash));
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            prop_assert!(text.parse::<Hash>().is_err());
            prop_assert_eq!(Hash::from_base64(&text), None);
        }
    }
}
