//! Exchange of a refresh token for a new pair: one live lineage a session, whatever races.

use sqlx::{FromRow, PgConnection};
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
use crate::application::{Context, Error, TableChange, accounts::RecordAccount};

const REFUSED: Error = Error::Unauthenticated("the refresh token is not valid");
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
    /// [`Error::Unauthenticated`] for a token that is not, or no longer, good.
    pub async fn refresh(&self, correlation_id: Uuid, refresh_token: &str) -> Result<TokenPair, Error> {
        let presented = Presented::parse(refresh_token).map_err(|_| REFUSED)?;
        for _ in 0..ROUNDS {
            if let Round::Pair(pair) = self.exchange(correlation_id, &presented).await? {
                return Ok(pair);
            }
        }
        Err(Error::Conflict("this session is being refreshed by too many at once".to_owned()))
    }

    async fn exchange(&self, correlation_id: Uuid, presented: &Presented) -> Result<Round, Error> {
        let stored: Stored = sqlx::query_as(
            "SELECT account_id, salt, generation, rotated_at, expires_at, ended_at FROM sessions WHERE id = $1",
        )
        .bind(presented.session_id)
        .fetch_optional(self.inner.app.pool())
        .await?
        .ok_or(REFUSED)?;
        let salt: [u8; 16] = stored.salt.as_slice().try_into().map_err(Error::failure)?;
        let salt = SessionSalt::from_bytes(salt);
        if !self.inner.refresh_key.verify(&salt, presented) {
            return Err(REFUSED);
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
            Rotation::Ended | Rotation::Expired => return Err(REFUSED),
            Rotation::SameSuccessor(generation) => {
                return self.pair(account_id, session_id, generation, &salt, context.now).map(Round::Pair);
            }
            Rotation::Successor(generation) => {
                (AccountCommand::RefreshSession { session_id, generation }, Change::Rotate { to: generation })
            }
            Rotation::Reuse => {
                // Whoever used it, the account itself did not ask for the end.
                context.actor = Actor::System(SystemActor::Identity);
                let reason = SessionEnd::RefreshTokenReused;
                (AccountCommand::EndSession { session_id, reason }, Change::End)
            }
        };
        let tables = ChangeSession { session_id, from: stored.generation, now: context.now, change };
        let record = RecordAccount { account_id, command };
        match (self.inner.app.run_with_tables(&context, &record, &tables).await, change) {
            (Err(Error::Conflict(detail)), _) if detail == OVERTAKEN => Ok(Round::Overtaken),
            (Err(error), _) => Err(error),
            (Ok(_), Change::End) => {
                self.inner.revocations.end(&[session_id.into()]);
                Err(REFUSED)
            }
            (Ok(_), Change::Rotate { to }) => {
                self.pair(account_id, session_id, to, &salt, context.now).map(Round::Pair)
            }
        }
    }
}

const OVERTAKEN: &str = "the session was changed meanwhile";

#[derive(Clone, Copy)]
enum Change {
    Rotate { to: u32 },
    End,
}

struct ChangeSession {
    session_id: SessionId,
    from: i32,
    now: OffsetDateTime,
    change: Change,
}

impl TableChange for ChangeSession {
    async fn apply(&self, connection: &mut PgConnection) -> Result<(), Error> {
        let statement = match self.change {
            Change::Rotate { .. } => {
                "UPDATE sessions SET generation = $4, rotated_at = $3
                 WHERE id = $1 AND generation = $2 AND ended_at IS NULL"
            }
            Change::End => {
                "UPDATE sessions SET generation = $4, ended_at = $3
                 WHERE id = $1 AND generation = $2 AND ended_at IS NULL"
            }
        };
        let generation = match self.change {
            Change::Rotate { to } => i32::try_from(to).map_err(Error::failure)?,
            Change::End => self.from,
        };
        if matches!(self.change, Change::End) {
            revocations::record(connection, &[self.session_id.into()]).await?;
        }
        let changed = sqlx::query(statement)
            .bind(Uuid::from(self.session_id))
            .bind(self.from)
            .bind(self.now)
            .bind(generation)
            .execute(connection)
            .await?;
        if changed.rows_affected() == 1 { Ok(()) } else { Err(Error::Conflict(OVERTAKEN.to_owned())) }
    }
}
