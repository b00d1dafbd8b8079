//! Keyed digests: they name a thing without giving anything away about it to whoever lacks the key.

use std::fmt;

use aws_lc_rs::hmac;

/// The deployment's secret for digests, the same on every instance. `Debug` does not show it.
#[derive(Clone)]
pub struct FingerprintKey(hmac::Key);

impl FingerprintKey {
    /// A key read from storage.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// HMAC-SHA256 (RFC 2104) over the parts, each behind its length, so that no two lists of parts run together.
    pub fn digest(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&u64::try_from(part.len()).unwrap_or_default().to_be_bytes());
            context.update(part);
        }
        let mut digest = [0; 32];
        digest.iter_mut().zip(context.sign().as_ref()).for_each(|(byte, of)| *byte = *of);
        digest
    }
}

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FingerprintKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_borders_between_parts_count_and_the_key_does() {
        let key = FingerprintKey::from_bytes(&[7; 32]);
        assert_eq!(key.digest(&[b"ab", b"c"]), key.digest(&[b"ab", b"c"]));
        assert_ne!(key.digest(&[b"ab", b"c"]), key.digest(&[b"a", b"bc"]));
        assert_ne!(key.digest(&[b"abc"]), key.digest(&[b"abc", b""]));
        assert_ne!(key.digest(&[b"abc"]), FingerprintKey::from_bytes(&[8; 32]).digest(&[b"abc"]));
    }

    /// Stored digests must go on meaning the same things.
    #[test]
    fn the_digest_has_the_documented_layout() {
        let input = [&[0, 0, 0, 0, 0, 0, 0, 2][..], b"ab", &[0, 0, 0, 0, 0, 0, 0, 1], b"c"].concat();
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]), &input);
        assert_eq!(FingerprintKey::from_bytes(&[7; 32]).digest(&[b"ab", b"c"])[..], *tag.as_ref());
    }
}
