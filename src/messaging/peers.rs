//! Whether other processes serve the same log: nobody rings where nobody listens.
//!
//! Every process says hello every few seconds. One that has listened for longer than that and heard nobody else is alone, and
//! saves itself and the server three messages a command.

use std::time::Duration;

use tokio::{sync::watch, time::Instant};
use uuid::Uuid;

/// How often a process says hello.
pub(super) const HELLO: Duration = Duration::from_secs(2);
/// How long others are taken to be there after the last word of them, and before the first.
const SILENCE: Duration = Duration::from_secs(6);

/// What a process knows of others.
pub struct Peers {
    id: String,
    there_until: watch::Sender<Instant>,
}

impl Peers {
    /// Others are taken to be there until they have had time to say hello.
    pub(super) fn new(now: Instant) -> Self {
        Self { id: Uuid::new_v4().to_string(), there_until: watch::channel(now + SILENCE).0 }
    }

    /// What this process says hello with.
    pub(super) fn hello(&self) -> String {
        self.id.clone()
    }

    /// Takes note of a hello, which may be this process' own.
    pub(super) fn received(&self, hello: &[u8], now: Instant) {
        if hello != self.id.as_bytes() {
            self.expect(now);
        }
    }

    /// Others may be there from now on: until they have had time to say so, nobody knows.
    pub(super) fn expect(&self, now: Instant) {
        self.there_until.send_if_modified(|until| {
            let come = *until <= now;
            *until = now + SILENCE;
            come
        });
    }

    /// Whether somebody may be listening.
    pub fn are_there(&self, now: Instant) -> bool {
        now < *self.there_until.borrow()
    }

    /// Tells when this process is no longer alone.
    pub fn coming(&self) -> watch::Receiver<Instant> {
        self.there_until.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_silence_means_that_nobody_is_there() {
        let start = Instant::now();
        let (one, two) = (Peers::new(start), Peers::new(start));
        assert!(one.are_there(start), "nobody has had time to say hello");
        let later = start + SILENCE;
        assert!(!one.are_there(later));
        one.received(one.hello().as_bytes(), later);
        assert!(!one.are_there(later), "an echo");

        let mut coming = one.coming();
        one.received(two.hello().as_bytes(), later);
        assert!(one.are_there(later));
        assert!(coming.has_changed().expect("a sender"), "somebody has come");
        coming.mark_unchanged();
        one.received(two.hello().as_bytes(), later + HELLO);
        assert!(!coming.has_changed().expect("a sender"), "they were there before");
        assert!(one.are_there(later + SILENCE));
        assert!(!one.are_there(later + HELLO + SILENCE));
    }
}
