//! How hard a password is to guess, as zxcvbn estimates it: common passwords and words, names, rows of keys, dates, repetitions,
//! and the account's own words, in any case, reversed, or with `4` for a and `$` for s.
//!
//! The estimate's time grows with the square of the length, and with the number of readings of symbols as letters: a hundred
//! characters with all such symbols would take seconds. So only as much of the beginning is judged as can be judged in a
//! bounded time ([`MAX_WORK`]); a password whose beginning is hard to guess is hard to guess.

use std::panic::catch_unwind;

use zxcvbn::{
    Entropy,
    feedback::{Feedback, Warning},
    matching::patterns::MatchPattern,
};

/// The most that is judged of a password: parts of it, times readings of its symbols. About 10 ms, in the worst case.
const MAX_WORK: usize = 100_000;

/// Most characters that are judged.
const MAX_LENGTH: usize = 72;

/// Shorter words would be found in most passwords.
const MIN_WORD_LENGTH: usize = 3;

/// Most words of an account that are looked for.
const MAX_WORDS: usize = 32;

/// Words that everybody who knows the service would try.
const WORDS_OF_THE_SERVICE: [&str; 1] = ["workroom"];

/// Letters that a symbol may stand for, and how many readings the symbols of each letter give at most. As in zxcvbn's table; a symbol
/// of two letters counts twice for each, since it is read as either.
const SYMBOLS: [(&[(char, usize)], char); 12] = [
    (&[('4', 1), ('@', 1)], 'a'),
    (&[('8', 1)], 'b'),
    (&[('(', 1), ('{', 1), ('[', 1), ('<', 1)], 'c'),
    (&[('3', 1)], 'e'),
    (&[('6', 1), ('9', 1)], 'g'),
    (&[('1', 2), ('!', 1), ('|', 2)], 'i'),
    (&[('1', 2), ('|', 2), ('7', 2)], 'l'),
    (&[('0', 1)], 'o'),
    (&[('$', 1), ('5', 1)], 's'),
    (&[('+', 1), ('7', 2)], 't'),
    (&[('%', 1)], 'x'),
    (&[('2', 1)], 'z'),
];

/// The words of an account and of the service: what somebody would try first who knows whose password it is.
#[derive(Clone, Default)]
pub struct OwnWords(Vec<String>);

impl OwnWords {
    /// The words of these texts, and the texts themselves.
    pub fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut words: Vec<String> = WORDS_OF_THE_SERVICE.map(str::to_owned).into();
        for text in texts {
            let text = text.to_lowercase();
            let parts = text.split_whitespace().chain(text.split(|c: char| !c.is_alphanumeric()));
            for word in std::iter::once(text.as_str()).chain(parts) {
                if word.chars().count() >= MIN_WORD_LENGTH && !words.iter().any(|known| known == word) {
                    words.push(word.to_owned());
                }
            }
        }
        words.truncate(MAX_WORDS);
        Self(words)
    }
}

/// How hard a password is to guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strength {
    /// 0: under a thousand guesses; 1: under a million; 2: under a hundred million; 3: under ten thousand million; 4: more.
    pub score: u8,
    /// What makes it easy to guess, as a sentence's end that begins with a colon; empty where nothing stands out.
    pub because: &'static str,
}

/// Judges a password that somebody of these words has chosen. Takes milliseconds: not for the threads that
/// requests share.
pub fn strength(password: &str, words: &OwnWords) -> Strength {
    let judged = judged_part(password);
    let words: Vec<&str> = words.0.iter().map(String::as_str).collect();
    // A fault of the library is no reason to refuse a password.
    let estimated = catch_unwind(|| zxcvbn::zxcvbn(judged, &words));
    if let Ok(entropy) = estimated {
        Strength { score: entropy.score().into(), because: because(&entropy, &words) }
    } else {
        tracing::error!("the strength of a password could not be estimated");
        Strength { score: 4, because: "" }
    }
}

/// As much of the beginning as takes no more than [`MAX_WORK`].
fn judged_part(password: &str) -> &str {
    let mut seen: Vec<char> = Vec::new();
    let mut readings = 0;
    for (length, (at, character)) in password.char_indices().enumerate() {
        if !seen.contains(&character) {
            seen.push(character);
            readings = readings_of(&seen);
        }
        let length = length + 1;
        // As it stands, reversed, and in every reading.
        if length > MAX_LENGTH || length * (length + 1) / 2 * (2 + readings) > MAX_WORK {
            return password.get(..at).unwrap_or(password);
        }
    }
    password
}

/// In how many ways symbols among these characters can be read as letters.
fn readings_of(seen: &[char]) -> usize {
    let of_letter = |(symbols, _): &(&[(char, usize)], char)| {
        symbols.iter().filter(|(symbol, _)| seen.contains(symbol)).map(|(_, times)| times).sum::<usize>()
    };
    SYMBOLS.iter().map(of_letter).filter(|&readings| readings > 0).product()
}

