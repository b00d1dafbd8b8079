//! What is known of a request before anything else: its id, and the trace it belongs to.

use axum::http::{HeaderMap, header::HeaderName};
use uuid::Uuid;

pub(super) static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What is known of a request before anything else.
#[derive(Clone, Debug)]
pub struct RequestMeta {
    /// The request's id: the client's, if it sent a sound one.
    pub request_id: String,
    /// What its events will carry: the request's id where that is a UUID.
    pub correlation_id: Uuid,
    /// The W3C trace it belongs to.
    pub trace_id: Option<String>,
}

impl RequestMeta {
    pub(super) fn read(headers: &HeaderMap) -> Self {
        let given = headers.get(&REQUEST_ID).and_then(|value| value.to_str().ok());
        let given = given.filter(|id| (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()));
        let correlation_id = given.and_then(|id| Uuid::try_parse(id).ok()).unwrap_or_else(Uuid::now_v7);
        let request_id = given.map_or_else(|| correlation_id.to_string(), str::to_owned);
        let trace_id = headers.get("traceparent").and_then(|value| value.to_str().ok()).and_then(trace_id);
        Self { request_id, correlation_id, trace_id }
    }
}

/// The trace id of a `traceparent` header (<https://www.w3.org/TR/trace-context/#traceparent-header>).
fn trace_id(traceparent: &str) -> Option<String> {
    let mut parts = traceparent.split('-');
    let (version, trace_id, parent_id) = (parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |text: &str, length| {
        text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let sound = is_hex(version, 2) && version != "ff" && is_hex(trace_id, 32) && is_hex(parent_id, 16);
    (sound && trace_id.bytes().any(|b| b != b'0')).then(|| trace_id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sound_traceparent_names_a_trace() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(trace_id(&format!("00-{trace}-00f067aa0ba902b7-01")).as_deref(), Some(trace));
        assert_eq!(trace_id(&format!("ff-{trace}-00f067aa0ba902b7-01")), None);
        assert_eq!(trace_id("00-00000000000000000000000000000000-00f067aa0ba902b7-01"), None);
        assert_eq!(trace_id("nonsense"), None);
    }
}
