//! Messages of an identity provider, taken in once each.

use workroom_credentials::webhook::{event::IdentityEvent, signature::MessageId};

use super::{IdentityWebhook, store};
use crate::{
    application::{Error, at_pointer},
    clock::now,
    identity::Identity,
};

impl Identity {
    /// What an identity provider may tell, where one is configured.
    pub fn webhook(&self) -> Option<&IdentityWebhook> {
        self.inner.config.webhook.as_ref()
    }

    /// Does what a message tells of, unless that was done before. The id is noted afterwards: doing it twice does no
    /// harm, forgetting it would.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a message that does not read; the database's: the sender tries again then.
    pub async fn take_in(&self, id: &MessageId, body: &[u8]) -> Result<(), Error> {
        let Some(webhook) = self.webhook() else { return Err(Error::not_found("webhook")) };
        let pool = self.inner.app.pool();
        if store::is_known(pool, id).await? {
            return Ok(());
        }
        let event = IdentityEvent::parse(body, now()).map_err(at_pointer(""))?;
        self.apply_identity_event(&webhook.issuer, &event).await?;
        Ok(store::note(pool, id).await?)
    }
}
