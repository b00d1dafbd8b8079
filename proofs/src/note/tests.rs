use proptest::prelude::*;

use super::*;

/// The example of the Go module golang.org/x/mod/sumdb/note, which the specification comes from.
const VKEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const SEED: &str = "810a1402d5146c8d84f2443330f54080ebf98ee17d9c74f6252fc5d5c7283173";
const TEXT: &str =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const LINE: &str =
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

fn neumann() -> Signer {
    let seed: [u8; 32] = hex::decode(SEED).unwrap().try_into().unwrap();
    Signer::from_seed("PeterNeumann", &seed).unwrap()
}

fn key(seed: u8) -> Signer {
    Signer::from_seed("workroom/log", &[seed; 32]).unwrap()
}

/// The line that a key adds.
fn line(signer: &Signer, text: &str) -> String {
    signer.sign(text).unwrap().split_off(text.len() + 1)
}

#[test]
fn the_known_note_is_made_and_opened() {
    let note = format!("{TEXT}\n{LINE}");
    assert_eq!(neumann().verifier().to_string(), VKEY);
    assert_eq!(neumann().sign(TEXT).unwrap(), note);
    let verifier: Verifier = VKEY.parse().unwrap();
    assert_eq!((verifier.name(), verifier.key_id()), ("PeterNeumann", 0xc74f_20a3));
    assert_eq!(verifier, neumann().verifier());
    assert_eq!(open(&note, &[verifier]), Ok(TEXT));
}

#[test]
fn the_last_empty_line_ends_the_text() {
    for text in ["\n", "\n\n", "a\n\n", "a\n\nb\n", "a\n\n\n\nb\n\n\n", "— a b\n", "a\n\n— a AAAAAAA=\n"] {
        let note = key(1).sign(text).unwrap();
        assert_eq!(open(&note, &[key(1).verifier()]), Ok(text));
    }
}

#[test]
fn a_text_that_could_not_be_opened_is_not_signed() {
    for text in ["", "a", "a\nb", "a\r\n", "a\tb\n", "\0\n", "a\u{1f}\n"] {
        assert_eq!(key(1).sign(text), Err(InvalidNote::Malformed), "{text:?}");
    }
}

#[test]
fn signatures_of_others_are_passed_over() {
    let note = key(1).sign("a\n").unwrap() + &line(&neumann(), "a\n") + "— other AAAAAAA=\n";
    assert_eq!(open(&note, &[key(1).verifier()]), Ok("a\n"));
    assert_eq!(open(&note, &[key(2).verifier(), neumann().verifier()]), Ok("a\n"));
    assert_eq!(open(&note, &[key(2).verifier()]), Err(InvalidNote::UnknownKeys));
    assert_eq!(open(&note, &[]), Err(InvalidNote::UnknownKeys));
    // The same key under another name is another key.
    let renamed = Signer::from_seed("workroom/other", &[1; 32]).unwrap();
    assert_eq!(open(&note, &[renamed.verifier()]), Err(InvalidNote::UnknownKeys));
}

#[test]
fn a_known_key_that_signed_something_else_spoils_the_note() {
    let note = key(1).sign("a\n").unwrap() + &line(&key(2), "b\n");
    assert_eq!(open(&note, &[key(1).verifier(), key(2).verifier()]), Err(InvalidNote::WrongSignature));
    assert_eq!(open(&note, &[key(1).verifier()]), Ok("a\n"));
    // A signature that is too short or too long.
    let known = key(1).verifier();
    for length in [1, 63, 65, 200] {
        let signature = Signature { name: known.name(), key_id: known.key_id(), bytes: vec![0; length] };
        let note = format!("a\n\n{}", signature.line());
        assert_eq!(open(&note, std::slice::from_ref(&known)), Err(InvalidNote::WrongSignature));
    }
}

#[test]
fn what_is_no_note_is_refused() {
    let good = line(&key(1), "a\n");
    let known = [key(1).verifier()];
    for note in [
        String::new(),
        "\n".to_owned(),
        "\n\n".to_owned(),
        "a\n\n".to_owned(),
        "a\n\n\n".to_owned(),
        good.clone(),
        format!("a\n{good}"),
        format!("a\n\n{good}\n"),
        format!("a\n\n{}", good.trim_end()),
        format!("a\r\n\r\n{good}"),
        format!("a\n\n{}", good.replace('—', "-")),
        format!("a\n\n{}", good.replace("— ", "—  ")),
        format!("a\n\n{}", good.replace('\n', " \n")),
        format!("a\n\n{}", good.replace('\n', "\r\n")),
        format!("a\n\n{}", good.replace("==", "").replace('=', "")),
        format!("a\n\n{good}— other\n"),
        format!("a\n\n{good}— other AAAAAA==\n"),
        format!("a\n\n{good}— other AAAA*AA=\n"),
        format!("a\n\n{good}— ot+her AAAAAAA=\n"),
        format!("a\n\n{good}—  AAAAAAA=\n"),
        format!("a\n\n{good}b\n"),
    ] {
        assert_eq!(open(&note, &known), Err(InvalidNote::Malformed), "{note:?}");
    }
}

