//! The subscriber of a project: every place in the feed in order, none missing, none twice.

use anyhow::{anyhow, bail};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    event::Event,
    socket::{FRAME_TIMEOUT, Frame, Socket},
};

/// The server's word for a member who was removed.
const ACCESS_REVOKED: (&str, u16) = ("access_revoked", 4403);

/// What a subscriber has seen; it outlives the socket.
pub(super) struct Seen {
    project_id: String,
    epoch: Value,
    /// The events, in order.
    pub(super) events: Vec<Event>,
}

impl Seen {
    pub(super) fn nothing(project_id: &str) -> Self {
        Self { project_id: project_id.to_owned(), epoch: Value::Null, events: Vec::new() }
    }

    /// The last place that was seen.
    pub(super) fn seq(&self) -> i64 {
        self.events.last().map_or(0, |event| event.seq)
    }

    fn since(&self) -> Value {
        if self.epoch.is_null() { json!({ "seq": 0 }) } else { json!({ "epoch": self.epoch, "seq": self.seq() }) }
    }
}

/// A live subscription.
pub(super) struct Subscriber {
    socket: Socket,
    seen: Seen,
    /// The feed's head when the subscription began.
    pub(super) head: i64,
    caught_up: bool,
}

impl Subscriber {
    /// Subscribes behind what was seen; the history until now follows.
    pub(super) async fn subscribe(mut socket: Socket, mut seen: Seen) -> anyhow::Result<Self> {
        let request = json!({ "type": "subscribe", "project_id": seen.project_id, "since": seen.since() });
        socket.say(&request).await?;
        let frame = socket.said(Instant::now() + FRAME_TIMEOUT, "the frame `subscribed`").await?;
        let Some(head) = frame["head"].as_i64().filter(|_| frame["type"] == "subscribed") else {
            bail!("{}’s socket asked {request} and got {frame}", socket.who());
        };
        if !seen.epoch.is_null() && seen.epoch != frame["epoch"] {
            bail!("{}’s subscription was resumed in another history: {frame}", socket.who());
        }
        seen.epoch = frame["epoch"].clone();
        Ok(Self { socket, seen, head, caught_up: false })
    }

    /// Whose it is.
    pub(super) fn who(&self) -> &'static str {
        self.socket.who()
    }

    /// The last place that was seen.
    pub(super) fn seq(&self) -> i64 {
        self.seen.seq()
    }

    /// The log position that was seen last.
    pub(super) fn position(&self) -> i64 {
        self.seen.events.last().map_or(0, |event| event.position)
    }

    /// Everything that was seen.
    pub(super) fn events(&self) -> &[Event] {
        &self.seen.events
    }

    /// Takes what comes until history is done. Returns how much came.
    pub(super) async fn catch_up(&mut self) -> anyhow::Result<usize> {
        let (until, before) = (Instant::now() + FRAME_TIMEOUT, self.seen.events.len());
        while !self.caught_up {
            let frame = self.socket.said(until, "the frame `caught_up`").await?;
            self.take(&frame)?;
        }
        Ok(self.seen.events.len() - before)
    }

    /// The next event.
    pub(super) async fn next_event(&mut self, awaited: &str) -> anyhow::Result<&Event> {
        self.next_event_until(Instant::now() + FRAME_TIMEOUT, awaited).await
    }

    /// The next event, until a moment.
    pub(super) async fn next_event_until(&mut self, until: Instant, awaited: &str) -> anyhow::Result<&Event> {
        let awaited = format!("{awaited} (last seen: #{})", self.seq());
        loop {
            let frame = self.socket.said(until, &awaited).await?;
            if self.take(&frame)? {
                break;
            }
        }
        self.seen.events.last().ok_or_else(|| anyhow!("no event was kept"))
    }

    /// Takes note of a frame. Returns whether it was an event.
    fn take(&mut self, frame: &Value) -> anyhow::Result<bool> {
        let (who, last) = (self.who(), self.seq());
        if frame["project_id"] != self.seen.project_id.as_str() {
            bail!("{who}’s socket got a frame of another project: {frame}");
        }
        match frame["type"].as_str().unwrap_or_default() {
            "event" => {
                let event = Event::read(frame)?;
                self.must_follow(&event)?;
                self.seen.events.push(event);
                return Ok(true);
            }
            "caught_up" if frame["seq"] == last => self.caught_up = true,
            "caught_up" => bail!("{who}’s history was said to be done after #{last}: {frame}"),
            "head" => {}
            kind if kind.starts_with("presence.") => {}
            _ => bail!("{who}’s socket got a frame that does not belong here: {frame}"),
        }
        Ok(false)
    }

    fn must_follow(&self, event: &Event) -> anyhow::Result<()> {
        let (who, last, seq) = (self.who(), self.seq(), event.seq);
        if seq <= last {
            bail!("{who}’s socket got #{seq} after #{last}: an event came twice, or late");
        }
        if seq > last + 1 {
            bail!("{who}’s socket got #{seq} after #{last}: {} events are missing", seq - last - 1);
        }
        if event.position <= self.position() {
            bail!("{who}’s event #{seq} has position {}, behind {}", event.position, self.position());
        }
        Ok(())
    }

    /// Waits until the server ends the subscription and the socket, because the member was removed.
    pub(super) async fn cut(mut self) -> anyhow::Result<(Seen, String)> {
        let (until, (reason, code)) = (Instant::now() + FRAME_TIMEOUT, ACCESS_REVOKED);
        loop {
            let frame = self.socket.said(until, "the frame `unsubscribed`").await?;
            if frame["type"] != "unsubscribed" {
                self.take(&frame)?;
            } else if frame["reason"] == reason && frame["project_id"] == self.seen.project_id.as_str() {
                break;
            } else {
                bail!("{}’s socket was unsubscribed for another reason than {reason}: {frame}", self.who());
            }
        }
        match self.socket.next(until, "the close frame").await? {
            Frame::Closed(Some(closed), reason) if closed == code => Ok((self.seen, reason)),
            Frame::Closed(closed, reason) => {
                bail!("{}’s socket was closed with {closed:?} ({reason}) instead of {code}", self.socket.who())
            }
            Frame::Said(frame) => bail!("{}’s socket lives on after `unsubscribed`: {frame}", self.socket.who()),
        }
    }

    /// Loses the connection without a word, as a laptop that is shut does.
    pub(super) fn lose(self) -> Seen {
        self.seen
    }
}

/// Asks for a project that must not be there for its asker. Returns the error's code.
pub(super) async fn refused(mut socket: Socket, project_id: &str) -> anyhow::Result<String> {
    socket.say(&json!({ "type": "subscribe", "project_id": project_id, "since": { "seq": 0 } })).await?;
    match socket.next(Instant::now() + FRAME_TIMEOUT, "a refusal").await? {
        Frame::Said(frame) if frame["type"] == "error" && frame["code"] == "not_found" => Ok(format!(
            "{}: {}",
            frame["code"].as_str().unwrap_or_default(),
            frame["detail"].as_str().unwrap_or_default()
        )),
        Frame::Said(frame) => bail!("{}’s subscription was not refused as not_found: {frame}", socket.who()),
        Frame::Closed(code, reason) => bail!("{}’s socket was closed: {code:?}, {reason}", socket.who()),
    }
}
