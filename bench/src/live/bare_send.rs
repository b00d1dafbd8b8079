//! What the kernel alone takes to send a frame over loopback: a service that gives a frame to one reader at a time cannot take less.

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;

/// Bytes of the frame of a small event, with its head.
const FRAME_BYTES: usize = 450;
/// Bytes that a reader takes at a time.
const BUFFER_BYTES: usize = 16 * 1024;

/// Sends a frame to each reader, so many times a second; returns the processor time of one `send`, in microseconds.
///
/// # Errors
/// Something fails.
pub async fn measure(rate: u64, readers: usize, duration: Duration) -> anyhow::Result<f64> {
    tokio::task::spawn_blocking(move || {
        let sending = thread::spawn(move || send(connected(readers)?, rate, duration));
        sending.join().map_err(|_| anyhow::anyhow!("the sender panicked"))?
    })
    .await?
}

/// Connections, each with a thread that reads until its end.
fn connected(readers: usize) -> anyhow::Result<Vec<TcpStream>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    (0..readers)
        .map(|_| {
            let sender = TcpStream::connect(address)?;
            sender.set_nodelay(true)?;
            let (mut reader, _) = listener.accept()?;
            thread::spawn(move || {
                let mut buffer = [0; BUFFER_BYTES];
                while reader.read(&mut buffer).is_ok_and(|read| read > 0) {}
            });
            Ok(sender)
        })
        .collect()
}

fn send(mut senders: Vec<TcpStream>, rate: u64, duration: Duration) -> anyhow::Result<f64> {
    let frame = [b'x'; FRAME_BYTES];
    let pause = Duration::from_secs(1) / u32::try_from(rate)?;
    let (begun, before) = (Instant::now(), own_time()?);
    let (mut next, mut sent) = (begun, 0_u32);
    while begun.elapsed() < duration {
        for sender in &mut senders {
            sender.write_all(&frame)?;
            sent += 1;
        }
        next += pause;
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    Ok(own_time()?.saturating_sub(before).as_secs_f64() * 1e6 / f64::from(sent))
}

/// Processor time of this thread, in user and kernel mode: the first number in its `schedstat`, in nanoseconds.
fn own_time() -> anyhow::Result<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").context("the kernel does not tell processor times")?;
    let nanoseconds = text.split_whitespace().next().context("an empty schedstat")?;
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}
