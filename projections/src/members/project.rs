//! Folds membership events into `views.members` and `views.rosters`.

use workroom_domain::{
    Decide,
    event::DomainEventKind,
    membership::{Membership, MembershipEvent},
};

use crate::{
    Projection,
    changes::{At, Changes, Table},
    log::Recorded,
};

/// The projection behind `views.members` and `views.rosters`.
pub struct Members;

const MEMBERS: Table = Table::new("members", &["project_id", "account_id"]).part_of("project_id");

const ROSTERS: Table = Table::new("rosters", &["project_id"]).changed_by(
    "INSERT INTO rosters (project_id, version, member_count)
     SELECT n.project_id, n.version, (SELECT count(*) FROM members m WHERE m.project_id = n.project_id)
     FROM jsonb_to_recordset(batch) AS n (project_id uuid, version bigint)
     ON CONFLICT (project_id) DO UPDATE SET (version, member_count) = (excluded.version, excluded.member_count)",
);

impl Projection for Members {
    /// Members are counted when they are written.
    fn tables(&self) -> &'static [Table] {
        &[MEMBERS, ROSTERS]
    }

    fn reads(&self) -> &'static [&'static str] {
        &[Membership::TYPE]
    }

    fn apply(&self, recorded: &Recorded, changes: &mut Changes) {
        let DomainEventKind::Membership(event) = &recorded.event else { return };
        let project_id = recorded.aggregate_id;
        let at = At(recorded.metadata.occurred_at);
        changes.change(&ROSTERS, project_id).set("version", recorded.sequence);
        match event {
            MembershipEvent::MemberAdded { account_id, role } => {
                let member = changes.create(&MEMBERS, (project_id, account_id.uuid()));
                member.set("role", role).set("added_at", at).set("updated_at", at);
            }
            MembershipEvent::MemberRoleChanged { account_id, to, .. } => {
                changes.change(&MEMBERS, (project_id, account_id.uuid())).set("role", to).set("updated_at", at);
            }
            MembershipEvent::MemberRemoved { account_id, .. } => {
                changes.delete(&MEMBERS, (project_id, account_id.uuid()));
            }
            MembershipEvent::MembershipClosed {} => changes.delete_parts(&MEMBERS, project_id),
        }
    }
}
