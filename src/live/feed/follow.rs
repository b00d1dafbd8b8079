//! Follows one feed: what other processes wrote comes over NATS, and what NATS did not bring from Postgres. (What this process
//! wrote the [publisher](crate::live::publisher) offers to the feed itself.)

use std::{convert::Infallible, sync::Arc, time::Duration};

use async_nats::{HeaderValue, Message, Subscriber};
use futures::{
    FutureExt, StreamExt,
    stream::{SelectAll, select_all},
};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use uuid::Uuid;
use workroom_domain::ids::ProjectId;
use workroom_projections::history::{self, PublishedEvent};

use crate::{
    event_store::LoadError,
    live::{
        feed::{
            Feed, FeedId,
            rights::Rights,
            ring::{Entry, Offered},
        },
        hub::Hub,
        publisher::live_subject,
        room::rooms_subject,
    },
    messaging::header,
};

/// Messages that are taken together, so that sockets are woken once for them.
const BATCH: usize = 256;
/// How long to wait for a database that did not answer.
const RETRY: Duration = Duration::from_millis(500);

/// Follows a feed until it is deserted, or the hub closes.
pub(in crate::live) async fn follow(hub: Hub, feed: Arc<Feed>) {
    let stop = hub.stopped().clone();
    tokio::select! {
        () = stop.cancelled() => {}
        () = run(&hub, &feed) => {}
        never = listen_to_rooms(&hub, &feed) => match never {},
        never = feed.wake_later() => match never {},
    }
}

/// Hears what other processes tell of a project's rooms. Beside the events, which may have to wait for the database. What is lost is
/// asked for again, or outdated soon.
async fn listen_to_rooms(hub: &Hub, feed: &Feed) -> Infallible {
    let FeedId::Project(project_id) = feed.id else { return std::future::pending().await };
    loop {
        // async-nats subscribes again by itself after each reconnect.
        match hub.nats().subscribe(rooms_subject(project_id.uuid())).await {
            Ok(mut messages) => {
                while let Some(message) = messages.next().await {
                    hear_of_rooms(hub, project_id, &message);
                }
            }
            Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "rooms cannot be heard of"),
        }
        sleep(RETRY).await;
    }
}

async fn run(hub: &Hub, feed: &Arc<Feed>) {
    let mut messages = listen(hub, feed).await;
    if !open(hub, feed).await {
        return;
    }
    let mut depends_on = None;
    let mut deserted_since = None;
    loop {
        let linger = deserted_since.map(|since: Instant| since + hub.config().linger);
        let gap_ends = feed.ring().gap_since().map(|since| since + hub.config().gap_grace);
        tokio::select! {
            batch = next_batch(&mut messages) => match batch {
                Some(batch) => receive(hub, feed, &batch).await,
                None => messages = None,
            },
            () = feed.bell.notified() => {}
            () = until(gap_ends) => fill(hub, feed).await,
            () = until(linger) => {
                if hub.retire(feed) {
                    return;
                }
            }
        }
        deserted_since = if feed.is_deserted() { deserted_since.or_else(|| Some(Instant::now())) } else { None };
        if messages.is_none() && hub.nats_is_here() {
            messages = listen(hub, feed).await;
            if messages.is_some() {
                fill(hub, feed).await;
            }
        }
        if feed.is_behind() {
            fill(hub, feed).await;
        }
        if let Some(change) = feed.unread_change() {
            read_rights(hub, feed, change, &mut depends_on).await;
        }
    }
}

/// Reads who may follow the feed, after the feed that its rights depend on is followed: what changes there is told from then on.
async fn read_rights(hub: &Hub, feed: &Arc<Feed>, change: u64, depends_on: &mut Option<Arc<Feed>>) {
    let read = async {
        let mut rights = Rights::load(hub.log(), feed.id).await?;
        if let Some(other) = rights.depend_on()
            && depends_on.as_ref().is_none_or(|feed| feed.id != other)
        {
            let other = hub.follow_for(other, feed);
            other.opened().await;
            *depends_on = Some(other);
            rights = Rights::load(hub.log(), feed.id).await?;
        }
        if rights.are_closed() {
            // The end is met in its place: this is how far that is at most.
            feed.expect(history::feed_head(hub.pool(), feed.id.uuid()).await?);
        }
        Ok::<_, LoadError>(rights)
    };
    match timeout(hub.config().query, read).await {
        Ok(Ok(rights)) => return feed.set_rights(&rights, change),
        Ok(Err(error)) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "who may follow a feed could not be read");
        }
        Err(_) => tracing::warn!("who may follow a feed could not be read in time"),
    }
    sleep(RETRY).await;
    feed.bell.notify_one();
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// What tells of a feed over NATS: the copies of those who wrote the events, and the relay's. Whichever comes first counts.
type Copies = SelectAll<Subscriber>;

/// Subscribes, and makes sure that the server knows: `flush` only empties our own buffer, so a message published right
/// after it could be missed; a message to ourselves comes back only after the server has read the subscription.
async fn listen(hub: &Hub, feed: &Feed) -> Option<Copies> {
    if !hub.nats_is_here() {
        return None;
    }
    let nats = hub.nats();
    let listening = async {
        let written = nats.subscribe(live_subject(feed.id.uuid())).await.ok()?;
        let relayed = nats.subscribe(format!("events.{}.>", feed.id.uuid())).await.ok()?;
        let inbox = nats.new_inbox();
        let mut echo = nats.subscribe(inbox.clone()).await.ok()?;
        nats.publish(inbox, "".into()).await.ok()?;
        Some((select_all([written, relayed]), echo.next().await))
    };
    if let Ok(Some((messages, Some(_)))) = timeout(hub.config().barrier, listening).await {
        return Some(messages);
    }
    tracing::debug!(feed_id = %feed.id.uuid(), "NATS did not confirm a subscription; Postgres carries the feed");
    None
}

