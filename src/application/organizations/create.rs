//! Create an organization, with the caller as its first admin.

use uuid::Uuid;
use workroom_domain::{
    account::Account,
    ids::{AccountId, OrganizationId},
    organization::{ImageUrl, Organization, OrganizationCommand, OrganizationFields, OrganizationSettings, Slug},
    text::Name,
};

use super::claim;
use crate::application::{Command, Error, Unit};

/// Create an organization, with the caller as its first admin.
#[derive(Clone, Debug)]
pub struct CreateOrganization {
    /// The new organization's id.
    pub organization_id: OrganizationId,
    /// What to call it.
    pub name: Name,
    /// Its slug; made of the name when not given.
    pub slug: Option<Slug>,
    /// The address of the organization's picture; `None` where it has none.
    pub image_url: Option<ImageUrl>,
    /// Whether members may create projects in it.
    pub members_can_create_projects: bool,
    /// Whether people may belong to its projects who do not belong to it.
    pub allow_guests: bool,
}

/// An organization was created.
#[derive(Clone, Debug)]
pub struct CreatedOrganization {
    /// All fields of the organization, also the slug that was chosen for it.
    pub fields: OrganizationFields,
    /// Sequence of its last event.
    pub version: i64,
}

impl Command for CreateOrganization {
    type Reply = CreatedOrganization;

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<CreatedOrganization, Error> {
        let admin = unit.context().account()?;
        unit.read::<Account>(admin).await?.state.active()?;
        let slug = match &self.slug {
            Some(slug) => slug.clone(),
            None => self.free_slug(unit).await?,
        };
        let settings = OrganizationSettings {
            members_can_create_projects: self.members_can_create_projects,
            allow_guests: Some(self.allow_guests),
            job_output_days: None,
            job_code_days: None,
        };
        let fields = OrganizationFields {
            name: self.name.clone(),
            slug: slug.clone(),
            image_url: self.image_url.clone(),
            settings,
        };
        let create = OrganizationCommand::Create { is_personal: false, admin, fields: fields.clone() };
        let created = unit.decide::<Organization>(&Unit::new_aggregate(self.organization_id), create)?;
        claim(unit, &slug, self.organization_id).await?;
        Ok(CreatedOrganization { fields, version: created.sequence })
    }
}

impl CreateOrganization {
    /// The name's own, or with the end of the id behind it where that is taken.
    async fn free_slug(&self, unit: &mut Unit<'_>) -> Result<Slug, Error> {
        let plain = Slug::of(&self.name, None);
        let held = unit.read::<workroom_domain::organization_slug::OrganizationSlug>(super::slug_id(&plain)).await?;
        if held.state.is_free() {
            return Ok(plain);
        }
        let id = Uuid::from(self.organization_id).simple().to_string();
        Ok(Slug::of(&self.name, id.get(20..)))
    }
}

/// The organization that comes with an account. Its name and slug say nothing of the person (law 6).
///
/// # Errors
/// None: the texts are sound.
pub fn personal(organization_id: OrganizationId, account_id: AccountId) -> Result<OrganizationCommand, Error> {
    let fields = OrganizationFields {
        name: Name::parse("Personal").map_err(Error::failure)?,
        slug: Slug::personal(organization_id),
        image_url: None,
        settings: OrganizationSettings {
            members_can_create_projects: true,
            allow_guests: None,
            job_output_days: None,
            job_code_days: None,
        },
    };
    Ok(OrganizationCommand::Create { is_personal: true, admin: account_id, fields })
}
