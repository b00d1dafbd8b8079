//! All that a database holds.

use sqlx::{PgPool, Row};

/// Every row of every table, as text: a line begins with the name of its table.
pub async fn dump(pool: &PgPool) -> String {
    let tables = sqlx::query(
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
         WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
    )
    .fetch_all(pool)
    .await
    .expect("tables");
    let mut text = String::new();
    for table in tables {
        let name: String = table.get("name");
        let rows: Vec<String> =
            sqlx::query_scalar(&format!("SELECT t::text FROM {name} t")).fetch_all(pool).await.expect("rows");
        for row in rows {
            text.push_str(&format!("{name} {row}\n"));
        }
    }
    text
}
