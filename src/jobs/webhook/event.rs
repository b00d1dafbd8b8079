//! An event as a [`CloudEvent`](https://github.com/cloudevents/spec) 1.0, in JSON's structured mode.

use serde::Serialize;
use uuid::Uuid;
use workroom_projections::history::PublishedEvent;

/// The media type of what is sent.
pub const MEDIA_TYPE: &str = "application/cloudevents+json; charset=utf-8";

#[derive(Serialize)]
struct CloudEvent<'a> {
    specversion: &'static str,
    id: Uuid,
    source: String,
    #[serde(rename = "type")]
    event_type: String,
    subject: String,
    time: &'a str,
    datacontenttype: &'static str,
    data: &'a PublishedEvent,
}

/// The event's body: `data` is what the project's history shows.
///
/// # Errors
/// What JSON cannot hold.
pub fn body(event: &PublishedEvent) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&CloudEvent {
        specversion: "1.0",
        id: event.event_id,
        source: format!("/api/v1/projects/{}", event.feed_id),
        event_type: format!("workroom.{}", event.event_type),
        subject: format!("{}/{}", event.aggregate_type, event.aggregate_id),
        time: &event.occurred_at,
        datacontenttype: "application/json",
        data: event,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json, value::RawValue};
    use time::OffsetDateTime;

    use super::*;

    #[test]
    fn an_event_is_sent_as_the_history_shows_it() {
        let event = PublishedEvent {
            position: 7,
            seq: 3,
            event_id: Uuid::from_u128(1),
            feed_id: Uuid::from_u128(2),
            event_type: "TaskDeleted".to_owned(),
            event_version: "1".to_owned(),
            aggregate_type: "task".to_owned(),
            aggregate_id: Uuid::from_u128(3).to_string(),
            sequence: 2,
            occurred_at: "2026-11-23T04:35:47Z".to_owned(),
            recorded_at: OffsetDateTime::UNIX_EPOCH,
            actor: Uuid::from_u128(4).to_string(),
            correlation_id: None,
            data: RawValue::from_string(r#"{"type":"TaskDeleted"}"#.to_owned()).unwrap(),
        };
        let sent: Value = serde_json::from_slice(&body(&event).unwrap()).unwrap();
        let expected = json!({
            "specversion": "1.0",
            "id": "00000000-0000-0000-0000-000000000001",
            "source": "/api/v1/projects/00000000-0000-0000-0000-000000000002",
            "type": "workroom.TaskDeleted",
            "subject": "task/00000000-0000-0000-0000-000000000003",
            "time": "2026-11-23T04:35:47Z",
            "datacontenttype": "application/json",
            "data": serde_json::to_value(&event).unwrap(),
        });
        assert_eq!(sent, expected);
        assert_eq!(sent["data"]["data"], json!({"type": "TaskDeleted"}));
    }
}
