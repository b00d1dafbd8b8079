//! Where a file lies in its workspace.

use serde::{Deserialize, Serialize};

use super::refusal::MALFORMED_PATH;
use crate::{
    redaction::Placeholder,
    refusal::{self, Code, Refusal},
    text::breaks_or_reorders_lines,
};

/// Why a path was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathRefused {
    /// The path has no characters.
    #[error("must not be empty")]
    Empty,
    /// More than 1,024 bytes of UTF-8.
    #[error("must be at most 1024 bytes long")]
    TooLong,
    /// From the root of something.
    #[error("must be relative: it must not begin with `/`")]
    Absolute,
    /// Two slashes in a row, or one at the end.
    #[error("must not have an empty part: `//`, or `/` at the end")]
    EmptyPart,
    /// `.` or `..`.
    #[error("must not have a part that is `.` or `..`")]
    DotPart,
    /// A part that no file system takes.
    #[error("must not have a part of more than 255 bytes")]
    LongPart,
    /// What separates parts on other systems.
    #[error("must not contain `\\`: parts are separated by `/`")]
    Backslash,
    /// Control characters, line separators, or marks that let it show in another order than it is stored.
    #[error("must not contain control characters")]
    ControlCharacter,
    /// White space at either end of a part, which nobody sees.
    #[error("must not have white space at the beginning or end of a part")]
    Blank,
}

impl Refusal for PathRefused {
    fn code(&self) -> &'static Code {
        match self {
            Self::Empty => refusal::EMPTY,
            Self::TooLong => refusal::TOO_LONG,
            Self::ControlCharacter => refusal::FORBIDDEN_CHARACTER,
            Self::Absolute | Self::EmptyPart | Self::DotPart | Self::LongPart | Self::Backslash | Self::Blank => {
                MALFORMED_PATH
            }
        }
    }
}

/// Where a file lies in its workspace: a relative path of at most 1,024 bytes, its parts separated by `/`, none of them
/// empty, `.` or `..`. Compared byte by byte: upper and lower case differ.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(min_length = 1, max_length = 1_024))]
#[serde(transparent)]
pub struct FilePath(String);

impl FilePath {
    /// Most bytes in a path.
    pub const LIMIT: usize = 1024;
    /// Most bytes in a part, as file systems have it.
    const PART_LIMIT: usize = 255;

    /// Checks a path against the rules that [`PathRefused`] lists, and keeps it as it was given.
    pub fn parse(path: &str) -> Result<Self, PathRefused> {
        if path.is_empty() {
            return Err(PathRefused::Empty);
        }
        if path.len() > Self::LIMIT {
            return Err(PathRefused::TooLong);
        }
        if path.starts_with('/') {
            return Err(PathRefused::Absolute);
        }
        if path.contains('\\') {
            return Err(PathRefused::Backslash);
        }
        if path.chars().any(|c| c.is_control() || breaks_or_reorders_lines(c)) {
            return Err(PathRefused::ControlCharacter);
        }
        for part in path.split('/') {
            match part {
                "" => return Err(PathRefused::EmptyPart),
                "." | ".." => return Err(PathRefused::DotPart),
                _ if part.len() > Self::PART_LIMIT => return Err(PathRefused::LongPart),
                _ if part.trim() != part => return Err(PathRefused::Blank),
                _ => {}
            }
        }
        Ok(Self(path.to_owned()))
    }

    /// The path as it was given, relative to the root of the workspace.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands for a path that was redacted, in the event at a position.
    pub(crate) fn redacted(position: i64) -> Self {
        Self(Placeholder::Unique.text(position))
    }

    /// Whether it may stand for a path that was redacted.
    pub(super) fn is_placeholder(&self) -> bool {
        Placeholder::is_unique(&self.0)
    }

    /// The folders that it lies in, the outermost first.
    pub fn folders(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('/').map(|(at, _)| &self.0[..at])
    }
}

impl std::borrow::Borrow<str> for FilePath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_inside() {
        for good in ["a", "src/main.rs", "a b/ü", "...", ".env", "a/..b", "x/".repeat(511).trim_end_matches('/')] {
            assert_eq!(FilePath::parse(good).unwrap().as_str(), good);
        }
        for (bad, why) in [
            ("", PathRefused::Empty),
            ("/etc/passwd", PathRefused::Absolute),
            ("../up", PathRefused::DotPart),
            ("a/../b", PathRefused::DotPart),
            ("a/.", PathRefused::DotPart),
            ("a//b", PathRefused::EmptyPart),
            ("a/", PathRefused::EmptyPart),
            ("a\\b", PathRefused::Backslash),
            ("C:\\x", PathRefused::Backslash),
            ("a\u{0}b", PathRefused::ControlCharacter),
            ("a\nb", PathRefused::ControlCharacter),
            ("a\u{202E}b", PathRefused::ControlCharacter),
            (" a", PathRefused::Blank),
            ("a /b", PathRefused::Blank),
        ] {
            assert_eq!(FilePath::parse(bad), Err(why), "{bad:?}");
        }
        assert_eq!(FilePath::parse(&"ü".repeat(128)), Err(PathRefused::LongPart));
        assert_eq!(FilePath::parse(&"x/".repeat(513)), Err(PathRefused::TooLong));
    }

    #[test]
    fn folders_are_told_from_the_outermost() {
        let path = FilePath::parse("a/b/c").unwrap();
        assert_eq!(path.folders().collect::<Vec<_>>(), ["a", "a/b"]);
        assert_eq!(FilePath::parse("a").unwrap().folders().count(), 0);
    }
}
