//! What can have happened to what is in a file.

use serde::{Deserialize, Serialize};

use crate::{
    event::domain_event,
    ids::{ProjectId, WorkspaceId},
    redaction::PayloadRedacted,
};

/// A SHA-256 digest (FIPS 180-4), written in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(value_type = String, pattern = "^[0-9a-f]{64}$"))]
#[serde(transparent)]
pub struct Sha256(#[serde(with = "hex::serde")] pub [u8; 32]);

/// Which content: the digest names it for ever, whatever is written later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = FileContent))]
pub struct Content {
    /// How many bytes of UTF-8.
    #[cfg_attr(feature = "openapi", schema(maximum = 1_048_576))]
    pub size: u32,
    /// The SHA-256 digest of these bytes, as 64 lower-case hexadecimal digits.
    pub sha256: Sha256,
}

impl Content {
    /// Nothing, which is what a new file holds.
    pub const EMPTY: Self = Self {
        size: 0,
        sha256: Sha256([
            0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae,
            0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
        ]),
    };
    /// Most bytes in a file.
    pub const LIMIT: usize = 1024 * 1024;
}

/// What can have happened to what is in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type")]
pub enum FileEvent {
    /// All of it was written anew.
    FileContentWritten {
        /// The project it belongs to.
        project_id: ProjectId,
        /// The workspace it lies in.
        workspace_id: WorkspaceId,
        /// What is in it now.
        #[serde(flatten)]
        content: Content,
    },
    /// What another event of it said was redacted.
    PayloadRedacted(Box<PayloadRedacted>),
}

domain_event!(FileEvent { FileContentWritten => "1", PayloadRedacted => "1" });
