//! The end of a token before its time.

use workroom_domain::{account::AccountCommand, ids::TokenId};

use super::store::DeleteToken;
use crate::{
    application::{Context, Done, Error, accounts::RecordAccount},
    identity::Identity,
};

impl Identity {
    /// Revokes a token, at once on every instance.
    ///
    /// # Errors
    /// `Kind::NotFound` for a token that is not the account's, or is no more.
    pub async fn revoke_token(&self, context: &Context, token_id: TokenId) -> Result<Done<()>, Error> {
        let account_id = context.account()?;
        self.token(account_id, token_id).await?;
        let record = RecordAccount { account_id, command: AccountCommand::RevokeToken { token_id } };
        match self.inner.app.run_with_tables(context, &record, &DeleteToken { account_id, token_id }).await {
            Ok(done) => {
                self.inner.revocations.end(&[token_id.into()]);
                Ok(done)
            }
            Err(Error::Overtaken) => Err(Error::not_found("token")),
            Err(error) => Err(error),
        }
    }
}
