//! A new token.

use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::{account::AccountCommand, ids::TokenId, text::Name};

use super::{TokenSummary, store::InsertToken};
use crate::{
    application::{Answer, Context, Error, IdempotencyKey, Rendered, accounts::RecordAccount, codes::OUT_OF_RANGE},
    identity::{Identity, Scope, personal_token},
};

/// A token to make.
pub struct NewToken {
    /// What to call it.
    pub name: Name,
    /// What it opens.
    pub scope: Scope,
    /// When it ends by itself.
    pub expires_at: OffsetDateTime,
}

impl Identity {
    /// When a token ends that is to end then: as late as it may, where nothing is said.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an end that is past or too far.
    pub fn end_of_token(
        &self,
        expires_at: Option<OffsetDateTime>,
        now: OffsetDateTime,
    ) -> Result<OffsetDateTime, Error> {
        let lifetime = self.inner.config.personal_token_lifetime;
        let latest = now + lifetime;
        let refused = |detail: String| Err(Error::invalid("/expires_at", OUT_OF_RANGE, detail));
        match expires_at {
            Some(at) if at <= now => refused("must lie in the future".to_owned()),
            Some(at) if at > latest => refused(format!("must lie within {} days", lifetime.as_secs() / 86_400)),
            at => Ok(at.unwrap_or(latest)),
        }
    }

    /// Makes a token, once for each key, and returns the reply without the secret, and the secret. The secret is kept nowhere: under
    /// a key it is derived from the key and the reply, so that it can be told again.
    ///
    /// # Errors
    /// `Kind::Conflict` for one token too many; see [`Error`].
    pub async fn create_token(
        &self,
        context: &Context,
        NewToken { name, scope, expires_at }: NewToken,
        key: Option<IdempotencyKey>,
        render: impl FnOnce(&TokenSummary) -> Result<Rendered, Error>,
    ) -> Result<(Answer, String), Error> {
        let account_id = context.account()?;
        let summary = TokenSummary {
            id: Uuid::now_v7(),
            name: name.as_str().to_owned(),
            scope: scope.as_str().to_owned(),
            created_at: context.now,
            expires_at: Some(expires_at),
            last_used_at: None,
        };
        let rendered = render(&summary)?;
        let token_for = |rendered: &Rendered| match &key {
            Some(key) => Ok(personal_token::from_secret(&self.derived_secret("personal token", key, &rendered.body))),
            None => personal_token::generate().map_err(Error::failure),
        };
        let token = token_for(&rendered)?;
        let hash = personal_token::hash(&token).ok_or_else(|| Error::failure("a token without a hash"))?;
        let record =
            RecordAccount { account_id, command: AccountCommand::CreateToken { token_id: TokenId(summary.id) } };
        let tables = InsertToken { account_id, summary, hash };
        let rendered = |(): &()| Ok(rendered.clone());
        let answer = self.inner.app.create_with_tables(context, &record, &tables, key.clone(), rendered).await?;
        let token = if answer.replayed { token_for(&answer.rendered)? } else { token };
        Ok((answer, token))
    }
}
