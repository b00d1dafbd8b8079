//! A table of a view, and the statements that write its rows.

use sqlx::PgConnection;
use sqlx_macros::FromRow;

use super::{Key, Row, row::NULLS};

/// A table of a view. What its columns are, the catalog says.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    name: &'static str,
    key: &'static [&'static str],
    counters: &'static [&'static str],
    wholes: [Option<&'static str>; 2],
    change: Option<&'static str>,
}

impl Table {
    /// A table of schema `views`, and the one or two columns, of type `uuid`, that tell its rows apart.
    pub const fn new(name: &'static str, key: &'static [&'static str]) -> Self {
        Self { name, key, counters: &[], wholes: [None; 2], change: None }
    }

    /// With columns that count: a created row has zero there, and a change adds to what the row has.
    #[must_use]
    pub const fn counting(self, counters: &'static [&'static str]) -> Self {
        Self { counters, ..self }
    }

    /// With a column, of type `uuid`, that names what a row belongs to: all rows of that can be deleted together. A row may belong to
    /// two things, each named by a column of its own.
    #[must_use]
    pub const fn part_of(self, column: &'static str) -> Self {
        let wholes = match self.wholes {
            [None, _] => [Some(column), None],
            [first, _] => [first, Some(column)],
        };
        Self { wholes, ..self }
    }

    /// With a statement of its own for changed rows. It finds them in `batch`, a `jsonb` array of objects, best as
    /// `FROM jsonb_to_recordset(batch) AS n (id uuid, …)`.
    #[must_use]
    pub const fn changed_by(self, statement: &'static str) -> Self {
        Self { change: Some(statement), ..self }
    }

    /// Its name, without a schema: a rebuild shows others by `search_path`.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The columns that tell its rows apart, all of type `uuid`.
    pub const fn key(&self) -> &'static [&'static str] {
        self.key
    }

    /// The columns that name what a row belongs to, where its rows can be deleted together.
    pub(crate) fn wholes(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.wholes.into_iter().flatten()
    }

    /// A row of which only the key is set.
    pub(super) fn row(&self, key: Key) -> Row {
        let mut row = Row::default();
        for (column, id) in self.key.iter().zip(key.0) {
            row.set(column, id);
        }
        row
    }

    /// A row that is created.
    pub(super) fn new_row(&self, key: Key) -> Row {
        let mut row = self.row(key);
        for column in self.counters {
            row.count(column, 0);
        }
        row
    }
}

/// What a statement does to the rows of its table.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Delete,
    DeleteParts(&'static str),
    Create,
    Change,
}

/// A statement, carried out once a batch with all its rows.
pub(super) struct Statement {
    pub(super) table: &'static str,
    /// The bit that tells that a batch writes the table.
    pub(super) bit: i64,
    pub(super) kind: Kind,
    /// The columns that it may write.
    pub(super) columns: Vec<String>,
    pub(super) sql: String,
}

/// A column as the catalog describes it. Its name is quoted.
#[derive(FromRow)]
struct Column {
    table_name: String,
    name: String,
    literal: String,
    type_name: String,
    is_required: bool,
    default: Option<String>,
}

/// Columns that Postgres itself gives their values are not written.
const COLUMNS: &str = r#"
    SELECT t.name AS table_name, quote_ident(a.attname) AS name, quote_literal(a.attname) AS literal,
           format_type(a.atttypid, a.atttypmod) AS type_name, a.attnotnull AS is_required,
           pg_get_expr(d.adbin, d.adrelid) AS "default"
    FROM unnest($1::text[]) AS t (name)
    JOIN pg_attribute a ON a.attrelid = t.name::regclass AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
    WHERE a.attgenerated = '' AND a.attidentity = ''
    ORDER BY a.attrelid, a.attnum"#;

/// The statements that write these tables, as the session's `search_path` shows them, in the order in which they run.
pub(super) async fn statements(
    connection: &mut PgConnection,
    tables: &[&'static Table],
) -> Result<Vec<Statement>, sqlx::Error> {
    let names: Vec<&str> = tables.iter().map(|table| table.name).collect();
    let columns: Vec<Column> = sqlx::query_as(COLUMNS).bind(names).fetch_all(connection).await?;
    let of_table = |(place, table): (usize, &&'static Table)| {
        let columns: Vec<&Column> = columns.iter().filter(|column| column.table_name == table.name).collect();
        table.statements(&columns, 1 << (place % BITS))
    };
    Ok(tables.iter().enumerate().flat_map(of_table).collect())
}

/// Of more tables, some share a bit: then their statements are looked at in vain.
const BITS: usize = 62;

impl Table {
    fn statements(&self, columns: &[&Column], bit: i64) -> Vec<Statement> {
        let delete_parts = self.wholes().map(|column| (Kind::DeleteParts(column), self.delete(&[column])));
        let change = self.change.map_or_else(|| self.change(columns), str::to_owned);
        [(Kind::Delete, self.delete(self.key))]
            .into_iter()
            .chain(delete_parts)
            .chain([(Kind::Create, self.create(columns)), (Kind::Change, change)])
            .map(|(kind, sql)| {
                let columns = columns.iter().map(|column| column.name.clone()).collect();
                Statement { table: self.name, bit, kind, columns, sql }
            })
            .collect()
    }

    fn delete(&self, by: &[&str]) -> String {
        let ids = list(by, |column| format!("{column} uuid"));
        format!("DELETE FROM {} t USING jsonb_to_recordset(batch) AS n ({ids}) WHERE {}", self.name, equal(by))
    }

    /// A column that is not set has its default, as in any `INSERT`.
    fn create(&self, columns: &[&Column]) -> String {
        let values = list(columns, |column| match &column.default {
            Some(default) => format!("COALESCE(n.{}, {default})", column.name),
            None => format!("n.{}", column.name),
        });
        let names = list(columns, |column| column.name.clone());
        let typed = list(columns, |column| column.typed());
        format!("INSERT INTO {} ({names}) SELECT {values} FROM jsonb_to_recordset(batch) AS n ({typed})", self.name)
    }

    /// A column that is not set stays as it is.
    fn change(&self, columns: &[&Column]) -> String {
        let others: Vec<_> = columns.iter().filter(|column| !self.key.contains(&&*column.name)).collect();
        let values = list(&others, |column| {
            let Column { name, literal, .. } = column;
            if self.counters.contains(&&**name) {
                format!("{name} = t.{name} + COALESCE(n.{name}, 0)")
            } else if column.is_required {
                format!("{name} = COALESCE(n.{name}, t.{name})")
            } else {
                format!("{name} = CASE WHEN {literal} = ANY(n.{NULLS}) THEN NULL ELSE COALESCE(n.{name}, t.{name}) END")
            }
        });
        let typed = list(columns, |column| column.typed());
        format!(
            "UPDATE {} t SET {values} FROM jsonb_to_recordset(batch) AS n ({typed}, {NULLS} text[]) WHERE {}",
            self.name,
            equal(self.key)
        )
    }
}

impl Column {
    fn typed(&self) -> String {
        format!("{} {}", self.name, self.type_name)
    }
}

fn equal(columns: &[&str]) -> String {
    let conditions: Vec<_> = columns.iter().map(|column| format!("t.{column} = n.{column}")).collect();
    conditions.join(" AND ")
}

fn list<T>(items: &[T], written: impl Fn(&T) -> String) -> String {
    items.iter().map(written).collect::<Vec<_>>().join(", ")
}
