//! What is in a file: bytes beside the log, named by the digest that the log tells.

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use serde::Serialize;
use uuid::Uuid;
use workroom_domain::refusal::{FORBIDDEN_CHARACTER, TOO_LONG};
use workroom_domain::{
    file::{self, Content},
    ids::FileId,
};

use crate::application::{Bytea, Change, Error, TableChange};

/// Text to write into a file: at most 1 MiB of UTF-8 without NUL.
#[derive(Clone, Debug)]
pub struct FileContent {
    bytes: Bytes,
    content: Content,
}

impl FileContent {
    /// Checks and digests.
    ///
    /// # Errors
    /// [`Error::Invalid`], naming the field: too long, not UTF-8, or with a NUL.
    pub fn parse(pointer: &str, bytes: Bytes) -> Result<Self, Error> {
        if bytes.len() > Content::LIMIT {
            return Err(Error::invalid(pointer, TOO_LONG, format!("must be at most {} bytes long", Content::LIMIT)));
        }
        if bytes.contains(&0) {
            return Err(Error::invalid(pointer, FORBIDDEN_CHARACTER, "text must not contain NUL characters"));
        }
        if std::str::from_utf8(&bytes).is_err() {
            return Err(Error::invalid(pointer, FORBIDDEN_CHARACTER, "must be UTF-8"));
        }
        let sha256 = file::Sha256(digest(&SHA256, &bytes).as_ref().try_into().map_err(Error::failure)?);
        let size = u32::try_from(bytes.len()).map_err(Error::failure)?;
        Ok(Self { content: Content { size, sha256 }, bytes })
    }

    /// Which content it is.
    pub fn content(&self) -> Content {
        self.content
    }
}

/// Keeps the bytes, with the event that names them.
#[derive(Clone, Debug)]
pub struct StoreContent {
    /// The file that they belong to.
    pub file_id: FileId,
    /// The bytes; without any, there is nothing to keep.
    pub content: Option<FileContent>,
}

#[derive(Serialize)]
struct StoredContent<'a> {
    file_id: Uuid,
    sha256: Bytea<'a>,
    content: &'a str,
}

impl TableChange for StoreContent {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let Some(FileContent { bytes, content }) = &self.content else { return Ok(Vec::new()) };
        let stored = StoredContent {
            file_id: self.file_id.into(),
            sha256: Bytea(&content.sha256.0),
            content: std::str::from_utf8(bytes).map_err(Error::failure)?,
        };
        let store = Change::new(
            "INSERT INTO file_contents (file_id, sha256, content)
             SELECT file_id, sha256, convert_to(content, 'UTF8')
             FROM jsonb_to_record($1) AS a (file_id uuid, sha256 bytea, content text) ON CONFLICT DO NOTHING",
            &stored,
        )?;
        Ok(vec![store])
    }

    fn is_empty(&self) -> bool {
        self.content.is_none()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn text_is_checked_and_digested() {
        let parse = |bytes: &'static [u8]| FileContent::parse("", Bytes::from_static(bytes));
        assert_eq!(parse(b"").unwrap().content(), Content::EMPTY);
        // FIPS 180-4, the example of one block.
        let digest = hex::encode(parse(b"abc").unwrap().content().sha256.0);
        assert_eq!(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(parse(b"a\0b").is_err());
        assert!(parse(b"\xff").is_err());
        assert!(FileContent::parse("", Bytes::from(vec![b'x'; Content::LIMIT])).is_ok());
        assert!(FileContent::parse("", Bytes::from(vec![b'x'; Content::LIMIT + 1])).is_err());
    }
}
