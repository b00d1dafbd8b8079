//! Accounts closed to their owners, by the operator or by the issuer that vouches for them, and opened again.

use uuid::Uuid;
use workroom_domain::{
    account::{AccountCommand, Closer, SessionEnd},
    actor::{Actor, SystemActor},
    ids::AccountId,
};

use super::store::{self, Period, SetDeactivated, Told};
use crate::{
    application::{Context, Error, accounts::RecordAccount},
    identity::{Identity, sessions::EndSessions},
};

impl Identity {
    /// Closes an account to its owner, or opens it again. Closing ends its sessions and tokens' use at once.
    ///
    /// # Errors
    /// The database's; `Kind::NotFound` for an account that is not there.
    pub async fn set_deactivated(
        &self,
        actor: SystemActor,
        account_id: AccountId,
        deactivated: bool,
    ) -> Result<(), Error> {
        self.close_or_open(actor, account_id, deactivated, None).await
    }

    /// The same, as the account's issuer told.
    ///
    /// # Errors
    /// As [`Identity::set_deactivated`]; [`Error::Overtaken`] when the issuer has told something newer.
    pub(in crate::identity) async fn set_deactivated_as_told(
        &self,
        told: Told<'_>,
        account_id: AccountId,
        deactivated: bool,
    ) -> Result<(), Error> {
        self.close_or_open(SystemActor::Identity, account_id, deactivated, Some(told)).await
    }

    async fn close_or_open(
        &self,
        actor: SystemActor,
        account_id: AccountId,
        deactivated: bool,
        told: Option<Told<'_>>,
    ) -> Result<(), Error> {
        let Period { id: period_id, by_operator, by_issuer } =
            store::period(self.inner.app.pool(), account_id).await?.ok_or(Error::not_found("account"))?;
        let (by, is_closed) = match actor {
            // The operator opens what anybody has closed.
            SystemActor::Operator => (Closer::Operator, by_operator || (!deactivated && by_issuer)),
            _ => (Closer::Issuer, by_issuer),
        };
        // Most of what a provider tells is about something else.
        if is_closed == deactivated {
            return Ok(());
        }
        let context = Context::new(Actor::System(actor), Uuid::now_v7());
        let tables = SetDeactivated { account_id, by, deactivated, now: context.now, told };
        if deactivated {
            self.end_excess(&context, account_id).await?;
            let command = EndSessions {
                account_id,
                causes: vec![AccountCommand::Deactivate { by }],
                reason: SessionEnd::AccountDeactivated,
                keep: None,
                tokens: false,
            };
            let done = self.inner.app.run_with_tables(&context, &command, &tables).await?;
            let mut ended = done.reply.credentials();
            // Who was closed already is in the same period still.
            if store::period(self.inner.app.pool(), account_id).await?.is_none_or(|period| period.id != period_id) {
                ended.push(period_id);
            }
            self.inner.revocations.end(&ended);
        } else {
            let record = RecordAccount { account_id, command: AccountCommand::Reactivate { by } };
            self.inner.app.run_with_tables(&context, &record, &tables).await?;
        }
        Ok(())
    }
}
