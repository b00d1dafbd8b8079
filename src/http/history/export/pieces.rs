//! Hands an export on to its reader. A place is taken meanwhile, so the reader has to keep up.

use std::{io, time::Duration};

use tokio::{
    sync::mpsc,
    task::yield_now,
    time::{Instant, timeout},
};

use crate::audit::export::{Gzip, Sink};

/// Bytes that are packed, and handed on, at a time: a reader of the least rate takes them in time, and to pack them keeps no thread
/// for long. What an export is written in may be longer: a header of many feeds, or an event with a long text.
const PIECE: usize = 64 * 1024;
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

    /// Takes an export as it is.
    pub(super) fn plain(&mut self) -> Cut<&mut Self> {
        Cut(self)
    }

    /// Takes an export, and packs it.
    pub(super) fn packed(&mut self) -> Cut<Gzip<Cut<&mut Self>>> {
        Cut(Gzip::new(Cut(self)))
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

/// Cuts what goes to another sink into pieces.
pub(super) struct Cut<S>(S);

impl<S: Sink> Sink for Cut<S> {
    async fn take(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        if bytes.len() <= PIECE {
            return self.0.take(bytes).await;
        }
        for piece in bytes.chunks(PIECE) {
            self.0.take(piece.to_vec()).await?;
            // What is packed well is not handed on at once, so nothing else may let others have the thread.
            yield_now().await;
        }
        Ok(())
    }

    async fn end(&mut self) -> io::Result<()> {
        self.0.end().await
    }
}

/// Whether a reader is too slow to keep its place that took so many bytes, and was waited for so long. What the service itself took
/// to read and pack is not its fault.
fn is_too_slow(taken: u64, waited: Duration) -> bool {
    taken < waited.saturating_sub(HEAD_START).as_secs().saturating_mul(LEAST_RATE)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use tokio::time::sleep;

    use super::*;

    /// Hands an export of one line to a body; returns the pieces that come out.
    async fn pieces(line: Vec<u8>, packs: bool) -> Vec<Vec<u8>> {
        let (body, mut read) = mpsc::channel::<io::Result<Vec<u8>>>(1);
        let reader = tokio::spawn(async move {
            let mut pieces = Vec::new();
            while let Some(piece) = read.recv().await {
                pieces.push(piece.expect("a piece"));
            }
            pieces
        });
        let mut sink = Pieces::new(body);
        if packs {
            let mut packed = sink.packed();
            packed.take(line).await.expect("a reader");
            packed.end().await.expect("a reader");
        } else {
            sink.plain().take(line).await.expect("a reader");
        }
        drop(sink);
        reader.await.expect("an end")
    }

    #[tokio::test]
    async fn a_long_line_comes_in_small_pieces() {
        // By xorshift, so that it cannot be packed.
        let mut state = 1_u32;
        let noise = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_be_bytes()[0]
        });
        let line: Vec<u8> = noise.take(1024 * 1024 + 1).collect();
        let plain = pieces(line.clone(), false).await;
        let packed = pieces(line.clone(), true).await;
        for pieces in [&plain, &packed] {
            assert!(pieces.len() > 16 && pieces.iter().all(|piece| piece.len() <= 64 * 1024), "{}", pieces.len());
        }
        assert!(plain.concat() == line, "all of it");
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(packed.concat().as_slice()).read_to_end(&mut unpacked).expect("gzip");
        assert!(unpacked == line, "all of it, packed");
    }

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
