//! What is created in an organization: the aggregate moves with each project, so that an organization is not deleted
//! while a project is created in it. Its id is the organization's; its events belong to the feeds of the projects, since
//! not every member of an organization may know of all of them.
//!
//! Personal organizations have none: they cannot be deleted. Organizations of earlier versions have none until their next
//! project, so nobody counts by it; `ProjectCreated` and `ProjectDeleted` tell what is in an organization.

mod aggregate;
mod event;

pub use aggregate::{OrganizationProjects, OrganizationProjectsCommand};
pub use event::OrganizationProjectsEvent;
