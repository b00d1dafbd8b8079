//! What processes tell each other of what they have counted, over core NATS.
//!
//! Each tells how many requests it has let pass since it told last: ten times a second, and at once where it is a fiftieth of a quota.
//! A lost message lets a few more pass. Messages are sealed: whoever may only publish cannot use up somebody's quota.
//! A process that is alone tells nobody; when another comes it tells all that it has.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_nats::SubscribeError;
use futures::StreamExt;
use tokio::{sync::watch, time::Instant};
use uuid::Uuid;

use super::{Class, Key, RateLimits, lock};
use crate::messaging::{Messaging, peers::Peers, seal::Seal};

/// How often it is told.
const INTERVAL: Duration = Duration::from_millis(100);
/// At most so often, however much there is.
const SHORTEST: Duration = Duration::from_millis(2);
const RETRY: Duration = Duration::from_millis(500);
/// Counts in one message.
const MESSAGE: usize = 2000;
/// Processes whose last message is remembered.
const SENDERS: usize = 4096;

/// Bytes of a count: class, kind of subject, subject, window, requests.
const COUNT: usize = 1 + 1 + 16 + 8 + 4;
/// Bytes before the counts: the sender, and the number of its message.
const HEAD: usize = 16 + 8;

/// Tells other processes what this one has counted, and hears them. Cheap to clone.
#[derive(Clone)]
pub struct Share {
    /// What is counted here.
    pub limits: RateLimits,
    /// Connection over which counts are sent to other processes, and received from them.
    pub messaging: Messaging,
    /// The history that is served: several deployments can share a server.
    pub epoch: watch::Receiver<Uuid>,
    /// Who else is there.
    pub peers: Arc<Peers>,
    /// What messages are sealed with.
    pub seal: Seal,
}

impl Share {
    /// Tells and hears until the task is aborted.
    pub async fn run(self) {
        let mut epoch = self.epoch.clone();
        let sender = Uuid::new_v4();
        let mut number = 0_u64;
        loop {
            let subject = format!("workroom.{}.requests", *epoch.borrow_and_update());
            tokio::select! {
                failure = self.listen(&subject, sender) => {
                    tracing::debug!(error = &failure as &dyn std::error::Error, "counts of requests are not received");
                    tokio::time::sleep(RETRY).await;
                }
                () = self.tell(&subject, sender, &mut number) => {}
                changed = epoch.changed() => if changed.is_err() { return },
            }
        }
    }

    async fn tell(&self, subject: &str, sender: Uuid, number: &mut u64) {
        let mut coming = self.peers.coming();
        loop {
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                () = self.limits.inner.hurry.notified() => {}
                changed = coming.changed() => {
                    if changed.is_err() { return }
                    self.limits.note_all();
                }
            }
            tokio::time::sleep(SHORTEST).await;
            let keys = std::mem::take(&mut *lock(&self.limits.inner.unshared));
            // What nobody hears stays with its window, for whoever comes.
            if keys.is_empty() || !self.messaging.is_connected() || !self.peers.are_there(Instant::now()) {
                continue;
            }
            let counts: Vec<[u8; COUNT]> = keys.into_iter().filter_map(|key| self.limits.count_to_share(key)).collect();
            for counts in counts.chunks(MESSAGE) {
                *number += 1;
                let message = write(sender, *number, counts);
                let headers = self.seal.headers(subject, &message);
                let client = self.messaging.client();
                if client.publish_with_headers(subject.to_owned(), headers, message.into()).await.is_err() {
                    return;
                }
            }
        }
    }

    async fn listen(&self, subject: &str, own: Uuid) -> SubscribeError {
        let messages = match self.messaging.client().subscribe(subject.to_owned()).await {
            Ok(messages) => messages,
            Err(error) => return error,
        };
        let mut last = HashMap::<Uuid, u64>::new();
        let received = messages.for_each(|message| {
            if self.seal.holds(&message)
                && let Some((sender, number, counts)) = read(&message.payload)
                && sender != own
                && last.get(&sender).is_none_or(|last| *last < number)
            {
                if last.len() >= SENDERS {
                    last.clear();
                }
                last.insert(sender, number);
                for (key, index, requests) in counts {
                    lock(&self.limits.window(key)).add(index, requests);
                }
            }
            std::future::ready(())
        });
        // async-nats subscribes again by itself after each reconnect; the stream ends with the client.
        received.await;
        std::future::pending().await
    }
}

impl RateLimits {
    /// What others have not been told of a window.
    fn count_to_share(&self, key: Key) -> Option<[u8; COUNT]> {
        let window = self.inner.windows.get(&key)?;
        let (index, requests) = lock(&window).share()?;
        Some(encode(key, index, requests))
    }

    /// Notes every window as one that others have not been told of.
    fn note_all(&self) {
        let all = self.inner.windows.iter().filter(|(_, window)| lock(window).unshared() > 0);
        let all: Vec<Key> = all.map(|(key, _)| *key).collect();
        lock(&self.inner.unshared).extend(all);
    }
}

fn encode((class, is_account, subject): Key, index: u64, requests: u32) -> [u8; COUNT] {
    let mut bytes = [0; COUNT];
    bytes[0] = class;
    bytes[1] = u8::from(is_account);
    bytes[2..18].copy_from_slice(&subject);
    bytes[18..26].copy_from_slice(&index.to_be_bytes());
    bytes[26..30].copy_from_slice(&requests.to_be_bytes());
    bytes
}

fn decode(bytes: &[u8; COUNT]) -> Option<(Key, u64, u32)> {
    let (class, rest) = bytes.split_first()?;
    let (is_account, rest) = rest.split_first()?;
    let (subject, rest) = rest.split_first_chunk::<16>()?;
    let (index, requests) = rest.split_first_chunk::<8>()?;
    let is_known = Class::ALL.iter().any(|known| *known as u8 == *class) && *is_account <= 1;
    let requests = u32::from_be_bytes(requests.try_into().ok()?);
    is_known.then(|| ((*class, *is_account == 1, *subject), u64::from_be_bytes(*index), requests))
}

fn write(sender: Uuid, number: u64, counts: &[[u8; COUNT]]) -> Vec<u8> {
    let mut message = Vec::with_capacity(HEAD + counts.len() * COUNT);
    message.extend(sender.as_bytes());
    message.extend(number.to_be_bytes());
    message.extend(counts.concat());
    message
}

type Counts = Vec<(Key, u64, u32)>;

fn read(message: &[u8]) -> Option<(Uuid, u64, Counts)> {
    let (sender, rest) = message.split_first_chunk::<16>()?;
    let (number, counts) = rest.split_first_chunk::<8>()?;
    let (counts, rest) = counts.as_chunks::<COUNT>();
    let counts = rest.is_empty().then(|| counts.iter().filter_map(decode).collect())?;
    Some((Uuid::from_bytes(*sender), u64::from_be_bytes(*number), counts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let (sender, key) = (Uuid::from_u128(7), (Class::Write as u8, true, [9; 16]));
        let message = write(sender, 3, &[encode(key, 41, 5)]);
        assert_eq!(read(&message), Some((sender, 3, vec![(key, 41, 5)])));
        assert_eq!(read(&message[..HEAD]), Some((sender, 3, Vec::new())));
        assert!((HEAD + 1..message.len()).all(|at| read(&message[..at]).is_none()), "cut within a count");
        assert!(read(&message[..HEAD - 1]).is_none());
    }
}
