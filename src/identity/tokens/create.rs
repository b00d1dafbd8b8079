//! A new token.

use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::{account::AccountCommand, ids::TokenId, text::Name};

use super::{TokenSummary, store::InsertToken};
use crate::{
    application::{Context, Done, Error, accounts::RecordAccount, codes::OUT_OF_RANGE, in_field},
    identity::{Identity, Scope, personal_token},
};

impl Identity {
    /// Makes a token. Its secret is told this once.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name that is none, or an end that is past or too far; `Kind::Conflict` for one token too many.
    pub async fn create_token(
        &self,
        context: &Context,
        name: &str,
        scope: Scope,
        expires_at: Option<OffsetDateTime>,
    ) -> Result<(TokenSummary, String, Done<()>), Error> {
        let account_id = context.account()?;
        let name = Name::parse(name).map_err(in_field("/name"))?;
        let latest = context.now + self.inner.config.personal_token_lifetime;
        match expires_at {
            Some(at) if at <= context.now => {
                return Err(Error::invalid("/expires_at", OUT_OF_RANGE, "must lie in the future"));
            }
            Some(at) if at > latest => {
                let days = self.inner.config.personal_token_lifetime.as_secs() / 86_400;
                return Err(Error::invalid("/expires_at", OUT_OF_RANGE, format!("must lie within {days} days")));
            }
            _ => {}
        }
        let expires_at = Some(expires_at.unwrap_or(latest));
        let token = personal_token::generate().map_err(Error::failure)?;
        let hash = personal_token::hash(&token).ok_or_else(|| Error::failure("a token without a hash"))?;
        let summary = TokenSummary {
            id: Uuid::now_v7(),
            name: name.as_str().to_owned(),
            scope: scope.as_str().to_owned(),
            created_at: context.now,
            expires_at,
            last_used_at: None,
        };
        let record =
            RecordAccount { account_id, command: AccountCommand::CreateToken { token_id: TokenId(summary.id) } };
        let tables = InsertToken { account_id, summary: summary.clone(), hash };
        let done = self.inner.app.run_with_tables(context, &record, &tables).await?;
        Ok((summary, token, done))
    }
}
