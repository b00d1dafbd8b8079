//! Events whose payload was taken out: what is left of each is its tombstone, and a later event of the same stream says so.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use sqlx::{PgPool, types::Json};
pub use workroom_domain::redaction::PAYLOAD_REDACTED;

/// What the event says of where.
#[derive(Deserialize)]
struct Named {
    position: i64,
}

/// The position of the event whose payload this one says was taken out; none where it says nothing of that.
pub fn redacts(event_type: &str, payload: &str) -> Option<i64> {
    if event_type != PAYLOAD_REDACTED {
        return None;
    }
    let named: Named = serde_json::from_str(payload).ok()?;
    Some(named.position)
}

/// Those of these events whose payload was taken out, with what is left of it. What was read a moment ago may have been redacted
/// since: this is what counts.
pub async fn redacted(pool: &PgPool, positions: &[i64]) -> Result<HashMap<i64, Box<RawValue>>, sqlx::Error> {
    let rows: Vec<(i64, Json<Box<RawValue>>)> = sqlx::query_as(
        "SELECT e.position, e.payload FROM unnest($1::bigint[]) AS w (position)
         JOIN log_leaves l ON l.position = w.position AND l.commitment IS NOT NULL
         JOIN events e ON e.position = w.position",
    )
    .bind(positions)
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|(position, payload)| (position, payload.0)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_event_about_a_redaction_names_another() {
        let payload = r#"{"type":"PayloadRedacted","position":12,"reason":"a secret"}"#;
        assert_eq!(redacts(PAYLOAD_REDACTED, payload), Some(12));
        assert_eq!(redacts("TaskCreated", payload), None);
        assert_eq!(redacts(PAYLOAD_REDACTED, "{}"), None);
    }
}
