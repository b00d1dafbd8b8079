//! Folds organization events into `views.organizations` and `views.organization_members`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use uuid::Uuid;
use workroom_domain::{
    Decide,
    access::OrganizationRole,
    event::DomainEventKind,
    ids::AccountId,
    organization::{
        ImageUrl, Organization, OrganizationChanges, OrganizationEvent, OrganizationFields, OrganizationSettings, Slug,
    },
    text::Name,
};

use crate::{
    Projection,
    changes::{At, Changes, Gone, Statement, UnusableChange, set},
    log::Recorded,
};

/// The projection behind `views.organizations` and `views.organization_members`.
pub struct Organizations;

/// An organization that the batch founds.
#[derive(Serialize)]
struct Row {
    id: Uuid,
    #[serde(flatten)]
    fields: OrganizationFields,
    is_personal: bool,
    member_count: i32,
    created_at: At,
    updated_at: At,
    version: i64,
}

#[derive(Serialize)]
struct Image {
    url: Option<ImageUrl>,
}

/// What the batch changes about an organization that was there before. Fields that can become null stand in an object
/// of their own.
#[derive(Default, Serialize)]
struct Patch {
    id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slug: Option<Slug>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<Image>,
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<OrganizationSettings>,
    members: i32,
    /// When, if by more than its members.
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<At>,
    version: i64,
}

impl Patch {
    fn apply(&mut self, changes: &OrganizationChanges) {
        set(&mut self.name, changes.name.as_ref());
        set(&mut self.slug, changes.slug.as_ref());
        set(&mut self.settings, changes.settings.as_ref());
        if let Some(change) = &changes.image_url {
            self.image = Some(Image { url: change.to.clone() });
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Member {
    organization_id: Uuid,
    account_id: Uuid,
}

/// A member to write.
#[derive(Serialize)]
struct MemberRow {
    #[serde(flatten)]
    member: Member,
    role: &'static str,
    added_at: At,
    updated_at: At,
}

#[derive(Default)]
struct Batch {
    founded: BTreeMap<Uuid, Row>,
    changed: BTreeMap<Uuid, Patch>,
    deleted: Vec<Gone>,
    members: BTreeMap<Member, MemberRow>,
    removed: BTreeSet<Member>,
}

impl Batch {
    fn fold(&mut self, recorded: &Recorded, event: &OrganizationEvent) {
        let id = recorded.aggregate_id;
        match event {
            OrganizationEvent::OrganizationCreated { is_personal, admin_id, fields } => {
                let at = At(recorded.metadata.occurred_at);
                let row = Row {
                    id,
                    fields: fields.clone(),
                    is_personal: *is_personal,
                    member_count: 1,
                    created_at: at,
                    updated_at: at,
                    version: recorded.sequence,
                };
                self.founded.insert(id, row);
                self.set_member(recorded, *admin_id, OrganizationRole::Admin);
            }
            OrganizationEvent::OrganizationUpdated { changes } => self.change(recorded, changes),
            OrganizationEvent::OrganizationMemberAdded { account_id, role } => {
                self.set_member(recorded, *account_id, *role);
                self.count(recorded, 1);
            }
            OrganizationEvent::OrganizationMemberRoleChanged { account_id, to, .. } => {
                self.set_member(recorded, *account_id, *to);
                self.count(recorded, 0);
            }
            OrganizationEvent::OrganizationMemberRemoved { account_id, .. } => {
                let member = Member { organization_id: id, account_id: account_id.0 };
                self.members.remove(&member);
                self.removed.insert(member);
                self.count(recorded, -1);
            }
            OrganizationEvent::OrganizationDeleted {} => {
                self.founded.remove(&id);
                self.changed.remove(&id);
                self.members.retain(|member, _| member.organization_id != id);
                self.removed.retain(|member| member.organization_id != id);
                self.deleted.push(Gone { id });
            }
        }
    }

    fn change(&mut self, recorded: &Recorded, changes: &OrganizationChanges) {
        let (at, version) = (At(recorded.metadata.occurred_at), recorded.sequence);
        if let Some(row) = self.founded.get_mut(&recorded.aggregate_id) {
            row.fields.apply(changes);
            (row.updated_at, row.version) = (at, version);
        } else {
            let patch = self.patch(recorded.aggregate_id);
            patch.apply(changes);
            (patch.updated_at, patch.version) = (Some(at), version);
        }
    }

    /// The members are part of the organization: with them the version moves.
    fn count(&mut self, recorded: &Recorded, by: i32) {
        if let Some(row) = self.founded.get_mut(&recorded.aggregate_id) {
            row.member_count += by;
            row.version = recorded.sequence;
        } else {
            let patch = self.patch(recorded.aggregate_id);
            patch.members += by;
            patch.version = recorded.sequence;
        }
    }

    fn patch(&mut self, id: Uuid) -> &mut Patch {
        self.changed.entry(id).or_insert_with(|| Patch { id, ..Patch::default() })
    }

    fn set_member(&mut self, recorded: &Recorded, account_id: AccountId, role: OrganizationRole) {
        let member = Member { organization_id: recorded.aggregate_id, account_id: account_id.0 };
        let (at, role) = (At(recorded.metadata.occurred_at), role.as_str());
        let row = self.members.entry(member).or_insert(MemberRow { member, role, added_at: at, updated_at: at });
        (row.role, row.updated_at) = (role, at);
    }
}

impl Projection for Organizations {
    fn tables(&self) -> &'static [&'static str] {
        &["organizations", "organization_members"]
    }

    fn reads(&self) -> &'static [&'static str] {
        &[Organization::TYPE]
    }

    fn statements(&self) -> &'static [Statement] {
        &[DELETE_MEMBERS_OF_ORGANIZATIONS, DELETE, DELETE_MEMBERS, INSERT, UPDATE, WRITE_MEMBERS]
    }

