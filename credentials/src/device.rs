//! Devices that somebody has signed in from before (the "device cookie" of OWASP's guidance on guessing online): they pass
//! while strangers guess at the account, and have a count of their own.
//!
//! `wrd_` and 52 bytes in base64url: 16 random ones, the second of expiry, and an HMAC-SHA-256 over both and the account's address. A
//! device proves nothing but that: it signs nobody in.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use time::{Duration, OffsetDateTime};

use crate::{
    fingerprint::FingerprintKey,
    random::{self, RandomFailed},
};

const PREFIX: &str = "wrd_";

/// How long a device is known after the sign-in that made it known.
pub const LIFETIME: Duration = Duration::days(180);

/// A device, as it was named by its cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device([u8; 16]);

impl Device {
    /// What its attempts are counted under.
    pub fn id(&self) -> &[u8] {
        &self.0
    }
}

/// A cookie for a device that somebody of this address has just signed in from.
pub fn cookie(key: &FingerprintKey, who: &str, now: OffsetDateTime) -> Result<String, RandomFailed> {
    let nonce: [u8; 16] = random::bytes()?;
    let expires_at = u32::try_from((now + LIFETIME).unix_timestamp()).unwrap_or(u32::MAX).to_be_bytes();
    let bytes = [&nonce[..], &expires_at, &tag(key, who, &nonce, expires_at)].concat();
    Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// The device that a cookie names, if it is one of somebody of this address.
pub fn known(key: &FingerprintKey, who: &str, cookie: &str, now: OffsetDateTime) -> Option<Device> {
    let bytes: [u8; 52] = URL_SAFE_NO_PAD.decode(cookie.strip_prefix(PREFIX)?).ok()?.try_into().ok()?;
    let (nonce, rest) = bytes.split_first_chunk::<16>()?;
    let (expires_at, presented) = rest.split_first_chunk::<4>()?;
    let holds = i64::from(u32::from_be_bytes(*expires_at)) > now.unix_timestamp();
    let is_ours = verify_slices_are_equal(&tag(key, who, nonce, *expires_at), presented).is_ok();
    (holds && is_ours).then_some(Device(*nonce))
}

fn tag(key: &FingerprintKey, who: &str, nonce: &[u8; 16], expires_at: [u8; 4]) -> [u8; 32] {
    key.digest(&[b"device", who.as_bytes(), nonce, &expires_at])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-20 12:00 UTC);

    #[test]
    fn a_cookie_is_known_for_its_address_and_its_time() {
        let key = FingerprintKey::from_bytes(&[7; 32]);
        let made = cookie(&key, "ada@example.com", NOW).unwrap();
        let device = known(&key, "ada@example.com", &made, NOW).unwrap();
        assert_eq!(known(&key, "ada@example.com", &made, NOW + LIFETIME - Duration::seconds(1)), Some(device));
        assert_eq!(known(&key, "ada@example.com", &made, NOW + LIFETIME), None);
        assert_eq!(known(&key, "eve@example.com", &made, NOW), None);
        assert_eq!(known(&FingerprintKey::from_bytes(&[8; 32]), "ada@example.com", &made, NOW), None);
    }

    #[test]
    fn every_bit_flip_is_refused() {
        let key = FingerprintKey::from_bytes(&[7; 32]);
        let made = cookie(&key, "ada@example.com", NOW).unwrap();
        for at in 0..made.len() {
            for bit in 0..8 {
                let mut bytes = made.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let Ok(text) = String::from_utf8(bytes) else { continue };
                assert_eq!(known(&key, "ada@example.com", &text, NOW), None, "bit {bit} of character {at}");
            }
        }
    }
}
