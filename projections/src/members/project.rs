//! Folds membership events into `views.members` and `views.rosters`.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::{
    Decide,
    access::Role,
    event::DomainEventKind,
    membership::{Membership, MembershipEvent},
};

use crate::{Projection, log::Recorded};

/// The projection behind `views.members` and `views.rosters`.
pub struct Members;

/// What becomes of one member over a batch.
#[derive(Default)]
struct Fate {
    /// The row to write: role, added (when known), updated.
    row: Option<(Role, Option<OffsetDateTime>, OffsetDateTime)>,
    /// Whether the row of before the batch goes.
    removed: bool,
}

#[derive(Default)]
struct Batch {
    members: BTreeMap<(Uuid, Uuid), Fate>,
    closed: Vec<Uuid>,
    versions: BTreeMap<Uuid, i64>,
}

impl Batch {
    fn fold(&mut self, recorded: &Recorded, event: &MembershipEvent) {
        let project = recorded.aggregate_id;
        let at = recorded.metadata.occurred_at;
        self.versions.insert(project, recorded.sequence);
        match event {
            MembershipEvent::MemberAdded { account_id, role } => {
                self.members.entry((project, account_id.0)).or_default().row = Some((*role, Some(at), at));
            }
            MembershipEvent::MemberRoleChanged { account_id, to, .. } => {
                let fate = self.members.entry((project, account_id.0)).or_default();
                let added = fate.row.and_then(|(_, added, _)| added);
                fate.row = Some((*to, added, at));
            }
            MembershipEvent::MemberRemoved { account_id, .. } => {
                self.members.insert((project, account_id.0), Fate { row: None, removed: true });
            }
            MembershipEvent::MembershipClosed {} => {
                self.members.retain(|(of, _), _| *of != project);
                self.closed.push(project);
            }
        }
    }
}

#[async_trait]
impl Projection for Members {
    fn tables(&self) -> &'static [&'static str] {
        &["members", "rosters"]
    }

    fn reads(&self) -> &'static [&'static str] {
        &[Membership::TYPE]
    }

    async fn apply(&self, events: &[Recorded], connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let mut batch = Batch::default();
        for recorded in events {
            if let DomainEventKind::Membership(event) = &recorded.event {
                batch.fold(recorded, event);
            }
        }
        if batch.versions.is_empty() {
            return Ok(());
        }
        remove(&batch, connection).await?;
        upsert(&batch, connection).await?;
        count(&batch, connection).await
    }
}

async fn remove(batch: &Batch, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    if !batch.closed.is_empty() {
        sqlx::query("DELETE FROM members WHERE project_id = ANY($1)")
            .bind(&batch.closed)
            .execute(&mut *connection)
            .await?;
    }
    let (projects, accounts): (Vec<Uuid>, Vec<Uuid>) =
        batch.members.iter().filter(|(_, fate)| fate.removed).map(|(key, _)| *key).unzip();
    if !projects.is_empty() {
        sqlx::query(
            "DELETE FROM members m USING unnest($1::uuid[], $2::uuid[]) AS gone (project_id, account_id)
             WHERE m.project_id = gone.project_id AND m.account_id = gone.account_id",
        )
        .bind(projects)
        .bind(accounts)
        .execute(connection)
        .await?;
    }
    Ok(())
}

async fn upsert(batch: &Batch, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let written: Vec<_> = batch.members.iter().filter_map(|(key, fate)| fate.row.map(|row| (*key, row))).collect();
    if written.is_empty() {
        return Ok(());
    }
    // A changed role keeps the day its member was added, which only the row knows; `added` then stands in for it in the
    // branch that is not taken.
    sqlx::query(
        "INSERT INTO members AS m (project_id, account_id, role, added_at, updated_at)
         SELECT project_id, account_id, role::project_role, COALESCE(added_at, updated_at), updated_at
         FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::timestamptz[])
              AS n (project_id, account_id, role, added_at, updated_at)
         ON CONFLICT (project_id, account_id) DO UPDATE SET role = excluded.role, updated_at = excluded.updated_at",
    )
    .bind(written.iter().map(|((project, _), _)| *project).collect::<Vec<_>>())
    .bind(written.iter().map(|((_, account), _)| *account).collect::<Vec<_>>())
    .bind(written.iter().map(|(_, (role, ..))| role.as_str()).collect::<Vec<_>>())
    .bind(written.iter().map(|(_, (_, added, _))| *added).collect::<Vec<_>>())
    .bind(written.iter().map(|(_, (.., updated))| *updated).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map(drop)
}

async fn count(batch: &Batch, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let (projects, versions): (Vec<Uuid>, Vec<i64>) =
        batch.versions.iter().map(|(id, version)| (*id, *version)).unzip();
    sqlx::query(
        "INSERT INTO rosters (project_id, version, member_count)
         SELECT n.project_id, n.version, (SELECT count(*) FROM members m WHERE m.project_id = n.project_id)
         FROM unnest($1::uuid[], $2::bigint[]) AS n (project_id, version)
         ON CONFLICT (project_id) DO UPDATE
             SET (version, member_count) = (excluded.version, excluded.member_count)",
    )
    .bind(projects)
    .bind(versions)
    .execute(connection)
    .await
    .map(drop)
}
