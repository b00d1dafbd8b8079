//! Erasure: whatever is personal of an account is gone, what happened stays (law 6).

use uuid::Uuid;
use workroom_domain::ids::AccountId;

use super::erasure_store::{self as store, EraseRows, ExternalIdentity};
use crate::{
    application::{Context, Done, Error, accounts::EraseAccount},
    identity::{Identity, sessions, tokens},
    notify,
};

const ROUNDS: usize = 5;

/// How an account is erased.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::identity) struct Manner {
    /// See [`EraseAccount::hand_over`].
    pub(in crate::identity) hand_over: bool,
    /// Whether what it wrote is redacted, too: afterwards, in the background.
    pub(in crate::identity) with_content: bool,
}

impl Identity {
    /// Erases the asking account. Its password proves that it means it, if it has one.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a wrong password, `Kind::Conflict` naming the projects that others share and that it is
    /// the last owner of.
    pub async fn erase(
        &self,
        context: &Context,
        password: Option<&str>,
        with_content: bool,
        address: std::net::IpAddr,
    ) -> Result<Done<()>, Error> {
        let account_id = context.account()?;
        self.confirm_password(account_id, password, "/password", address).await?;
        self.erase_account(context, account_id, Manner { hand_over: false, with_content }).await
    }

    /// Erases an account, in its own name or the service's.
    pub(in crate::identity) async fn erase_account(
        &self,
        context: &Context,
        account_id: AccountId,
        Manner { hand_over, with_content }: Manner,
    ) -> Result<Done<()>, Error> {
        let app = &self.inner.app;
        self.end_excess(context, account_id).await?;
        for _ in 0..ROUNDS {
            let going_on = sessions::store::live(app.pool(), account_id, context.now).await?;
            let sessions: Vec<Uuid> = going_on.into_iter().map(|session| session.id).collect();
            let command = EraseAccount { account_id, sessions: sessions.clone(), hand_over, with_content };
            let tokens = tokens::store::ids(app.pool(), account_id).await?;
            let mut ended = sessions.clone();
            ended.extend(tokens);
            ended.push(account_id.into());
            let mut mailed = store::invitations_of(app.pool(), account_id).await?;
            mailed.push(account_id.into());
            let identities = store::identities_of(app.pool(), account_id).await?;
            let digest = |known: &ExternalIdentity| self.identity_digest(&known.issuer, &known.subject);
            let digests = identities.iter().map(|known| format!("\\x{}", hex::encode(digest(known)))).collect();
            let (account, ended_too) = (account_id.into(), ended.clone());
            let tables =
                EraseRows { account_id: account, sessions, identities, digests, ended: ended_too, with_content };
            match app.run_with_tables(context, &command, &tables).await {
                Ok(done) => {
                    self.inner.revocations.end(&ended);
                    notify::erase_files(self.inner.config.mail_folder.as_deref(), &mailed).await;
                    if done.visible {
                        app.leave_more(context.correlation_id, account_id).await;
                    }
                    return Ok(done);
                }
                Err(Error::Overtaken) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Overtaken)
    }

    /// The digest that an erased identity of another issuer is remembered by.
    pub(in crate::identity) fn identity_digest(&self, issuer: &str, subject: &str) -> Vec<u8> {
        self.fingerprint(&[b"erased identity", issuer.as_bytes(), subject.as_bytes()])
    }
}
