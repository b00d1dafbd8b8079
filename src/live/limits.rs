//! Every number of the gateway, in one place.

use std::time::Duration;

pub use super::room::RoomLimits;

/// How the feeds of a process are followed.
#[derive(Clone, Debug)]
pub struct HubConfig {
    /// How often heads, epoch and members are asked of Postgres while NATS delivers.
    pub heads_every: Duration,
    /// The same while NATS is away, or was found to have lost something.
    pub heads_every_in_doubt: Duration,
    /// How long the doubt lasts after a feed was found behind.
    pub doubt: Duration,
    /// How often feeds and pages let go of what is old.
    pub expire_every: Duration,
    /// How long a feed is still followed after its last socket left.
    pub linger: Duration,
    /// How long an event that came before its predecessors waits for them; then they are read from Postgres.
    pub gap_grace: Duration,
    /// How long NATS may take to confirm a new subscription.
    pub barrier: Duration,
    /// How long a database answer may take.
    pub query: Duration,
    /// Frames that a feed keeps; a live socket further behind is too slow.
    pub ring_frames: usize,
    /// Bytes that a feed keeps, at least one frame.
    pub ring_bytes: usize,
    /// How long a feed keeps a frame.
    pub ring_age: Duration,
    /// Events in one page of history; pages begin at multiples of it.
    pub page: i64,
    /// Bytes of data from which on a page ends sooner.
    pub page_bytes: i64,
    /// Bytes of pages that are kept for others who may need them.
    pub page_cache_bytes: usize,
    /// How long a page is kept.
    pub page_age: Duration,
    /// Pages that are read at a time.
    pub renderers: usize,
    /// Sockets that send history at a time.
    pub history_senders: usize,
    /// Sockets of this process that may ask the database at the same time.
    pub readers: usize,
    /// Sockets of this process; one more is refused with 503.
    pub sockets: usize,
    /// Of these, from one address, or one /64 network of IPv6; one more is refused with 429.
    pub sockets_per_address: usize,
    /// Of these, of one account; one more is closed with 4429.
    pub sockets_per_account: usize,
    /// Of these, those that nobody has signed in to; a tenth of them from one address. One more is refused with 429.
    pub anonymous_sockets: usize,
    /// What rooms may.
    pub rooms: RoomLimits,
}

impl Default for HubConfig {
    fn default() -> Self {
        Self {
            heads_every: Duration::from_secs(3),
            heads_every_in_doubt: Duration::from_secs(1),
            doubt: Duration::from_secs(30),
            expire_every: Duration::from_secs(5),
            linger: Duration::from_secs(5),
            gap_grace: Duration::from_millis(10),
            barrier: Duration::from_millis(500),
            query: Duration::from_secs(5),
            ring_frames: 1024,
            ring_bytes: 1024 * 1024,
            ring_age: Duration::from_mins(1),
            page: 256,
            page_bytes: 128 * 1024,
            page_cache_bytes: 16 * 1024 * 1024,
            page_age: Duration::from_secs(10),
            renderers: 2,
            history_senders: 1,
            readers: 8,
            sockets: 50_000,
            sockets_per_address: 25_000,
            sockets_per_account: 10_000,
            anonymous_sockets: 10_000,
            rooms: RoomLimits { leave_grace: Duration::from_secs(3), cursor_interval: Duration::from_millis(50) },
        }
    }
}

/// What one socket may do.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Origins (`scheme://host[:port]`) from which browsers may connect. Empty: only from the host they connect to.
    pub origins: Vec<String>,
    /// How long a socket may stay without sign-in, then 4408.
    pub hello_within: Duration,
    /// How often the peer is pinged; silent for two of these, it is taken for gone.
    pub ping_interval: Duration,
    /// How long the peer may take to answer a ping; after that it is not shown as present.
    pub absent_after: Duration,
    /// How long a socket lives on after its token expired, then 4501.
    pub expiry_grace: Duration,
    /// Subscriptions of one socket.
    pub subscriptions: usize,
    /// Bytes that the kernel keeps for a WebSocket whose peer does not take them; it takes twice as much for itself. 0: as it likes.
    pub send_buffer: u32,
    /// Bytes in one message of the client.
    pub message_bytes: usize,
    /// Messages a second that a client may send on average, then 4429.
    pub messages_per_second: u32,
    /// Messages that it may send at once.
    pub message_burst: u32,
    /// Presence states, cursors and custom messages a second that a client may send on average; who sends more is read later.
    pub ephemeral_per_second: u32,
    /// Those that it may send at once.
    pub ephemeral_burst: u32,
    /// Custom messages a second that a client may send on average, then an error; twice as many at once.
    pub published_per_second: u32,
    /// Unreadable messages that a client may send at once, then 4429; one more a second.
    pub error_burst: u32,
    /// Replies that may wait for a peer that does not read, then 4508.
    pub control_frames: usize,
    /// A peer that has taken nothing for so long is stalled: it gets 4508 as soon as a feed's ring has moved past it.
    pub stall: Duration,
    /// How long a peer that reads, but was overtaken by the ring, may take to draw level, then 4508.
    pub slow_grace: Duration,
    /// How long a peer has for the close handshake.
    pub close_grace: Duration,
    /// The same at shutdown.
    pub shutdown_grace: Duration,
    /// Over how long sockets are told that the process ends: they must not all come back at once.
    pub restart_jitter: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            hello_within: Duration::from_secs(5),
            ping_interval: Duration::from_secs(20),
            absent_after: Duration::from_secs(5),
            expiry_grace: Duration::from_secs(25),
            subscriptions: 100,
            send_buffer: 64 * 1024,
            message_bytes: 64 * 1024,
            messages_per_second: 50,
            message_burst: 100,
            ephemeral_per_second: 200,
            ephemeral_burst: 400,
            published_per_second: 50,
            error_burst: 30,
            control_frames: 512,
            stall: Duration::from_secs(1),
            slow_grace: Duration::from_secs(5),
            close_grace: Duration::from_secs(10),
            shutdown_grace: Duration::from_millis(1500),
            restart_jitter: Duration::from_secs(1),
        }
    }
}
