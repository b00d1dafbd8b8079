//! The state of a slug, and its two functions.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::OrganizationSlugEvent;
use crate::{
    Decide,
    aggregate::cqrs_aggregate,
    ids::OrganizationId,
    organization::{Slug, refusal::SLUG_TAKEN},
    redaction::{PayloadRedacted, Redactable, Texts},
    refusal::{Code, Refusal},
};

/// A slug: who has it, and who had it last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrganizationSlug {
    holder: Option<OrganizationId>,
    last: Option<OrganizationId>,
}

impl OrganizationSlug {
    /// Whether anybody may have it.
    pub fn is_free(&self) -> bool {
        self.holder.is_none()
    }
}

/// What may be asked of a slug.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlugCommand {
    /// Claim the slug. It is refused if another organization has it, or if it is reserved for another.
    Claim {
        /// The slug that the aggregate's id was derived from.
        slug: Slug,
        /// The organization that wants the slug. If it has the slug already, nothing happens.
        organization_id: OrganizationId,
    },
    /// Have it no longer.
    Release {
        /// Who has it.
        organization_id: OrganizationId,
    },
}

/// Another organization has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the slug is taken")]
pub struct SlugTaken;

impl Refusal for SlugTaken {
    fn code(&self) -> &'static Code {
        SLUG_TAKEN
    }
}

impl Decide for OrganizationSlug {
    const TYPE: &'static str = "organization_slug";
    const SHAPE: u32 = 1;
    type Command = SlugCommand;
    type Event = OrganizationSlugEvent;
    type Refusal = SlugTaken;

    fn decide(&self, command: SlugCommand) -> Result<Vec<OrganizationSlugEvent>, SlugTaken> {
        match command {
            SlugCommand::Claim { slug, organization_id }
                if slug.reserved_for().is_some_and(|owner| owner != organization_id) =>
            {
                Err(SlugTaken)
            }
            SlugCommand::Claim { slug, organization_id } => match self.holder {
                None => Ok(vec![OrganizationSlugEvent::SlugClaimed { slug, organization_id }]),
                Some(holder) if holder == organization_id => Ok(vec![]),
                Some(_) => Err(SlugTaken),
            },
            SlugCommand::Release { organization_id } if self.holder == Some(organization_id) => {
                Ok(vec![OrganizationSlugEvent::SlugReleased { organization_id }])
            }
            SlugCommand::Release { .. } => Ok(vec![]),
        }
    }

    fn evolve(&mut self, event: &OrganizationSlugEvent) {
        match event {
            OrganizationSlugEvent::SlugClaimed { organization_id, .. } => {
                (self.holder, self.last) = (Some(*organization_id), Some(*organization_id));
            }
            OrganizationSlugEvent::SlugReleased { .. } => self.holder = None,
            // Who has it stays, and so does its id.
            OrganizationSlugEvent::PayloadRedacted(_) => {}
        }
    }

    fn feed(&self, id: Uuid) -> Uuid {
        self.last.map_or(id, Into::into)
    }
}

cqrs_aggregate!(OrganizationSlug);

impl Redactable for OrganizationSlug {
    fn payload_redacted(redacted: PayloadRedacted) -> OrganizationSlugEvent {
        OrganizationSlugEvent::PayloadRedacted(Box::new(redacted))
    }

    fn redaction(event: &OrganizationSlugEvent) -> Option<&PayloadRedacted> {
        match event {
            OrganizationSlugEvent::PayloadRedacted(redacted) => Some(redacted.as_ref()),
            OrganizationSlugEvent::SlugClaimed { .. } | OrganizationSlugEvent::SlugReleased { .. } => None,
        }
    }

    /// The slug itself is not kept.
    fn texts(&self, _texts: &mut Texts) {}
}
