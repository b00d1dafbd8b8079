//! Commands that change tables outside the log (personal data, credentials, contents) together with it: in the append's own
//! statement, so that neither is ever there without the other, and no transaction waits for a client.

use serde::Serialize;
pub use workroom_projections::changes::{At, Bytea};

use super::Error;
use crate::event_store::{AppendError, TableStatement};

/// A change of tables outside the log that commits with a command's events.
///
/// To add one: a type with the arguments, and its [`TableChange::changes`]: SQL that finds them in `$1`, one `jsonb`
/// object, best as `FROM jsonb_to_record($1) AS a (id uuid, …)`.
pub trait TableChange: Sync {
    /// The statements, in order. May be asked several times: each attempt runs them anew.
    ///
    /// # Errors
    /// Arguments that JSON cannot hold.
    fn changes(&self) -> Result<Vec<Change>, Error>;

    /// Whether there is nothing to change at all.
    fn is_empty(&self) -> bool {
        false
    }

    /// The statements as the log takes them.
    ///
    /// # Errors
    /// As [`TableChange::changes`].
    fn statements(&self) -> Result<Vec<TableStatement>, Error> {
        Ok(self.changes()?.into_iter().map(|change| change.statement).collect())
    }

    /// What it means that the append failed.
    fn refusal(&self, error: AppendError) -> Error {
        let Ok(changes) = self.changes() else { return error.into() };
        match error {
            AppendError::TableRefused(number) => {
                let refusal = changes.get(number).and_then(|change| change.unchanged);
                refusal.map_or_else(|| AppendError::TableRefused(number).into(), |refusal| refusal())
            }
            AppendError::Refused(sqlx::Error::Database(database)) => {
                let violated = |(name, _): &&(&str, Refusal)| database.constraint() == Some(*name);
                let refusal = changes.iter().flat_map(|change| change.constraints).find(violated);
                match refusal {
                    Some((_, refusal)) => refusal(),
                    None => AppendError::Refused(sqlx::Error::Database(database)).into(),
                }
            }
            error => error.into(),
        }
    }
}

/// Makes the error that a command is refused with.
pub type Refusal = fn() -> Error;

/// One statement of a [`TableChange`], and what it means when it cannot be carried out.
pub struct Change {
    statement: TableStatement,
    unchanged: Option<Refusal>,
    constraints: &'static [(&'static str, Refusal)],
}

impl Change {
    /// A statement that finds its arguments, the fields of `arguments`, in `$1`.
    ///
    /// # Errors
    /// Arguments that JSON cannot hold.
    pub fn new(sql: &'static str, arguments: &impl Serialize) -> Result<Self, Error> {
        let arguments = serde_json::to_string(arguments).map_err(Error::failure)?;
        let statement = TableStatement { sql, arguments, is_required: false };
        Ok(Self { statement, unchanged: None, constraints: &[] })
    }

    /// Makes the change by itself, as no event explains it; the number of rows.
    pub async fn run(self, pool: &sqlx::PgPool) -> Result<u64, Error> {
        let arguments: serde_json::Value = serde_json::from_str(&self.statement.arguments).map_err(Error::failure)?;
        let done = sqlx::query(self.statement.sql).bind(arguments).execute(pool).await?;
        Ok(done.rows_affected())
    }

    /// The command is refused so when no row is changed or found.
    #[must_use]
    pub fn or(mut self, refusal: Refusal) -> Self {
        self.statement.is_required = true;
        self.unchanged = Some(refusal);
        self
    }

    /// The command is refused so when one of these constraints is violated.
    #[must_use]
    pub fn unless(mut self, constraints: &'static [(&'static str, Refusal)]) -> Self {
        self.constraints = constraints;
        self
    }
}

/// Nothing outside the log changes.
pub(super) struct NoTables;

impl TableChange for NoTables {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        Ok(Vec::new())
    }

    fn is_empty(&self) -> bool {
        true
    }
}
