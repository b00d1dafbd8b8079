//! Sockets.

use std::time::Duration;

use super::section::section;
use crate::live::{HubConfig, Limits, RoomLimits};

section! {
    /// How many sockets may be open, and how they are served, for the role `live`.
    pub struct LiveSettings {
        /// Sockets that an address may have open in one process.
        sockets_per_address: u32 = 25_000,
        /// Sockets that an account may have open in one process.
        sockets_per_account: u32 = 10_000,
        /// How feeds are followed, and what one socket may do.
        live: LiveConfig = LiveConfig::default(),
    }
}

section! {
    /// How feeds are followed, and what one socket may do.
    #[serde(deny_unknown_fields)]
    pub struct LiveConfig {
        /// Sockets of one process.
        sockets: usize = 50_000,
        /// Sockets of one process that nobody has signed in to; a tenth of them from one address.
        anonymous_sockets: usize = 10_000,
        /// How often heads of feeds are read from Postgres while NATS delivers, in milliseconds.
        heads_ms: u64 = 3_000,
        /// The same while NATS is away or was found to have lost something.
        heads_in_doubt_ms: u64 = 1_000,
        /// How long an event that came before its predecessors waits for them, in milliseconds; then they are read from Postgres.
        gap_ms: u64 = 10,
        /// How long a feed is followed after its last subscriber has left, in milliseconds.
        linger_ms: u64 = 5_000,
        /// Recent frames that a process keeps of a feed.
        ring_frames: usize = 1_024,
        /// Bytes of recent frames that a process keeps of a feed.
        ring_bytes: usize = 1024 * 1024,
        /// How long a process keeps a frame, in milliseconds.
        ring_ms: u64 = 60_000,
        /// Bytes of pages of history that a process keeps for others who may need them.
        page_cache_bytes: usize = 16 * 1024 * 1024,
        /// Pages of history that a process reads at a time.
        renderers: usize = 2,
        /// Sockets of one process that send history at a time. Raise it on machines with many processors.
        history_senders: usize = 1,
        /// Subscriptions of one socket.
        subscriptions: usize = 100,
        /// Bytes that the kernel keeps for a WebSocket whose peer does not take them; it takes twice as much. 0: as many as it likes.
        send_buffer_bytes: u32 = 64 * 1024,
        /// Bytes in one message of a client.
        message_bytes: usize = 64 * 1024,
        /// Messages a second that a client may send on average.
        messages_per_second: u32 = 50,
        /// Messages that a client may send at once.
        message_burst: u32 = 100,
        /// Presence states, cursors and custom messages a second that a client may send on average; who sends more is read later.
        ephemeral_per_second: u32 = 200,
        /// Custom messages a second that a client may send on average.
        published_per_second: u32 = 50,
        /// Frames of cursors a second that a room sends to each of its clients.
        cursor_frames_per_second: u32 = 20,
        /// How long somebody whose connection ended is still shown as present, in milliseconds.
        leave_grace_ms: u64 = 3_000,
        /// How often a peer is pinged, in milliseconds; silent for two of these, it is taken for gone.
        ping_ms: u64 = 20_000,
        /// How long a peer may take to answer a ping, in milliseconds; after that it is not shown as present.
        absent_ms: u64 = 5_000,
        /// How long a socket lives on after its token has expired, in milliseconds.
        expiry_grace_ms: u64 = 25_000,
        /// How long a peer that takes nothing may hold up its socket once its feed has moved past it, in milliseconds.
        stall_ms: u64 = 1_000,
        /// How long a peer that reads too slowly may take to draw level, in milliseconds.
        slow_grace_ms: u64 = 5_000,
        /// Over how long the sockets of a process that ends are told so, in milliseconds: they must not all come back at once.
        restart_jitter_ms: u64 = 1_000,
    }
}

impl LiveSettings {
    /// How the feeds of a process are followed.
    pub fn hub(&self) -> HubConfig {
        let bound = |sockets| usize::try_from(sockets).unwrap_or(usize::MAX);
        let live = &self.live;
        HubConfig {
            heads_every: Duration::from_millis(live.heads_ms.max(1)),
            heads_every_in_doubt: Duration::from_millis(live.heads_in_doubt_ms.max(1)),
            gap_grace: Duration::from_millis(live.gap_ms),
            linger: Duration::from_millis(live.linger_ms),
            ring_frames: live.ring_frames,
            ring_bytes: live.ring_bytes,
            ring_age: Duration::from_millis(live.ring_ms),
            page_cache_bytes: live.page_cache_bytes,
            renderers: live.renderers.max(1),
            history_senders: live.history_senders.max(1),
            sockets: live.sockets,
            anonymous_sockets: live.anonymous_sockets,
            sockets_per_address: bound(self.sockets_per_address),
            sockets_per_account: bound(self.sockets_per_account),
            rooms: RoomLimits {
                leave_grace: Duration::from_millis(live.leave_grace_ms),
                cursor_interval: Duration::from_secs(1) / live.cursor_frames_per_second.max(1),
            },
            ..HubConfig::default()
        }
    }

    /// What one socket may do. `origins`: from where browsers may connect.
    pub fn limits(&self, origins: Vec<String>) -> Limits {
        let live = &self.live;
        Limits {
            origins,
            ping_interval: Duration::from_millis(live.ping_ms.max(1)),
            expiry_grace: Duration::from_millis(live.expiry_grace_ms),
            subscriptions: live.subscriptions,
            send_buffer: live.send_buffer_bytes,
            message_bytes: live.message_bytes,
            messages_per_second: live.messages_per_second,
            message_burst: live.message_burst,
            ephemeral_per_second: live.ephemeral_per_second,
            ephemeral_burst: live.ephemeral_per_second.saturating_mul(2),
            published_per_second: live.published_per_second,
            absent_after: Duration::from_millis(live.absent_ms),
            restart_jitter: Duration::from_millis(live.restart_jitter_ms),
            stall: Duration::from_millis(live.stall_ms),
            slow_grace: Duration::from_millis(live.slow_grace_ms),
            ..Limits::default()
        }
    }
}
