//! Whatever is changed by hand in any view, a verification finds it and says where it comes from: the row, the column,
//! both values, and the event that last wrote the row.

use serde_json::json;
use sqlx::{ConnectOptions, PgPool, Row, postgres::PgConnectOptions};
use sqlx_macros::FromRow;
use workroom::database;
use workroom_projections::{
    changes::Table,
    groups,
    rebuild::{self, Difference, TableDifference, WrittenBy},
};

use super::{execute, furnished};
use crate::{
    organizations::organization,
    support::{Server, World, eventually},
    tasks::titled,
    webhooks::{LOCAL, Receiver},
};

/// A column of a view, as the catalog describes it.
#[derive(FromRow)]
struct Column {
    name: String,
    type_name: String,
    is_enum: bool,
    is_array: bool,
}

impl Column {
    /// An expression for another value than the row has.
    fn forged(&self) -> String {
        let Self { name, type_name, .. } = self;
        match type_name.as_str() {
            "uuid" => "gen_random_uuid()".to_owned(),
            "text" => format!("COALESCE({name}, '') || '~'"),
            "boolean" => format!("NOT COALESCE({name}, false)"),
            "smallint" | "integer" | "bigint" => format!("COALESCE({name}, 0) + 1"),
            "timestamp with time zone" => format!("COALESCE({name}, 'epoch') + interval '1 second'"),
            "date" => format!("COALESCE({name}, 'epoch') + 1"),
            "bytea" => format!(r"COALESCE({name}, '') || '\x00'"),
            "jsonb" => format!("jsonb_build_object('forged', {name})"),
            _ if self.is_enum => format!(
                "(SELECT each FROM unnest(enum_range(NULL::{type_name})) AS each
                  WHERE each IS DISTINCT FROM {name} LIMIT 1)"
            ),
            _ if self.is_array => format!("array_append(COALESCE({name}, '{{}}'), NULL)"),
            other => panic!("say how a column of type {other} is forged"),
        }
    }
}

/// A view, and what is in it while nobody has changed anything by hand.
struct View {
    table: &'static Table,
    columns: Vec<Column>,
}

impl View {
    async fn saved(pool: &PgPool, table: &'static Table) -> Self {
        let name = table.name();
        let columns: Vec<Column> = sqlx::query_as(
            "SELECT quote_ident(a.attname) AS name, format_type(a.atttypid, a.atttypmod) AS type_name,
                    t.typtype = 'e' AS is_enum, t.typcategory = 'A' AS is_array
             FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
             WHERE a.attrelid = format('views.%I', $1)::regclass AND a.attnum > 0 AND NOT a.attisdropped
             ORDER BY a.attnum",
        )
        .bind(name)
        .fetch_all(pool)
        .await
        .expect("columns");
        let rows = execute(pool, &format!("CREATE TABLE saved.{name} AS TABLE views.{name}")).await;
        assert!(rows > 0, "the view {name} is empty: let something happen that writes it");
        Self { table, columns }
    }

    fn key(&self) -> String {
        self.table.key().join(", ")
    }

    /// The first row that the view had.
    fn first(&self) -> String {
        let (name, key) = (self.table.name(), self.key());
        format!("({key}) = (SELECT {key} FROM saved.{name} ORDER BY {key} LIMIT 1)")
    }

    async fn forge(&self, pool: &PgPool, column: &Column) {
        let (name, first) = (self.table.name(), self.first());
        let statement = format!("UPDATE views.{name} SET {} = {} WHERE {first}", column.name, column.forged());
        assert_eq!(execute(pool, &statement).await, 1, "{statement}");
    }

    async fn remove(&self, pool: &PgPool) {
        let statement = format!("DELETE FROM views.{} WHERE {}", self.table.name(), self.first());
        assert_eq!(execute(pool, &statement).await, 1, "{statement}");
    }

