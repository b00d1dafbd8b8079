//! Refresh tokens, and the decision what presenting one does.
//!
//! A token is a function of its session, its generation and a secret: `wrt_` and base64url(session id ‖ generation ‖
//! HMAC-SHA256 over both and the session's salt; RFC 2104). So a session is one row with the generation in use, nothing
//! in the database can be presented as a token, and a client whose reply was lost can be given the very same successor
//! again without anyone having kept it.
//!
//! Rotation and re-use follow RFC 9700 §4.14.2: each token works once. The immediate parent is honoured for ten seconds
//! more, because replies get lost and tabs race; anything older is a copy in other hands, and ends the session.

use std::fmt;

use aws_lc_rs::{hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// What every refresh token starts with, so that secret scanners and log filters know one when they see it.
pub const PREFIX: &str = "wrt_";

/// For how long after a rotation the parent token is still given the same successor (inclusive).
pub const RETRY_WINDOW: Duration = Duration::seconds(10);

const ID_LENGTH: usize = 16;
const GENERATION_LENGTH: usize = 4;
const MAC_LENGTH: usize = 32;
const BODY_LENGTH: usize = ID_LENGTH + GENERATION_LENGTH + MAC_LENGTH;
/// Base64url characters of the body, without padding.
const ENCODED_LENGTH: usize = (BODY_LENGTH * 4).div_ceil(3);

/// The random generator of the system failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system's random generator failed")]
pub struct RandomFailed;

/// The text is no refresh token of this service. Says nothing of why: nobody who holds a real one sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a refresh token")]
pub struct Malformed;

/// 16 random bytes of one session. Erasing them makes every token of the session underivable, even with the key.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionSalt([u8; 16]);

impl SessionSalt {
    /// Draws a new salt.
    ///
    /// # Errors
    /// [`RandomFailed`] when the system has no randomness.
    pub fn generate() -> Result<Self, RandomFailed> {
        random().map(Self)
    }

    /// A salt read from its row.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for SessionSalt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionSalt(..)")
    }
}

/// The secret all refresh tokens are derived from: 32 random bytes, the same on every instance.
#[derive(Clone)]
pub struct RefreshTokenKey {
    bytes: [u8; 32],
    hmac: hmac::Key,
}

impl RefreshTokenKey {
    /// Draws a new key.
    ///
    /// # Errors
    /// [`RandomFailed`] when the system has no randomness.
    pub fn generate() -> Result<Self, RandomFailed> {
        random().map(Self::from_bytes)
    }

    /// A key read from storage.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self { bytes, hmac: hmac::Key::new(hmac::HMAC_SHA256, &bytes) }
    }

    /// The bytes to store. Secret.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// The token of that generation of that session; always the same one for the same arguments. Secret.
    pub fn mint(&self, session_id: Uuid, generation: u32, salt: &SessionSalt) -> String {
        let mut body = [0; BODY_LENGTH];
        let (head, mac) = body.split_at_mut(ID_LENGTH + GENERATION_LENGTH);
        head[..ID_LENGTH].copy_from_slice(session_id.as_bytes());
        head[ID_LENGTH..].copy_from_slice(&generation.to_be_bytes());
        mac.copy_from_slice(self.mac(session_id, generation, salt).as_ref());
        let mut token = String::with_capacity(PREFIX.len() + ENCODED_LENGTH);
        token.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(body, &mut token);
        token
    }

    /// Whether this key and salt made the presented token. Takes the same time wherever the two differ.
    pub fn verify(&self, salt: &SessionSalt, presented: &Presented) -> bool {
        let input = mac_input(presented.session_id, presented.generation, salt);
        hmac::verify(&self.hmac, &input, &presented.mac).is_ok()
    }

    fn mac(&self, session_id: Uuid, generation: u32, salt: &SessionSalt) -> hmac::Tag {
        hmac::sign(&self.hmac, &mac_input(session_id, generation, salt))
    }
}

impl fmt::Debug for RefreshTokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshTokenKey(..)")
    }
}

/// Every part has a fixed length, so that no two inputs run together.
fn mac_input(session_id: Uuid, generation: u32, salt: &SessionSalt) -> [u8; ID_LENGTH + GENERATION_LENGTH + 16] {
    let mut input = [0; ID_LENGTH + GENERATION_LENGTH + 16];
    input[..ID_LENGTH].copy_from_slice(session_id.as_bytes());
    input[ID_LENGTH..ID_LENGTH + GENERATION_LENGTH].copy_from_slice(&generation.to_be_bytes());
    input[ID_LENGTH + GENERATION_LENGTH..].copy_from_slice(&salt.0);
    input
}

fn random<const N: usize>() -> Result<[u8; N], RandomFailed> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| RandomFailed)?;
    Ok(bytes)
}

/// A token as somebody presented it: well-formed, and not yet believed. See [`RefreshTokenKey::verify`].
#[derive(Clone, PartialEq, Eq)]
pub struct Presented {
    /// The session it claims to belong to.
    pub session_id: Uuid,
    /// The generation it claims to be.
    pub generation: u32,
    mac: [u8; MAC_LENGTH],
}

