//! The table `sessions`.

use serde::Serialize;
use sqlx::PgPool;
use sqlx_macros::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::ids::{AccountId, SessionId};
use workroom_projections::page::{Listed, Page};

use super::SessionSummary;
use crate::{
    application::{At, Bytea, Change, Error, TableChange},
    identity::{codes::WRONG_CREDENTIALS, refresh_token::SessionSalt, revocations},
};

/// The sessions of an account that are going on.
pub(in crate::identity) async fn live(
    executor: impl sqlx::PgExecutor<'_>,
    account_id: AccountId,
    now: OffsetDateTime,
) -> Result<Vec<SessionSummary>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, user_agent, created_at, rotated_at AS refreshed_at, expires_at FROM sessions
         WHERE account_id = $1 AND ended_at IS NULL AND expires_at > $2 ORDER BY id DESC",
    )
    .bind(Uuid::from(account_id))
    .bind(now)
    .fetch_all(executor)
    .await
}

/// A part of the sessions of an account that are going on, youngest first.
pub(super) async fn list(
    pool: &PgPool,
    account_id: AccountId,
    now: OffsetDateTime,
    page: Page,
) -> Result<Listed<SessionSummary>, sqlx::Error> {
    let sessions = sqlx::query_as(
        "SELECT id, user_agent, created_at, rotated_at AS refreshed_at, expires_at FROM sessions
         WHERE account_id = $1 AND ended_at IS NULL AND expires_at > $2 AND ($3::uuid IS NULL OR id < $3)
         ORDER BY id DESC LIMIT $4 OFFSET $5",
    )
    .bind(Uuid::from(account_id))
    .bind(now)
    .bind(page.after)
    .bind(page.limit + 1)
    .bind(page.skip)
    .fetch_all(pool)
    .await?;
    Ok(Listed::from_one_more(sessions, page, |session: &SessionSummary| session.id))
}

/// A session, as its refresh tokens are checked with it.
#[derive(FromRow)]
pub(super) struct Stored {
    pub(super) account_id: Uuid,
    pub(super) salt: Vec<u8>,
    pub(super) generation: i32,
    pub(super) rotated_at: OffsetDateTime,
    pub(super) expires_at: OffsetDateTime,
    pub(super) ended_at: Option<OffsetDateTime>,
}

/// The session of that id.
pub(super) async fn find(pool: &PgPool, session_id: Uuid) -> Result<Option<Stored>, sqlx::Error> {
    sqlx::query_as("SELECT account_id, salt, generation, rotated_at, expires_at, ended_at FROM sessions WHERE id = $1")
        .bind(session_id)
        .fetch_optional(pool)
        .await
}

/// Whether a session of the account that goes on was begun from the network of this digest.
pub(in crate::identity) async fn goes_on_from(
    pool: &PgPool,
    account_id: Option<Uuid>,
    network_digest: Vec<u8>,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM sessions WHERE account_id = $1 AND network = $2
                          AND ended_at IS NULL AND expires_at > now())",
    )
    .bind(account_id)
    .bind(network_digest)
    .fetch_one(pool)
    .await
}

pub(super) struct InsertSession {
    pub(super) account_id: AccountId,
    pub(super) session_id: SessionId,
    pub(super) salt: SessionSalt,
    /// The hash that the password was compared with. Should the account have another by now, the password that opened
    /// the door no longer does.
    pub(super) proof: String,
    pub(super) user_agent: Option<String>,
    /// From where, as a digest.
    pub(super) network: Vec<u8>,
    pub(super) created_at: OffsetDateTime,
    pub(super) expires_at: OffsetDateTime,
}

#[derive(Serialize)]
struct NewSession<'a> {
    id: Uuid,
    account_id: Uuid,
    salt: Bytea<'a>,
    created_at: At,
    expires_at: At,
    user_agent: Option<&'a str>,
    network: Bytea<'a>,
    proof: &'a str,
}

impl TableChange for InsertSession {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let row = NewSession {
            id: self.session_id.into(),
            account_id: self.account_id.into(),
            salt: Bytea(self.salt.as_bytes().as_slice()),
            created_at: At(self.created_at),
            expires_at: At(self.expires_at),
            user_agent: self.user_agent.as_deref(),
            network: Bytea(&self.network),
            proof: &self.proof,
        };
        let insert = Change::new(
            "INSERT INTO sessions (id, account_id, salt, rotated_at, created_at, expires_at, user_agent, network)
             SELECT a.id, c.id, a.salt, a.created_at, a.created_at, a.expires_at, a.user_agent, a.network
             FROM accounts c, jsonb_to_record($1) AS a (id uuid, account_id uuid, salt bytea, created_at timestamptz,
                                                        expires_at timestamptz, user_agent text, network bytea, proof text)
             WHERE c.id = a.account_id AND c.password_hash = a.proof AND c.deactivated_at IS NULL FOR SHARE OF c",
            &row,
        )?;
        Ok(vec![insert.or(|| WRONG_CREDENTIALS.into())])
    }
}

#[derive(Clone, Copy)]
pub(super) enum SessionChange {
    Rotate { to: u32 },
    End,
}

