#![allow(clippy::unwrap_used)]

use super::*;

fn refusal(text: &str) -> InvalidEmail {
    match EmailAddress::parse(text) {
        Err(reason) => reason,
        Ok(_) => panic!("{text:?} was accepted"),
    }
}

#[test]
fn ordinary_addresses_are_accepted_as_typed() {
    for text in [
        "ada@example.com",
        "Ada.Lovelace+work@Example.COM",
        "a@b.c",
        "root@localhost",
        "o'brien_{x}@sub.example.co.uk",
        "1@1.x1",
        "ada@xn--bcher-kva.example",
        "ada@bücher.example",
        "用户@例子.公司",
        "अजय@डाटा.भारत",
    ] {
        let address = EmailAddress::parse(text).unwrap_or_else(|reason| panic!("{text}: {reason}"));
        assert_eq!(address.as_str(), text);
    }
}

#[test]
fn case_and_compatibility_forms_are_one_account() {
    let plain = EmailAddress::parse("ada@example.com").unwrap();
    for text in
        ["ADA@EXAMPLE.COM", "Ada@Example.com", "ａｄａ@example.com", "ada@ｅxample.com", "ada@exampl\u{212F}.com"]
    {
        let address = EmailAddress::parse(text).unwrap();
        assert_eq!(address.normalized(), "ada@example.com");
        assert_eq!(address, plain);
        assert_eq!(address.as_str(), text);
    }
    assert_ne!(EmailAddress::parse("ada+1@example.com").unwrap(), plain);
    assert_ne!(EmailAddress::parse("a.da@example.com").unwrap(), plain);
}

#[test]
fn composed_and_decomposed_letters_are_one_account() {
    let composed = EmailAddress::parse("zo\u{eb}@b\u{fc}cher.example").unwrap();
    let decomposed = EmailAddress::parse("ZOE\u{308}@BU\u{308}CHER.example").unwrap();
    assert_eq!(composed, decomposed);
}

#[test]
fn every_sigma_is_the_same_letter_wherever_it_stands() {
    let [a, b] = ["ΟΔΟΣ@x.gr", "οδοσ@x.gr"].map(|text| EmailAddress::parse(text).unwrap());
    assert_eq!(a, b);
}

#[test]
fn normalising_again_changes_nothing() {
    for text in ["İ@x.tr", "ΟΔΟΣ@x.gr", "ﬁ@x.de", "ẞ@x.de", "Å@x.se", "ǅ@x.hr", "ℌ@x.de", "ὍΣ\u{345}@x.gr"]
    {
        let once = EmailAddress::parse(text).unwrap();
        assert_eq!(normalize(once.normalized()), once.normalized(), "{text}");
    }
}

#[test]
fn the_parts_are_normalised() {
    let address = EmailAddress::parse("Ada@Example.com").unwrap();
    assert_eq!((address.local_part(), address.domain()), ("ada", "example.com"));
}

#[test]
fn one_at_sign() {
    for text in ["ada", "ada.example.com", "a@b@example.com", "a@@example.com", "\"a@b\"@example.com"] {
        assert_eq!(refusal(text), InvalidEmail::At, "{text}");
    }
    assert_eq!(refusal(""), InvalidEmail::Empty);
}