#[test]
fn a_hundred_signatures_are_read_and_no_more() {
    let known = [key(1).verifier()];
    let others = |count: usize| "— other AAAAAAA=\n".repeat(count);
    let note = |count: usize| format!("a\n\n{}{}", others(count), line(&key(1), "a\n"));
    assert_eq!(open(&note(99), &known), Ok("a\n"));
    assert_eq!(open(&note(100), &known), Err(InvalidNote::TooManySignatures));
    assert_eq!(open(&note(100_000), &known), Err(InvalidNote::TooManySignatures));
}

#[test]
fn a_vkey_has_one_spelling_and_its_parts_belong_together() {
    for vkey in
        ["", "+", "++", "PeterNeumann", "PeterNeumann+c74f20a3", "PeterNeumann+c74f20a3+", "PeterNeumann+c74f20a3+AA=="]
    {
        assert_eq!(vkey.parse::<Verifier>(), Err(InvalidKey::Form), "{vkey}");
    }
    let ecdsa = VKEY.replace("+AR", "+Ah");
    let longer = format!("{VKEY}AAAA");
    for vkey in [ecdsa, longer, VKEY[..VKEY.len() - 4].to_owned(), format!("{VKEY}\n"), format!("{VKEY}+")] {
        assert_eq!(vkey.parse::<Verifier>(), Err(InvalidKey::Form), "{vkey}");
    }
    for (from, to) in
        [("c74f", "C74F"), ("c74f", "c74e"), ("c74f", "0c74f"), ("c74f", ""), ("10TW", "10TX"), ("Peter", "peter")]
    {
        assert_eq!(VKEY.replace(from, to).parse::<Verifier>(), Err(InvalidKey::KeyId), "{from} {to}");
    }
    for name in ["", "a b", "a+b", "a\n", "a\u{a0}b", "a\u{2003}", "\0"] {
        assert_eq!(Signer::from_seed(name, &[1; 32]).map(drop), Err(InvalidKey::Name), "{name:?}");
    }
    assert_eq!(VKEY.replace("PeterNeumann", "Peter Neumann").parse::<Verifier>(), Err(InvalidKey::Name));
}

#[test]
fn the_private_key_is_in_no_debug_output() {
    let shown = format!("{:?}", neumann());
    assert!(!shown.contains(&SEED[..16]) && !shown.contains(&format!("{:?}", &hex::decode(SEED).unwrap()[..4])[1..10]));
    assert!(shown.contains("PeterNeumann"));
}

/// Texts as notes have them.
fn texts() -> impl Strategy<Value = String> {
    prop::collection::vec("[^\\x00-\\x1f]{0,20}", 1..6).prop_map(|lines| lines.join("\n") + "\n")
}

proptest! {
    #[test]
    fn what_is_signed_is_opened(text in texts(), seed: [u8; 32], name in "[a-z/0-9.é-]{1,30}") {
        let signer = Signer::from_seed(&name, &seed).unwrap();
        let verifier: Verifier = signer.verifier().to_string().parse().unwrap();
        prop_assert_eq!(&verifier, &signer.verifier());
        let note = signer.sign(&text).unwrap();
        prop_assert_eq!(open(&note, &[verifier]), Ok(text.as_str()));
    }

    #[test]
    fn any_changed_byte_is_noticed(text in texts(), at: prop::sample::Index, change in 1_u8..=255) {
        let mut bytes = key(1).sign(&text).unwrap().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        if let Ok(note) = String::from_utf8(bytes) {
            prop_assert!(open(&note, &[key(1).verifier()]).is_err(), "{note:?}");
        }
    }

    #[test]
    fn any_byte_left_out_or_added_is_noticed(text in texts(), at: prop::sample::Index, byte: u8) {
        let signed = key(1).sign(&text).unwrap();
        let at = at.index(signed.len());
        let mut without = signed.clone().into_bytes();
        without.remove(at);
        let mut with = signed.clone().into_bytes();
        with.insert(at, byte);
        for changed in [without, with].into_iter().filter_map(|bytes| String::from_utf8(bytes).ok()) {
            prop_assert!(open(&changed, &[key(1).verifier()]).is_err(), "{changed:?}");
        }
    }

    #[test]
    fn any_text_is_opened_or_refused(note in any::<String>(), lines in "[—a \\n+=]{0,60}") {
        prop_assert!(open(&note, &[key(1).verifier()]).is_err());
        prop_assert!(open(&lines, &[key(1).verifier()]).is_err());
        prop_assert!(note.parse::<Verifier>().is_err());
    }
}
