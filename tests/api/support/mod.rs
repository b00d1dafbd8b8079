//! What every test stands on.
//!
//! ```ignore
//! let world = World::new().await;               // a database and a NATS of one's own
//! let server = world.server().await;            // a `workroom serve` process
//! let ada = server.person("ada").await;         // registered and signed in
//! let project = ada.project("Apollo").await;    // its id
//! let reply = ada.get(&format!("/projects/{project}")).await;
//! reply.is(200);
//! ```

mod client;
mod described;
mod described_frames;
mod dump;
mod event_stream;
mod machine;
mod mail_server;
mod pooler;
mod server;
mod socket;
mod world;

pub use client::{Client, Person, Reply, published};
pub use described_frames::is_message_described;
pub use dump::dump;
pub use event_stream::EventStream;
pub use machine::{data_dir, eventually, launcher, rounds_of, within, workroom, workroom_dev};
pub use mail_server::{MailServer, Manner};
pub use pooler::{Pooler, Pooling};
pub use server::Server;
pub use socket::{Closed, Socket};
pub use world::World;
