//! What the server says. `type` comes first in every frame.

use serde::Serialize;
use serde_json::value::RawValue;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use uuid::Uuid;
use workroom_domain::ids::{AccountId, FileId, JobId, ProjectId, WorkspaceId};
use workroom_projections::history::PublishedEvent;

use crate::live::{
    feed::FeedId,
    room::{Cursor, RoomId},
};

/// What a client subscribes to: a feed, and of a project perhaps one of its workspaces, or a file of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(in crate::live) struct Topic {
    #[serde(flatten)]
    pub(in crate::live) feed: FeedId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::live) workspace_id: Option<WorkspaceId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::live) file_id: Option<FileId>,
}

impl Topic {
    /// A feed as a whole.
    #[cfg(test)]
    pub(in crate::live) fn of(feed: FeedId) -> Self {
        Self { feed, workspace_id: None, file_id: None }
    }

    /// Where those who subscribe to it meet.
    pub(in crate::live) fn room(self) -> Option<RoomId> {
        let FeedId::Project(project_id) = self.feed else { return None };
        Some(RoomId { project_id, workspace_id: self.workspace_id, file_id: self.file_id })
    }
}

impl From<RoomId> for Topic {
    fn from(room: RoomId) -> Self {
        let RoomId { project_id, workspace_id, file_id } = room;
        Self { feed: FeedId::Project(project_id), workspace_id, file_id }
    }
}

/// Somebody who is here.
#[derive(Debug, Serialize)]
pub(in crate::live) struct Member {
    pub(in crate::live) user_id: AccountId,
    /// How many connections the account has.
    pub(in crate::live) connections: usize,
    /// Since when, as RFC 3339.
    pub(in crate::live) since: String,
    /// What they show the others; null, when they have shown nothing.
    pub(in crate::live) state: Option<Box<RawValue>>,
}

/// A frame to the client.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(in crate::live) enum Frame<'a> {
    /// The client is signed in: by its request, or by `hello`.
    Welcome {
        connection_id: Uuid,
        user_id: AccountId,
        /// Time between two pings of the server, in seconds.
        ping_interval: u64,
        epoch: Uuid,
        #[serde(flatten)]
        reply: Reply<'a>,
    },
    /// The subscription stands; history follows, if asked for.
    Subscribed {
        #[serde(flatten)]
        topic: Topic,
        epoch: Uuid,
        head: i64,
        /// The account's role; absent where there are none.
        #[serde(skip_serializing_if = "Option::is_none")]
        role: Option<&'a str>,
        #[serde(flatten)]
        reply: Reply<'a>,
    },
    /// An event of the feed, at its place `seq`.
    Event {
        #[serde(flatten)]
        feed: FeedId,
        seq: i64,
        position: i64,
        event_type: &'a str,
        occurred_at: &'a str,
        actor: &'a str,
        data: &'a RawValue,
        aggregate_type: &'a str,
        aggregate_id: &'a str,
        event_id: Uuid,
    },
    /// History is done.
    CaughtUp {
        #[serde(flatten)]
        feed: FeedId,
        seq: i64,
    },
    /// How far the feed is.
    Head {
        #[serde(flatten)]
        feed: FeedId,
        seq: i64,
    },
    /// The account's role has changed.
    Role {
        #[serde(flatten)]
        feed: FeedId,
        role: &'a str,
    },
    /// The client's place is not of this history.
    Reset {
        #[serde(flatten)]
        feed: FeedId,
        epoch: Uuid,
        head: i64,
    },
    /// The subscription has ended.
    Unsubscribed {
        #[serde(flatten)]
        topic: Topic,
        reason: &'a str,
        #[serde(flatten)]
        reply: Reply<'a>,
    },
    /// Who is here.
    #[serde(rename = "presence.state")]
    PresenceState {
        #[serde(flatten)]
        room: RoomId,
        members: Vec<Member>,
    },
    /// Somebody has come.
    #[serde(rename = "presence.joined")]
    PresenceJoined {
        #[serde(flatten)]
        room: RoomId,
        #[serde(flatten)]
        member: Member,
    },
    /// Somebody shows another state, or has more or fewer connections.
    #[serde(rename = "presence.updated")]
    PresenceUpdated {
        #[serde(flatten)]
        room: RoomId,
        #[serde(flatten)]
        member: Member,
    },
    /// Somebody has left.
    #[serde(rename = "presence.left")]
    PresenceLeft {
        #[serde(flatten)]
        room: RoomId,
        user_id: AccountId,
    },
    /// Where somebody points.
    Cursor {
        #[serde(flatten)]
        room: RoomId,
        /// That the room is the file's own: elsewhere, `file_id` says what is pointed into.
        #[serde(skip_serializing_if = "Option::is_none")]
        document: Option<bool>,
        user_id: AccountId,
        connection_id: Uuid,
        #[serde(flatten)]
        cursor: &'a Cursor,
    },
    /// What somebody says to everybody in the room.
    Message {
        #[serde(flatten)]
        room: RoomId,
        name: &'a str,
        from: AccountId,
        #[serde(skip_serializing_if = "Option::is_none")]
        connection_id: Option<Uuid>,
        data: &'a RawValue,
    },
    /// A piece of what a job prints.
    #[serde(rename = "job.output")]
    JobOutput { project_id: ProjectId, job_id: JobId, attempt: i32, stream: &'a str, seq: i32, data: &'a str },
    /// The client reads too slowly: pieces of what a job prints were left out. Without a job, of any.
    #[serde(rename = "job.output.skipped")]
    JobOutputSkipped {
        project_id: ProjectId,
        #[serde(skip_serializing_if = "Option::is_none")]
        job_id: Option<JobId>,
    },
    /// Something was not done.
    Error {
        code: &'a str,
        detail: &'a str,
        #[serde(flatten)]
        topic: Option<Topic>,
        #[serde(flatten)]
        reply: Reply<'a>,
    },
    /// Answer to a ping.
    Pong {
        #[serde(flatten)]
        reply: Reply<'a>,
    },
}