    /// Adds a row like the first, with another key.
    async fn add(&self, pool: &PgPool) {
        let name = self.table.name();
        let is_key = |column: &&Column| self.table.key().iter().any(|key| *key == column.name);
        let values =
            self.columns.iter().map(|column| if is_key(&column) { "gen_random_uuid()" } else { column.name.as_str() });
        let values = values.collect::<Vec<_>>().join(", ");
        let statement = format!("INSERT INTO views.{name} SELECT {values} FROM saved.{name} WHERE {}", self.first());
        assert_eq!(execute(pool, &statement).await, 1, "{statement}");
    }

    async fn restore(&self, pool: &PgPool) {
        let name = self.table.name();
        execute(pool, &format!("DELETE FROM views.{name}")).await;
        execute(pool, &format!("INSERT INTO views.{name} TABLE saved.{name}")).await;
    }
}

/// What differs in all groups.
async fn differences(options: &PgConnectOptions) -> Vec<TableDifference> {
    let mut found = Vec::new();
    for group in groups() {
        let mut connection = options.connect().await.expect("a connection");
        found.extend(rebuild::verify(&mut connection, &group, &|_, _| {}).await.expect("a comparison").differences);
    }
    found
}

/// One difference for each of these views, in their order, and no other.
async fn of_each<'a>(options: &PgConnectOptions, views: &[&'a View], what: &str) -> Vec<(&'a View, TableDifference)> {
    let found = differences(options).await;
    let tables: Vec<&str> = found.iter().map(|difference| difference.table).collect();
    let expected: Vec<&str> = views.iter().map(|view| view.table.name()).collect();
    assert_eq!(tables, expected, "{what}");
    views.iter().copied().zip(found).collect()
}

/// That the log has the event as it is named.
async fn is_in_the_log(pool: &PgPool, event: &WrittenBy) {
    let row =
        sqlx::query("SELECT event_type, metadata->>'actor' AS actor, recorded_at FROM events WHERE position = $1")
            .bind(event.position)
            .fetch_one(pool)
            .await
            .expect("an event");
    assert_eq!(row.get::<String, _>("event_type"), event.event_type);
    assert_eq!(row.get::<String, _>("actor"), event.actor);
    assert_eq!(row.get::<time::OffsetDateTime, _>("recorded_at"), event.recorded_at);
}

