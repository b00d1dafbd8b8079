//! The first line of an export: of which log it is, what is in it, and what proves it.

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use workroom_proofs::{frontier::Frontier, hash::Hash};

/// The name of the format, with its version.
pub const FORMAT: &str = "workroom.audit/1";
/// What the name of every version of the format begins with.
pub const FORMAT_FAMILY: &str = "workroom.audit/";

/// What is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// The feed of a project.
    #[serde(rename = "project_id")]
    Project(Uuid),
    /// The feed of an organization, and those of all its projects, deleted ones included.
    #[serde(rename = "organization_id")]
    Organization(Uuid),
    /// The whole log; always `true`.
    #[serde(rename = "all")]
    All(bool),
}

impl Scope {
    /// Whether it is the whole log.
    pub fn is_all(self) -> bool {
        matches!(self, Self::All(_))
    }
}

/// A feed that is in the file from a place on without a gap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedHead {
    /// The feed.
    pub feed_id: Uuid,
    /// Its first event in the file is the one behind this place.
    pub after: u64,
    /// The signed size and root of its tree.
    pub checkpoint: String,
    /// The hashes of what is before the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frontier: Option<Vec<Hash>>,
}

/// Which history the positions from one on belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochHead {
    /// The first position of the epoch.
    pub first_position: i64,
    /// The epoch.
    pub epoch: Uuid,
}

/// Proves that the log of an older checkpoint is the beginning of this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consistency {
    /// The size of the older checkpoint.
    pub from: u64,
    /// The proof, as RFC 6962 has it.
    pub hashes: Vec<Hash>,
}

/// The first line of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`FORMAT`].
    pub format: String,
    /// The log.
    pub log_id: Uuid,
    /// What was asked for.
    pub scope: Scope,
    /// The file has nothing up to this position; absent is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_position: Option<u64>,
    /// When it was asked for, as RFC 3339 has it.
    pub exported_at: String,
    /// The keys of the log, as its own service tells them.
    pub keys: Vec<String>,
    /// The signed size and root of the tree of the whole log.
    pub checkpoint: String,
    /// The feeds that are in the file completely; none in an export of the whole log, where all are.
    pub feeds: Vec<FeedHead>,
    /// The epochs, ascending.
    pub epochs: Vec<EpochHead>,
    /// The hashes of the whole log up to `from_position`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frontier: Option<Vec<Hash>>,
    /// From an older checkpoint to this one, if that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consistency: Option<Consistency>,
    /// A signed note about all of the above, and about the events of other feeds ([`Header::seal`]). Without it what the file
    /// leaves out could be hidden by who hands it on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

impl Header {
    /// What is signed of it beside the log's size and root: its own hash, without the signature, and the number and the root of a
    /// tree over the leaves of the events of other feeds, in their order.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn seal(&self, context: &Frontier) -> serde_json::Result<Vec<String>> {
        let unsigned = Self { signature: None, ..self.clone() };
        let digest = digest(&SHA256, &serde_json::to_vec(&unsigned)?);
        let context = format!("context {} {}", context.size(), context.root().to_base64());
        Ok(vec![format!("header {}", hex::encode(digest)), context])
    }
}

/// The last line of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// Always `true`.
    pub end: bool,
    /// How many events the file has.
    pub events: String,
    /// The hashes of the rest of the log; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_one_field() {
        let id = Uuid::from_u128(1);
        let written = |scope| serde_json::to_string(&scope).unwrap();
        assert_eq!(written(Scope::Project(id)), format!(r#"{{"project_id":"{id}"}}"#));
        assert_eq!(written(Scope::Organization(id)), format!(r#"{{"organization_id":"{id}"}}"#));
        assert_eq!(written(Scope::All(true)), r#"{"all":true}"#);
        assert_eq!(serde_json::from_str::<Scope>(r#"{"all":true}"#).unwrap(), Scope::All(true));
        assert!(serde_json::from_str::<Scope>(r#"{"nothing":true}"#).is_err());
    }

    #[test]
    fn a_header_has_no_field_that_says_nothing() {
        let header = Header {
            format: FORMAT.to_owned(),
            log_id: Uuid::nil(),
            scope: Scope::All(true),
            from_position: None,
            exported_at: "2026-01-01T00:00:00Z".to_owned(),
            keys: vec![],
            checkpoint: "note".to_owned(),
            feeds: vec![],
            epochs: vec![],
            frontier: None,
            consistency: None,
            signature: None,
        };
        let text = serde_json::to_string(&header).unwrap();
        assert!(text.starts_with(r#"{"format":"workroom.audit/1","log_id":"#), "{text}");
        assert!(text.ends_with(r#""checkpoint":"note","feeds":[],"epochs":[]}"#), "{text}");
        assert_eq!(serde_json::from_str::<Header>(&text).unwrap(), header);
    }
}
