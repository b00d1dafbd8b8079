//! Commands on jobs: people submit them; the worker starts, finishes and interrupts their attempts.

mod attempt;
mod cancel;
mod submit;

pub use attempt::{FinishAttempt, InterruptAttempt, StartAttempt};
pub use cancel::{CancelJob, RevokeLease};
pub use submit::{SubmitJob, SubmittedJob};

super::error::from_refusals!(workroom_domain::job::JobRefusal);