impl Presented {
    /// Takes a token apart. One token has one spelling: other lengths, padding and stray bits are refused.
    ///
    /// # Errors
    /// [`Malformed`] for everything that [`RefreshTokenKey::mint`] cannot have written.
    pub fn parse(token: &str) -> Result<Self, Malformed> {
        let encoded = token.strip_prefix(PREFIX).ok_or(Malformed)?;
        if encoded.len() != ENCODED_LENGTH {
            return Err(Malformed);
        }
        let mut body = [0; BODY_LENGTH];
        let length = URL_SAFE_NO_PAD.decode_slice(encoded, &mut body).map_err(|_| Malformed)?;
        let (id, rest) = body.split_first_chunk::<ID_LENGTH>().ok_or(Malformed)?;
        let (generation, mac) = rest.split_first_chunk::<GENERATION_LENGTH>().ok_or(Malformed)?;
        if length != BODY_LENGTH {
            return Err(Malformed);
        }
        Ok(Self {
            session_id: Uuid::from_bytes(*id),
            generation: u32::from_be_bytes(*generation),
            mac: mac.try_into().map_err(|_| Malformed)?,
        })
    }
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented")
            .field("session_id", &self.session_id)
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

/// What the decision needs of a session's row, read under its lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionRow {
    /// The generation whose token is in use; 0 from login.
    pub generation: u32,
    /// When that generation came to be (login, or the last rotation).
    pub rotated_at: OffsetDateTime,
    /// When the session was ended, if it was.
    pub ended_at: Option<OffsetDateTime>,
    /// From this moment on the session is over by itself.
    pub expires_at: OffsetDateTime,
}

/// What becomes of a presented token whose MAC was right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// Store this generation with `rotated_at = now`, and reply with its token.
    Successor(u32),
    /// A retry: reply with this generation's token again, store nothing.
    SameSuccessor(u32),
    /// The token was used before, and too long ago: end the session and record it.
    Reuse,
    /// The session was ended.
    Ended,
    /// The session is over.
    Expired,
}

