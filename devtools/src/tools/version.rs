//! The versions that programs print of themselves.

use std::fmt;

/// A dotted version, such as 15.18 or 2.10.25; compares number by number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(Vec<u32>);

impl Version {
    /// Takes the first version out of what a program printed, such as `postgres (PostgreSQL) 15.18 (Debian …)`.
    pub fn find_in(text: &str) -> Option<Self> {
        text.split_whitespace().find_map(|word| {
            let word = word.trim_start_matches(['v', '(']);
            let end = word.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(word.len());
            let numbers: Option<Vec<u32>> =
                word.get(..end)?.trim_end_matches('.').split('.').map(|number| number.parse().ok()).collect();
            numbers.map(Self)
        })
    }

    /// The first number.
    pub fn major(&self) -> u32 {
        self.0.first().copied().unwrap_or(0)
    }

    /// Whether it is `least` or later.
    pub fn is_at_least(&self, least: &[u32]) -> bool {
        self.0.as_slice() >= least
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<String> = self.0.iter().map(u32::to_string).collect();
        f.write_str(&numbers.join("."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_print() {
        for (text, version) in [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", "15.18"),
            ("postgres (PostgreSQL) 19beta1", "19"),
            ("nats-server: v2.15.1", "2.15.1"),
            ("Python 3.11.7\n", "3.11.7"),
        ] {
            assert_eq!(Version::find_in(text).map(|version| version.to_string()).as_deref(), Some(version), "{text}");
        }
        assert_eq!(Version::find_in("no version here"), None);
    }

    #[test]
    fn versions_compare_by_number() {
        let version = Version::find_in("v2.10.25").unwrap();
        assert!(version.is_at_least(&[2, 10]) && version.is_at_least(&[2, 9, 99]));
        assert!(!version.is_at_least(&[2, 11]) && !version.is_at_least(&[2, 10, 26]));
    }
}
