//! What a reply says beside what was decided.
//!
//! A reply shows the state that its command has left behind. What that state does not tell (who created the thing, when, how
//! many comments it has) is read *before* the command. So nothing is read after the commit: no view that lags can show
//! what was before it, and no failed read can make a command that was carried out look as if it were not.

use std::time::Duration;

use uuid::Uuid;
use workroom_domain::ids::AccountId;
use workroom_projections::{
    accounts,
    comments::CommentRow,
    history::{self, Cause},
    organizations::OrganizationRow,
    schedules::ScheduleRow,
    tasks::TaskRow,
    workspaces::{FileRow, WorkspaceRow},
};

use super::{State, extract::Caller, profile::Profile};
use crate::application::Error;

/// How long a reply waits for a name that it could do without.
const NAME_TIMEOUT: Duration = Duration::from_secs(1);

/// Reads what a view has to add. That the view cannot be read is no reason not to carry a command out; that the database
/// cannot be reached is.
///
/// # Errors
/// `Kind::Unavailable`.
pub async fn added<T>(read: impl Future<Output = Result<Option<T>, sqlx::Error>>) -> Result<Option<T>, Error> {
    match read.await.map_err(Error::from) {
        Err(Error::Failure(error)) => {
            tracing::warn!(
                error = error.as_ref() as &dyn std::error::Error,
                "a view cannot be read; a reply does without"
            );
            Ok(None)
        }
        read => read,
    }
}

/// A view's row of something that a command may change.
pub trait Row {
    /// Who created it, and when.
    fn creation(&self) -> Cause;

    /// The version that the view shows, and since when.
    fn last_change(&self) -> (i64, Cause);
}

macro_rules! row {
    ($row:ty) => {
        impl Row for $row {
            fn creation(&self) -> Cause {
                Cause { by: self.created_by, at: self.created_at }
            }

            fn last_change(&self) -> (i64, Cause) {
                (self.version, Cause { by: self.created_by, at: self.updated_at })
            }
        }
    };
}
row!(ScheduleRow);
row!(TaskRow);
row!(WorkspaceRow);

impl Row for CommentRow {
    fn creation(&self) -> Cause {
        Cause { by: self.author_id, at: self.created_at }
    }

    fn last_change(&self) -> (i64, Cause) {
        (self.version, Cause { by: self.author_id, at: self.updated_at })
    }
}

impl Row for FileRow {
    fn creation(&self) -> Cause {
        Cause { by: self.created_by, at: self.created_at }
    }

    fn last_change(&self) -> (i64, Cause) {
        (self.version, Cause { by: self.updated_by, at: self.updated_at })
    }
}

impl Row for OrganizationRow {
    fn creation(&self) -> Cause {
        Cause { by: Uuid::nil(), at: self.created_at }
    }

    fn last_change(&self) -> (i64, Cause) {
        (self.version, Cause { by: Uuid::nil(), at: self.updated_at })
    }
}

/// What is known of something before a command changes it.
pub struct Before<R> {
    /// As the view shows it, if it does.
    pub row: Option<R>,
    /// Who created it, and when.
    pub creation: Cause,
}

impl<R: Row> Before<R> {
    /// Reads the view's row, and where there is none, the log.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub async fn read(
        caller: &Caller,
        look: impl Future<Output = Result<Option<R>, sqlx::Error>>,
        log: impl Future<Output = Result<Option<Cause>, Error>>,
    ) -> Result<Self, Error> {
        let row = added(look).await?;
        let creation = match &row {
            Some(row) => row.creation(),
            // Of what was not there before, there is nothing to be told: the command will say so.
            None => log.await?.unwrap_or_else(|| now_by(caller)),
        };
        Ok(Self { row, creation })
    }

    /// Who changed it last, and when: the caller, now, if the command changed it. A command that changed nothing committed
    /// nothing; then the log may be asked, and may fail.
    ///
    /// # Errors
    /// Nothing was changed, and the log cannot be read.
    pub async fn last_change(
        &self,
        caller: &Caller,
        changed: bool,
        version: i64,
        log: impl Future<Output = Result<Option<Cause>, sqlx::Error>>,
    ) -> Result<Cause, Error> {
        if changed {
            return Ok(now_by(caller));
        }
        match self.row.as_ref().map(Row::last_change) {
            Some((shown, change)) if shown == version => Ok(change),
            _ => Ok(log.await?.unwrap_or(self.creation)),
        }
    }
}

fn now_by(caller: &Caller) -> Cause {
    Cause { by: caller.identity.account_id.into(), at: caller.context.now }
}

/// When the event of an aggregate's version was decided, and by whom.
pub async fn cause(
    state: &State,
    aggregate_type: &'static str,
    id: Uuid,
    version: i64,
) -> Result<Option<Cause>, sqlx::Error> {
    history::cause(state.app.pool(), aggregate_type, id, version).await
}

/// How somebody's account shows itself: as read before, if it was, else as it can be read in short time; with the id alone
/// where neither is possible.
pub async fn profile(state: &State, id: AccountId, known: Option<Profile>) -> Profile {
    if let Some(known) = known.filter(|known| known.user_id == Uuid::from(id)) {
        return known;
    }
    let read = tokio::time::timeout(NAME_TIMEOUT, accounts::find(state.app.pool(), id.into())).await;
    match read {
        Ok(Ok(Some(account))) => account.into(),
        _ => Profile::bare(id.into()),
    }
}
