//! The tables `external_identities` and `erased_identities`, and what issuers tell of `accounts`.

use serde::Serialize;
use sqlx::PgPool;
use sqlx_macros::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::account::refusal::ACCOUNT_ERASED;
use workroom_projections::accounts::AccountRow;

use super::overtaken;
use crate::{
    application::{At, Bytea, Change, Error, Refusal, TableChange},
    identity::{
        codes::{EMAIL_TAKEN, USERNAME_TAKEN},
        email::EmailAddress,
    },
};

/// An identity that has an account.
#[derive(FromRow)]
pub(in crate::identity) struct Known {
    pub(in crate::identity) account_id: Uuid,
    pub(in crate::identity) updated_at: OffsetDateTime,
    pub(in crate::identity) is_deactivated: bool,
    pub(in crate::identity) period_id: Uuid,
}

/// The account of an identity, if it has one.
pub(in crate::identity) async fn known(
    pool: &PgPool,
    issuer: &str,
    subject: &str,
) -> Result<Option<Known>, sqlx::Error> {
    sqlx::query_as(
        "SELECT i.account_id, i.updated_at, a.deactivated_at IS NOT NULL AS is_deactivated, a.period_id
         FROM external_identities i JOIN accounts a ON a.id = i.account_id
         WHERE i.issuer = $1 AND i.subject = $2",
    )
    .bind(issuer)
    .bind(subject)
    .fetch_optional(pool)
    .await
}

/// Notes that an identity is erased, under the lock that provisioning takes.
pub(in crate::identity) async fn note_erased(pool: &PgPool, digest: &[u8]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "WITH locked AS MATERIALIZED (SELECT pg_advisory_xact_lock(7770004, hashtext(encode($1, 'hex'))))
         INSERT INTO erased_identities (digest) SELECT $1 FROM locked ON CONFLICT DO NOTHING",
    )
    .bind(digest)
    .execute(pool)
    .await
    .map(drop)
}

/// An account's address that was never proven, and is somebody else's.
#[derive(Serialize)]
pub(super) struct LoseAddress {
    pub(super) account_id: Uuid,
    pub(super) at: At,
}

impl TableChange for LoseAddress {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let lose = Change::new(
            "UPDATE accounts t SET email = NULL, email_normalized = NULL, updated_at = a.at, version = t.version + 1
             FROM jsonb_to_record($1) AS a (account_id uuid, at timestamptz)
             WHERE t.id = a.account_id AND t.email_verified_at IS NULL",
            self,
        )?;
        Ok(vec![lose.or(overtaken)])
    }
}

const TAKEN: &[(&str, Refusal)] = &[
    ("accounts_email", || EMAIL_TAKEN.into()),
    ("accounts_username", || USERNAME_TAKEN.into()),
    ("external_identities_pkey", overtaken),
];

/// A new account, and the identity that it belongs to.
pub(super) struct InsertExternal {
    pub(super) account: AccountRow,
    pub(super) email: Option<EmailAddress>,
    pub(super) issuer: String,
    pub(super) subject: String,
    pub(super) digest: Vec<u8>,
    pub(super) updated_at: OffsetDateTime,
}

#[derive(Serialize)]
struct ExternalRow<'a> {
    id: Uuid,
    email: Option<&'a str>,
    email_normalized: Option<&'a str>,
    username: &'a str,
    full_name: Option<&'a str>,
    image_url: Option<&'a str>,
    organization: Uuid,
    at: At,
    version: i64,
    issuer: &'a str,
    subject: &'a str,
    digest: Bytea<'a>,
    known_at: Option<At>,
    updated_at: At,
}

fn external_row<'a>(
    account: &'a AccountRow,
    email: Option<&'a EmailAddress>,
    (issuer, subject): (&'a str, &'a str),
    at: OffsetDateTime,
    updated_at: OffsetDateTime,
) -> ExternalRow<'a> {
    ExternalRow {
        id: account.id,
        email: account.email.as_deref(),
        email_normalized: email.map(EmailAddress::normalized),
        username: &account.username,
        full_name: account.full_name.as_deref(),
        image_url: account.image_url.as_deref(),
        organization: account.personal_organization_id,
        at: At(at),
        version: account.version,
        issuer,
        subject,
        digest: Bytea(&[]),
        known_at: None,
        updated_at: At(updated_at),
    }
}

