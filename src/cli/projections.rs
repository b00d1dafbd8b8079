//! `workroom projections …`

use std::process::ExitCode;

use clap::Subcommand;
use sqlx::PgConnection;
use time::format_description::well_known::Rfc3339;
use workroom_projections::{
    Group, groups,
    rebuild::{self, Comparison, Difference, TableDifference},
    session,
};

use super::output;
use crate::{
    config::Config,
    database::{Database, Patience},
};

/// What to do with the read models.
#[derive(Subcommand)]
pub enum ProjectionsCommand {
    /// Compare the live views with a replay of the log.
    Verify,
    /// Make the views again from the log, while the live ones go on serving, and swap.
    Rebuild {
        /// Only this group.
        #[arg(long)]
        group: Option<String>,
    },
}

/// Does it, group by group.
///
/// # Errors
/// The log cannot be replayed; the live views are untouched then.
pub async fn run(command: ProjectionsCommand) -> anyhow::Result<ExitCode> {
    let config = Config::load()?;
    let database = Database::for_command(&config).await?;
    let mut differs = false;
    match command {
        ProjectionsCommand::Verify => {
            for group in groups() {
                let report = |done, all| output::progress(group.name, done, all);
                let mut connection = connect(&database).await?;
                let comparison = rebuild::verify(&mut connection, &group, &report).await?;
                differs |= show(&comparison)?;
            }
        }
        ProjectionsCommand::Rebuild { group: only } => {
            let chosen: Vec<Group> =
                groups().into_iter().filter(|group| only.as_deref().is_none_or(|name| name == group.name)).collect();
            anyhow::ensure!(!chosen.is_empty(), "there is no such group of projections");
            for group in chosen {
                let report = |done, all| output::progress(group.name, done, all);
                let mut connection = connect(&database).await?;
                show(&rebuild::rebuild(&mut connection, &group, &report).await?)?;
                output::line(&format!("{}: rebuilt and swapped", group.name))?;
            }
        }
    }
    Ok(if differs { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn connect(database: &Database) -> anyhow::Result<PgConnection> {
    database
        .patiently(Patience::COMMAND, async || {
            let mut connection = session::begin(database.owner()).await?;
            // A replay takes as long as it takes.
            sqlx::query("SET statement_timeout = 0").execute(&mut connection).await?;
            Ok(connection)
        })
        .await
}

fn show(comparison: &Comparison) -> anyhow::Result<bool> {
    let Comparison { group, position, rows, differences } = comparison;
    if differences.is_empty() {
        output::line(&format!("{group}: {rows} rows equal a replay of {position} events"))?;
    }
    for difference in differences {
        output::line(&explain(group, *position, difference))?;
    }
    Ok(!differences.is_empty())
}

/// A value is shown so far.
const VALUE_CHARACTERS: usize = 200;

/// What differs in a table, and the first row of it: key, column, both values, and the event that last wrote the row.
fn explain(group: &str, position: i64, difference: &TableDifference) -> String {
    let TableDifference { table, only_live, only_replayed, first } = difference;
    let key: Vec<String> = first.key.iter().map(|(column, id)| format!("{column} = {id}")).collect();
    let what = match &first.what {
        Difference::Missing => "is missing".to_owned(),
        Difference::Additional => "should not be there".to_owned(),
        Difference::Column { name, stored, replayed } => {
            format!("has {name} = {}, the replay has {}", value(stored.as_deref()), value(replayed.as_deref()))
        }
    };
    let written = match &first.written_by {
        Some(event) => format!(
            "last written by {} at position {}, caused by {} at {}",
            event.event_type,
            event.position,
            event.actor,
            event.recorded_at.format(&Rfc3339).unwrap_or_default()
        ),
        None => "no event has ever written it".to_owned(),
    };
    format!(
        "{group}: table {table} differs at position {position}: {only_live} rows only live, \
         {only_replayed} only replayed\n    first: the row with {} {what}; {written}",
        key.join(", ")
    )
}

/// A value for people: a long one is cut off.
fn value(value: Option<&str>) -> String {
    let Some(value) = value else { return "null".to_owned() };
    match value.char_indices().nth(VALUE_CHARACTERS) {
        Some((end, _)) => format!("{:?}… ({} bytes)", value.get(..end).unwrap_or_default(), value.len()),
        None => format!("{value:?}"),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;
    use uuid::Uuid;
    use workroom_projections::rebuild::{RowDifference, WrittenBy};

    use super::*;

    fn difference(what: Difference, written_by: Option<WrittenBy>) -> TableDifference {
        let key = vec![("project_id", Uuid::from_u128(1)), ("account_id", Uuid::from_u128(2))];
        TableDifference {
            table: "members",
            only_live: 1,
            only_replayed: 1,
            first: RowDifference { key, what, written_by },
        }
    }

    #[test]
    fn a_difference_names_row_column_values_and_event() {
        let what = Difference::Column { name: "role".to_owned(), stored: Some("owner".to_owned()), replayed: None };
        let event = WrittenBy {
            position: 12,
            event_type: "MemberAdded".to_owned(),
            actor: "account:7".to_owned(),
            recorded_at: datetime!(2026-03-04 05:06:07 UTC),
        };
        assert_eq!(
            explain("workspace", 40, &difference(what, Some(event))),
            "workspace: table members differs at position 40: 1 rows only live, \
             1 only replayed\n    first: the row with \
             project_id = 00000000-0000-0000-0000-000000000001, account_id = 00000000-0000-0000-0000-000000000002 has \
             role = \"owner\", the replay has null; last written by MemberAdded at position 12, caused by account:7 at \
             2026-03-04T05:06:07Z"
        );
    }

    #[test]
    fn a_row_that_no_event_has_written_and_one_that_is_missing_are_told_so() {
        let text = explain("workspace", 40, &difference(Difference::Additional, None));
        assert!(text.ends_with("should not be there; no event has ever written it"), "{text}");
        let text = explain("workspace", 40, &difference(Difference::Missing, None));
        assert!(text.contains(" is missing; "), "{text}");
    }

    #[test]
    fn a_long_value_is_cut_off_between_characters() {
        let long = "ö".repeat(VALUE_CHARACTERS + 1);
        assert_eq!(value(Some(&long)), format!("\"{}\"… (402 bytes)", "ö".repeat(VALUE_CHARACTERS)));
        assert_eq!(value(Some("a\nb")), "\"a\\nb\"");
    }
}