/// Finds out where the feed stands. `false`: everybody left meanwhile.
async fn open(hub: &Hub, feed: &Feed) -> bool {
    loop {
        match timeout(hub.config().query, history::feed_head(hub.pool(), feed.id.uuid())).await {
            Ok(Ok(head)) => {
                hub.pages().forget(feed.id);
                feed.open(head);
                return true;
            }
            Ok(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a feed's head could not be read");
            }
            Err(_) => tracing::warn!("a feed's head could not be read in time"),
        }
        sleep(RETRY).await;
        if hub.retire(feed) {
            return false;
        }
    }
}

/// Whatever has come, up to [`BATCH`]; `None` when the subscription has ended.
async fn next_batch(messages: &mut Option<Copies>) -> Option<Vec<Message>> {
    let Some(messages) = messages else { return std::future::pending().await };
    let mut batch = vec![messages.next().await?];
    while batch.len() < BATCH
        && let Some(Some(message)) = messages.next().now_or_never()
    {
        batch.push(message);
    }
    Some(batch)
}

async fn receive(hub: &Hub, feed: &Feed, batch: &[Message]) {
    let mut entries = Vec::with_capacity(batch.len());
    let mut is_complete = true;
    let last = feed.ring().last();
    for message in batch {
        match parse(hub, feed, message, last) {
            Received::Event(entry) => entries.push(entry),
            Received::Old => {}
            Received::Doubtful => is_complete = false,
        }
    }
    // A message is published after its event is committed: what the ring lacks before it is in Postgres, and so is it. But it is
    // likely on its way, too.
    feed.offer(entries, hub.config());
    if !is_complete {
        fill(hub, feed).await;
    }
}

fn hear_of_rooms(hub: &Hub, project_id: ProjectId, message: &Message) {
    let epoch = message.headers.as_ref().and_then(|headers| headers.get(header::EPOCH)).map(HeaderValue::as_str);
    let is_ours = epoch.is_some_and(|epoch| Uuid::try_parse(epoch) == Ok(hub.epoch())) && hub.seal().holds(message);
    if is_ours {
        hub.rooms().hear(project_id, &message.payload);
    } else {
        tracing::warn!("what is told of a room is of no process of this deployment: ignored");
    }
}

/// What a message says.
enum Received {
    Event(Entry),
    /// What is known already: every event comes by two ways at least.
    Old,
    /// Something that only Postgres can tell.
    Doubtful,
}

fn parse(hub: &Hub, feed: &Feed, message: &Message, last: i64) -> Received {
    let header = |name| message.headers.as_ref().and_then(|headers| headers.get(name)).map(HeaderValue::as_str);
    if header(header::EPOCH).is_some_and(|epoch| Uuid::try_parse(epoch) != Ok(hub.epoch())) {
        // Ours or the sender's is out of date; a look at the log tells.
        hub.look_soon();
        return Received::Doubtful;
    }
    // Of what is known nothing needs to be believed.
    if header(header::FEED_SEQ).and_then(|seq| seq.parse().ok()).is_some_and(|seq: i64| seq <= last) {
        return Received::Old;
    }
    if !hub.seal().holds(message) {
        // Of no process of this deployment, or of one of another version: whatever it says, the log knows better.
        tracing::warn!("a copy of an event is not sealed: the log is read instead");
        return Received::Doubtful;
    }
    if header(header::DATA_OMITTED).is_some() {
        return Received::Doubtful;
    }
    match serde_json::from_slice::<PublishedEvent>(&message.payload) {
        Ok(event) if event.feed_id == feed.id.uuid() => Received::Event(Entry::of(feed.id, &event)),
        Ok(event) => {
            tracing::error!(subject = %message.subject, feed_id = %event.feed_id, "another feed's event is published here");
            Received::Doubtful
        }
        Err(error) => {
            tracing::warn!(subject = %message.subject, %error, "a published event cannot be read");
            Received::Doubtful
        }
    }
}

/// Reads from Postgres what the ring has not had.
async fn fill(hub: &Hub, feed: &Feed) {
    let page = hub.config().page;
    loop {
        let after = feed.ring().last();
        match timeout(hub.config().query, history::since(hub.pool(), feed.id.uuid(), after, page)).await {
            Ok(Ok(rows)) => {
                let is_last = i64::try_from(rows.len()).unwrap_or(page) < page;
                let entries = rows.into_iter().map(|row| Entry::of(feed.id, &PublishedEvent::from_row(row)));
                if feed.offer(entries, hub.config()) == Offered::Early {
                    tracing::error!(feed_id = %feed.id.uuid(), after, "the log has a hole");
                    return;
                }
                if is_last {
                    return;
                }
            }
            Ok(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a feed's events could not be read");
                return hub.look_soon();
            }
            Err(_) => {
                tracing::warn!("a feed's events could not be read in time");
                return hub.look_soon();
            }
        }
    }
}
