//! `email`: sends a mail to the account that has submitted the job, and to nobody else.
//!
//! The work is done when the mail is in the outbox, whose reason for it is the job: done twice, there is one mail. Address
//! and text are read when it is sent; to an account that was erased meanwhile nothing is.

use futures::{FutureExt, future::BoxFuture};
use workroom_domain::job::{Outcome, Work};

use super::{Attempt, Broken, Ended, JobType};
use crate::{
    application::jobs::EmailInput,
    jobs::worker::Stream,
    notify::jobs::{self, Added},
};

/// Sends mails.
pub(super) struct Email;

impl JobType for Email {
    fn name(&self) -> &'static str {
        "email"
    }

    fn run(&self, attempt: Attempt) -> BoxFuture<'_, Result<Ended, Broken>> {
        send(attempt).boxed()
    }
}

async fn send(attempt: Attempt) -> Result<Ended, Broken> {
    let Work::Email { input } = attempt.job.request.work else { return Err("the job sends no mail".into()) };
    let pool = attempt.app.pool();
    let tell = |text: &str| attempt.output.write(Stream::Stderr, format!("{text}\n").as_bytes());
    if !EmailInput::is_kept(pool, attempt.job_id, input).await? {
        // Its account was erased, or its retention is over.
        tell("what the mail says is no longer kept");
        return Ok(Ended::Hopeless(Outcome::default()));
    }
    let to = attempt.job.request.submitted_by;
    Ok(match jobs::add(pool, attempt.job_id, to, attempt.app.email_proof()).await? {
        Added::Yes => Ended::Succeeded(Outcome::default()),
        Added::TooMany => {
            tell("jobs of the account have sent too many mails within the hour");
            Ended::Failed(Outcome::default())
        }
        Added::Nobody => {
            tell("the account has no e-mail address that is proven");
            Ended::Hopeless(Outcome::default())
        }
    })
}
