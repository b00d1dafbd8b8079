//! Folds organization events into `views.organizations` and `views.organization_members`.
//!
//! Organizations change rarely: an event a statement is fast enough, and plain to read.

use async_trait::async_trait;
use sqlx::PgConnection;
use uuid::Uuid;
use workroom_domain::{
    Decide,
    access::OrganizationRole,
    event::DomainEventKind,
    ids::AccountId,
    organization::{ImageUrl, Organization, OrganizationChanges, OrganizationEvent, OrganizationFields},
};

use crate::{Projection, log::Recorded};

/// The projection behind `views.organizations` and `views.organization_members`.
pub struct Organizations;

#[async_trait]
impl Projection for Organizations {
    fn tables(&self) -> &'static [&'static str] {
        &["organizations", "organization_members"]
    }

    fn reads(&self) -> &'static [&'static str] {
        &[Organization::TYPE]
    }

    async fn apply(&self, events: &[Recorded], connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        for recorded in events {
            if let DomainEventKind::Organization(event) = &recorded.event {
                apply(recorded, event, connection).await?;
            }
        }
        Ok(())
    }
}

async fn apply(
    recorded: &Recorded,
    event: &OrganizationEvent,
    connection: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    match event {
        OrganizationEvent::OrganizationCreated { is_personal, admin_id, fields } => {
            insert(recorded, *is_personal, fields, connection).await?;
            set_member(recorded, *admin_id, OrganizationRole::Admin, connection).await
        }
        OrganizationEvent::OrganizationUpdated { changes } => update(recorded, changes, connection).await,
        OrganizationEvent::OrganizationMemberAdded { account_id, role } => {
            set_member(recorded, *account_id, *role, connection).await?;
            count(recorded, 1, connection).await
        }
        OrganizationEvent::OrganizationMemberRoleChanged { account_id, to, .. } => {
            set_member(recorded, *account_id, *to, connection).await?;
            count(recorded, 0, connection).await
        }
        OrganizationEvent::OrganizationMemberRemoved { account_id, .. } => {
            sqlx::query("DELETE FROM organization_members WHERE organization_id = $1 AND account_id = $2")
                .bind(recorded.aggregate_id)
                .bind(Uuid::from(*account_id))
                .execute(&mut *connection)
                .await?;
            count(recorded, -1, connection).await
        }
        OrganizationEvent::OrganizationDeleted {} => {
            for statement in [
                "DELETE FROM organization_members WHERE organization_id = $1",
                "DELETE FROM organizations WHERE id = $1",
            ] {
                sqlx::query(statement).bind(recorded.aggregate_id).execute(&mut *connection).await?;
            }
            Ok(())
        }
    }
}

async fn insert(
    recorded: &Recorded,
    is_personal: bool,
    fields: &OrganizationFields,
    connection: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO organizations (id, name, slug, image_url, members_can_create_projects, is_personal, member_count,
                                    created_at, updated_at, version)
         VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $7, $8)",
    )
    .bind(recorded.aggregate_id)
    .bind(fields.name.as_str())
    .bind(fields.slug.as_str())
    .bind(fields.image_url.as_ref().map(ImageUrl::as_str))
    .bind(fields.settings.members_can_create_projects)
    .bind(is_personal)
    .bind(recorded.metadata.occurred_at)
    .bind(recorded.sequence)
    .execute(connection)
    .await
    .map(drop)
}

async fn update(
    recorded: &Recorded,
    changes: &OrganizationChanges,
    connection: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    let image_url = changes.image_url.as_ref().map(|change| change.to.as_ref().map(ImageUrl::as_str));
    sqlx::query(
        "UPDATE organizations SET name = COALESCE($2, name), slug = COALESCE($3, slug),
             image_url = CASE WHEN $4 THEN $5 ELSE image_url END,
             members_can_create_projects = COALESCE($6, members_can_create_projects),
             updated_at = $7, version = $8
         WHERE id = $1",
    )
    .bind(recorded.aggregate_id)
    .bind(changes.name.as_ref().map(|change| change.to.as_str()))
    .bind(changes.slug.as_ref().map(|change| change.to.as_str()))
    .bind(image_url.is_some())
    .bind(image_url.flatten())
    .bind(changes.settings.as_ref().map(|change| change.to.members_can_create_projects))
    .bind(recorded.metadata.occurred_at)
    .bind(recorded.sequence)
    .execute(connection)
    .await
    .map(drop)
}

async fn set_member(
    recorded: &Recorded,
    account_id: AccountId,
    role: OrganizationRole,
    connection: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO organization_members (organization_id, account_id, role, added_at, updated_at)
         VALUES ($1, $2, $3::organization_role, $4, $4)
         ON CONFLICT (organization_id, account_id) DO UPDATE
             SET (role, updated_at) = (excluded.role, excluded.updated_at)",
    )
    .bind(recorded.aggregate_id)
    .bind(Uuid::from(account_id))
    .bind(role.as_str())
    .bind(recorded.metadata.occurred_at)
    .execute(connection)
    .await
    .map(drop)
}

/// The roster is part of the organization: with it the version moves.
async fn count(recorded: &Recorded, by: i32, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE organizations SET member_count = member_count + $2, version = $3 WHERE id = $1")
        .bind(recorded.aggregate_id)
        .bind(by)
        .bind(recorded.sequence)
        .execute(connection)
        .await
        .map(drop)
}
