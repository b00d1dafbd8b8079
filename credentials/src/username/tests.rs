#![allow(clippy::unwrap_used)]

use super::*;

fn username(text: &str) -> Result<String, InvalidUsername> {
    Username::parse(text).map(|username| username.as_str().to_owned())
}

fn name(text: &str) -> Result<String, InvalidFullName> {
    FullName::parse(text).map(|name| name.as_str().to_owned())
}

#[test]
fn usernames_are_lower_cased() {
    assert_eq!(username("Ada.Lovelace_1-x").unwrap(), "ada.lovelace_1-x");
    assert_eq!(Username::parse("ADA").unwrap(), Username::parse("ada").unwrap());
    assert_eq!(username("007").unwrap(), "007");
}

#[test]
fn usernames_have_3_to_32_characters() {
    for text in ["", "a", "ab", &"a".repeat(33), &"a".repeat(1 << 20)] {
        assert_eq!(username(text), Err(InvalidUsername::Length));
    }
    assert!(username("abc").is_ok());
    assert!(username(&"a".repeat(32)).is_ok());
}

#[test]
fn usernames_start_with_a_letter_or_digit() {
    for text in ["_ada", ".ada", "-ada", "...", "---"] {
        assert_eq!(username(text), Err(InvalidUsername::Start), "{text}");
    }
}

#[test]
fn usernames_have_no_other_characters() {
    for text in [
        " ada",
        "ada ",
        "a da",
        "ada\n",
        "ada\0",
        "ada@x",
        "ada/x",
        "../ada",
        "ädä",
        "\u{430}da",
        "ａｄａ",
        "\u{212A}im",
        "ada\u{202e}",
        "ada\u{200b}",
        "İ12",
        "ada%00",
        "<ada>",
    ] {
        assert_eq!(username(text), Err(InvalidUsername::Character), "{text:?}");
    }
}

#[test]
fn names_of_all_scripts_are_kept_and_trimmed() {
    for text in
        ["Ada Lovelace", "Zoë", "李小龍", "محمد", "עדה", "Шевченко", "अजय", "O'Brien-Smith, Jr.", "👩\u{200d}💻", "X"]
    {
        assert_eq!(name(&format!(" \u{a0}\t{text}\n ")).unwrap(), text);
    }
}

#[test]
fn names_are_composed() {
    assert_eq!(name("Zoe\u{308}").unwrap(), "Zo\u{eb}");
}

#[test]
fn right_to_left_marks_are_kept_and_overrides_refused() {
    for mark in ["\u{200E}", "\u{200F}", "\u{61C}"] {
        let text = format!("עדה{mark} A");
        assert_eq!(name(&text).unwrap(), text);
    }
    for c in ('\u{202A}'..='\u{202E}').chain('\u{2066}'..='\u{2069}') {
        for text in [format!("A{c}b"), format!("{c}Ab"), format!("Ab{c}")] {
            assert_eq!(name(&text), Err(InvalidFullName::Character), "{text:?}");
        }
    }
}

#[test]
fn names_have_no_control_characters_or_line_breaks() {
    for c in ['\0', '\u{1}', '\t', '\r', '\n', '\u{1b}', '\u{7f}', '\u{85}', '\u{9f}', '\u{2028}', '\u{2029}'] {
        assert_eq!(name(&format!("A{c}b")), Err(InvalidFullName::Character), "{c:?}");
    }
    assert_eq!(name("\0"), Err(InvalidFullName::Character));
}

#[test]
fn names_show_something() {
    for text in ["", " ", "\u{3000}\t", "\u{200b}", "\u{200f} \u{200d}", "\u{3164}", "\u{feff}", "\u{2800}"] {
        assert_eq!(name(text), Err(InvalidFullName::Empty), "{text:?}");
    }
}

#[test]
fn names_have_at_most_200_characters() {
    assert!(name(&"é".repeat(200)).is_ok());
    assert!(name(&"e\u{301}".repeat(200)).is_ok());
    assert!(name(&"👍".repeat(200)).is_ok());
    for text in
        ["x".repeat(201), "👍".repeat(201), "x".repeat(10_000), "x\u{301}".repeat(5000), "\u{1D160}".repeat(200)]
    {
        assert_eq!(name(&text), Err(InvalidFullName::TooLong));
    }
}

#[test]
fn names_are_in_no_debug_output() {
    let text = format!("{:?} {:?}", Username::parse("ada").unwrap(), FullName::parse("Ada").unwrap());
    assert_eq!(text, "Username(..) FullName(..)");
}
