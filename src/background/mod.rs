//! Work that goes on behind the requests: one room for all of it.
//!
//! There are two kinds. A [`Task`] is activated again and again: at the start, when its doorbell rings, and after its period at
//! the latest. A *service loop* runs from the start to the end of the process, and is begun again should it end or panic:
//! such are the runners of the views, the relay, and the worker. The [`Driver`] runs both, each on its own, and
//! keeps a [`Status`] of each, which `/ready` shows.
//!
//! What holds for all of them:
//!
//! - The work is idempotent. A doorbell only shortens a wait; the period is the backstop.
//! - An error ends the activation, and nothing else: the driver logs it once, counts it, and tries again after a pause with full
//!   jitter. A panic is an error.
//! - A wake that comes during an activation leads to another one.
//! - Work that one process does for all is led: its task is activated only while this process is elected, and asks
//!   [`Context::may_go_on`] between its steps. A leader that stands still loses its session, its lock, and so the work.
//! - A task says how it ends. What is consistent wherever it stops is aborted; what has something under way (a mail, a
//!   program, an append) is told to stop and waited for.
//!
//! To add a task:
//!
//! 1. A file in the room that it belongs to (`jobs/`, `notify/`, …) with a struct and `impl Task for` it: one activation. A closure
//!    will do where there is neither state nor doorbell ([`each`]). What acts on each event of the log implements
//!    [`Follower`] instead; what deletes old rows is a line in [`cleanup::rules`].
//! 2. A line in the [`registry`], under the role that runs it: its period, its name, how it stops, whether it is led.
//!
//! Nothing else: its status is in `/ready` by then.

pub mod cleanup;
mod driver;
mod follow;
mod leadership;
mod lease;
mod periodic;
pub(crate) mod registry;
mod service;
mod status;
mod task;
#[cfg(test)]
mod tests;

pub use driver::{About, AtStop, Driver, caught};
pub use follow::{Acted, Batch, Follower, Following, Stretch};
pub use leadership::Lead;
pub use lease::while_renewed;
pub use status::{Failure, State, Status, Statuses, Success};
pub use task::{Activation, Context, Next, Task, each};
