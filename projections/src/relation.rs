//! How the reader of a query stands to a project.

use std::ops::Deref;

use sqlx::{FromRow, Row, postgres::PgRow};
use workroom_domain::access::Relation;

/// The column `relation` of a query: a name that [`Relation::as_str`] gives, null for a stranger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReaderRelation(pub Relation);

impl Deref for ReaderRelation {
    type Target = Relation;

    fn deref(&self) -> &Relation {
        &self.0
    }
}

impl FromRow<'_, PgRow> for ReaderRelation {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        const COLUMN: &str = "relation";
        let name: Option<String> = row.try_get(COLUMN)?;
        Relation::try_from(name)
            .map(Self)
            .map_err(|source| sqlx::Error::ColumnDecode { index: COLUMN.to_owned(), source: Box::new(source) })
    }
}
