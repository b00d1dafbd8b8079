#![allow(clippy::unwrap_used)]

use time::{Duration, OffsetDateTime, macros::datetime};

use super::*;

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
