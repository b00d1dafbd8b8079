//! Jobs: background work, done by workers that share a JetStream queue.
//!
//! The queue only says that there may be something to do; the log decides. A [`worker`] takes a message, starts the
//! attempt by appending with the job's expected sequence (of two workers one wins), keeps a [`lease`] alive while the
//! [`sandbox`] runs the program, stores what it printed, and appends how it ended. When a worker dies, or the queue is
//! wiped, the [`reconciler`] finds out from Postgres and hands the work out again.

pub mod lease;
pub mod reconciler;
pub mod sandbox;
pub mod worker;
