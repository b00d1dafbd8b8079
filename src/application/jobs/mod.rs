//! Commands on jobs: people submit them; the worker starts, finishes and interrupts their attempts.

mod attempt;
mod submit;

pub use attempt::{FinishAttempt, InterruptAttempt, StartAttempt};
pub use submit::{SubmitJob, SubmittedJob};
