//! Who may tell of people: identity providers, by signed messages.

use serde::{Deserialize, Serialize};

/// Who may tell, and how that is known.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityWebhookConfig {
    /// The issuer whose people they are, as its tokens name it.
    pub issuer: String,
    /// Signing secrets, `whsec_…`: one, or two while they are being changed.
    pub secrets: Vec<String>,
}
