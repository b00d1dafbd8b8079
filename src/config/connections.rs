//! Where Postgres and NATS are.

use std::path::PathBuf;

use super::section::section;

section! {
    /// Where Postgres and NATS are, and how they are reached.
    pub struct Connections {
        /// Postgres, as a URL; may lead through a pooler that keeps sessions.
        database_url: String = "postgres://workroom@127.0.0.1:5432/workroom".to_owned(),
        /// Postgres itself, as a URL, where `database_url` leads through a pooler: for migrations, the log's writer, leaders.
        direct_url: Option<String> = None,
        /// Postgres itself, as a URL, as the role that owns the schema: for migrations and rebuilds. Without it the role of
        /// `database_url` (or `direct_url`) owns it.
        owner_url: Option<String> = None,
        /// Connections to Postgres that queries share.
        database_connections: u32 = 16,
        /// How long the stream `EVENTS` keeps its copy of an event, in hours.
        events_max_age_hours: u64 = 72,
        /// Bytes that the stream `EVENTS` keeps.
        events_max_bytes: u32 = 1024 * 1024 * 1024,
        /// NATS, as a URL.
        nats_url: String = "nats://127.0.0.1:4222".to_owned(),
        /// The authorities that may vouch for NATS, in PEM; the system's when not given. TLS is required with it.
        nats_ca_file: Option<PathBuf> = None,
        /// The certificate that is shown to NATS, in PEM, with those between it and its authority.
        nats_cert_file: Option<PathBuf> = None,
        /// The private key of `nats_cert_file`, in PEM.
        nats_key_file: Option<PathBuf> = None,
    }
}
