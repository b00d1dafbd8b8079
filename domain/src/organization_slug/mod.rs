//! Who has a slug: no two organizations have the same. The aggregate's id follows from the slug, so that whoever claims
//! one meets whoever claims the same.

mod aggregate;
mod event;

pub use aggregate::{OrganizationSlug, SlugCommand, SlugTaken};
pub use event::OrganizationSlugEvent;
