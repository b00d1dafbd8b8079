//! Frames on their way to a client. What they carry is shared by all who get it, and goes from there to the kernel, many frames in one
//! system call: nothing is copied, and an idle socket keeps no buffer.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::body::Bytes;
use tokio::io::AsyncWrite;

/// First byte of a frame that is a whole text message (RFC 6455, 5.2).
const TEXT: u8 = 0x81;
/// What the second byte says when the length follows in two bytes, or in eight.
const LENGTH_16: u8 = 126;
const LENGTH_64: u8 = 127;
const LONGEST_HEADER: usize = 10;
/// Frames that are written at a time; each is two slices.
const AT_A_TIME: usize = 32;
/// Frames that an empty queue keeps room for, until the next ping.
const KEPT: usize = 64;

struct Frame {
    header: [u8; LONGEST_HEADER],
    header_length: u8,
    payload: Bytes,
}

impl Frame {
    fn text(payload: Bytes) -> Self {
        let mut header = [0; LONGEST_HEADER];
        header[0] = TEXT;
        let header_length = match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
            (Ok(short), _) if short < LENGTH_16 => {
                header[1] = short;
                2
            }
            (_, Ok(long)) => {
                header[1] = LENGTH_16;
                header[2..4].copy_from_slice(&long.to_be_bytes());
                4
            }
            _ => {
                header[1] = LENGTH_64;
                header[2..10].copy_from_slice(&(payload.len() as u64).to_be_bytes());
                10
            }
        };
        Self { header, header_length, payload }
    }

    fn header(&self) -> &[u8] {
        &self.header[..usize::from(self.header_length)]
    }

    fn len(&self) -> usize {
        usize::from(self.header_length) + self.payload.len()
    }
}

/// Frames on their way.
#[derive(Default)]
pub(super) struct Outgoing {
    frames: VecDeque<Frame>,
    /// Bytes of the first frame that are written.
    written: usize,
    /// Bytes that are not.
    waiting: usize,
    /// Whether any were since somebody asked.
    has_progressed: bool,
}

impl Outgoing {
    /// Bytes that wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Whether anything was written since the last call.
    pub(super) fn take_progress(&mut self) -> bool {
        std::mem::take(&mut self.has_progressed)
    }

    /// Appends a text message.
    pub(super) fn text(&mut self, payload: Bytes) {
        self.push(Frame::text(payload));
    }

    /// Appends bytes that are frames already.
    pub(super) fn frames(&mut self, bytes: &[u8]) {
        let payload = Bytes::copy_from_slice(bytes);
        self.push(Frame { header: [0; LONGEST_HEADER], header_length: 0, payload });
    }

    /// Gives back room that was needed once.
    pub(super) fn shrink(&mut self) {
        self.frames.shrink_to_fit();
    }

    fn push(&mut self, frame: Frame) {
        self.waiting += frame.len();
        self.frames.push_back(frame);
    }

    /// Writes everything.
    pub(super) fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.waiting > 0 {
            let mut slices = [IoSlice::new(&[]); 2 * AT_A_TIME];
            let count = self.slices(&mut slices);
            let written = ready!(Pin::new(&mut *stream).poll_write_vectored(context, &slices[..count]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(written);
        }
        self.frames.shrink_to(KEPT);
        Poll::Ready(Ok(()))
    }

    /// What is to be written next; returns how many slices that is.
    fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>; 2 * AT_A_TIME]) -> usize {
        let mut skip = self.written;
        let parts = self.frames.iter().take(AT_A_TIME).flat_map(|frame| [frame.header(), &frame.payload]);
        let parts = parts.filter_map(|part| {
            let left = part.get(skip..).unwrap_or_default();
            skip = skip.saturating_sub(part.len());
            (!left.is_empty()).then_some(left)
        });
        parts.zip(slices).map(|(part, slice)| *slice = IoSlice::new(part)).count()
    }

    fn advance(&mut self, written: usize) {
        self.waiting -= written;
        self.has_progressed = true;
        self.written += written;
        while let Some(first) = self.frames.front()
            && self.written >= first.len()
        {
            self.written -= first.len();
            self.frames.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Takes so many bytes at a time, and then none for once.
    struct Reluctant {
        taken: Vec<u8>,
        portion: usize,
        rests: bool,
    }

    impl AsyncWrite for Reluctant {
        fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.poll_write_vectored(context, &[IoSlice::new(bytes)])
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            slices: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            self.rests = !self.rests;
            if self.rests {
                return Poll::Pending;
            }
            let portion = self.portion;
            let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).take(portion).collect();
            self.taken.extend(&bytes);
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn frames_arrive_whole_however_little_is_taken() {
        let payloads = [0, 1, 125, 126, 127, 65_535, 65_536, 0, 70_000, 3].map(|length| vec![b'x'; length]);
        let payloads: Vec<_> = payloads.iter().cycle().take(60).collect();
        let mut expected = Vec::new();
        for payload in &payloads {
            let length = payload.len();
            match length {
                0..126 => expected.extend([0x81, u8::try_from(length).unwrap()]),
                126..65_536 => {
                    expected.extend([0x81, 126]);
                    expected.extend(u16::try_from(length).unwrap().to_be_bytes());
                }
                _ => {
                    expected.extend([0x81, 127]);
                    expected.extend((length as u64).to_be_bytes());
                }
            }
            expected.extend_from_slice(payload);
            expected.extend([0x89, 0]);
        }
        let mut context = Context::from_waker(Waker::noop());
        for portion in [1, 2, 3, 7, 1024, 100_000, usize::MAX] {
            let mut outgoing = Outgoing::default();
            for payload in &payloads {
                outgoing.text(Bytes::from((*payload).clone()));
                outgoing.frames(&[0x89, 0]);
            }
            assert_eq!(outgoing.waiting(), expected.len());
            let mut stream = Reluctant { taken: Vec::new(), portion, rests: false };
            while outgoing.poll_write(&mut stream, &mut context).is_pending() {}
            assert_eq!(outgoing.waiting(), 0);
            assert!(stream.taken == expected, "in portions of {portion}");
        }
    }

    #[test]
    fn a_peer_that_takes_nothing_any_more_is_gone() {
        let mut outgoing = Outgoing::default();
        outgoing.text(Bytes::from_static(b"hello"));
        let mut stream = Reluctant { taken: Vec::new(), portion: 0, rests: true };
        let mut context = Context::from_waker(Waker::noop());
        let written = outgoing.poll_write(&mut stream, &mut context);
        assert!(matches!(written, Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::WriteZero));
    }
}