    fn apply(&self, events: &[Recorded], changes: &mut Changes<'_>) -> Result<(), UnusableChange> {
        let mut batch = Batch::default();
        for recorded in events {
            if let DomainEventKind::Organization(event) = &recorded.event {
                batch.fold(recorded, event);
            }
        }
        changes.add(DELETE_MEMBERS_OF_ORGANIZATIONS, &batch.deleted)?;
        changes.add(DELETE, &batch.deleted)?;
        changes.add(DELETE_MEMBERS, &batch.removed)?;
        changes.add(INSERT, batch.founded.values())?;
        changes.add(UPDATE, batch.changed.values())?;
        changes.add(WRITE_MEMBERS, batch.members.values())
    }
}

const DELETE_MEMBERS_OF_ORGANIZATIONS: Statement = "
    DELETE FROM organization_members m USING jsonb_to_recordset(batch) AS n (id uuid) WHERE m.organization_id = n.id";

const DELETE: Statement = "
    DELETE FROM organizations o USING jsonb_to_recordset(batch) AS n (id uuid) WHERE o.id = n.id";

const DELETE_MEMBERS: Statement = "
    DELETE FROM organization_members m USING jsonb_to_recordset(batch) AS n (organization_id uuid, account_id uuid)
    WHERE m.organization_id = n.organization_id AND m.account_id = n.account_id";

const INSERT: Statement = "
    INSERT INTO organizations (id, name, slug, image_url, members_can_create_projects, allow_guests, is_personal,
                               member_count, created_at, updated_at, version)
    SELECT id, name, slug, image_url, (settings->>'members_can_create_projects')::boolean,
           (settings->>'allow_guests')::boolean, is_personal, member_count, created_at, updated_at, version
    FROM jsonb_to_recordset(batch)
         AS n (id uuid, name text, slug text, image_url text, settings jsonb, is_personal boolean, member_count int,
               created_at timestamptz, updated_at timestamptz, version bigint)";

const UPDATE: Statement = "
    UPDATE organizations o SET
        name = COALESCE(n.name, o.name), slug = COALESCE(n.slug, o.slug),
        image_url = CASE WHEN n.image IS NULL THEN o.image_url ELSE n.image->>'url' END,
        members_can_create_projects =
            COALESCE((n.settings->>'members_can_create_projects')::boolean, o.members_can_create_projects),
        allow_guests = COALESCE((n.settings->>'allow_guests')::boolean, o.allow_guests),
        member_count = o.member_count + n.members, updated_at = COALESCE(n.updated_at, o.updated_at),
        version = n.version
    FROM jsonb_to_recordset(batch)
         AS n (id uuid, name text, slug text, image jsonb, settings jsonb, members int, updated_at timestamptz,
               version bigint)
    WHERE o.id = n.id";

const WRITE_MEMBERS: Statement = "
    INSERT INTO organization_members (organization_id, account_id, role, added_at, updated_at)
    SELECT organization_id, account_id, role, added_at, updated_at
    FROM jsonb_to_recordset(batch)
         AS n (organization_id uuid, account_id uuid, role organization_role, added_at timestamptz,
               updated_at timestamptz)
    ON CONFLICT (organization_id, account_id) DO UPDATE
        SET (role, updated_at) = (excluded.role, excluded.updated_at)";
