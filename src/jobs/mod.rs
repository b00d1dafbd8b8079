//! Running jobs.
//!
//! What becomes of a job is events. From there on:
//!
//! ```text
//! the log ──► dispatcher/ ──► JOBS (NATS) ──► worker/ ──► types/ ──► sandbox/
//!                 ▲             a hint           │ JobStarted, JobSucceeded, …
//!                 └──────── the log ◄────────────┘
//! ```
//!
//! One process dispatches: it follows the log, keeps all jobs that wait or run in memory, and hands out as many as workers have
//! room for, in fair turns. Any number of workers take what is handed out; each attempt is fenced by its job's expected sequence
//! in the log. NATS may lose, double or delay a hint: nothing but time depends on it. A worker says each second that it lives; what a
//! silent one ran is interrupted, and handed out again.
//!
//! What is to be done again and again, [`scheduler`] submits when it is due.
//!
//! To add a type of jobs: a variant of [`Work`](workroom_domain::job::Work) for what it is told, a file in [`types`], and a line in
//! [`types::Types`].

pub mod dispatcher;
pub mod output_bell;
pub(crate) mod pool;
mod queue;
pub mod sandbox;
pub mod scheduler;
mod text;
pub mod types;
pub mod webhook;
pub mod worker;

pub use pool::Pool;
pub use queue::{JobMessage, QUEUE};
