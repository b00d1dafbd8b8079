//! What is kept of schedules outside the log goes with them, and with their project.

use serde::Serialize;
use uuid::Uuid;
use workroom_domain::ids::{ProjectId, ScheduleId};

use super::input;
use crate::application::{App, Change, Error, TableChange};

/// Deletes what is kept outside the log of a schedule that ends.
#[derive(Clone, Copy, Debug)]
pub struct RemoveSchedule(pub ScheduleId);

#[derive(Serialize)]
struct Row {
    schedule_id: Uuid,
}

impl TableChange for RemoveSchedule {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let slot = Change::new(
            "DELETE FROM schedule_slots s USING jsonb_to_record($1) AS a (schedule_id uuid)
             WHERE s.schedule_id = a.schedule_id",
            &Row { schedule_id: self.0.into() },
        )?;
        Ok(vec![slot, input::delete(self.0)?])
    }
}

impl App {
    /// Deletes what is kept outside the log of the schedules of a deleted project, or of all of those.
    ///
    /// # Errors
    /// The database's.
    pub(in crate::application) async fn remove_schedules(&self, of: Option<ProjectId>) -> Result<(), Error> {
        for delete in [
            "DELETE FROM schedule_slots s USING projects p
             WHERE p.id = s.owner_id AND p.deleted AND ($1::uuid IS NULL OR p.id = $1)",
            "DELETE FROM schedule_inputs i USING schedules s JOIN projects p ON p.id = s.project_id AND p.deleted
             WHERE s.id = i.schedule_id AND ($1::uuid IS NULL OR p.id = $1)",
        ] {
            sqlx::query(delete).bind(of.map(ProjectId::uuid)).execute(&self.pool).await?;
        }
        Ok(())
    }
}
