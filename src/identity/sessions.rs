//! An account's sessions: listed, and ended before their time.

use serde::Serialize;
use sqlx::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::{
    account::{Account, AccountCommand, SessionEnd},
    actor::{Actor, SystemActor},
    ids::{AccountId, SessionId, TokenId},
};

use super::{Identity, revocations, tokens};
use crate::application::{At, Change, Command, Context, Done, Error, TableChange, Unit, accounts::RecordAccount};

/// A session that is going on.
#[derive(Clone, Debug, FromRow)]
pub struct SessionSummary {
    /// Its id.
    pub id: Uuid,
    /// What the client called itself at sign-in.
    pub user_agent: Option<String>,
    /// When it began.
    pub created_at: OffsetDateTime,
    /// When its tokens were last renewed.
    pub refreshed_at: OffsetDateTime,
    /// When it ends by itself.
    pub expires_at: OffsetDateTime,
}

/// The sessions of an account that are going on.
pub(super) async fn live(
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

impl Identity {
    /// The sessions of an account that are going on, youngest first.
    ///
    /// # Errors
    /// The database's.
    pub async fn sessions(&self, account_id: AccountId, now: OffsetDateTime) -> Result<Vec<SessionSummary>, Error> {
        Ok(live(self.inner.app.pool(), account_id, now).await?)
    }

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
        if !self.sessions(account_id, context.now).await?.iter().any(|session| session.id == session_id.0) {
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

struct EndOne {
    account_id: AccountId,
    session_id: SessionId,
    now: OffsetDateTime,
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

/// What an account could be entered with, and ended with something that happened to it.
#[derive(Debug, Default)]
pub(super) struct Ended {
    pub(super) sessions: Vec<Uuid>,
    pub(super) tokens: Vec<Uuid>,
}

impl Ended {
    /// The ids of all of it.
    pub(super) fn credentials(&self) -> Vec<Uuid> {
        [self.sessions.as_slice(), &self.tokens].concat()
    }
}

/// Something that happens to an account and ends its sessions, but perhaps one, and its personal access tokens, if they are
/// to. Its rows are ended by [`end_rows`] and [`tokens::delete_all`].
pub(super) struct EndSessions {
    pub(super) account_id: AccountId,
    /// What happens first.
    pub(super) causes: Vec<AccountCommand>,
    pub(super) reason: SessionEnd,
    pub(super) keep: Option<SessionId>,
    pub(super) tokens: bool,
}

impl Command for EndSessions {
    type Reply = Ended;

    fn contended(&self) -> Option<Uuid> {
        Some(self.account_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<Ended, Error> {
        // The account first: what begins after this is a conflict, what began before is in the lists.
        let mut account = unit.read::<Account>(self.account_id).await?;
        let going_on = live(unit.pool(), self.account_id, unit.context().now).await?;
        let sessions: Vec<Uuid> = going_on
            .into_iter()
            .map(|session| session.id)
            .filter(|id| self.keep.map(Uuid::from) != Some(*id))
            .collect();
        let tokens = if self.tokens { tokens::ids(unit.pool(), self.account_id).await? } else { Vec::new() };
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

/// Sessions ended by one append.
const END_AT_ONCE: i64 = 500;

/// Ends the oldest of an account's sessions that are too many. Replies with those that it ended.
struct EndExcess {
    account_id: AccountId,
    limit: i64,
    now: OffsetDateTime,
}

/// The oldest sessions beyond the limit, oldest first, a portion at a time; the arguments are those of [`ExcessRow`].
const EXCESS: &str = "SELECT id FROM (
        SELECT s.id FROM sessions s
        WHERE s.account_id = $1 AND s.ended_at IS NULL AND s.expires_at > $2
        ORDER BY s.created_at DESC, s.id DESC OFFSET $3) excess
    ORDER BY id LIMIT $4";

impl Command for EndExcess {
    type Reply = Vec<Uuid>;

    fn contended(&self) -> Option<Uuid> {
        Some(self.account_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<Vec<Uuid>, Error> {
        // The account first: whoever begins or ends a session moves it, so the rows are the same when the append commits.
        let mut account = unit.read::<Account>(self.account_id).await?;
        let excess: Vec<Uuid> = sqlx::query_scalar(EXCESS)
            .bind(Uuid::from(self.account_id))
            .bind(self.now)
            .bind(self.limit)
            .bind(END_AT_ONCE)
            .fetch_all(unit.pool())
            .await?;
        for id in &excess {
            let reason = SessionEnd::SessionLimit;
            account = unit.decide(&account, AccountCommand::EndSession { session_id: SessionId(*id), reason })?;
        }
        Ok(excess)
    }
}

#[derive(Serialize)]
struct ExcessRow {
    account_id: Uuid,
    now: At,
    most: i64,
    at_once: i64,
}

impl TableChange for EndExcess {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let row =
            ExcessRow { account_id: self.account_id.into(), now: At(self.now), most: self.limit, at_once: END_AT_ONCE };
        let end = Change::new(
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
        )?;
        Ok(vec![end])
    }
}

impl Identity {
    /// Ends the oldest sessions of an account that are more than it may have: one append a portion, however many there are.
    pub(super) async fn end_excess(&self, context: &Context, account_id: AccountId) -> Result<(), Error> {
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

#[derive(Serialize)]
struct EndedSessions {
    account_id: Uuid,
    keep: Option<Uuid>,
    now: At,
}

/// Ends the rows of an account's sessions, but perhaps one.
pub(super) fn end_rows(account_id: AccountId, keep: Option<SessionId>, now: OffsetDateTime) -> Result<Change, Error> {
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
