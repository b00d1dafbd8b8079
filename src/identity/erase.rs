//! Erasure: whatever is personal of an account is gone, what happened stays (law 6).

use serde::Serialize;
use sqlx::{FromRow, PgPool};
use uuid::Uuid;
use workroom_domain::ids::AccountId;

use super::{Identity, revocations, sessions};
use crate::{
    application::{Change, Context, Done, Error, TableChange, accounts::EraseAccount},
    notify,
};

const ROUNDS: usize = 5;

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
        self.end_excess(context, account_id).await?;
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
            let identities = identities_of(app.pool(), account_id).await?;
            let digest = |known: &ExternalIdentity| self.identity_digest(&known.issuer, &known.subject);
            let digests = identities.iter().map(|known| format!("\\x{}", hex::encode(digest(known)))).collect();
            let tables =
                EraseRows { account_id: account_id.into(), sessions, identities, digests, ended: ended.clone() };
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

#[derive(FromRow, Serialize)]
struct ExternalIdentity {
    issuer: String,
    subject: String,
}

/// The identities at other issuers that an account is known by.
async fn identities_of(pool: &PgPool, account_id: AccountId) -> Result<Vec<ExternalIdentity>, sqlx::Error> {
    sqlx::query_as("SELECT issuer, subject FROM external_identities WHERE account_id = $1")
        .bind(Uuid::from(account_id))
        .fetch_all(pool)
        .await
}

/// Deletes what is personal of an account. What it is known to have must still be all.
#[derive(Serialize)]
struct EraseRows {
    account_id: Uuid,
    sessions: Vec<Uuid>,
    identities: Vec<ExternalIdentity>,
    digests: Vec<String>,
    #[serde(skip)]
    ended: Vec<Uuid>,
}

impl TableChange for EraseRows {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let statement = |sql| Change::new(sql, self);
        Ok(vec![
            // The row's lock first: what refers to it cannot be added any more.
            statement("SELECT FROM accounts WHERE id = ($1->>'account_id')::uuid FOR UPDATE")?,
            statement(
                "SELECT FROM jsonb_to_record($1) AS a (account_id uuid, sessions jsonb, identities jsonb)
                 WHERE NOT EXISTS (SELECT FROM sessions s WHERE s.account_id = a.account_id AND s.ended_at IS NULL
                                   AND s.expires_at > now() AND NOT a.sessions ? s.id::text)
                   AND NOT EXISTS (SELECT FROM external_identities i WHERE i.account_id = a.account_id
                                   AND NOT a.identities @> jsonb_build_array(
                                       jsonb_build_object('issuer', i.issuer, 'subject', i.subject)))",
            )?
            .or(|| Error::Overtaken),
            statement(
                "INSERT INTO erased_identities (digest)
                 SELECT v::bytea FROM jsonb_array_elements_text($1->'digests') v ON CONFLICT DO NOTHING",
            )?,
            revocations::record(&self.ended)?,
            statement(
                "DELETE FROM job_outputs WHERE job_id IN
                     (SELECT id FROM jobs WHERE submitted_by = ($1->>'account_id')::uuid AND project_id IS NULL)",
            )?,
            // Replies that were kept for others, too: a member list shows whom it names, an invitation where it went.
            statement(
                "DELETE FROM idempotency_receipts r
                 WHERE r.principal = ($1->>'account_id')::uuid OR strpos(r.body, $1->>'account_id') > 0
                    OR strpos(lower(r.body), (SELECT '\"' || email_normalized || '\"' FROM accounts
                                              WHERE id = ($1->>'account_id')::uuid)) > 0
                    OR EXISTS (SELECT FROM invitations i JOIN accounts a ON a.email_normalized = i.email_normalized
                               WHERE a.id = ($1->>'account_id')::uuid AND strpos(r.body, i.id::text) > 0)",
            )?,
            // Whoever invited the address knew it before there was an account.
            statement(
                "DELETE FROM invitations WHERE email_normalized =
                     (SELECT email_normalized FROM accounts WHERE id = ($1->>'account_id')::uuid)",
            )?,
            // Sessions, tokens, tickets, mails and identities go with it.
            statement("DELETE FROM accounts WHERE id = ($1->>'account_id')::uuid")?,
        ])
    }
}
