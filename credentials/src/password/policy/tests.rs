#![allow(clippy::unwrap_used)]

use unicode_normalization::UnicodeNormalization;

use super::*;
use crate::password::{MAX_TYPED_LENGTH, PasswordTooLong};

fn check(text: &str) -> Result<(), PasswordRefused> {
    check_for(text, PasswordOwner::default())
}

fn check_for(text: &str, owner: PasswordOwner<'_>) -> Result<(), PasswordRefused> {
    PasswordPolicy::default().check(&Password::new(text).unwrap(), owner)
}

fn check_strength(text: &str, owner: PasswordOwner<'_>) -> Result<(), PasswordRefused> {
    PasswordPolicy::default().check_strength(&Password::new(text).unwrap(), &owner.words())
}

#[test]
fn a_passphrase_without_capitals_or_digits_is_fine() {
    // And eight characters that mean nothing: the shortest that there may be.
    for text in ["a quiet harbour at dusk", "тихая гавань", "🦀🐙🦑🐡🐠🐟🐬🐳", "zq8#vLp!"] {
        assert_eq!(check(text), Ok(()));
        assert_eq!(check_strength(text, PasswordOwner::default()), Ok(()));
    }
}

#[test]
fn length_is_8_to_128_characters() {
    assert_eq!(check(""), Err(PasswordRefused::TooShort { min: 8 }));
    assert_eq!(check("zq8#vLp"), Err(PasswordRefused::TooShort { min: 8 }));
    assert_eq!(check("zq8#vLp!"), Ok(()));
    let long: String = "xy".repeat(64);
    assert_eq!(check(&long), Ok(()));
    assert_eq!(check(&format!("{long}z")), Err(PasswordRefused::TooLong { max: 128 }));
}

#[test]
fn characters_are_counted_not_bytes_and_after_normalisation() {
    assert_eq!(check("äöüßäöü"), Err(PasswordRefused::TooShort { min: 8 }));
    assert_eq!(check("äöüßäöüß"), Ok(()));
    // Seven letters typed as fourteen code points are seven.
    assert_eq!(check(&"a\u{308}o\u{308}".repeat(4)[..21]), Err(PasswordRefused::TooShort { min: 8 }));
    // One ligature of three letters counts as three.
    assert_eq!(check("ﬃzq8#v"), Ok(()));
    assert_eq!(check(&"äö".repeat(64)), Ok(()));
}

#[test]
fn every_way_to_type_a_password_is_the_same_password() {
    let [a, b, c] =
        ["Zoe\u{308}\u{212B}", "Zo\u{eb}\u{c5}", "Ｚo\u{eb}A\u{30a}"].map(|text| Password::new(text).unwrap());
    assert_eq!(a.normalized(), b.normalized());
    assert_eq!(a.normalized(), c.normalized());
    assert_eq!(a.typed(), "Zoe\u{308}\u{212B}");
}

#[test]
fn case_and_spaces_matter() {
    let [a, b, c] = ["secret ", "secret", "Secret"].map(|text| Password::new(text).unwrap());
    assert_ne!(a.normalized(), b.normalized());
    assert_ne!(b.normalized(), c.normalized());
}

#[test]
fn common_passwords_are_refused_in_any_case() {
    for text in ["password", "PassWord", "12345678", "QWERTYUIOP", "iloveyou", "Password123!", "ｐａｓｓｗｏｒｄ"]
    {
        assert_eq!(check(text), Err(PasswordRefused::Common), "{text}");
    }
    let policy = PasswordPolicy { refuse_common: false, min_strength: 0, ..PasswordPolicy::default() };
    assert_eq!(policy.check_strength(&Password::new("password").unwrap(), &OwnWords::default()), Ok(()));
    assert_eq!(policy.check(&Password::new("password").unwrap(), PasswordOwner::default()), Ok(()));
}

#[test]
fn one_character_is_refused_however_often() {
    for text in ["aaaaaaaa", "AaAaAaAa", "        ", "11111111111111111111", "ääääääää", "🦀🦀🦀🦀🦀🦀🦀🦀"]
    {
        assert_eq!(check(text), Err(PasswordRefused::OneCharacter), "{text}");
    }
}

#[test]
fn the_owners_own_names_are_refused() {
    let email = EmailAddress::parse("Ada.Lovelace@example.com").unwrap();
    let username = Username::parse("countess").unwrap();
    let owner =
        PasswordOwner { email: Some(&email), username: Some(&username), full_name: Some("Augusta Ada King-Noel") };
    assert_eq!(check_for("ada.lovelace", owner), Err(PasswordRefused::SameAsEmail));
    assert_eq!(check_for("ADA.Lovelace@Example.com", owner), Err(PasswordRefused::SameAsEmail));
    assert_eq!(check_for("Countess", owner), Err(PasswordRefused::SameAsUsername));
    for text in ["Lovelace1", "L0vel@ce", "augustaking", "king-noel", "example.com1", "countess99", "Workroom1"] {
        let refused = check_strength(text, owner);
        assert!(matches!(refused, Err(PasswordRefused::EasyToGuess { .. })), "{text}: {refused:?}");
    }
    assert_eq!(check_for("ada.lovelace loves engines", owner), Ok(()));
    assert_eq!(check_strength("ada.lovelace loves engines", owner), Ok(()));
    assert_eq!(check("ada.lovelace"), Ok(()));
}

#[test]
fn the_list_is_in_the_form_it_is_searched_for() {
    let lines: Vec<_> = include_str!("common_passwords.txt").lines().collect();
    assert!(lines.len() >= 3000);
    assert_eq!(COMMON.len(), lines.len());
    for line in lines {
        assert!(line.chars().count() >= 8, "{line}");
        assert_eq!(line, line.trim().nfkc().collect::<String>().to_lowercase());
    }
}

#[test]
fn a_megabyte_is_refused_before_it_is_normalised() {
    assert_eq!(Password::new(&"a".repeat(1 << 20)).err(), Some(PasswordTooLong));
    assert!(Password::new(&"a".repeat(MAX_TYPED_LENGTH)).is_ok());
}

#[test]
fn the_policy_can_be_configured_in_part() {
    let policy: PasswordPolicy = serde_json::from_str(r#"{"min_length": 12}"#).unwrap();
    assert_eq!(policy, PasswordPolicy { min_length: 12, ..PasswordPolicy::default() });
    assert!(serde_json::from_str::<PasswordPolicy>(r#"{"min_lenght": 12}"#).is_err());
}

#[test]
fn the_messages_say_what_to_do() {
    assert_eq!(check("short").unwrap_err().to_string(), "the password must have at least 8 characters");
    assert_eq!(
        check_strength("P@ssw0rds", PasswordOwner::default()).unwrap_err().to_string(),
        "the password is too easy to guess: it is much like a common password; add another word or two, uncommon ones"
    );
}

#[test]
fn the_password_is_in_no_debug_output() {
    assert_eq!(format!("{:?}", Password::new("hunter22").unwrap()), "Password(..)");
}
