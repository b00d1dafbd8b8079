//! Signed notes (C2SP signed-note): a text, a blank line, and a line for each signature, `— <key name> <base64>`.
//!
//! A note is opened with the keys that its reader trusts. Signatures of others are passed over: witnesses add theirs,
//! and a retired key's notes hold for those who know it.

mod signer;
mod verifier;

#[cfg(test)]
mod tests;

use base64::{Engine, engine::general_purpose::STANDARD};

pub use signer::Signer;
pub use verifier::{InvalidKey, Verifier};

/// The most signatures that a note is read with.
const MAX_SIGNATURES: usize = 100;

/// Why a note is not believed, or not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNote {
    /// Not a note at all.
    #[error("not a signed note: a text, an empty line and signatures, without control characters, each line ended")]
    Malformed,
    /// So many are not read.
    #[error("the note has more than 100 signatures")]
    TooManySignatures,
    /// The text, or the signature, is not as it was.
    #[error("a signature of a known key does not fit the note's text")]
    WrongSignature,
    /// Whoever signed it is not trusted.
    #[error("the note is not signed by any known key")]
    UnknownKeys,
    /// The cryptographic library refused.
    #[error("the text could not be signed")]
    Signing,
}

/// The text of a note that one of these keys has signed, and that no other of them has signed wrongly.
pub fn open<'n>(note: &'n str, verifiers: &[Verifier]) -> Result<&'n str, InvalidNote> {
    if !has_lines_only(note) {
        return Err(InvalidNote::Malformed);
    }
    // The last empty line: the text may have others.
    let end = note.rfind("\n\n").ok_or(InvalidNote::Malformed)?;
    let (text, signatures) = (&note[..=end], &note[end + 2..]);
    let lines = signatures.strip_suffix('\n').ok_or(InvalidNote::Malformed)?;
    let mut known = false;
    for (count, line) in lines.split('\n').enumerate() {
        if count == MAX_SIGNATURES {
            return Err(InvalidNote::TooManySignatures);
        }
        let signature = Signature::read(line).ok_or(InvalidNote::Malformed)?;
        for verifier in verifiers {
            if verifier.name() == signature.name && verifier.key_id() == signature.key_id {
                if !verifier.has_signed(text, &signature.bytes) {
                    return Err(InvalidNote::WrongSignature);
                }
                known = true;
            }
        }
    }
    if known { Ok(text) } else { Err(InvalidNote::UnknownKeys) }
}

/// A signature's line, without its end.
struct Signature<'n> {
    name: &'n str,
    key_id: u32,
    bytes: Vec<u8>,
}

impl<'n> Signature<'n> {
    fn read(line: &'n str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix("— ")?.split_once(' ')?;
        let decoded = STANDARD.decode(encoded).ok()?;
        let (key_id, signature) = decoded.split_first_chunk()?;
        (is_name(name) && !signature.is_empty()).then(|| Self {
            name,
            key_id: u32::from_be_bytes(*key_id),
            bytes: signature.to_vec(),
        })
    }

    fn line(&self) -> String {
        let encoded = STANDARD.encode([&self.key_id.to_be_bytes()[..], &self.bytes].concat());
        format!("— {} {encoded}\n", self.name)
    }
}

/// Whether a key can have this name.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.contains(|character: char| character == '+' || character.is_whitespace() || character < ' ')
}

/// Whether a text has no control characters of ASCII but those that end lines.
fn has_lines_only(text: &str) -> bool {
    !text.contains(|character: char| character < ' ' && character != '\n')
}
