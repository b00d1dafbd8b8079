//! Devices that somebody has signed in from before (the "device cookie" of OWASP's guidance on guessing online): they pass
//! while strangers guess at the account, and have a count of their own.
//!
//! `wrd_` and 52 bytes in base64url: 16 random ones, the second of expiry, and an HMAC-SHA-256 over both and the account's address. A
//! device proves nothing but that: it signs nobody in.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use time::{Duration, OffsetDateTime};

use super::Identity;
use crate::application::Error;

const PREFIX: &str = "wrd_";

/// How long a device is known after the sign-in that made it known.
pub const LIFETIME: Duration = Duration::days(180);

/// A device, as it was named by its cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Device([u8; 16]);

impl Device {
    /// What its attempts are counted under.
    pub(super) fn id(&self) -> &[u8] {
        &self.0
    }
}

impl Identity {
    /// A cookie for a device that somebody of this address has just signed in from.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub(super) fn device_cookie(&self, who: &str, now: OffsetDateTime) -> Result<String, Error> {
        let mut nonce = [0; 16];
        aws_lc_rs::rand::fill(&mut nonce).map_err(|_| Error::failure("the system gives no randomness"))?;
        let expires_at = u32::try_from((now + LIFETIME).unix_timestamp()).unwrap_or(u32::MAX).to_be_bytes();
        let mut bytes = nonce.to_vec();
        bytes.extend(expires_at);
        bytes.extend(self.device_tag(who, &nonce, expires_at));
        Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The device that a cookie names, if it is one of somebody of this address.
    pub(super) fn known_device(&self, who: &str, cookie: &str, now: OffsetDateTime) -> Option<Device> {
        let bytes: [u8; 52] = URL_SAFE_NO_PAD.decode(cookie.strip_prefix(PREFIX)?).ok()?.try_into().ok()?;
        let (nonce, rest) = bytes.split_first_chunk::<16>()?;
        let (expires_at, tag) = rest.split_first_chunk::<4>()?;
        let holds = i64::from(u32::from_be_bytes(*expires_at)) > now.unix_timestamp();
        let expected = self.device_tag(who, nonce, *expires_at);
        let is_ours = aws_lc_rs::constant_time::verify_slices_are_equal(&expected, tag).is_ok();
        (holds && is_ours).then_some(Device(*nonce))
    }

    fn device_tag(&self, who: &str, nonce: &[u8; 16], expires_at: [u8; 4]) -> Vec<u8> {
        self.fingerprint(&[b"device", who.as_bytes(), nonce, &expires_at])
    }
}