fn because(entropy: &Entropy, words: &[&str]) -> &'static str {
    let is_own = |pattern: &MatchPattern| matches!(pattern, MatchPattern::Dictionary(found) if words.contains(&found.matched_word.as_str()));
    if entropy.sequence().iter().any(|part| is_own(&part.pattern)) {
        return ": it is made of names that belong to the account or the service";
    }
    let Some(warning) = entropy.feedback().and_then(Feedback::warning) else { return "" };
    match warning {
        Warning::StraightRowsOfKeysAreEasyToGuess | Warning::ShortKeyboardPatternsAreEasyToGuess => {
            ": its keys lie beside each other"
        }
        Warning::RepeatsLikeAaaAreEasyToGuess | Warning::RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess => {
            ": it repeats itself"
        }
        Warning::ThisIsATop10Password | Warning::ThisIsATop100Password | Warning::ThisIsACommonPassword => {
            ": it is a common password"
        }
        Warning::ThisIsSimilarToACommonlyUsedPassword => ": it is much like a common password",
        Warning::SequencesLikeAbcAreEasyToGuess => ": it is a sequence",
        Warning::RecentYearsAreEasyToGuess | Warning::DatesAreOftenEasyToGuess => ": years and dates are tried early",
        Warning::AWordByItselfIsEasyToGuess => ": it is a single word",
        Warning::NamesAndSurnamesByThemselvesAreEasyToGuess | Warning::CommonNamesAndSurnamesAreEasyToGuess => {
            ": it is made of common names"
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn score(password: &str) -> u8 {
        strength(password, &OwnWords::of([])).score
    }

    fn score_of_ada(password: &str) -> u8 {
        let words = OwnWords::of(["ada.lovelace@analytical.example", "countess", "Augusta Ada King"]);
        strength(password, &words).score
    }

    #[test]
    fn variations_of_common_passwords_are_easy_to_guess() {
        for password in
            ["Password123!", "P@ssw0rd", "drowssap", "qwertyuiop[]", "abcdefghijkl", "13071999", "secretsecret"]
        {
            assert!(score(password) < 2, "{password}");
        }
        for password in ["a quiet harbour at dusk", "тихая гавань", "xq7!kv2#", "nanoseconds of wire"] {
            assert!(score(password) >= 2, "{password}");
        }
    }

    #[test]
    fn own_words_are_easy_to_guess_in_any_spelling() {
        for password in ["lovelace1", "L0vel@ce", "ecalevol", "countess!", "Augusta1815", "analytical1", "Workroom1"] {
            assert!(score_of_ada(password) < 2, "{password}");
        }
        assert_eq!(
            strength("lovelace", &OwnWords::of(["Lovelace"])).because,
            ": it is made of names that belong to the account or the service"
        );
        assert!(score_of_ada("ada.lovelace loves engines") >= 2);
    }

    #[test]
    fn what_is_judged_is_bounded() {
        let all: String = "4@8({[<3691!|70$5+%2".repeat(5);
        let random: String = "kqvwzjxhnm".repeat(10);
        for password in [all.as_str(), &random, &"é".repeat(128), &"1|7".repeat(40), ""] {
            let judged = judged_part(password);
            assert!(password.starts_with(judged));
            assert!(judged.len() == password.len() || judged.chars().count() >= 10, "{judged}");
            assert!(judged.chars().count() <= MAX_LENGTH);
        }
        assert_eq!(judged_part(&random).len(), MAX_LENGTH, "no symbols: as long as it may be");
        assert_eq!(judged_part("correct horse battery staple"), "correct horse battery staple");
    }

    /// Symbols and their letters are zxcvbn's: with another table, the bound would be another.
    #[test]
    fn symbols_are_read_as_their_letters() {
        for (symbols, letter) in SYMBOLS {
            for (symbol, _) in symbols {
                // A word of the account that begins with the letter, written with the symbol.
                let words = OwnWords::of([format!("{letter}qwvkzjh").as_str()]);
                let written = format!("{symbol}qwvkzjh");
                assert!(strength(&written, &words).score < 2, "{written}");
            }
        }
    }

    /// `cargo test --release -- --ignored --nocapture estimates_take`
    #[test]
    #[ignore = "a measurement"]
    #[allow(clippy::print_stdout)]
    fn estimates_take() {
        let all = "4@8({[<3691!|70$5+%2";
        let words = OwnWords::of(["ada.lovelace@analytical.example", "countess", "Augusta Ada King"]);
        for password in [
            "an analytical engine".to_owned(),
            "kqvwzjxhnm".repeat(10),
            all.repeat(5),
            "aB3$".repeat(30),
            "1|7!4@".repeat(20),
            "p4ssw0rd!".repeat(12),
            "a".repeat(128),
            "ab".repeat(64),
            "password".repeat(16),
        ] {
            let begun = std::time::Instant::now();
            let judged = judged_part(&password).chars().count();
            let found = strength(&password, &words);
            println!("{judged:>4} characters of {:>4}: {:>10.2?} {found:?}", password.chars().count(), begun.elapsed());
        }
    }
}
