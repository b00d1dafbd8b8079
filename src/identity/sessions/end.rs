//! The end of sessions before their time.

use uuid::Uuid;
use workroom_domain::{
    account::{Account, AccountCommand, SessionEnd},
    ids::{AccountId, SessionId, TokenId},
};

use super::store::{self, EndOne};
use crate::{
    application::{Command, Context, Done, Error, Unit, accounts::RecordAccount},
    identity::{Identity, tokens},
};

impl Identity {
    /// Ends one session, at once on every instance. `None` when it had ended meanwhile.
    ///
    /// # Errors
    /// `Kind::NotFound` for a session that is not the account's, or is over.
    pub async fn end_session(
        &self,
        context: &Context,
        session_id: SessionId,
        reason: SessionEnd,
    ) -> Result<Option<Done<()>>, Error> {
        let account_id = context.account()?;
        let going_on = store::live(self.inner.app.pool(), account_id, context.now).await?;
        if !going_on.iter().any(|session| session.id == session_id.0) {
            return Err(Error::not_found("session"));
        }
        let record = RecordAccount { account_id, command: AccountCommand::EndSession { session_id, reason } };
        let tables = EndOne { account_id, session_id, now: context.now };
        match self.inner.app.run_with_tables(context, &record, &tables).await {
            Ok(done) => {
                self.inner.revocations.end(&[session_id.into()]);
                Ok(Some(done))
            }
            Err(Error::Overtaken) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// What an account could be entered with, and ended with something that happened to it.
#[derive(Debug, Default)]
pub(in crate::identity) struct Ended {
    pub(in crate::identity) sessions: Vec<Uuid>,
    pub(in crate::identity) tokens: Vec<Uuid>,
}

impl Ended {
    /// The ids of all of it.
    pub(in crate::identity) fn credentials(&self) -> Vec<Uuid> {
        [self.sessions.as_slice(), &self.tokens].concat()
    }
}

/// Something that happens to an account and ends its sessions, but perhaps one, and its personal access tokens, if they are
/// to. Its rows are ended by [`store::end_rows`] and [`tokens::store::delete_all`].
pub(in crate::identity) struct EndSessions {
    pub(in crate::identity) account_id: AccountId,
    /// What happens first.
    pub(in crate::identity) causes: Vec<AccountCommand>,
    pub(in crate::identity) reason: SessionEnd,
    pub(in crate::identity) keep: Option<SessionId>,
    pub(in crate::identity) tokens: bool,
}

impl Command for EndSessions {
    type Reply = Ended;

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.account_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<Ended, Error> {
        // The account first: what begins after this is a conflict, what began before is in the lists.
        let mut account = unit.read::<Account>(self.account_id).await?;
        let going_on = store::live(unit.pool(), self.account_id, unit.context().now).await?;
        let sessions: Vec<Uuid> = going_on
            .into_iter()
            .map(|session| session.id)
            .filter(|id| self.keep.map(Uuid::from) != Some(*id))
            .collect();
        let tokens = if self.tokens { tokens::store::ids(unit.pool(), self.account_id).await? } else { Vec::new() };
        for cause in &self.causes {
            account = unit.decide(&account, cause.clone())?;
        }
        for id in &sessions {
            let session_id = SessionId(*id);
            account = unit.decide(&account, AccountCommand::EndSession { session_id, reason: self.reason })?;
        }
        for id in &tokens {
            account = unit.decide(&account, AccountCommand::RevokeToken { token_id: TokenId(*id) })?;
        }
        Ok(Ended { sessions, tokens })
    }
}
