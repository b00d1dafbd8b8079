//! Server-sent events (WHATWG HTML, 9.2): the same frames as over a WebSocket, one way.
//!
//! An event of a feed is a message (`onmessage` gets it); everything else has its frame's type as the name of the event. `id` is the
//! place that the client resumes from: it sends the last one as `Last-Event-ID` when it connects again.

mod open;
mod place;

use std::{
    collections::BTreeMap,
    convert::Infallible,
    task::{Context, Poll, ready},
};

use axum::body::Body;
use bytes::{BufMut, Bytes, BytesMut};
use futures::{
    FutureExt,
    future::{BoxFuture, Fuse},
};
use tokio::sync::mpsc;
use tokio_util::sync::PollSender;
use uuid::Uuid;

use super::{Failure, Incoming, Item, Place, Transport};

pub(crate) use open::{__path_stream_events, __path_stream_project_events};
pub use open::{stream_events, stream_project_events};

/// Bytes that are gathered before the client has to take some.
const CHUNK: usize = 16 * 1024;
/// How long a browser waits before it connects again, in milliseconds.
const RETRY: &str = "retry: 1000\n\n";

/// A stream of events.
struct EventStream {
    chunks: PollSender<Bytes>,
    closed: Fuse<BoxFuture<'static, ()>>,
    buffer: BytesMut,
    /// Where the client is, by project.
    places: BTreeMap<Uuid, Place>,
    /// Whether it was opened for one project alone: then a place is no map.
    is_single: bool,
}

/// A stream that begins at these places, and the body that carries it.
fn event_stream(places: impl IntoIterator<Item = Place>, is_single: bool) -> (EventStream, Body) {
    let (sender, mut receiver) = mpsc::channel(1);
    let closed = {
        let sender = sender.clone();
        async move { sender.closed().await }.boxed().fuse()
    };
    let places = places.into_iter().map(|place| (place.feed.uuid(), place)).collect();
    let buffer = BytesMut::from(RETRY);
    let stream = EventStream { chunks: PollSender::new(sender), closed, buffer, places, is_single };
    let chunks = futures::stream::poll_fn(move |context| {
        receiver.poll_recv(context).map(|chunk| chunk.map(Ok::<_, Infallible>))
    });
    (stream, Body::from_stream(chunks))
}

impl EventStream {
    /// Sends what was gathered, once the client takes it.
    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        if self.buffer.is_empty() {
            return Poll::Ready(Ok(()));
        }
        ready!(self.chunks.poll_reserve(context)).map_err(|_| Failure::Gone)?;
        Poll::Ready(self.chunks.send_item(self.buffer.split().freeze()).map_err(|_| Failure::Gone))
    }

    fn write(&mut self, event: &str, id: Option<&str>, data: &str) {
        let mut field = |name: &str, value: &str| {
            self.buffer.put_slice(name.as_bytes());
            self.buffer.put_slice(b": ");
            self.buffer.put_slice(value.as_bytes());
            self.buffer.put_u8(b'\n');
        };
        if event != "event" {
            // A browser's own `error` means that the connection is lost.
            field("event", if event == "error" { "problem" } else { event });
        }
        if let Some(id) = id {
            field("id", id);
        }
        data.split('\n').for_each(|line| field("data", line));
        self.buffer.put_u8(b'\n');
    }

    /// Moves on to a place; returns what the client resumes from.
    fn id_at(&mut self, place: Place) -> String {
        self.places.insert(place.feed.uuid(), place);
        place::write(&self.places, self.is_single)
    }
}

