//! What wakes a connection, and why: one waker and one word, whoever has something for it.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    task::{Context, Poll},
};

use futures::task::AtomicWaker;

/// Reasons to wake a connection, as bits.
pub(in crate::live) mod reason {
    /// A feed may have something to send.
    pub(in crate::live) const FEED: u32 = 1;
    /// The account's rights have changed, or a feed has ended.
    pub(in crate::live) const RIGHTS: u32 = 1 << 1;
    /// A room may have something to send.
    pub(in crate::live) const ROOM: u32 = 1 << 2;
    /// What the client signed in with has ended before its time.
    pub(in crate::live) const CREDENTIAL: u32 = 1 << 3;
    /// The process is about to end.
    pub(in crate::live) const STOP: u32 = 1 << 4;
}

/// Why a connection is to wake up, and how.
#[derive(Default)]
pub(in crate::live) struct Signal {
    reasons: AtomicU32,
    waker: AtomicWaker,
}

impl Signal {
    /// Wakes the connection for these reasons.
    pub(in crate::live) fn raise(&self, reasons: u32) {
        // Whoever has set the same bits before has woken it, and it has not looked since.
        if self.reasons.fetch_or(reasons, Ordering::AcqRel) & reasons != reasons {
            self.waker.wake();
        }
    }

    /// Takes the reasons that have come since the last call; the task is woken for the next.
    pub(in crate::live) fn poll(&self, context: &Context<'_>) -> Poll<u32> {
        let taken = self.reasons.swap(0, Ordering::AcqRel);
        if taken != 0 {
            return Poll::Ready(taken);
        }
        self.waker.register(context.waker());
        match self.reasons.swap(0, Ordering::AcqRel) {
            0 => Poll::Pending,
            reasons => Poll::Ready(reasons),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, future::poll_fn};

    use super::*;

    #[tokio::test]
    async fn reasons_are_gathered_and_taken_once() {
        let signal = std::sync::Arc::new(Signal::default());
        signal.raise(reason::FEED);
        signal.raise(reason::ROOM);
        assert_eq!(poll_fn(|context| signal.poll(context)).await, reason::FEED | reason::ROOM);
        assert_eq!(poll_fn(|context| signal.poll(context)).now_or_never(), None);
        let waiting = tokio::spawn({
            let signal = signal.clone();
            async move { poll_fn(|context| signal.poll(context)).await }
        });
        tokio::task::yield_now().await;
        signal.raise(reason::STOP);
        assert_eq!(waiting.await.unwrap(), reason::STOP);
    }
}
