//! Organizations as clients see them.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::{
    access,
    organization::{OrganizationFields, OrganizationState},
};
use workroom_projections::{
    accounts::AccountRow,
    organizations::{OrganizationMemberRow, OrganizationRow},
};

use crate::http::members::MemberStatus;

/// A member's role in an organization. An `auditor` reads the whole history of it and of all its projects, belongs to none
/// of them, and changes nothing.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum OrganizationRole {
    Admin,
    Auditor,
    Member,
}

impl From<OrganizationRole> for access::OrganizationRole {
    fn from(role: OrganizationRole) -> Self {
        match role {
            OrganizationRole::Admin => Self::Admin,
            OrganizationRole::Auditor => Self::Auditor,
            OrganizationRole::Member => Self::Member,
        }
    }
}

/// What its admins have settled.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct OrganizationSettings {
    /// Whether members, not only admins, may create projects in it.
    pub members_can_create_projects: bool,
    /// Whether people may belong to its projects who do not belong to it.
    pub allow_guests: bool,
}

impl OrganizationSettings {
    fn of(fields: &OrganizationFields) -> Self {
        let settings = fields.settings;
        Self {
            members_can_create_projects: settings.members_can_create_projects,
            allow_guests: settings.allow_guests.unwrap_or(true),
        }
    }
}

/// The settings to change.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrganizationSettingsRequest {
    /// Whether members, not only admins, may create projects in it.
    pub members_can_create_projects: Option<bool>,
    /// Whether people may belong to its projects who do not belong to it; not in a new one unless said so. Turned off, it takes those
    /// who are there off the projects.
    pub allow_guests: Option<bool>,
}

/// The tenant boundary: projects live in it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Organization {
    /// The organization's id, a UUIDv7.
    pub id: Uuid,
    /// What it is called.
    pub name: String,
    /// The short name in its address; no two have the same.
    pub slug: String,
    /// The address of the organization's picture, http or https, up to 2,048 bytes; null where it has none.
    pub image_url: Option<String>,
    /// What its admins have settled.
    pub settings: OrganizationSettings,
    /// Whether it is the caller's own, from registration.
    pub is_personal: bool,
    /// The caller's role.
    #[schema(value_type = OrganizationRole)]
    pub role: String,
    /// How many belong to it.
    pub member_count: i32,
    /// When it was created.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When its fields last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// Its version, as in `ETag`.
    pub version: i64,
}

impl Organization {
    /// One that the caller has just created.
    pub(super) fn new(id: Uuid, fields: &OrganizationFields, version: i64, now: OffsetDateTime) -> Self {
        Self {
            id,
            name: fields.name.as_str().to_owned(),
            slug: fields.slug.as_str().to_owned(),
            image_url: fields.image_url.as_ref().map(|url| url.as_str().to_owned()),
            settings: OrganizationSettings::of(fields),
            is_personal: false,
            role: access::OrganizationRole::Admin.as_str().to_owned(),
            member_count: 1,
            created_at: now,
            updated_at: now,
            version,
        }
    }
}

/// What an organization's own state does not say.
pub(super) struct Facts {
    pub(super) id: Uuid,
    pub(super) role: Option<access::OrganizationRole>,
    pub(super) created_at: OffsetDateTime,
    pub(super) updated_at: OffsetDateTime,
    pub(super) version: i64,
}

impl Organization {
    /// From the state that a command left behind.
    pub(super) fn of(facts: &Facts, state: &OrganizationState) -> Self {
        let fields = &state.fields;
        Self {
            id: facts.id,
            name: fields.name.as_str().to_owned(),
            slug: fields.slug.as_str().to_owned(),
            image_url: fields.image_url.as_ref().map(|url| url.as_str().to_owned()),
            settings: OrganizationSettings::of(fields),
            is_personal: state.is_personal,
            role: facts.role.map(|role| role.as_str().to_owned()).unwrap_or_default(),
            member_count: i32::try_from(state.members().len()).unwrap_or(i32::MAX),
            created_at: facts.created_at,
            updated_at: facts.updated_at,
            version: facts.version,
        }
    }
}

impl From<OrganizationRow> for Organization {
    fn from(row: OrganizationRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            slug: row.slug,
            image_url: row.image_url,
            settings: OrganizationSettings {
                members_can_create_projects: row.members_can_create_projects,
                allow_guests: row.allow_guests,
            },
            is_personal: row.is_personal,
            role: row.my_role,
            member_count: row.member_count,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        }
    }
}

/// A member of an organization.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OrganizationMember {
    /// The account's id.
    pub user_id: Uuid,
    /// Always `active`: an invitation would say `invited`.
    pub status: MemberStatus,
    /// The member's role, which says what the member may do in the organization.
    #[schema(value_type = OrganizationRole)]
    pub role: String,
    /// E-mail address; null once the account is erased, and where its identity provider told none.
    pub email: Option<String>,
    /// The user name; null once the account is erased.
    pub username: Option<String>,
    /// The full name; null where the account has given none, or is erased.
    pub full_name: Option<String>,
    /// When the account became a member; a change of the role does not move it.
    #[serde(with = "time::serde::rfc3339")]
    pub added_at: OffsetDateTime,
}

impl OrganizationMember {
    /// Somebody whom the views do not show yet, but for the role; an erased account says nothing.
    pub(super) fn of(user_id: Uuid, account: Option<AccountRow>, added_at: OffsetDateTime) -> Self {
        let (email, username, full_name) =
            account.map_or_else(Default::default, |account| (account.email, Some(account.username), account.full_name));
        Self { user_id, status: MemberStatus::Active, role: String::new(), email, username, full_name, added_at }
    }
}

impl From<OrganizationMemberRow> for OrganizationMember {
    fn from(row: OrganizationMemberRow) -> Self {
        Self {
            user_id: row.account_id,
            status: MemberStatus::Active,
            role: row.role,
            email: row.email,
            username: row.username,
            full_name: row.full_name,
            added_at: row.added_at,
        }
    }
}
