//! Commands on organizations and their members.

mod add_member;
mod change_role;
mod create;
mod delete;
mod remove_member;
mod update;

pub use add_member::{AddOrganizationMember, AddedOrganizationMember, Welcome};
pub use change_role::ChangeOrganizationRole;
pub use create::{CreateOrganization, CreatedOrganization, personal};
pub use delete::DeleteOrganization;
pub use remove_member::RemoveOrganizationMember;
pub use update::{UpdateOrganization, UpdatedOrganization};

use uuid::Uuid;
use workroom_domain::{
    ids::OrganizationId,
    organization::Slug,
    organization_slug::{OrganizationSlug, SlugCommand},
};

use super::{Error, Unit};

super::error::from_refusals!(
    workroom_domain::organization::OrganizationRefusal,
    workroom_domain::organization_slug::SlugTaken
);

/// The id of a slug's aggregate: whoever claims the same slug meets there (RFC 9562, version 5).
fn slug_id(slug: &Slug) -> Uuid {
    const NAMESPACE: Uuid = Uuid::from_u128(0x6f1d_64b2_6a0e_4d0c_8e0b_77a1_5c1e_9a10);
    Uuid::new_v5(&NAMESPACE, slug.as_str().as_bytes())
}

async fn claim(unit: &mut Unit<'_>, slug: &Slug, organization_id: OrganizationId) -> Result<(), Error> {
    let held = unit.read::<OrganizationSlug>(slug_id(slug)).await?;
    unit.decide(&held, SlugCommand::Claim { slug: slug.clone(), organization_id })?;
    Ok(())
}

async fn release(unit: &mut Unit<'_>, slug: &Slug, organization_id: OrganizationId) -> Result<(), Error> {
    let held = unit.read::<OrganizationSlug>(slug_id(slug)).await?;
    unit.decide(&held, SlugCommand::Release { organization_id })?;
    Ok(())
}
