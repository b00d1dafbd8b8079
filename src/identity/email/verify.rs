//! The proof of an address, by a mailed token.

use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::{
    account::{AccountCommand, SessionEnd},
    actor::Actor,
    ids::{AccountId, SessionId},
};

use super::store;
use crate::{
    application::{Change, Context, Done, EmailProof, Error, TableChange, accounts::RecordAccount},
    identity::{
        Caller, Identity,
        invitations::RecipientDigest,
        mail_tokens::{self, Purpose, not_good},
        sessions::{self, EndSessions},
        tokens,
    },
};

impl Identity {
    /// Takes a mailed token as proof that the account's address belongs to whoever brings it. The first proof ends sessions and
    /// personal access tokens, which whoever typed the address may have made; unless it is brought by `caller`, who is
    /// signed in to the account: then their session and the tokens stay.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a token that is not, or no longer, good.
    pub async fn verify_email(
        &self,
        correlation_id: Uuid,
        caller: Option<&Caller>,
        token: &str,
    ) -> Result<Done<()>, Error> {
        let now = crate::clock::now();
        let account_id = mail_tokens::peek(self.inner.app.pool(), token, Purpose::EmailVerification, now)
            .await?
            .map(AccountId)
            .ok_or_else(not_good)?;
        let context = Context { now, ..Context::new(Actor::Account(account_id), correlation_id) };
        let (is_first, email) = store::proof(self.inner.app.pool(), account_id).await?.ok_or_else(not_good)?;
        let recipient = email.map(|email| self.recipient(&email));
        let token = token.to_owned();
        if !is_first || self.inner.app.email_proof() == EmailProof::Trusted {
            let record = RecordAccount { account_id, command: AccountCommand::VerifyEmail };
            let tables = Verify { token, account_id, now, recipient, ends: Ends::Nothing };
            return self.inner.app.run_with_tables(&context, &record, &tables).await;
        }
        let own = caller.filter(|caller| caller.account_id == account_id).and_then(Caller::session_id);
        self.end_excess(&context, account_id).await?;
        let command = EndSessions {
            account_id,
            causes: vec![AccountCommand::VerifyEmail],
            reason: SessionEnd::EmailVerified,
            keep: own,
            tokens: own.is_none(),
        };
        let ends = Ends::Sessions { keep: own };
        let tables = Verify { token, account_id, now, recipient, ends };
        let Done { reply: ended, position, visible } =
            self.inner.app.run_with_tables(&context, &command, &tables).await?;
        self.inner.revocations.end(&ended.credentials());
        Ok(Done { reply: (), position, visible })
    }
}

/// What ends with the proof of an address.
enum Ends {
    Nothing,
    /// All sessions and tokens; or all other sessions, where the proof came from one.
    Sessions {
        keep: Option<SessionId>,
    },
}

struct Verify {
    token: String,
    account_id: AccountId,
    now: OffsetDateTime,
    /// The address: who has it may want invitations again.
    recipient: Option<RecipientDigest>,
    ends: Ends,
}

impl TableChange for Verify {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let (account_id, now) = (self.account_id, self.now);
        let redeem = mail_tokens::redeem(&self.token, Purpose::EmailVerification, account_id.into(), now, not_good)?;
        let mut changes = Vec::from(redeem);
        changes.push(store::verified(account_id, now)?);
        if let Some(recipient) = &self.recipient {
            changes.push(recipient.unblock()?);
        }
        if let Ends::Sessions { keep } = self.ends {
            changes.push(sessions::store::end_rows(account_id, keep, now)?);
            if keep.is_none() {
                changes.push(tokens::store::delete_all(account_id)?);
            }
        }
        Ok(changes)
    }
}
