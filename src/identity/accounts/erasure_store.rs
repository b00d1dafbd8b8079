//! What is personal of an account, in all tables that have something of it.

use serde::Serialize;
use sqlx::PgPool;
use sqlx_macros::FromRow;
use uuid::Uuid;
use workroom_domain::ids::AccountId;

use crate::{
    application::{Change, Error, TableChange, jobs::delete_job_data, redaction::order_for_account},
    identity::revocations,
};

/// The invitations that went to the account's address.
pub(super) async fn invitations_of(pool: &PgPool, account_id: AccountId) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT i.id FROM invitations i JOIN accounts a ON a.email_normalized = i.email_normalized WHERE a.id = $1",
    )
    .bind(Uuid::from(account_id))
    .fetch_all(pool)
    .await
}

#[derive(FromRow, Serialize)]
pub(super) struct ExternalIdentity {
    pub(super) issuer: String,
    pub(super) subject: String,
}

/// The identities at other issuers that an account is known by.
pub(super) async fn identities_of(pool: &PgPool, account_id: AccountId) -> Result<Vec<ExternalIdentity>, sqlx::Error> {
    sqlx::query_as("SELECT issuer, subject FROM external_identities WHERE account_id = $1")
        .bind(Uuid::from(account_id))
        .fetch_all(pool)
        .await
}

/// Deletes what is personal of an account. What it is known to have must still be all.
#[derive(Serialize)]
pub(super) struct EraseRows {
    pub(super) account_id: Uuid,
    pub(super) sessions: Vec<Uuid>,
    pub(super) identities: Vec<ExternalIdentity>,
    pub(super) digests: Vec<String>,
    #[serde(skip)]
    pub(super) ended: Vec<Uuid>,
    /// Whether what it wrote is redacted, too.
    #[serde(skip)]
    pub(super) with_content: bool,
}

impl TableChange for EraseRows {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let statement = |sql| Change::new(sql, self);
        let mut changes = vec![
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
                "DELETE FROM schedule_inputs WHERE schedule_id IN
                     (SELECT id FROM schedules WHERE created_by = ($1->>'account_id')::uuid AND project_id IS NULL)",
            )?,
            statement("DELETE FROM schedule_slots WHERE owner_id = ($1->>'account_id')::uuid")?,
            statement("DELETE FROM job_rule_slots WHERE owner_id = ($1->>'account_id')::uuid")?,
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
            // Late: what is counted of the account is locked for a short time.
            statement(concat!(
                "WITH own AS MATERIALIZED (
                     SELECT id FROM jobs WHERE submitted_by = ($1->>'account_id')::uuid AND project_id IS NULL
                 ), ",
                delete_job_data!("job_id IN (SELECT id FROM own)")
            ))?,
            // Sessions, tokens, tickets, mails and identities go with it.
            statement("DELETE FROM accounts WHERE id = ($1->>'account_id')::uuid")?,
        ];
        if self.with_content {
            // What it had to say to others stands in no event: with an invitation, or in the mail to who was added.
            changes.push(statement(
                "UPDATE invitations SET message = NULL
                 WHERE invited_by = ($1->>'account_id')::uuid AND message IS NOT NULL",
            )?);
            changes.push(statement(
                "UPDATE mails m SET note = NULL FROM events e
                 WHERE m.note IS NOT NULL AND e.aggregate_type = 'organization' AND e.aggregate_id = m.about::text
                     AND e.event_type = 'OrganizationMemberAdded' AND e.payload->>'account_id' = m.account_id::text
                     AND e.metadata->>'actor' = 'account:' || ($1->>'account_id')",
            )?);
            changes.push(order_for_account(self.account_id)?);
        }
        Ok(changes)
    }
}
