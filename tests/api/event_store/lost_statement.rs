//! A statement that was sent over a connection that is lost may still arrive.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Mutex, Notify},
};
use uuid::Uuid;
use workroom::event_store::{AppendError, AppendLimits};

use super::log::{assert_whole, at, open, request};
use crate::support::World;

/// A proxy before Postgres. Once armed, it keeps the next append back and hangs up on who sent it; when the sender comes again with
/// an append, the kept one is let through first.
struct Proxy {
    port: u16,
    armed: Arc<AtomicBool>,
    let_through: Arc<AtomicUsize>,
}

struct Kept {
    server: TcpStream,
    bytes: Vec<u8>,
}

fn is_append(bytes: &[u8], name: &[u8]) -> bool {
    bytes.windows(name.len()).any(|window| window == name)
}

impl Proxy {
    /// Appends are known by a mark that their events carry.
    async fn start(postgres: u16, mark: String) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let armed = Arc::new(AtomicBool::new(false));
        let let_through = Arc::new(AtomicUsize::new(0));
        let kept: Arc<Mutex<Option<Kept>>> = Arc::default();
        let proxy = Self { port, armed: Arc::clone(&armed), let_through: Arc::clone(&let_through) };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", postgres)).await.expect("Postgres");
                let state = (Arc::clone(&armed), Arc::clone(&kept), Arc::clone(&let_through), mark.clone());
                tokio::spawn(relay(client, server, state));
            }
        });
        proxy
    }
}

type State = (Arc<AtomicBool>, Arc<Mutex<Option<Kept>>>, Arc<AtomicUsize>, String);

async fn relay(client: TcpStream, server: TcpStream, (armed, kept, let_through, mark): State) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let hung_up = Arc::new(Notify::new());
    let hang_up = Arc::clone(&hung_up);
    let answers = tokio::spawn(async move {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            tokio::select! {
                read = from_server.read(&mut buffer) => match read {
                    Ok(0) | Err(_) => break,
                    Ok(count) => if to_client.write_all(&buffer[..count]).await.is_err() { break },
                },
                () = hang_up.notified() => break,
            }
        }
        from_server
    });
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from_client.read(&mut buffer).await {
        let bytes = &buffer[..count];
        if is_append(bytes, mark.as_bytes()) {
            if armed.swap(false, Ordering::SeqCst) {
                // The sender loses its connection; what it sent is still under way.
                hung_up.notify_one();
                let from_server = answers.await.expect("the server's side");
                let server = from_server.reunite(to_server).expect("two halves");
                *kept.lock().await = Some(Kept { server, bytes: bytes.to_vec() });
                return;
            }
            if let Some(Kept { mut server, bytes }) = kept.lock().await.take() {
                // Whether it can still be run is the server's to say; its answer, or its end, comes before the next.
                let _ = server.write_all(&bytes).await;
                let mut answer = [0; 1024];
                let _ = server.read(&mut answer).await;
                let_through.fetch_add(1, Ordering::SeqCst);
            }
        }
        if to_server.write_all(bytes).await.is_err() {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_whose_connection_was_lost_is_told_as_it_is_in_the_log() {
    let world = World::new().await;
    let pool = world.pool().await;
    let mark = Uuid::now_v7().to_string();
    let port = pool.connect_options().get_port();
    let proxy = Proxy::start(port, format!("mark-{mark}")).await;
    let options = (*pool.connect_options()).clone().port(proxy.port);
    let log = open(&sqlx::postgres::PgPoolOptions::new().connect_lazy_with(options), AppendLimits::default()).await;
    let (aggregate, feed) = (Uuid::now_v7(), Uuid::now_v7());
    let marked = |sequence| {
        let mut request = request(&[at(aggregate, sequence)], feed, &[]);
        request.streams[0].events[0].metadata = format!(r#"{{"note":"mark-{mark}"}}"#);
        request
    };
    log.append(marked(0)).await.expect("an append");
    for sequence in 1..20 {
        proxy.armed.store(true, Ordering::SeqCst);
        let lost = marked(sequence);
        let event_id = lost.streams[0].events[0].event_id;
        let outcome = log.append(lost).await;
        // The next one lets through what was kept, if nobody has yet.
        log.append(request(&[at(Uuid::now_v7(), 0)], feed, &[])).await.expect("another append");
        let written: i64 = sqlx::query_scalar("SELECT count(*) FROM events WHERE event_id = $1")
            .bind(event_id)
            .fetch_one(&pool)
            .await
            .expect("a count");
        match outcome {
            Ok(_) => assert_eq!(written, 1, "round {sequence}: told as committed"),
            Err(AppendError::Conflict | AppendError::Unavailable) => {
                assert_eq!(written, 0, "round {sequence}: {outcome:?}, and in the log");
            }
            other => panic!("round {sequence}: {other:?}"),
        }
        assert_eq!(written, 1, "nobody else writes this aggregate");
    }
    assert!(proxy.let_through.load(Ordering::SeqCst) > 0, "no statement came late");
    assert_whole(&pool).await;
}
