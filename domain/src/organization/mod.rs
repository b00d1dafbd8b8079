//! An organization: the tenant boundary. Its fields, its life, and who belongs to it; projects live in it.

mod aggregate;
mod command;
mod event;
mod fields;
pub mod refusal;

pub use aggregate::{Organization, OrganizationState};
pub use command::OrganizationCommand;
pub use event::OrganizationEvent;
pub use fields::{
    ImageUrl, OrganizationChanges, OrganizationFields, OrganizationPatch, OrganizationSettings,
    OrganizationSettingsPatch, Slug, SlugRefused,
};
pub use refusal::OrganizationRefusal;
