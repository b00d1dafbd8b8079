//! Exchange of a refresh token for a new pair: one live lineage a session, whatever races.

use serde::Serialize;
use sqlx::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::{
    account::{AccountCommand, SessionEnd},
    actor::{Actor, SystemActor},
    ids::{AccountId, SessionId},
};

use super::{
    Identity, TokenPair,
    refresh_token::{Presented, Rotation, SessionRow, SessionSalt, rotate},
    revocations,
};
use crate::application::{At, Change, Context, Error, TableChange, accounts::RecordAccount};
use crate::identity::codes::REFRESH_TOKEN_INVALID;

/// Parallel exchanges of one token settle in one round each; more means something is wrong.
const ROUNDS: usize = 10;

#[derive(FromRow)]
struct Stored {
    account_id: Uuid,
    salt: Vec<u8>,
    generation: i32,
    rotated_at: OffsetDateTime,
    expires_at: OffsetDateTime,
    ended_at: Option<OffsetDateTime>,
}

/// What one round came to.
enum Round {
    Pair(TokenPair),
    /// Another exchange moved the session meanwhile: look again.
    Overtaken,
}

impl Identity {
    /// Exchanges a refresh token for a new pair. A retry of the immediate parent within 10 s gets the same successor;
    /// anything older ends the session.
    ///
    /// # Errors
    /// `Kind::Unauthenticated` for a token that is not, or no longer, good.
    pub async fn refresh(&self, correlation_id: Uuid, refresh_token: &str) -> Result<TokenPair, Error> {
        let presented = Presented::parse(refresh_token).map_err(|_| REFRESH_TOKEN_INVALID)?;
        for _ in 0..ROUNDS {
            if let Round::Pair(pair) = self.exchange(correlation_id, &presented).await? {
                return Ok(pair);
            }
        }
        Err(Error::Overtaken)
    }

    async fn exchange(&self, correlation_id: Uuid, presented: &Presented) -> Result<Round, Error> {
        let stored: Stored = sqlx::query_as(
            "SELECT account_id, salt, generation, rotated_at, expires_at, ended_at FROM sessions WHERE id = $1",
        )
        .bind(presented.session_id)
        .fetch_optional(self.inner.app.pool())
        .await?
        .ok_or(REFRESH_TOKEN_INVALID)?;
        let salt: [u8; 16] = stored.salt.as_slice().try_into().map_err(Error::failure)?;
        let salt = SessionSalt::from_bytes(salt);
        if !self.inner.refresh_key.verify(&salt, presented) {
            return Err(REFRESH_TOKEN_INVALID.into());
        }
        let account_id = AccountId(stored.account_id);
        let session_id = SessionId(presented.session_id);
        let mut context = Context::new(Actor::Account(account_id), correlation_id);
        let session = SessionRow {
            generation: u32::try_from(stored.generation).map_err(Error::failure)?,
            rotated_at: stored.rotated_at,
            ended_at: stored.ended_at,
            expires_at: stored.expires_at,
        };
        let (command, change) = match rotate(&session, presented.generation, context.now) {
            Rotation::Ended | Rotation::Expired => return Err(REFRESH_TOKEN_INVALID.into()),
            Rotation::SameSuccessor(generation) => {
                return self.pair(account_id, session_id, generation, &salt, context.now).map(Round::Pair);
            }
            Rotation::Successor(generation) => {
                (AccountCommand::RefreshSession { session_id, generation }, SessionChange::Rotate { to: generation })
            }
            Rotation::Reuse => {
                // Whoever used it, the account itself did not ask for the end.
                context.actor = Actor::System(SystemActor::Identity);
                let reason = SessionEnd::RefreshTokenReused;
                (AccountCommand::EndSession { session_id, reason }, SessionChange::End)
            }
        };
        let tables = ChangeSession { session_id, from: stored.generation, now: context.now, change };
        let record = RecordAccount { account_id, command };
        match (self.inner.app.run_with_tables(&context, &record, &tables).await, change) {
            (Err(Error::Overtaken), _) => Ok(Round::Overtaken),
            (Err(error), _) => Err(error),
            (Ok(_), SessionChange::End) => {
                self.inner.revocations.end(&[session_id.into()]);
                Err(REFRESH_TOKEN_INVALID.into())
            }
            (Ok(_), SessionChange::Rotate { to }) => {
                self.pair(account_id, session_id, to, &salt, context.now).map(Round::Pair)
            }
        }
    }
}

#[derive(Clone, Copy)]
enum SessionChange {
    Rotate { to: u32 },
    End,
}

struct ChangeSession {
    session_id: SessionId,
    from: i32,
    now: OffsetDateTime,
    change: SessionChange,
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
