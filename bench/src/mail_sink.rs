//! A mail server that takes everything and keeps nothing (RFC 5321), but how many and when the last one came.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// A mail server on loopback.
pub struct MailSink {
    counts: Arc<Counts>,
    address: std::net::SocketAddr,
}

#[derive(Default)]
struct Counts {
    reminders: AtomicUsize,
    others: AtomicUsize,
    last: Mutex<Option<Instant>>,
}

impl MailSink {
    /// Listens until the process ends.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let counts = Arc::<Counts>::default();
        let counting = Arc::clone(&counts);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let counts = Arc::clone(&counting);
                // Who hangs up is done.
                tokio::spawn(async move { serve(stream, &counts).await.ok() });
            }
        });
        Ok(Self { counts, address })
    }

    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// Reminders, and other mails, that have come so far.
    pub fn taken(&self) -> (usize, usize) {
        (self.counts.reminders.load(Ordering::Relaxed), self.counts.others.load(Ordering::Relaxed))
    }

    /// When the last mail came.
    pub fn last(&self) -> Option<Instant> {
        *self.counts.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(stream: TcpStream, counts: &Counts) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(b"220 sink\r\n").await?;
    let (mut in_data, mut is_reminder) = (false, false);
    while let Some(line) = lines.next_line().await? {
        if in_data {
            is_reminder |= line.starts_with("Subject: Due");
            if line == "." {
                in_data = false;
                let count = if is_reminder { &counts.reminders } else { &counts.others };
                count.fetch_add(1, Ordering::Relaxed);
                *counts.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                write.write_all(b"250 taken\r\n").await?;
            }
            continue;
        }
        let reply: &[u8] = match line.get(..4).unwrap_or_default().to_ascii_uppercase().as_str() {
            "EHLO" => b"250-sink\r\n250 SMTPUTF8\r\n",
            "DATA" => {
                (in_data, is_reminder) = (true, false);
                b"354 go on\r\n"
            }
            "QUIT" => {
                write.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => b"250 ok\r\n",
        };
        write.write_all(reply).await?;
    }
    Ok(())
}
