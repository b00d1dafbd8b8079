//! Exchange of a refresh token for a new pair: one live lineage a session, whatever races.

use uuid::Uuid;
use workroom_domain::{
    account::{AccountCommand, SessionEnd},
    actor::{Actor, SystemActor},
    ids::{AccountId, SessionId},
};

use super::store::{self, ChangeSession, SessionChange};
use crate::{
    application::{Context, Error, accounts::RecordAccount},
    identity::{
        Identity, TokenPair,
        codes::REFRESH_TOKEN_INVALID,
        refresh_token::{Presented, Rotation, SessionRow, SessionSalt, rotate},
    },
};

/// Parallel exchanges of one token settle in one round each; more means something is wrong.
const ROUNDS: usize = 10;

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
        let found = store::find(self.inner.app.pool(), presented.session_id).await?;
        let stored = found.ok_or(REFRESH_TOKEN_INVALID)?;
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
