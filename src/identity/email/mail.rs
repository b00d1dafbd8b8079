//! The mail that has an address proven, and the form of mails to accounts.

use time::Duration;
use workroom_domain::ids::AccountId;

use super::store;
use crate::{
    application::{Context, Error},
    identity::Identity,
    notify::outbox::{self, MailKind, NewMail, Recipient},
};

/// One mail of a kind to an account in this many seconds, however often it is asked for.
const MAIL_EVERY: i64 = 60;

impl Identity {
    /// Sends the mail that proves an address once more.
    pub async fn mail_verification(&self, context: &Context) -> Result<(), Error> {
        let account_id = context.account()?;
        if !store::is_unproven(self.inner.app.pool(), account_id).await? {
            return Ok(());
        }
        let mail = new_mail(context, account_id, MailKind::EmailVerification, Duration::days(1));
        outbox::enqueue(&mail)?.run(self.inner.app.pool()).await?;
        outbox::wake();
        Ok(())
    }
}

/// A mail to an account, due now, good for as long as it `holds`.
pub(in crate::identity) fn new_mail(
    context: &Context,
    account_id: AccountId,
    kind: MailKind,
    holds: Duration,
) -> NewMail {
    let slot = context.now.unix_timestamp() / MAIL_EVERY;
    NewMail {
        to: Recipient::Account(account_id.into()),
        kind,
        about: None,
        note: None,
        reason: format!("{}:{account_id}:{slot}", kind.as_str()),
        due_at: context.now,
        expires_at: context.now + holds,
    }
}
