//! The table `accounts`, as its owners and whoever closes it change it. Passwords and the proof of addresses have stores of
//! their own, and so has what other issuers tell.

use serde::Serialize;
use sqlx::PgPool;
use sqlx_macros::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::{account::Closer, ids::AccountId};
use workroom_projections::accounts::AccountRow;

use crate::{
    application::{At, Change, Error, TableChange},
    identity::{
        codes::{EMAIL_TAKEN, USERNAME_TAKEN},
        email::EmailAddress,
        sessions,
        username::Username,
    },
    notify::outbox::{self, NewMail},
};

/// Whether an address and a user name are taken.
pub(super) async fn taken(
    pool: &PgPool,
    email: &EmailAddress,
    username: Option<&Username>,
) -> Result<(bool, bool), sqlx::Error> {
    sqlx::query_as(
        "SELECT EXISTS (SELECT FROM accounts WHERE email_normalized = $1),
                EXISTS (SELECT FROM accounts WHERE username = $2)",
    )
    .bind(email.normalized())
    .bind(username.map(Username::as_str))
    .fetch_one(pool)
    .await
}

/// A new account, and the mail that has its address proven.
pub(super) struct InsertAccount {
    pub(super) account: AccountRow,
    pub(super) email: EmailAddress,
    pub(super) password_hash: String,
    pub(super) mail: NewMail,
}

#[derive(Serialize)]
struct NewAccount<'a> {
    id: Uuid,
    email: Option<&'a str>,
    email_normalized: &'a str,
    username: &'a str,
    full_name: Option<&'a str>,
    password_hash: &'a str,
    organization: Uuid,
    at: At,
}

impl TableChange for InsertAccount {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let account = &self.account;
        let row = NewAccount {
            id: account.id,
            email: account.email.as_deref(),
            email_normalized: self.email.normalized(),
            username: &account.username,
            full_name: account.full_name.as_deref(),
            password_hash: &self.password_hash,
            organization: account.personal_organization_id,
            at: At(account.created_at),
        };
        let insert = Change::new(
            "INSERT INTO accounts (id, email, email_normalized, username, full_name, password_hash,
                                   personal_organization_id, created_at, updated_at)
             SELECT id, email, email_normalized, username, full_name, password_hash, organization, at, at
             FROM jsonb_to_record($1) AS a (id uuid, email text, email_normalized text, username text, full_name text,
                                            password_hash text, organization uuid, at timestamptz)",
            &row,
        )?;
        let insert = insert
            .unless(&[("accounts_email", || EMAIL_TAKEN.into()), ("accounts_username", || USERNAME_TAKEN.into())]);
        Ok(vec![insert, outbox::enqueue(&self.mail)?])
    }
}

/// Writes a profile over the version that it was made from.
pub(super) struct UpdateProfile {
    pub(super) account: AccountRow,
    pub(super) from: i64,
}

#[derive(Serialize)]
struct ProfileRow<'a> {
    id: Uuid,
    from: i64,
    username: &'a str,
    full_name: Option<&'a str>,
    image_url: Option<&'a str>,
    at: At,
    version: i64,
}

impl TableChange for UpdateProfile {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let account = &self.account;
        let row = ProfileRow {
            id: account.id,
            from: self.from,
            username: &account.username,
            full_name: account.full_name.as_deref(),
            image_url: account.image_url.as_deref(),
            at: At(account.updated_at),
            version: account.version,
        };
        let update = Change::new(
            "UPDATE accounts t SET username = a.username, full_name = a.full_name, image_url = a.image_url,
                    updated_at = a.at, version = a.version
             FROM jsonb_to_record($1) AS a (id uuid, \"from\" bigint, username text, full_name text, image_url text,
                                            at timestamptz, version bigint)
             WHERE t.id = a.id AND t.version = a.\"from\"",
            &row,
        )?;
        Ok(vec![update.or(|| Error::Overtaken).unless(&[("accounts_username", || USERNAME_TAKEN.into())])])
    }
}

/// The time since an account was last closed, and who has it closed now.
#[derive(FromRow)]
pub(super) struct Period {
    pub(super) id: Uuid,
    pub(super) by_operator: bool,
    pub(super) by_issuer: bool,
}

