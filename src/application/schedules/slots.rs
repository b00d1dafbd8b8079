//! How many schedules a project has, or an account alone. The views lag, so they are counted in a table of their own:
//! a row is added with the event that begins a schedule, and deleted with the one that ends it.

use serde::Serialize;
use uuid::Uuid;
use workroom_domain::{
    ids::{AccountId, ProjectId},
    schedule::ScheduleRefusal,
};

use super::input::StoreScheduleInput;
use crate::application::{Change, Error, TableChange};

/// Most schedules of a project, or of an account alone.
const LIMIT: i64 = 1000;

/// Keeps what is outside the log of a new schedule, unless its owner has as many as it may have.
#[derive(Clone, Debug)]
pub struct InsertSchedule {
    /// The project that it belongs to.
    pub project_id: Option<ProjectId>,
    /// Who creates it; without a project it belongs to them.
    pub created_by: AccountId,
    /// What its jobs work on.
    pub input: StoreScheduleInput,
}

#[derive(Serialize)]
struct Slot {
    schedule_id: Uuid,
    owner_id: Uuid,
    most: i64,
}

impl TableChange for InsertSchedule {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let owner_id = self.project_id.map_or_else(|| self.created_by.uuid(), ProjectId::uuid);
        let slot = Slot { schedule_id: self.input.schedule_id.into(), owner_id, most: LIMIT };
        // Who is counted must not be added to meanwhile.
        let turn = Change::new("SELECT pg_advisory_xact_lock(7770015, hashtext($1->>'owner_id'))", &slot)?;
        let insert = Change::new(
            "INSERT INTO schedule_slots (schedule_id, owner_id)
             SELECT a.schedule_id, a.owner_id
             FROM jsonb_to_record($1) AS a (schedule_id uuid, owner_id uuid, most bigint)
             WHERE (SELECT count(*) FROM schedule_slots s WHERE s.owner_id = a.owner_id) < a.most",
            &slot,
        )?;
        let mut changes = vec![turn, insert.or(|| ScheduleRefusal::TooMany { limit: LIMIT }.into())];
        changes.extend(self.input.changes()?);
        Ok(changes)
    }
}