#[test]
fn characters_that_become_structure_are_refused() {
    for text in [
        "a\u{FF20}example.com",
        "a@evil.example\u{FF20}example.com",
        "a\u{FE6B}b@example.com",
        "a\u{A0}b@example.com",
        "a@example\u{2024}com",
        "a@exa\u{3000}mple.com",
        "a@example\u{3002}com",
        "a@\u{2100}.com",
        "\u{FF1C}a@example.com",
    ] {
        assert!(EmailAddress::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn spaces_and_control_characters_are_refused_everywhere() {
    let hostile = [
        " ",
        "\t",
        "\r",
        "\n",
        "\r\n",
        "\0",
        "\u{7f}",
        "\u{85}",
        "\u{a0}",
        "\u{2028}",
        "\u{200b}",
        "\u{200d}",
        "\u{202e}",
        "\u{2066}",
        "\u{200f}",
        "\u{feff}",
        "\u{ad}",
        "\u{e0041}",
        "\u{e000}",
        "\u{ffff}",
    ];
    for c in hostile {
        for text in [
            format!("{c}ada@example.com"),
            format!("a{c}da@example.com"),
            format!("ada{c}@example.com"),
            format!("ada@{c}example.com"),
            format!("ada@exa{c}mple.com"),
            format!("ada@example.com{c}"),
        ] {
            assert!(EmailAddress::parse(&text).is_err(), "{text:?}");
        }
    }
}

#[test]
fn headers_cannot_be_injected() {
    for text in ["ada@example.com\r\nBcc: all@example.com", "ada\r\nBcc:x@example.com", "ada@example.com%0a\n"] {
        assert!(EmailAddress::parse(text).is_err(), "{text:?}");
    }
    assert!(EmailAddress::parse("a,b@example.com").is_err());
    assert!(EmailAddress::parse("<ada@example.com>").is_err());
    assert!(EmailAddress::parse("Ada <ada@example.com>").is_err());
    assert!(EmailAddress::parse("ada@example.com,eve@example.com").is_err());
}

#[test]
fn the_local_part_is_dotted_atoms() {
    for text in [
        "@example.com",
        ".a@example.com",
        "a.@example.com",
        "a..b@example.com",
        "a\"b@example.com",
        "\"ab\"@example.com",
        "a(b)@example.com",
        "a\\b@example.com",
        "a:b@example.com",
        "a;b@example.com",
    ] {
        assert_eq!(refusal(text), InvalidEmail::Local, "{text}");
    }
}

#[test]
fn the_domain_is_dotted_labels() {
    for text in [
        "a@",
        "a@example",
        "a@.com",
        "a@example.",
        "a@example..com",
        "a@-example.com",
        "a@example-.com",
        "a@exa_mple.com",
        "a@127.0.0.1",
        "a@[127.0.0.1]",
        "a@example.123",
        "a@example.com/x",
        "a@localhost.",
        "a@!.com",
    ] {
        assert_eq!(refusal(text), InvalidEmail::Domain, "{text}");
    }
}

#[test]
fn lengths_are_bounded() {
    let local = "l".repeat(64);
    let domain = |length: usize| {
        let label = "d".repeat(63);
        format!("{label}.{label}.{}", "d".repeat(length - 128))
    };
    assert!(EmailAddress::parse(&format!("{local}@{}", domain(189))).is_ok());
    assert_eq!(refusal(&format!("{local}@{}", domain(190))), InvalidEmail::TooLong);
    assert_eq!(refusal(&format!("{local}l@example.com")), InvalidEmail::Local);
    assert_eq!(refusal(&format!("a@{}.com", "d".repeat(64))), InvalidEmail::Domain);
    assert!(EmailAddress::parse(&format!("a@{}.com", "d".repeat(63))).is_ok());
    assert_eq!(refusal(&"a".repeat(1 << 20)), InvalidEmail::TooLong);
    assert!(EmailAddress::parse(&format!("{}@example.com", "ä".repeat(33))).is_err());
}

#[test]
fn an_address_that_grows_over_the_bounds_is_refused() {
    // One character of 3 bytes becomes 18 characters, spaces among them, or 4 letters.
    assert!(EmailAddress::parse("\u{FDFA}@example.com").is_err());
    assert_eq!(refusal(&format!("{}@example.com", "\u{32C6}".repeat(21))), InvalidEmail::Local);
}

#[test]
fn the_address_is_in_no_debug_output() {
    assert_eq!(format!("{:?}", EmailAddress::parse("ada@example.com").unwrap()), "EmailAddress(..)");
}