/// Something in every view; nothing happens any more when this returns.
async fn fill(server: &Server, pool: &PgPool) -> Receiver {
    let (ada, _, projects) = furnished(server).await;
    let project = &projects[0];
    let receiver = Receiver::start().await;
    let webhook = json!({"url": receiver.url(), "event_types": ["TaskCreated"]});
    ada.post(&format!("/projects/{project}/webhooks"), webhook).await.is(201);
    titled(&ada, project, "Told outside").await;
    let yearly = json!({"every_seconds": 31_536_000, "project_id": project, "job": {"type": "noop"}});
    ada.post("/schedules", yearly).await.is(201);
    let limited = organization(&ada, "Limited").await;
    ada.put("/jobs/rules", json!({"organization_id": limited, "running": 5})).await.is(200);
    eventually("the webhook has told, and all jobs are over", || async {
        sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM views.webhook_deliveries)
                 AND NOT EXISTS (SELECT FROM views.jobs WHERE status IN ('pending', 'running'))
                 AND NOT EXISTS (SELECT FROM projection_checkpoints
                                 WHERE position < (SELECT max(position) FROM events))",
        )
        .fetch_one(pool)
        .await
        .expect("an answer")
    })
    .await;
    receiver
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_changed_in_any_column_of_any_view_is_found_and_explained() {
    let world = World::new().await;
    let server = world.server_with(&[], &LOCAL).await;
    let pool = world.pool().await;
    let _receiver = fill(&server, &pool).await;
    let options = database::options(&world.database_url).expect("options").options([("statement_timeout", "0")]);
    execute(&pool, "CREATE SCHEMA saved").await;
    let groups = groups();
    let tables = groups.iter().flat_map(|group| &group.projections).flat_map(|projection| projection.tables());
    let mut views = Vec::new();
    for table in tables {
        views.push(View::saved(&pool, table).await);
    }
    let in_catalog: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_class WHERE relnamespace = 'views'::regnamespace AND relkind IN ('r', 'p')",
    )
    .fetch_one(&pool)
    .await
    .expect("a count");
    assert_eq!(i64::try_from(views.len()).expect("a number"), in_catalog, "a view that no projection owns");
    of_each(&options, &[], "nothing was changed").await;

    // One column of each view at a time.
    let most = views.iter().map(|view| view.columns.len()).max().unwrap_or_default();
    for place in 0..most {
        let forged: Vec<&View> = views.iter().filter(|view| place < view.columns.len()).collect();
        for view in &forged {
            view.forge(&pool, &view.columns[place]).await;
        }
        for (view, difference) in of_each(&options, &forged, &format!("column {place}")).await {
            let column = &view.columns[place];
            let at = format!("{}.{}: {difference:?}", view.table.name(), column.name);
            assert_eq!((difference.only_live, difference.only_replayed), (1, 1), "{at}");
            match &difference.first.what {
                Difference::Column { name, stored, replayed } => {
                    assert_eq!(*name, column.name, "{at}");
                    assert_ne!(stored, replayed, "{at}");
                    let event = difference.first.written_by.as_ref().unwrap_or_else(|| panic!("no event: {at}"));
                    is_in_the_log(&pool, event).await;
                }
                Difference::Missing | Difference::Additional => {
                    assert!(view.table.key().iter().any(|key| *key == column.name), "{at}");
                }
            }
            view.restore(&pool).await;
        }
    }

    let all: Vec<&View> = views.iter().collect();
    for view in &all {
        view.remove(&pool).await;
    }
    for (view, difference) in of_each(&options, &all, "a row of each was deleted").await {
        let at = format!("{difference:?}");
        assert_eq!((difference.only_live, difference.only_replayed), (0, 1), "{at}");
        assert_eq!(difference.first.what, Difference::Missing, "{at}");
        is_in_the_log(&pool, difference.first.written_by.as_ref().unwrap_or_else(|| panic!("no event: {at}"))).await;
        view.restore(&pool).await;
    }

    for view in &all {
        view.add(&pool).await;
    }
    for (view, difference) in of_each(&options, &all, "a row was added to each").await {
        let at = format!("{difference:?}");
        assert_eq!((difference.only_live, difference.only_replayed), (1, 0), "{at}");
        assert_eq!((&difference.first.what, &difference.first.written_by), (&Difference::Additional, &None), "{at}");
        view.restore(&pool).await;
    }
    of_each(&options, &[], "everything was put back").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_names_the_first_difference_and_the_event_behind_it() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    ada.patch(&format!("/projects/{project}"), json!({"description": "To the moon."})).await.is(200);
    // Of something else, and later.
    ada.project("Gemini").await;
    let pool = world.pool().await;
    let position: i64 = sqlx::query_scalar("SELECT max(position) FROM events WHERE event_type = 'ProjectUpdated'")
        .fetch_one(&pool)
        .await
        .expect("a position");
    execute(&pool, &format!("UPDATE views.projects SET description = 'To Mars.' WHERE id = '{project}'")).await;
    let (verified, text) = world.command(&["projections", "verify"]).await;
    assert!(!verified, "{text}");
    let explained = format!(
        "first: the row with id = {project} has description = \"To Mars.\", the replay has \"To the moon.\"; \
         last written by ProjectUpdated at position {position}, caused by account:{} at ",
        ada.id
    );
    assert!(text.contains("workspace: table projects differs at position "), "{text}");
    assert!(text.contains(&explained), "{text}");
    // What is missing is told by the event that made it.
    execute(&pool, &format!("DELETE FROM views.projects WHERE id = '{project}'")).await;
    let (_, text) = world.command(&["projections", "verify"]).await;
    assert!(
        text.contains(&format!("the row with id = {project} is missing; last written by ProjectUpdated")),
        "{text}"
    );
}
