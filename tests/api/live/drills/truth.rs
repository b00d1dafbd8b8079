//! The log itself, as the checker reads it.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use futures::TryStreamExt;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

/// Writes all events of some projects into a file, a line each, by project and in order. Their content stays as it is.
pub async fn write(database_url: &str, projects: &[String], path: &Path) {
    let ids: Vec<Uuid> = projects.iter().map(|project| project.parse().expect("an id")).collect();
    // A plain connection: those of the service limit how long a statement may take.
    let mut connection = PgConnection::connect(database_url).await.expect("a connection");
    let mut lines = sqlx::query_scalar::<_, String>(
        "SELECT json_build_object('feed', feed_id, 'seq', feed_seq, 'position', position, 'event_id', event_id,
                                  'event_type', event_type, 'data', payload)::text
         FROM events WHERE feed_id = ANY($1) ORDER BY feed_id, feed_seq",
    )
    .bind(ids)
    .fetch(&mut connection);
    let mut file = BufWriter::new(File::create(path).expect("a file"));
    while let Some(line) = lines.try_next().await.expect("the log") {
        writeln!(file, "{line}").expect("a file");
    }
    file.flush().expect("a file");
}
