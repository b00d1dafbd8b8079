//! Checks that a fetched file is the very one that was pinned.

use std::path::Path;

use anyhow::{Context, bail};
use aws_lc_rs::digest::{SHA256, SHA512, digest};
use base64::Engine;

/// A pinned hash, written as its package client writes it.
#[derive(Debug, Clone, Copy)]
pub enum Hash {
    /// SHA-256 in hexadecimal, as pip and apt print it.
    Sha256(&'static str),
    /// SHA-512 in base64, as npm prints it after `sha512-`.
    Sha512(&'static str),
}

impl Hash {
    /// Fails with one sentence when the file is another one.
    pub fn check(self, path: &Path) -> anyhow::Result<()> {
        let bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let (is, wanted) = match self {
            Self::Sha256(wanted) => (hex::encode(digest(&SHA256, &bytes)), wanted),
            Self::Sha512(wanted) => (base64::engine::general_purpose::STANDARD.encode(digest(&SHA512, &bytes)), wanted),
        };
        if is != wanted {
            bail!(
                "the downloaded {} is not the pinned one (its hash is {is})",
                path.file_name().unwrap_or_default().to_string_lossy()
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pinned_bytes_pass() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        let sha256 = Hash::Sha256("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let sha512 =
            Hash::Sha512("3a81oZNherrMQXNJriBBMRLm+k6JqX6iCp7u5ktV05ohkpkqJ0/BqDa6PCOj/uu9RU1EI2Q86A4qmslPpUyknw==");
        sha256.check(&path).unwrap();
        sha512.check(&path).unwrap();
        std::fs::write(&path, "abd").unwrap();
        assert!(sha256.check(&path).unwrap_err().to_string().contains("not the pinned one"));
        assert!(sha512.check(&path).is_err());
    }
}
