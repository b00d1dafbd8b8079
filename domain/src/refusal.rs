//! Refusals, told apart by a code that stays the same, so that nobody parses sentences.
//!
//! A [`Code`] says what a refusal means and what to do about it; the refusal itself adds a sentence about this one case. The codes
//! stand beside the refusals that use them, here those that several share. `docs/problems.md` lists all that a client may meet.
//!
//! To add one: a line in the `codes!` of the file that refuses, and a row in `tests/api/problems/codes.rs` that shows how a client
//! meets it.

/// What a refusal means for whoever asked, free of transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request cannot be read at all.
    Malformed,
    /// No credentials, or none that hold.
    Unauthenticated,
    /// The caller may know of the thing, but not do this with it.
    Forbidden,
    /// There is no such thing, or none that the caller may know of.
    NotFound,
    /// The current state does not allow it.
    Conflict,
    /// The resource has changed since the version that the caller named.
    Stale,
    /// Understood, but not valid.
    Invalid,
    /// One field of an otherwise sound request does not hold.
    Field,
    /// Too often, from there or for that.
    Throttled,
    /// Not at the moment.
    Unavailable,
    /// The machine broke.
    Failure,
}

/// What a refusal is known by.
#[derive(Clone, Copy, Debug)]
pub struct Code {
    /// In lower case, with hyphens. It never changes, and names one meaning in the whole service.
    pub name: &'static str,
    /// What it means for whoever asked.
    pub kind: Kind,
    /// What is the matter: a sentence without its capital and full stop.
    pub meaning: &'static str,
    /// What the client can do: a sentence without its capital and full stop.
    pub remedy: &'static str,
}

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Code {}

/// Why something was refused.
pub trait Refusal: std::error::Error + Send + Sync + 'static {
    /// What it is known by.
    fn code(&self) -> &'static Code;

    /// The field it is about, as a JSON pointer (RFC 6901), if it is about one wherever it occurs.
    fn field(&self) -> Option<&'static str> {
        None
    }
}

impl Refusal for std::convert::Infallible {
    fn code(&self) -> &'static Code {
        match *self {}
    }
}

/// Declares codes as constants, and `CODES`, the list of them.
#[macro_export]
macro_rules! codes {
    ($($(#[$meta:meta])* $constant:ident = $name:literal, $kind:ident, $meaning:literal, $remedy:literal;)*) => {
        $(
            $(#[$meta])*
            #[doc = concat!("`", $name, "`: ", $meaning, ".")]
            pub const $constant: &$crate::refusal::Code = &$crate::refusal::Code {
                name: $name,
                kind: $crate::refusal::Kind::$kind,
                meaning: $meaning,
                remedy: $remedy,
            };
        )*
        /// All codes of this file.
        pub const CODES: &[&$crate::refusal::Code] = &[$($constant),*];
    };
}

codes! {
    NOT_FOUND = "not-found", NotFound,
        "there is no such thing, or none that the caller may know of",
        "check the ids in the address; ask a member of the project or organization for access";
    CONTENDED = "contended", Conflict,
        "the resource is being changed by others at the same time",
        "send the request again";
    ALREADY_MEMBER = "already-member", Conflict,
        "the account is already a member",
        "change the member's role instead";
    EMPTY = "empty", Field,
        "the value is empty, or nothing but white space",
        "give the field a value, or leave it out where it is optional";
    TOO_LONG = "too-long", Field,
        "the value is longer than the field takes",
        "shorten it; the detail names the limit";
    FORBIDDEN_CHARACTER = "forbidden-character", Field,
        "the text has a character that the field does not take: a control character, or one that reorders text",
        "remove the character";
}

/// The codes of all refusals of the domain.
pub fn all() -> impl Iterator<Item = &'static Code> {
    [
        CODES,
        crate::account::refusal::CODES,
        crate::invitation::refusal::CODES,
        crate::job::refusal::CODES,
        crate::membership::refusal::CODES,
        crate::organization::refusal::CODES,
        crate::project::refusal::CODES,
        crate::redaction::refusal::CODES,
        crate::schedule::refusal::CODES,
        crate::webhook::refusal::CODES,
        crate::workspace::refusal::CODES,
        crate::text::CODES,
    ]
    .into_iter()
    .flatten()
    .copied()
}
