//! Secrets that webhooks sign with. They have to be read again to sign, so they are encrypted and not hashed: with a
//! key of the deployment, for one webhook. Whoever reads a row, and not that key, learns nothing.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    rand,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use sqlx::PgPool;
use workroom_credentials::webhook::signature::SigningSecret;
use workroom_domain::ids::WebhookId;

use super::codes::MALFORMED_SECRET;
use crate::{application::Error, secrets};

/// The name of the key among the deployment's secrets.
const KEY: &str = "webhook_secrets";
const PREFIX: &str = "whsec_";
/// How many bytes a secret may have, as Standard Webhooks says.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A secret as people handle it: `whsec_` and base64.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(String);

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretText(..)")
    }
}

impl SecretText {
    /// Checks a secret that somebody gives.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what is no secret, or one of another length than 24 to 64 bytes.
    pub fn parse(pointer: &str, text: &str) -> Result<Self, Error> {
        let bytes = text.strip_prefix(PREFIX).and_then(|base64| STANDARD.decode(base64).ok());
        match bytes.filter(|bytes| BYTES.contains(&bytes.len())) {
            Some(_) => Ok(Self(text.to_owned())),
            None => Err(Error::invalid(pointer, MALFORMED_SECRET, "must be `whsec_` and 24 to 64 bytes in base64")),
        }
    }

    /// The secret that these bytes make.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(format!("{PREFIX}{}", STANDARD.encode(bytes)))
    }

    /// A new secret.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn draw() -> Result<Self, Error> {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes).map_err(|_| Error::failure("the system gives no randomness"))?;
        Ok(Self::from_bytes(&bytes))
    }

    /// The secret, to be shown once.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// An encrypted secret: the nonce, and what AES-256-GCM makes of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedSecret(pub Vec<u8>);

/// Encrypts secrets, and reads them again.
pub struct SecretKey(RandomizedNonceKey);

impl SecretKey {
    /// The key of this deployment; made on first use.
    ///
    /// # Errors
    /// The database's.
    pub async fn open(pool: &PgPool) -> Result<Self, Error> {
        Self::from_bytes(&secrets::secret(pool, KEY).await.map_err(away)?)
    }

    fn from_bytes(bytes: &[u8; 32]) -> Result<Self, Error> {
        RandomizedNonceKey::new(&AES_256_GCM, bytes).map(Self).map_err(|_| Error::failure("a key that is none"))
    }

    /// Encrypts the secret of a webhook; it reads for that webhook only.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn seal(&self, webhook_id: WebhookId, secret: &SecretText) -> Result<SealedSecret, Error> {
        let mut sealed = secret.0.clone().into_bytes();
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(webhook_id.0.into_bytes()), &mut sealed)
            .map_err(|_| Error::failure("a secret could not be encrypted"))?;
        let nonce: &[u8; NONCE_LEN] = nonce.as_ref();
        Ok(SealedSecret([nonce.as_slice(), sealed.as_slice()].concat()))
    }

    /// Reads the secret of a webhook, ready to sign with.
    ///
    /// # Errors
    /// It was encrypted with another key, or for another webhook.
    pub fn open_sealed(&self, webhook_id: WebhookId, sealed: &SealedSecret) -> Result<SigningSecret, Error> {
        let unreadable = || Error::failure("the secret of a webhook does not read");
        let (nonce, encrypted) = sealed.0.split_at_checked(NONCE_LEN).ok_or_else(unreadable)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| unreadable())?;
        let mut text = encrypted.to_vec();
        let text =
            self.0.open_in_place(nonce, Aad::from(webhook_id.0.into_bytes()), &mut text).map_err(|_| unreadable())?;
        let text = std::str::from_utf8(text).map_err(|_| unreadable())?;
        SigningSecret::parse(text).map_err(Error::failure)
    }
}

/// The database's own errors keep their meaning.
fn away(error: anyhow::Error) -> Error {
    match error.downcast::<sqlx::Error>() {
        Ok(error) => error.into(),
        Err(other) => Error::failure(other),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const ONE: WebhookId = WebhookId(Uuid::from_u128(1));
    const OTHER: WebhookId = WebhookId(Uuid::from_u128(2));

    #[test]
    fn a_secret_reads_with_its_key_for_its_webhook_and_not_otherwise() {
        let (key, other_key) = (SecretKey::from_bytes(&[7; 32]).unwrap(), SecretKey::from_bytes(&[8; 32]).unwrap());
        let secret = SecretText::draw().unwrap();
        let sealed = key.seal(ONE, &secret).unwrap();
        assert!(key.open_sealed(ONE, &sealed).is_ok());
        assert!(key.open_sealed(OTHER, &sealed).is_err());
        assert!(other_key.open_sealed(ONE, &sealed).is_err());
        assert_ne!(key.seal(ONE, &secret).unwrap(), sealed, "each time with another nonce");
        let text = secret.expose().as_bytes();
        assert!(!sealed.0.windows(8).any(|part| text.windows(8).any(|plain| plain == part)));
        for cut in [0, NONCE_LEN, sealed.0.len() - 1] {
            assert!(key.open_sealed(ONE, &SealedSecret(sealed.0[..cut].to_vec())).is_err(), "cut at {cut}");
        }
        assert_eq!(format!("{secret:?}"), "SecretText(..)");
    }

    #[test]
    fn a_secret_has_its_prefix_and_a_length_within_bounds() {
        let of = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![1; bytes]));
        for good in [24, 32, 64] {
            assert!(SecretText::parse("/secret", &of(good)).is_ok(), "{good}");
        }
        for bad in [of(0), of(23), of(65), of(32).replace("whsec_", ""), "whsec_!".to_owned(), String::new()] {
            assert!(SecretText::parse("/secret", &bad).is_err(), "{bad}");
        }
        assert!(SecretText::draw().unwrap().expose().starts_with("whsec_"));
    }
}