/// The type of a frame. It comes first in all of them.
fn type_of(frame: &str) -> &str {
    let rest = frame.strip_prefix(r#"{"type":""#).unwrap_or_default();
    rest.split('"').next().unwrap_or_default()
}

impl Transport for EventStream {
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Result<Incoming, Failure>> {
        self.closed.poll_unpin(context).map(|()| Ok(Incoming::Gone))
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        if self.buffer.len() < CHUNK { Poll::Ready(Ok(())) } else { self.poll_send(context) }
    }

    fn send(&mut self, item: Item) -> Result<(), Failure> {
        match item {
            Item::Frame(frame, place) => {
                let id = place.map(|place| self.id_at(place));
                self.write(type_of(&frame), id.as_deref(), &frame);
            }
            Item::Ping => self.buffer.put_slice(b": ping\n\n"),
            Item::Close(close) => {
                let data = serde_json::json!({"type": "close", "code": close.code(), "reason": close.reason()});
                self.write("close", None, &data.to_string());
            }
        }
        Ok(())
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.poll_send(context)
    }

    fn poll_end(&mut self, _: &mut Context<'_>) -> Poll<()> {
        // The body ends with the stream.
        Poll::Ready(())
    }

    fn is_one_way(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use workroom_domain::ids::ProjectId;

    use super::*;
    use crate::live::{connection::close::Close, feed::FeedId};

    fn place(project: u128, seq: i64) -> Place {
        Place { feed: FeedId::Project(ProjectId(Uuid::from_u128(project))), epoch: Uuid::nil(), seq }
    }

    fn written(stream: &mut EventStream) -> String {
        String::from_utf8(stream.buffer.split().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn frames_are_events_with_a_place_to_resume_from() {
        let (mut stream, _body) = event_stream([place(1, 3)], true);
        assert_eq!(written(&mut stream), RETRY);
        let frame = r#"{"type":"event","seq":4}"#;
        stream.send(Item::Frame(frame.into(), Some(place(1, 4)))).unwrap();
        assert_eq!(written(&mut stream), format!("id: {}.4\ndata: {frame}\n\n", Uuid::nil()));
        stream.send(Item::Frame(r#"{"type":"head","seq":4}"#.into(), None)).unwrap();
        assert_eq!(written(&mut stream), "event: head\ndata: {\"type\":\"head\",\"seq\":4}\n\n");
        stream.send(Item::Frame("{\"type\":\"error\",\n\"a\":1}".into(), None)).unwrap();
        assert_eq!(written(&mut stream), "event: problem\ndata: {\"type\":\"error\",\ndata: \"a\":1}\n\n");
        stream.send(Item::Ping).unwrap();
        stream.send(Item::Close(Close::TooSlow)).unwrap();
        let end = written(&mut stream);
        assert!(end.starts_with(": ping\n\nevent: close\ndata: {"), "{end}");
        assert!(end.contains("4508"), "{end}");
    }

    #[tokio::test]
    async fn of_several_projects_all_places_are_told() {
        let (mut stream, _body) = event_stream([place(1, 3), place(2, 9)], false);
        let id = stream.id_at(place(2, 10));
        let expected = serde_json::json!({
            Uuid::from_u128(1).to_string(): format!("{}.3", Uuid::nil()),
            Uuid::from_u128(2).to_string(): format!("{}.10", Uuid::nil()),
        });
        assert_eq!(serde_json::from_str::<serde_json::Value>(&id).unwrap(), expected);
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_noticed_and_one_that_leaves_too() {
        use futures::future::poll_fn;
        let (mut stream, body) = event_stream([], true);
        poll_fn(|context| stream.poll_flush(context)).await.unwrap();
        let frame = "x".repeat(CHUNK);
        stream.send(Item::Frame(frame.into(), None)).unwrap();
        let mut context = Context::from_waker(std::task::Waker::noop());
        assert!(stream.poll_ready(&mut context).is_pending());
        assert!(stream.poll_receive(&mut context).is_pending());
        drop(body);
        assert!(matches!(poll_fn(|context| stream.poll_receive(context)).await, Ok(Incoming::Gone)));
        assert_eq!(poll_fn(|context| stream.poll_ready(context)).await, Err(Failure::Gone));
    }
}
