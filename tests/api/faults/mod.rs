//! What the service does while parts of it, or what it stands on, are killed, frozen, or lose their data.

mod aborted;
mod answers;
mod effects;
mod events_stream;
mod failover;
mod freezes;
mod frozen;
mod frozen_leader;
mod jobs;
pub mod load;
mod nats;
mod postgres;
mod preface;
mod recovery;
mod removal;
mod server;
mod stuck;
mod worker;
