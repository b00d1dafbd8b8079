//! A mail for whoever forgot their password.

use time::Duration;
use uuid::Uuid;
use workroom_domain::{
    account::AccountCommand,
    actor::{Actor, SystemActor},
    ids::AccountId,
};

use super::store;
use crate::{
    application::{Change, Context, Error, TableChange, accounts::RecordAccount},
    identity::{
        Identity,
        email::{EmailAddress, new_mail},
    },
    notify::outbox::{self, MailKind, NewMail},
};

impl Identity {
    /// Sends a mail for a new password, if the address is an account's. Whoever asks learns nothing, not even by the
    /// clock: the work goes on behind.
    pub fn forgot_password(&self, correlation_id: Uuid, email: &str) {
        let Ok(email) = EmailAddress::parse(email) else { return };
        let identity = self.clone();
        tokio::spawn(async move {
            if let Err(error) = identity.mail_reset(correlation_id, &email).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "a mail for a new password was not sent");
            }
        });
    }

    async fn mail_reset(&self, correlation_id: Uuid, email: &EmailAddress) -> Result<(), Error> {
        let Some(id) = store::open_with_password(self.inner.app.pool(), email).await? else { return Ok(()) };
        let context = Context::new(Actor::System(SystemActor::Identity), correlation_id);
        let record = RecordAccount { account_id: AccountId(id), command: AccountCommand::RequestPasswordReset };
        self.send(&context, record, MailKind::PasswordReset, Duration::hours(1)).await
    }

    async fn send(
        &self,
        context: &Context,
        record: RecordAccount,
        kind: MailKind,
        holds: Duration,
    ) -> Result<(), Error> {
        let mail = new_mail(context, record.account_id, kind, holds);
        match self.inner.app.run_with_tables(context, &record, &Enqueue { mail }).await {
            Ok(_) => outbox::wake(),
            Err(Error::Overtaken) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

struct Enqueue {
    mail: NewMail,
}

impl TableChange for Enqueue {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        Ok(vec![outbox::enqueue(&self.mail)?.or(|| Error::Overtaken)])
    }
}
