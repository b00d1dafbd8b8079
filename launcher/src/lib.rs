//! The launcher of sandboxes: between the worker, which has many threads and many rights, and bubblewrap.
//!
//! What must happen between `fork` and `exec` would need unsafe code in a process full of threads; a fresh process has one
//! thread and may do it all safely. It is a program of its own, and a small one, because it is started for each program that is
//! run: to start the service's own binary as one takes twice the processor time. (Where that is all there is, it does.)
//!
//! | module | |
//! |---|---|
//! | [`plan`] | what the worker tells it before the program is known |
//! | [`message`] | what the two say to each other after that |
//! | [`bubblewrap`] | the world that the program sees, as arguments of bubblewrap |
//! | [`start`] | the script by which a shell inside starts the program |
//! | [`launch`] | what it does |

pub mod bubblewrap;
mod launch;
pub mod message;
pub mod plan;
pub mod start;

pub use launch::{LaunchError, launch};

/// The program's name; the worker looks for it beside its own.
pub const PROGRAM: &str = "workroom-launcher";

/// What the sources of the launcher are, as a number in hexadecimal: a worker starts no launcher of another build, for that might not
/// know of a limit that it is told.
pub const BUILD: &str = env!("WORKROOM_LAUNCHER_BUILD");

/// The argument by which the program prints [`BUILD`], and does nothing else.
pub const TELL_BUILD: &str = "--build";