pub(super) struct ChangeSession {
    pub(super) session_id: SessionId,
    pub(super) from: i32,
    pub(super) now: OffsetDateTime,
    pub(super) change: SessionChange,
}

#[derive(Serialize)]
struct ChangedSession {
    id: Uuid,
    from: i32,
    generation: i32,
    now: At,
}

impl TableChange for ChangeSession {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let generation = match self.change {
            SessionChange::Rotate { to } => i32::try_from(to).map_err(Error::failure)?,
            SessionChange::End => self.from,
        };
        let row = ChangedSession { id: self.session_id.into(), from: self.from, generation, now: At(self.now) };
        let sql = match self.change {
            SessionChange::Rotate { .. } => {
                "UPDATE sessions t SET generation = a.generation, rotated_at = a.now
                 FROM jsonb_to_record($1) AS a (id uuid, \"from\" int, generation int, now timestamptz)
                 WHERE t.id = a.id AND t.generation = a.\"from\" AND t.ended_at IS NULL"
            }
            SessionChange::End => {
                "UPDATE sessions t SET ended_at = a.now
                 FROM jsonb_to_record($1) AS a (id uuid, \"from\" int, now timestamptz)
                 WHERE t.id = a.id AND t.generation = a.\"from\" AND t.ended_at IS NULL"
            }
        };
        let mut changes = vec![Change::new(sql, &row)?.or(|| Error::Overtaken)];
        if matches!(self.change, SessionChange::End) {
            changes.push(revocations::record(&[self.session_id.into()])?);
        }
        Ok(changes)
    }
}

pub(super) struct EndOne {
    pub(super) account_id: AccountId,
    pub(super) session_id: SessionId,
    pub(super) now: OffsetDateTime,
}

#[derive(Serialize)]
struct EndedSession {
    id: Uuid,
    account_id: Uuid,
    now: At,
}

impl TableChange for EndOne {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let ended = EndedSession { id: self.session_id.into(), account_id: self.account_id.into(), now: At(self.now) };
        let end = Change::new(
            "UPDATE sessions t SET ended_at = a.now
             FROM jsonb_to_record($1) AS a (id uuid, account_id uuid, now timestamptz)
             WHERE t.id = a.id AND t.account_id = a.account_id AND t.ended_at IS NULL",
            &ended,
        )?;
        Ok(vec![end.or(|| Error::Overtaken), revocations::record(&[self.session_id.into()])?])
    }
}

/// The oldest sessions beyond the limit, oldest first, `at_once` of them at most.
pub(super) async fn excess(
    pool: &PgPool,
    account_id: AccountId,
    now: OffsetDateTime,
    limit: i64,
    at_once: i64,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT id FROM (
             SELECT s.id FROM sessions s
             WHERE s.account_id = $1 AND s.ended_at IS NULL AND s.expires_at > $2
             ORDER BY s.created_at DESC, s.id DESC OFFSET $3) excess
         ORDER BY id LIMIT $4",
    )
    .bind(Uuid::from(account_id))
    .bind(now)
    .bind(limit)
    .bind(at_once)
    .fetch_all(pool)
    .await
}

#[derive(Serialize)]
struct ExcessRow {
    account_id: Uuid,
    now: At,
    most: i64,
    at_once: i64,
}

/// Ends what [`excess`] finds.
pub(super) fn end_excess(account_id: AccountId, now: OffsetDateTime, most: i64, at_once: i64) -> Result<Change, Error> {
    let row = ExcessRow { account_id: account_id.into(), now: At(now), most, at_once };
    Change::new(
        "WITH excess AS (
             SELECT id FROM (
                 SELECT s.id FROM sessions s, jsonb_to_record($1) AS a (account_id uuid, now timestamptz, most bigint)
                 WHERE s.account_id = a.account_id AND s.ended_at IS NULL AND s.expires_at > a.now
                 ORDER BY s.created_at DESC, s.id DESC OFFSET ($1->>'most')::bigint) newest
             ORDER BY id LIMIT ($1->>'at_once')::bigint),
         ended AS (
             UPDATE sessions t SET ended_at = ($1->>'now')::timestamptz FROM excess WHERE t.id = excess.id
             RETURNING t.id)
         INSERT INTO ended_credentials (id) SELECT id FROM ended ON CONFLICT DO NOTHING",
        &row,
    )
}

#[derive(Serialize)]
struct EndedSessions {
    account_id: Uuid,
    keep: Option<Uuid>,
    now: At,
}

/// Ends the rows of an account's sessions, but perhaps one.
pub(in crate::identity) fn end_rows(
    account_id: AccountId,
    keep: Option<SessionId>,
    now: OffsetDateTime,
) -> Result<Change, Error> {
    let ended = EndedSessions { account_id: account_id.into(), keep: keep.map(Uuid::from), now: At(now) };
    Change::new(
        "WITH ended AS (
             UPDATE sessions t SET ended_at = a.now
             FROM jsonb_to_record($1) AS a (account_id uuid, keep uuid, now timestamptz)
             WHERE t.account_id = a.account_id AND t.id IS DISTINCT FROM a.keep AND t.ended_at IS NULL
             RETURNING t.id)
         INSERT INTO ended_credentials (id) SELECT id FROM ended ON CONFLICT DO NOTHING",
        &ended,
    )
}
