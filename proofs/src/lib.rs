//! Proofs about the log: what an auditor checks with nothing but an export and a public key.
//!
//! All of it is pure: it knows no database, no network and no clock (`clippy.toml` keeps it so). The service makes
//! proofs with it (`src/log_tree`), and `workroom audit verify` checks them with it.
//!
//! | module | |
//! |---|---|
//! | [`hash`] | SHA-256 as RFC 6962 uses it: leaves, nodes, the empty tree |
//! | [`entry`] | an event as the bytes that its leaf hashes, and the salted commitment to its payload |
//! | [`tree`] | which hashes a proof holds, and how it is checked |
//! | [`frontier`] | the right edge of a growing tree: its root, in memory that does not grow with the log |
//! | [`tile`] | the tree in pieces of 256 hashes, with the paths of C2SP tlog-tiles |
//! | [`note`] | C2SP signed notes: texts with Ed25519 signatures |
//! | [`checkpoint`] | C2SP tlog-checkpoint: size and root of a tree, as the text of a note |
//!
//! There is one tree over the whole log, and one over each feed. A leaf's index is its event's `position - 1` in the
//! first, its `feed_seq - 1` in the second; the same leaf hash stands in both.
//!
//! # The leaf
//!
//! The entry of an event is UTF-8 text, one field a line, each line ended by `\n`, in this order: `workroom.event/1`,
//! log id, epoch, position, event id, feed id, `feed_seq`, aggregate type, aggregate id, sequence, event type, event
//! version, `recorded_at` in microseconds since 1970, SHA-256 of the metadata's stored bytes, the commitment. Ids are
//! UUIDs in lower case with hyphens, numbers are decimal, hashes are in lower-case hex. The commitment is SHA-256 of a
//! salt of 16 random bytes and the payload's stored bytes: when the payload is redacted the salt is destroyed, and the
//! commitment stays, and tells nothing about the payload.
//!
//! - leaf: SHA-256 of `0x00` and the entry
//! - node: SHA-256 of `0x01`, the left hash and the right hash
//! - root of the empty tree: SHA-256 of nothing
//!
//! Whatever is parsed here is refused unless it is spelled in the one canonical way (case of hex, padding of base64,
//! leading zeros), so that no byte of an export can change unnoticed. To change the leaf, write `workroom.event/2`
//! beside it: trees that are signed stay as they are.

pub mod checkpoint;
pub mod entry;
pub mod frontier;
pub mod hash;
pub mod note;
pub mod tile;
pub mod tree;

#[cfg(test)]
mod naive;
