//! Order the redaction of all that is in the history of a deleted project.

use uuid::Uuid;
use workroom_domain::{
    ids::ProjectId,
    project::{Project, ProjectCommand},
    text::Name,
};

use super::{orders::order_for_feed, redact::authorize_in_project};
use crate::application::{App, Change, Command, Context, Error, TableChange, Unit};

/// Order a purge. What the service then does has its reason in the event, and in the row: both are there, or neither is.
struct OrderPurge<'a> {
    project_id: ProjectId,
    reason: &'a Name,
}

impl Command for OrderPurge<'_> {
    type Reply = ();

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.project_id.uuid())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<(), Error> {
        authorize_in_project(unit, self.project_id).await?;
        let project = unit.read::<Project>(self.project_id).await?;
        unit.decide(&project, ProjectCommand::OrderPurge { reason: self.reason.clone() })?;
        Ok(())
    }
}

impl TableChange for OrderPurge<'_> {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        Ok(vec![order_for_feed(self.project_id.uuid(), self.reason.as_str())?])
    }
}

impl App {
    /// Orders the redaction of every event of a deleted project, for who owned it. An event says who ordered it, and why; the service
    /// carries it out. Asked for again, nothing happens.
    ///
    /// # Errors
    /// The caller has no right to; the project is not deleted.
    pub async fn purge_project(&self, context: &Context, project_id: ProjectId, reason: &Name) -> Result<(), Error> {
        let order = OrderPurge { project_id, reason };
        self.run_with_tables(context, &order, &order).await.map(drop)
    }
}