/// Decides. An ended session says so first, even to an old token: there is nothing left to end.
///
/// A generation the row has not reached yet counts as re-use: its MAC is ours, so the row was set back (a restored
/// backup), and nobody can tell whose copy is the honest one.
pub fn rotate(session: &SessionRow, presented_generation: u32, now: OffsetDateTime) -> Rotation {
    if session.ended_at.is_some() {
        return Rotation::Ended;
    }
    if now >= session.expires_at {
        return Rotation::Expired;
    }
    if presented_generation == session.generation {
        return session.generation.checked_add(1).map_or(Rotation::Expired, Rotation::Successor);
    }
    let is_parent = presented_generation.checked_add(1) == Some(session.generation);
    // A negative age is another instance's clock running ahead of ours.
    if is_parent && now - session.rotated_at <= RETRY_WINDOW {
        return Rotation::SameSuccessor(session.generation);
    }
    Rotation::Reuse
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-11-20 12:00 UTC);
    const NANOSECOND: Duration = Duration::nanoseconds(1);

    fn key() -> RefreshTokenKey {
        RefreshTokenKey::from_bytes([7; 32])
    }

    fn salt() -> SessionSalt {
        SessionSalt::from_bytes([3; 16])
    }

    fn session() -> Uuid {
        Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0001)
    }

    fn row() -> SessionRow {
        SessionRow {
            generation: 5,
            rotated_at: NOW - Duration::minutes(5),
            ended_at: None,
            expires_at: NOW + Duration::days(30),
        }
    }

    #[test]
    fn a_token_is_the_same_every_time() {
        assert_eq!(key().mint(session(), 1, &salt()), key().mint(session(), 1, &salt()));
    }

    /// The stored key and salts must go on meaning the same tokens.
    #[test]
    fn the_token_has_the_documented_layout() {
        let token = key().mint(session(), 0x0102_0304, &salt());
        let body = URL_SAFE_NO_PAD.decode(token.strip_prefix("wrt_").unwrap()).unwrap();
        assert_eq!(token.len(), 74);
        assert_eq!(body[..16], *session().as_bytes());
        assert_eq!(body[16..20], [1, 2, 3, 4]);
        let input = [&session().as_bytes()[..], &[1, 2, 3, 4], &[3; 16]].concat();
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]), &input);
        assert_eq!(body[20..], *tag.as_ref());
    }

    #[test]
    fn a_minted_token_is_read_back_and_verified() {
        for generation in [0, 1, u32::MAX] {
            let presented = Presented::parse(&key().mint(session(), generation, &salt())).unwrap();
            assert_eq!((presented.session_id, presented.generation), (session(), generation));
            assert!(key().verify(&salt(), &presented));
        }
    }

    #[test]
    fn another_key_or_salt_does_not_verify() {
        let presented = Presented::parse(&key().mint(session(), 1, &salt())).unwrap();
        assert!(!RefreshTokenKey::from_bytes([8; 32]).verify(&salt(), &presented));
        assert!(!key().verify(&SessionSalt::from_bytes([4; 16]), &presented));
    }

    #[test]
    fn a_changed_session_or_generation_does_not_verify() {
        let presented = Presented::parse(&key().mint(session(), 1, &salt())).unwrap();
        assert!(!key().verify(&salt(), &Presented { generation: 2, ..presented.clone() }));
        assert!(!key().verify(&salt(), &Presented { session_id: Uuid::nil(), ..presented }));
    }

    #[test]
    fn every_bit_flip_is_refused() {
        let token = key().mint(session(), 1, &salt());
        for at in 0..token.len() {
            for bit in 0..8 {
                let mut bytes = token.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let Ok(text) = String::from_utf8(bytes) else { continue };
                let accepted = Presented::parse(&text).is_ok_and(|presented| key().verify(&salt(), &presented));
                assert!(!accepted, "bit {bit} of character {at}");
            }
        }
    }

    #[test]
    fn what_was_never_minted_is_malformed() {
        let token = key().mint(session(), 1, &salt());
        let mut odd_bits = token.clone();
        let last = odd_bits.pop().unwrap();
        // The last character carries four unused bits, all zero in a minted token.
        odd_bits.push(char::from(u8::try_from(last).unwrap() + 1));
        for text in [
            String::new(),
            "wrt_".into(),
            token[4..].into(),
            token.to_uppercase(),
            format!(" {token}"),
            format!("{token}="),
            format!("{token}A"),
            token[..73].into(),
            token.replacen("wrt_", "wrt-", 1),
            format!("wrt_{}", "+".repeat(70)),
            format!("wrt_{}", "é".repeat(35)),
            format!("wrt_{}", "A".repeat(1 << 20)),
            odd_bits,
        ] {
            assert_eq!(Presented::parse(&text), Err(Malformed), "{}", &text[..text.len().min(80)]);
        }
    }

    #[test]
    fn secrets_are_in_no_debug_output() {
        let presented = Presented::parse(&key().mint(session(), 1, &salt())).unwrap();
        assert_eq!(format!("{:?} {:?}", key(), salt()), "RefreshTokenKey(..) SessionSalt(..)");
        assert!(!format!("{presented:?}").contains("mac"));
    }

    #[test]
    fn generated_keys_and_salts_differ() {
        let [a, b] = [(); 2].map(|()| RefreshTokenKey::generate().unwrap());
        assert_ne!(a.as_bytes(), b.as_bytes());
        assert_ne!(SessionSalt::generate().unwrap(), SessionSalt::generate().unwrap());
    }

    #[test]
    fn the_current_token_gets_a_successor() {
        assert_eq!(rotate(&row(), 5, NOW), Rotation::Successor(6));
        assert_eq!(rotate(&SessionRow { generation: 0, ..row() }, 0, NOW), Rotation::Successor(1));
    }

    #[test]
    fn the_parent_gets_the_same_successor_for_ten_seconds() {
        let at = |rotated_at| rotate(&SessionRow { rotated_at, ..row() }, 4, NOW);
        assert_eq!(at(NOW), Rotation::SameSuccessor(5));
        assert_eq!(at(NOW - Duration::seconds(10)), Rotation::SameSuccessor(5));
        assert_eq!(at(NOW - Duration::seconds(10) - NANOSECOND), Rotation::Reuse);
    }

    #[test]
    fn a_clock_that_runs_behind_still_knows_the_parent() {
        let session = SessionRow { rotated_at: NOW + Duration::seconds(1), ..row() };
        assert_eq!(rotate(&session, 4, NOW), Rotation::SameSuccessor(5));
    }

    #[test]
    fn a_grandparent_is_reuse_even_at_once() {
        let session = SessionRow { rotated_at: NOW, ..row() };
        for generation in [0, 3] {
            assert_eq!(rotate(&session, generation, NOW), Rotation::Reuse);
        }
    }

    #[test]
    fn a_generation_from_the_future_is_reuse() {
        let session = SessionRow { rotated_at: NOW, ..row() };
        for generation in [6, u32::MAX] {
            assert_eq!(rotate(&session, generation, NOW), Rotation::Reuse);
        }
        // 0 has no parent: u32::MAX must not wrap around to be it.
        assert_eq!(rotate(&SessionRow { generation: 0, ..session }, u32::MAX, NOW), Rotation::Reuse);
    }

    #[test]
    fn a_session_expires_at_the_very_moment() {
        let at = |expires_at| rotate(&SessionRow { expires_at, ..row() }, 5, NOW);
        assert_eq!(at(NOW + NANOSECOND), Rotation::Successor(6));
        assert_eq!(at(NOW), Rotation::Expired);
        assert_eq!(at(NOW - NANOSECOND), Rotation::Expired);
    }

    #[test]
    fn an_ended_session_is_ended_for_every_token() {
        let session = SessionRow { ended_at: Some(NOW), expires_at: NOW, ..row() };
        for generation in 0..7 {
            assert_eq!(rotate(&session, generation, NOW), Rotation::Ended);
        }
    }

    #[test]
    fn generations_do_not_wrap() {
        let session = SessionRow { generation: u32::MAX, ..row() };
        assert_eq!(rotate(&session, u32::MAX, NOW), Rotation::Expired);
    }
}
