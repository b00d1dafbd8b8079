//! What can be tried without a launcher. Attacks on a whole sandbox are in `tests/api/jobs/sandbox.rs`.

use std::sync::{Arc, Mutex};

use super::{
    Languages, Stream,
    output::{Capture, Printed},
    seccomp::{self, SharedMemory},
};

mod filter;

async fn text_of(bytes: &[u8], limit: usize) -> (String, bool) {
    let mut capture = Capture::new(Stream::Stdout, limit);
    capture.drain(bytes, &Printed::new(u64::MAX, Box::new(|_, _| {}))).await;
    let truncated = capture.truncated();
    (capture.into_text(), truncated)
}

#[tokio::test]
async fn output_is_kept_up_to_its_limit() {
    assert_eq!(text_of(b"12345", 5).await, ("12345".to_owned(), false));
    assert_eq!(text_of(b"123456", 5).await, ("12345".to_owned(), true));
    assert_eq!(text_of(b"", 0).await, (String::new(), false));
    assert_eq!(text_of("x".repeat(300_000).as_bytes(), 100_000).await, ("x".repeat(100_000), true));
}

#[tokio::test]
async fn the_cut_splits_no_character() {
    for (whole, limits) in [("aé", 2..3), ("a€", 2..4), ("a😀", 2..5)] {
        for limit in limits {
            assert_eq!(text_of(whole.as_bytes(), limit).await, ("a".to_owned(), true), "{whole} cut at {limit}");
        }
        assert_eq!(text_of(whole.as_bytes(), whole.len()).await, (whole.to_owned(), false));
        assert_eq!(text_of(format!("{whole}b").as_bytes(), whole.len()).await, (whole.to_owned(), true));
    }
    assert_eq!(text_of(b"\x80\x80\x80\x80", 3).await.0, "\u{FFFD}\u{FFFD}\u{FFFD}", "garbage stays garbage");
}

#[tokio::test]
async fn half_a_character_that_the_program_wrote_is_garbage() {
    assert_eq!(text_of(b"a\xc3", 5).await, ("a\u{FFFD}".to_owned(), false));
}

#[tokio::test]
async fn nul_is_no_text() {
    assert_eq!(text_of(b"a\0b", 9).await.0, "a\u{FFFD}b");
}

#[tokio::test]
async fn every_piece_is_passed_on_up_to_the_limit_of_both_streams() {
    let heard = Arc::new(Mutex::new(String::new()));
    let listener = Arc::clone(&heard);
    let hear = move |stream: Stream, piece: &[u8]| {
        let mut heard = listener.lock().expect("nobody panics");
        heard.push(if stream == Stream::Stdout { '>' } else { '!' });
        heard.push_str(&String::from_utf8_lossy(piece));
    };
    let printed = Printed::new(6, Box::new(hear));
    for (stream, text) in
        [(Stream::Stdout, "abc"), (Stream::Stderr, "de"), (Stream::Stdout, "f"), (Stream::Stdout, "g")]
    {
        // Nothing is kept, and all is heard.
        Capture::new(stream, 0).drain(text.as_bytes(), &printed).await;
    }
    assert_eq!(*heard.lock().expect("nobody panics"), ">abc!de>f");
    printed.flooded().await;
}

#[test]
fn the_filter_fits_into_the_kernel() {
    let languages = Languages::default().all();
    let all_calls: Vec<String> = seccomp::ADDABLE.iter().map(|(name, _)| (*name).to_owned()).collect();
    for calls in languages.values().map(|language| &language.calls).chain([&all_calls]) {
        for shared in [SharedMemory::Allowed, SharedMemory::Refused] {
            let program = seccomp::program(calls, shared).expect("a filter");
            assert_eq!(program.len() % 8, 0, "whole instructions");
            assert!(program.len() / 8 < 4096, "BPF_MAXINSNS: {}", program.len() / 8);
        }
    }
}
