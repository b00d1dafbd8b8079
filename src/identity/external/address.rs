//! An address that two accounts claim.

use workroom_domain::{account::ProfileField, ids::AccountId, refusal::Kind};
use workroom_projections::accounts;

use super::store::LoseAddress;
use crate::{
    application::{At, Context, Error},
    identity::{Identity, accounts::ChangeProfile, email::EmailAddress},
};

impl Identity {
    /// Takes an address that the issuer has verified from an account that has never proven it: whoever registered that may have
    /// typed somebody else's. `None` where the account has proven it.
    pub(super) async fn take_address(
        &self,
        context: &Context,
        email: Option<EmailAddress>,
    ) -> Result<Option<EmailAddress>, Error> {
        let Some(address) = &email else { return Ok(None) };
        let holder = accounts::find_by_email(self.inner.app.pool(), address.normalized()).await?;
        match holder {
            Some(holder) if holder.email_verified => return Ok(None),
            Some(holder) => {
                let account_id = AccountId(holder.id);
                let lose = ChangeProfile { account_id, fields: vec![ProfileField::Email] };
                let tables = LoseAddress { account_id: holder.id, at: At(context.now) };
                match self.inner.app.run_with_tables(context, &lose, &tables).await {
                    // It has been proven or erased meanwhile: the next round finds out.
                    Ok(_) => {}
                    Err(error) if matches!(error.kind(), Kind::Conflict | Kind::Unauthenticated) => {}
                    Err(error) => return Err(error),
                }
            }
            None => {}
        }
        Ok(email)
    }
}
