//! What can have happened to a slug.

use serde::{Deserialize, Serialize};

use crate::{event::domain_event, ids::OrganizationId, organization::Slug, redaction::PayloadRedacted};

/// What can have happened to a slug.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type")]
pub enum OrganizationSlugEvent {
    /// An organization has it from now on.
    SlugClaimed {
        /// The short name. No other organization can have it until it is released.
        slug: Slug,
        /// Who has it.
        organization_id: OrganizationId,
    },
    /// Anybody may have it again.
    SlugReleased {
        /// Who had it.
        organization_id: OrganizationId,
    },
    /// What another event of it said was redacted.
    PayloadRedacted(Box<PayloadRedacted>),
}

domain_event!(OrganizationSlugEvent { SlugClaimed => "1", SlugReleased => "1", PayloadRedacted => "1" });
