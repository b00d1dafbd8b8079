//! The most sessions that an account can have: one more ends the oldest.

use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::{
    account::{Account, AccountCommand, SessionEnd},
    actor::{Actor, SystemActor},
    ids::{AccountId, SessionId},
};

use super::store;
use crate::{
    application::{Change, Command, Context, Error, TableChange, Unit},
    identity::Identity,
};

/// Sessions ended by one append.
const END_AT_ONCE: i64 = 500;

/// Ends the oldest of an account's sessions that are too many. Replies with those that it ended.
struct EndExcess {
    account_id: AccountId,
    limit: i64,
    now: OffsetDateTime,
}

impl Command for EndExcess {
    type Reply = Vec<Uuid>;

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.account_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<Vec<Uuid>, Error> {
        // The account first: whoever begins or ends a session moves it, so the rows are the same when the append commits.
        let mut account = unit.read::<Account>(self.account_id).await?;
        let excess: Vec<Uuid> = store::excess(unit.pool(), self.account_id, self.now, self.limit, END_AT_ONCE).await?;
        for id in &excess {
            let reason = SessionEnd::SessionLimit;
            account = unit.decide(&account, AccountCommand::EndSession { session_id: SessionId(*id), reason })?;
        }
        Ok(excess)
    }
}

impl TableChange for EndExcess {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        Ok(vec![store::end_excess(self.account_id, self.now, self.limit, END_AT_ONCE)?])
    }
}

impl Identity {
    /// Ends the oldest sessions of an account that are more than it may have: one append a portion, however many there are.
    pub(in crate::identity) async fn end_excess(&self, context: &Context, account_id: AccountId) -> Result<(), Error> {
        let limit = i64::from(self.inner.config.session_limit);
        // Nobody asked for these ends: the service does it.
        let context = Context { actor: Actor::System(SystemActor::Identity), ..context.clone() };
        loop {
            let end = EndExcess { account_id, limit, now: context.now };
            let ended = self.inner.app.run_with_tables(&context, &end, &end).await?.reply;
            self.inner.revocations.end(&ended);
            if i64::try_from(ended.len()).unwrap_or_default() < END_AT_ONCE {
                return Ok(());
            }
        }
    }
}