impl TableChange for InsertExternal {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let identity = (self.issuer.as_str(), self.subject.as_str());
        let at = self.account.created_at;
        let row = external_row(&self.account, self.email.as_ref(), identity, at, self.updated_at);
        let row = ExternalRow { digest: Bytea(&self.digest), ..row };
        let account = Change::new(
            "INSERT INTO accounts (id, email, email_normalized, email_verified_at, username, full_name, image_url,
                                   personal_organization_id, created_at, updated_at)
             SELECT id, email, email_normalized, CASE WHEN email_normalized IS NOT NULL THEN at END, username, full_name,
                    image_url, organization, at, at
             FROM jsonb_to_record($1) AS a (id uuid, email text, email_normalized text, username text, full_name text,
                                            image_url text, organization uuid, at timestamptz)",
            &row,
        )?;
        let identity = Change::new(
            "INSERT INTO external_identities (issuer, subject, account_id, updated_at)
             SELECT issuer, subject, id, updated_at
             FROM jsonb_to_record($1) AS a (issuer text, subject text, id uuid, updated_at timestamptz)",
            &row,
        )?;
        // A deletion notes its digest first and then looks for the identity: one of the two sees the other.
        let turn = Change::new("SELECT pg_advisory_xact_lock(7770004, hashtext(substr($1->>'digest', 3)))", &row)?;
        let not_erased = Change::new(
            "SELECT FROM jsonb_to_record($1) AS a (digest bytea)
             WHERE NOT EXISTS (SELECT FROM erased_identities e WHERE e.digest = a.digest)",
            &row,
        )?;
        Ok(vec![account.unless(TAKEN), identity, turn, not_erased.or(|| ACCOUNT_ERASED.into())])
    }
}

/// News of an identity, over the state that they were made from.
pub(super) struct Renew {
    pub(super) account: AccountRow,
    pub(super) email: Option<EmailAddress>,
    pub(super) issuer: String,
    pub(super) subject: String,
    pub(super) known_at: OffsetDateTime,
    pub(super) updated_at: OffsetDateTime,
}

impl Renew {
    /// Nothing to tell the log: only the moment is noted.
    pub(super) async fn note(&self, pool: &PgPool) -> Result<(), Error> {
        match self.mark()?.run(pool).await? {
            0 => Err(overtaken()),
            _ => Ok(()),
        }
    }

    fn row(&self) -> ExternalRow<'_> {
        let identity = (self.issuer.as_str(), self.subject.as_str());
        let at = self.account.updated_at;
        let row = external_row(&self.account, self.email.as_ref(), identity, at, self.updated_at);
        ExternalRow { known_at: Some(At(self.known_at)), ..row }
    }

    fn mark(&self) -> Result<Change, Error> {
        let mark = Change::new(
            "UPDATE external_identities t SET updated_at = a.updated_at
             FROM jsonb_to_record($1) AS a (issuer text, subject text, known_at timestamptz, updated_at timestamptz)
             WHERE t.issuer = a.issuer AND t.subject = a.subject AND t.updated_at = a.known_at",
            &self.row(),
        )?;
        Ok(mark.or(overtaken))
    }
}

impl TableChange for Renew {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let update = Change::new(
            "UPDATE accounts t SET email = a.email, email_normalized = COALESCE(a.email_normalized, t.email_normalized),
                    email_verified_at = CASE WHEN a.email_normalized IS NULL THEN t.email_verified_at ELSE a.at END,
                    username = a.username, full_name = a.full_name, image_url = a.image_url, updated_at = a.at,
                    version = a.version
             FROM jsonb_to_record($1) AS a (id uuid, email text, email_normalized text, username text, full_name text,
                                            image_url text, at timestamptz, version bigint)
             WHERE t.id = a.id",
            &self.row(),
        )?;
        // The account first: an erasure, and whoever closes it, lock it before its identities.
        let account = Change::new("SELECT FROM accounts WHERE id = ($1->>'id')::uuid FOR UPDATE", &self.row())?;
        Ok(vec![account, self.mark()?, update.unless(TAKEN)])
    }
}