/// The present period of an account.
pub(super) async fn period(pool: &PgPool, account_id: AccountId) -> Result<Option<Period>, sqlx::Error> {
    sqlx::query_as(
        "SELECT period_id AS id, closed_by_operator_at IS NOT NULL AS by_operator,
                closed_by_issuer_at IS NOT NULL AS by_issuer
         FROM accounts WHERE id = $1",
    )
    .bind(Uuid::from(account_id))
    .fetch_optional(pool)
    .await
}

/// What an issuer told of an identity, and when. It holds as long as nothing newer is known.
#[derive(Clone, Copy, Debug)]
pub(in crate::identity) struct Told<'a> {
    pub(in crate::identity) issuer: &'a str,
    pub(in crate::identity) subject: &'a str,
    pub(in crate::identity) updated_at: OffsetDateTime,
}

#[derive(Serialize)]
struct ToldRow<'a> {
    issuer: &'a str,
    subject: &'a str,
    updated_at: At,
}

impl Told<'_> {
    /// Insists that nothing newer is known, and keeps it so.
    fn is_newest(&self) -> Result<Change, Error> {
        let Self { issuer, subject, updated_at } = *self;
        let newest = Change::new(
            "SELECT FROM external_identities i
             JOIN jsonb_to_record($1) AS a (issuer text, subject text, updated_at timestamptz)
                  ON i.issuer = a.issuer AND i.subject = a.subject AND i.updated_at = a.updated_at
             FOR UPDATE OF i",
            &ToldRow { issuer, subject, updated_at: At(updated_at) },
        )?;
        Ok(newest.or(|| Error::Overtaken))
    }
}

/// Closes an account, or opens it again.
pub(super) struct SetDeactivated<'a> {
    pub(super) account_id: AccountId,
    pub(super) by: Closer,
    pub(super) deactivated: bool,
    pub(super) now: OffsetDateTime,
    /// What the issuer told, where it decides.
    pub(super) told: Option<Told<'a>>,
}

#[derive(Serialize)]
struct DeactivatedRow {
    account_id: Uuid,
    at: At,
}

impl SetDeactivated<'_> {
    fn statement(&self) -> &'static str {
        match (self.deactivated, self.by) {
            (true, Closer::Operator) => {
                "UPDATE accounts SET closed_by_operator_at = ($1->>'at')::timestamptz
                 WHERE id = ($1->>'account_id')::uuid"
            }
            (true, Closer::Issuer) => {
                "UPDATE accounts SET closed_by_issuer_at = ($1->>'at')::timestamptz
                 WHERE id = ($1->>'account_id')::uuid"
            }
            (false, Closer::Operator) => {
                "UPDATE accounts SET closed_by_operator_at = NULL, closed_by_issuer_at = NULL
                 WHERE id = ($1->>'account_id')::uuid"
            }
            (false, Closer::Issuer) => {
                "UPDATE accounts SET closed_by_issuer_at = NULL WHERE id = ($1->>'account_id')::uuid"
            }
        }
    }
}

impl TableChange for SetDeactivated<'_> {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let row = DeactivatedRow { account_id: self.account_id.into(), at: At(self.now) };
        let mut changes = vec![Change::new(self.statement(), &row)?];
        // Behind the account: an erasure locks them in this order, too.
        changes.extend(self.told.as_ref().map(Told::is_newest).transpose()?);
        if self.deactivated {
            changes.push(Change::new(
                "WITH before AS (SELECT id, period_id FROM accounts WHERE id = ($1->>'account_id')::uuid FOR UPDATE),
                      renewed AS (
                          UPDATE accounts t SET period_id = gen_random_uuid() FROM before b WHERE t.id = b.id
                          RETURNING b.period_id)
                 INSERT INTO ended_credentials (id) SELECT period_id FROM renewed ON CONFLICT DO NOTHING",
                &row,
            )?);
            changes.push(sessions::store::end_rows(self.account_id, None, self.now)?);
        }
        Ok(changes)
    }
}
