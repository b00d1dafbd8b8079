//! Hands an export on to its reader. A place is taken meanwhile, so the reader has to keep up.

use std::{io, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

use crate::audit::export::Sink;

/// How long a piece may wait for its reader: whoever reads slower gives up its place, and can go on with `after`.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes that a reader has to take in a second, on average over all the time that it was waited for. Whoever is slower gives up its
/// place: with a limit for each piece alone, four accounts could hold all places of a process for days.
const LEAST_RATE: u64 = 32 * 1024;
/// How long a reader is waited for in all before its rate counts.
const HEAD_START: Duration = Duration::from_mins(1);

/// Hands pieces to a body.
pub(super) struct Pieces {
    body: mpsc::Sender<io::Result<Vec<u8>>>,
    /// Bytes that were handed on.
    taken: u64,
    /// How long the reader was waited for.
    waited: Duration,
}

impl Pieces {
    /// To the body that reads from this channel.
    pub(super) fn new(body: mpsc::Sender<io::Result<Vec<u8>>>) -> Self {
        Self { body, taken: 0, waited: Duration::ZERO }
    }

    /// Tells whoever reads, as far as HTTP can, that this is not all: the body breaks off.
    pub(super) async fn break_off(self) {
        let broken = Err(io::Error::other("the export was not written to its end"));
        // Whoever does not even read that is gone.
        let _ = timeout(READ_TIMEOUT, self.body.send(broken)).await;
    }
}

impl Sink for Pieces {
    async fn take(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        if is_too_slow(self.taken, self.waited) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let (length, began) = (bytes.len() as u64, Instant::now());
        match timeout(READ_TIMEOUT, self.body.send(Ok(bytes))).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(io::ErrorKind::BrokenPipe.into()),
            Err(_) => return Err(io::ErrorKind::TimedOut.into()),
        }
        self.waited += began.elapsed();
        self.taken += length;
        Ok(())
    }

    async fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether a reader is too slow to keep its place that took so many bytes, and was waited for so long. What the service itself took
/// to read and pack is not its fault.
fn is_too_slow(taken: u64, waited: Duration) -> bool {
    taken < waited.saturating_sub(HEAD_START).as_secs().saturating_mul(LEAST_RATE)
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    const PIECE: usize = 64 * 1024;

    #[test]
    fn a_reader_has_to_be_fast_enough_on_average() {
        let after = |seconds| HEAD_START + Duration::from_secs(seconds);
        assert!(!is_too_slow(0, HEAD_START));
        assert!(is_too_slow(0, after(1)));
        assert!(!is_too_slow(3600 * LEAST_RATE, after(3600)));
        assert!(is_too_slow(3600 * LEAST_RATE - 1, after(3600)));
        // What was read faster counts for later.
        assert!(!is_too_slow(u64::MAX, Duration::MAX));
    }

    /// How many pieces of 1000 are taken from an export by who pauses after each.
    async fn taken(pause: Duration) -> usize {
        let (body, mut read) = mpsc::channel(1);
        let reader = tokio::spawn(async move {
            while read.recv().await.is_some() {
                sleep(pause).await;
            }
        });
        let mut pieces = Pieces::new(body);
        let mut count = 0;
        while count < 1000 && pieces.take(vec![0; PIECE]).await.is_ok() {
            count += 1;
        }
        pieces.break_off().await;
        reader.await.expect("an end");
        count
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_too_slowly_gives_up_its_place() {
        assert_eq!(taken(Duration::from_secs(1)).await, 1000, "64 KiB a second");
        let slow = taken(Duration::from_secs(10)).await;
        assert!(slow < 20, "6.4 KiB a second: {slow} pieces");
    }
}