/// Which message of the client a frame answers: its `id`, if it had one.
#[derive(Clone, Copy, Default, Serialize)]
pub(in crate::live) struct Reply<'a> {
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub(in crate::live) to: Option<&'a MessageId>,
}

/// What a client names one of its messages by: a short text or a whole number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(in crate::live) enum MessageId {
    Number(i64),
    Text(Box<str>),
}

impl<'a> Frame<'a> {
    /// The frame of an event.
    pub(in crate::live) fn event(feed: FeedId, event: &'a PublishedEvent) -> Self {
        Self::Event {
            feed,
            seq: event.seq,
            position: event.position,
            event_type: &event.event_type,
            occurred_at: &event.occurred_at,
            actor: &event.actor,
            data: &event.data,
            aggregate_type: &event.aggregate_type,
            aggregate_id: &event.aggregate_id,
            event_id: event.event_id,
        }
    }

    /// The frame's bytes: made once, shared by everyone who gets it.
    pub(in crate::live) fn text(&self) -> Utf8Bytes {
        match serde_json::to_string(self) {
            Ok(text) => text.into(),
            Err(error) => {
                // No frame holds what JSON cannot: text keys, plain values, JSON read from the log.
                tracing::error!(error = &error as &dyn std::error::Error, "a frame could not be written");
                Utf8Bytes::from_static(r#"{"type":"error","code":"internal","detail":"a frame could not be written"}"#)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_comes_first_and_the_data_is_kept_byte_by_byte() {
        let event: PublishedEvent = serde_json::from_str(
            r#"{"position":9,"seq":3,"event_id":"00000000-0000-0000-0000-000000000001",
                "feed_id":"00000000-0000-0000-0000-000000000002","event_type":"ProjectUpdated","event_version":"1",
                "aggregate_type":"project","aggregate_id":"00000000-0000-0000-0000-000000000002","sequence":2,
                "occurred_at":"2026-11-20T10:00:00Z","recorded_at":"2026-11-20T10:00:00Z","actor":"system:worker",
                "correlation_id":null,"data":{"b": 1,  "a":2}}"#,
        )
        .unwrap();
        assert_eq!(
            Frame::event(FeedId::Project(ProjectId(event.feed_id)), &event).text().as_str(),
            r#"{"type":"event","project_id":"00000000-0000-0000-0000-000000000002","seq":3,"position":9,"event_type":"ProjectUpdated","occurred_at":"2026-11-20T10:00:00Z","actor":"system:worker","data":{"b": 1,  "a":2},"aggregate_type":"project","aggregate_id":"00000000-0000-0000-0000-000000000002","event_id":"00000000-0000-0000-0000-000000000001"}"#
        );
        let pong = |to: Option<MessageId>| Frame::Pong { reply: Reply { to: to.as_ref() } }.text().as_str().to_owned();
        assert_eq!(pong(None), r#"{"type":"pong"}"#);
        assert_eq!(pong(Some(MessageId::Text("a\"b".into()))), r#"{"type":"pong","ref":"a\"b"}"#);
        assert_eq!(pong(Some(MessageId::Number(7))), r#"{"type":"pong","ref":7}"#);
        let own = FeedId::Account(AccountId(Uuid::nil()));
        let head = Frame::Head { feed: own, seq: 4 }.text();
        assert_eq!(head.as_str(), r#"{"type":"head","account":true,"seq":4}"#);
    }
}
