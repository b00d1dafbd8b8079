//! Folds organization events into `views.organizations` and `views.organization_members`.

use workroom_domain::{
    Decide,
    access::OrganizationRole,
    event::DomainEventKind,
    ids::AccountId,
    organization::{Organization, OrganizationEvent},
    redaction::Placeholder,
};

use crate::{
    Projection,
    changes::{At, Changes, Table},
    log::Recorded,
};

/// The projection behind `views.organizations` and `views.organization_members`.
pub struct Organizations;

const ORGANIZATIONS: Table = Table::new("organizations", &["id"]).counting(&["member_count"]);

const TEXTS: &[(&str, Placeholder)] =
    &[("name", Placeholder::Text), ("slug", Placeholder::Unique), ("image_url", Placeholder::Address)];

const MEMBERS: Table =
    Table::new("organization_members", &["organization_id", "account_id"]).part_of("organization_id");

impl Projection for Organizations {
    fn tables(&self) -> &'static [Table] {
        &[ORGANIZATIONS, MEMBERS]
    }

    fn reads(&self) -> &'static [&'static str] {
        &[Organization::TYPE]
    }

    fn apply(&self, recorded: &Recorded, changes: &mut Changes) {
        let DomainEventKind::Organization(event) = &recorded.event else { return };
        let (id, at) = (recorded.aggregate_id, At(recorded.metadata.occurred_at));
        match event {
            OrganizationEvent::OrganizationCreated { is_personal, admin_id, fields } => {
                let organization = changes.create(&ORGANIZATIONS, id);
                organization.set_all(fields).set("is_personal", is_personal).set("created_at", at).updated(recorded);
                add_member(recorded, *admin_id, OrganizationRole::Admin, changes);
            }
            OrganizationEvent::OrganizationUpdated { changes: fields } => {
                changes.change(&ORGANIZATIONS, id).set_all(fields).updated(recorded);
            }
            OrganizationEvent::OrganizationMemberAdded { account_id, role } => {
                add_member(recorded, *account_id, *role, changes);
            }
            OrganizationEvent::OrganizationMemberRoleChanged { account_id, to, .. } => {
                changes.change(&MEMBERS, (id, account_id.uuid())).set("role", to).set("updated_at", at);
                count(recorded, 0, changes);
            }
            OrganizationEvent::OrganizationMemberRemoved { account_id, .. } => {
                changes.delete(&MEMBERS, (id, account_id.uuid()));
                count(recorded, -1, changes);
            }
            OrganizationEvent::PayloadRedacted(redacted) => {
                changes.change(&ORGANIZATIONS, id).redact(redacted, TEXTS).updated(recorded);
            }
            OrganizationEvent::OrganizationDeleted {} => {
                changes.delete(&ORGANIZATIONS, id);
                changes.delete_parts(&MEMBERS, id);
            }
        }
    }
}

fn add_member(recorded: &Recorded, account_id: AccountId, role: OrganizationRole, changes: &mut Changes) {
    let at = At(recorded.metadata.occurred_at);
    let member = changes.create(&MEMBERS, (recorded.aggregate_id, account_id.uuid()));
    member.set("role", role).set("added_at", at).set("updated_at", at);
    count(recorded, 1, changes);
}

/// The members are part of the organization: with them the version moves.
fn count(recorded: &Recorded, by: i64, changes: &mut Changes) {
    let organization = changes.change(&ORGANIZATIONS, recorded.aggregate_id);
    organization.count("member_count", by).set("version", recorded.sequence);
}
