//! Folds membership events into `views.members` and `views.rosters`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use uuid::Uuid;
use workroom_domain::{
    Decide,
    access::Role,
    event::DomainEventKind,
    ids::AccountId,
    membership::{Membership, MembershipEvent},
};

use crate::{
    Projection,
    changes::{At, Changes, Statement, UnusableChange},
    log::Recorded,
};

/// The projection behind `views.members` and `views.rosters`.
pub struct Members;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Member {
    project_id: Uuid,
    account_id: Uuid,
}

/// A member to write.
#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    member: Member,
    role: &'static str,
    /// Unknown when only the role changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    added_at: Option<At>,
    updated_at: At,
}

#[derive(Serialize)]
struct Version {
    project_id: Uuid,
    version: i64,
}

#[derive(Serialize)]
struct Closed {
    project_id: Uuid,
}

#[derive(Default)]
struct Batch {
    written: BTreeMap<Member, Row>,
    removed: BTreeSet<Member>,
    closed: Vec<Closed>,
    versions: BTreeMap<Uuid, Version>,
}

impl Batch {
    fn fold(&mut self, recorded: &Recorded, event: &MembershipEvent) {
        let project_id = recorded.aggregate_id;
        let at = At(recorded.metadata.occurred_at);
        self.versions.insert(project_id, Version { project_id, version: recorded.sequence });
        let member = |account_id: AccountId| Member { project_id, account_id: account_id.0 };
        match event {
            MembershipEvent::MemberAdded { account_id, role } => {
                self.write(member(*account_id), *role, Some(at), at);
            }
            MembershipEvent::MemberRoleChanged { account_id, to, .. } => {
                let member = member(*account_id);
                let added_at = self.written.get(&member).and_then(|row| row.added_at);
                self.write(member, *to, added_at, at);
            }
            MembershipEvent::MemberRemoved { account_id, .. } => {
                let member = member(*account_id);
                self.written.remove(&member);
                self.removed.insert(member);
            }
            MembershipEvent::MembershipClosed {} => {
                self.written.retain(|member, _| member.project_id != project_id);
                self.removed.retain(|member| member.project_id != project_id);
                self.closed.push(Closed { project_id });
            }
        }
    }

    fn write(&mut self, member: Member, role: Role, added_at: Option<At>, updated_at: At) {
        self.written.insert(member, Row { member, role: role.as_str(), added_at, updated_at });
    }
}

impl Projection for Members {
    fn tables(&self) -> &'static [&'static str] {
        &["members", "rosters"]
    }

    fn reads(&self) -> &'static [&'static str] {
        &[Membership::TYPE]
    }

    fn statements(&self) -> &'static [Statement] {
        &[CLOSE, REMOVE, WRITE, COUNT]
    }

    fn apply(&self, events: &[Recorded], changes: &mut Changes<'_>) -> Result<(), UnusableChange> {
        let mut batch = Batch::default();
        for recorded in events {
            if let DomainEventKind::Membership(event) = &recorded.event {
                batch.fold(recorded, event);
            }
        }
        changes.add(CLOSE, &batch.closed)?;
        changes.add(REMOVE, &batch.removed)?;
        changes.add(WRITE, batch.written.values())?;
        changes.add(COUNT, batch.versions.values())
    }
}

const CLOSE: Statement = "
    DELETE FROM members m USING jsonb_to_recordset(batch) AS n (project_id uuid) WHERE m.project_id = n.project_id";

const REMOVE: Statement = "
    DELETE FROM members m USING jsonb_to_recordset(batch) AS n (project_id uuid, account_id uuid)
    WHERE m.project_id = n.project_id AND m.account_id = n.account_id";

/// A changed role keeps the day its member was added, which only the row knows; `added_at` then stands in for it in the
/// branch that is not taken.
const WRITE: Statement = "
    INSERT INTO members (project_id, account_id, role, added_at, updated_at)
    SELECT project_id, account_id, role, COALESCE(added_at, updated_at), updated_at
    FROM jsonb_to_recordset(batch)
         AS n (project_id uuid, account_id uuid, role project_role, added_at timestamptz, updated_at timestamptz)
    ON CONFLICT (project_id, account_id) DO UPDATE SET role = excluded.role, updated_at = excluded.updated_at";

const COUNT: Statement = "
    INSERT INTO rosters (project_id, version, member_count)
    SELECT n.project_id, n.version, (SELECT count(*) FROM members m WHERE m.project_id = n.project_id)
    FROM jsonb_to_recordset(batch) AS n (project_id uuid, version bigint)
    ON CONFLICT (project_id) DO UPDATE SET (version, member_count) = (excluded.version, excluded.member_count)";
