//! Erasure: whatever is personal of an account is gone, what happened stays (law 6).

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;
use workroom_domain::ids::AccountId;

use super::{Identity, revocations, sessions};
use crate::{
    application::{Context, Done, Error, TableChange, accounts::EraseAccount},
    notify,
};

const CHANGED_MEANWHILE: &str = "the account is being changed by others; try again";
const ROUNDS: usize = 5;

impl Identity {
    /// Erases the asking account. Its password proves that it means it, if it has one.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a wrong password, [`Error::Conflict`] naming the projects that others share and that it is
    /// the last owner of.
    pub async fn erase(
        &self,
        context: &Context,
        password: Option<&str>,
        address: std::net::IpAddr,
    ) -> Result<Done<()>, Error> {
        let account_id = context.account()?;
        self.confirm_password(account_id, password, "/password", address).await?;
        self.erase_account(context, account_id, false).await
    }

    /// Erases an account, in its own name or the service's; see [`EraseAccount::hand_over`].
    pub(super) async fn erase_account(
        &self,
        context: &Context,
        account_id: AccountId,
        hand_over: bool,
    ) -> Result<Done<()>, Error> {
        let app = &self.inner.app;
        for _ in 0..ROUNDS {
            let going_on = sessions::live(app.pool(), account_id, context.now).await?;
            let sessions: Vec<Uuid> = going_on.into_iter().map(|session| session.id).collect();
            let command = EraseAccount { account_id, sessions: sessions.clone(), hand_over };
            let tokens: Vec<Uuid> = self.tokens(account_id).await?.into_iter().map(|token| token.id).collect();
            let mut ended = sessions.clone();
            ended.extend(tokens);
            ended.push(account_id.into());
            let mut mailed = invitations_of(app.pool(), account_id).await?;
            mailed.push(account_id.into());
            let tables = EraseRows { identity: self, account_id, sessions, ended: ended.clone() };
            match app.run_with_tables(context, &command, &tables).await {
                Ok(done) => {
                    self.inner.revocations.end(&ended);
                    notify::erase_files(self.inner.config.mail_folder.as_deref(), &mailed).await;
                    if done.visible {
                        app.leave_everything(context.correlation_id, account_id).await;
                    }
                    return Ok(done);
                }
                Err(Error::Conflict(detail)) if detail == CHANGED_MEANWHILE => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Conflict(CHANGED_MEANWHILE.to_owned()))
    }

    /// The digest that an erased identity of another issuer is remembered by.
    pub(super) fn identity_digest(&self, issuer: &str, subject: &str) -> Vec<u8> {
        self.fingerprint(&[b"erased identity", issuer.as_bytes(), subject.as_bytes()])
    }
}

/// The invitations that went to the account's address.
async fn invitations_of(pool: &PgPool, account_id: AccountId) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT i.id FROM invitations i JOIN accounts a ON a.email_normalized = i.email_normalized WHERE a.id = $1",
    )
    .bind(Uuid::from(account_id))
    .fetch_all(pool)
    .await
}

struct EraseRows<'a> {
    identity: &'a Identity,
    account_id: AccountId,
    sessions: Vec<Uuid>,
    ended: Vec<Uuid>,
}

impl TableChange for EraseRows<'_> {
    async fn apply(&self, connection: &mut PgConnection) -> Result<(), Error> {
        let account_id = Uuid::from(self.account_id);
        // The row's lock first: what refers to it cannot be added any more.
        sqlx::query("SELECT FROM accounts WHERE id = $1 FOR UPDATE")
            .bind(account_id)
            .fetch_optional(&mut *connection)
            .await?;
        let mut going_on: Vec<Uuid> = sqlx::query_scalar(
            "SELECT id FROM sessions WHERE account_id = $1 AND ended_at IS NULL AND expires_at > now()",
        )
        .bind(account_id)
        .fetch_all(&mut *connection)
        .await?;
        going_on.retain(|id| !self.sessions.contains(id));
        if !going_on.is_empty() {
            return Err(Error::Conflict(CHANGED_MEANWHILE.to_owned()));
        }
        let identities: Vec<(String, String)> =
            sqlx::query_as("SELECT issuer, subject FROM external_identities WHERE account_id = $1")
                .bind(account_id)
                .fetch_all(&mut *connection)
                .await?;
        let digests: Vec<_> =
            identities.iter().map(|(issuer, subject)| self.identity.identity_digest(issuer, subject)).collect();
        sqlx::query("INSERT INTO erased_identities (digest) SELECT unnest($1::bytea[]) ON CONFLICT DO NOTHING")
            .bind(digests)
            .execute(&mut *connection)
            .await?;
        revocations::record(connection, &self.ended).await?;
        sqlx::query(
            "DELETE FROM job_outputs WHERE job_id IN
                 (SELECT id FROM jobs WHERE submitted_by = $1 AND project_id IS NULL)",
        )
        .bind(account_id)
        .execute(&mut *connection)
        .await?;
        // Replies that were kept for others, too: a member list shows whom it names, an invitation where it went.
        sqlx::query(
            "DELETE FROM idempotency_receipts
             WHERE principal = $1 OR strpos(body, $2) > 0
                OR strpos(lower(body), (SELECT '\"' || email_normalized || '\"' FROM accounts WHERE id = $1)) > 0
                OR EXISTS (SELECT FROM invitations i JOIN accounts a ON a.email_normalized = i.email_normalized
                           WHERE a.id = $1 AND strpos(body, i.id::text) > 0)",
        )
        .bind(account_id)
        .bind(account_id.to_string())
        .execute(&mut *connection)
        .await?;
        // Whoever invited the address knew it before there was an account.
        sqlx::query(
            "DELETE FROM invitations WHERE email_normalized = (SELECT email_normalized FROM accounts WHERE id = $1)",
        )
        .bind(account_id)
        .execute(&mut *connection)
        .await?;
        // Sessions, tokens, tickets, mails and identities go with it.
        sqlx::query("DELETE FROM accounts WHERE id = $1").bind(account_id).execute(connection).await?;
        Ok(())
    }
}
