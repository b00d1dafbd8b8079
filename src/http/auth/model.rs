//! Accounts and tokens as clients see them.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::account::refusal::ACCOUNT_ERASED;
use workroom_projections::accounts::{self, AccountRow};

use crate::{
    application::{App, Error},
    http::reply::AcceptedBody,
    identity::TokenPair,
};

/// An account, as it sees itself.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Account {
    /// Its id.
    pub id: Uuid,
    /// E-mail address; null where another issuer vouches for the account and told none.
    #[schema(example = "ada@example.com")]
    pub email: Option<String>,
    /// Whether the account has shown that it reads mail to the address.
    pub email_verified: bool,
    /// User name.
    #[schema(example = "ada")]
    pub username: String,
    /// Full name.
    pub full_name: Option<String>,
    /// Picture.
    pub image_url: Option<String>,
    /// The organization of its own.
    pub personal_organization_id: Uuid,
    /// When it was registered.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

impl From<AccountRow> for Account {
    fn from(row: AccountRow) -> Self {
        Self {
            id: row.id,
            email: row.email,
            email_verified: row.email_verified,
            username: row.username,
            full_name: row.full_name,
            image_url: row.image_url,
            personal_organization_id: row.personal_organization_id,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// The request was accepted; what comes of it is not told.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MailAccepted {
    /// Always `accepted`.
    #[schema(example = "accepted")]
    status: &'static str,
}

impl MailAccepted {
    /// That it was accepted.
    pub(super) fn new() -> MailReply {
        MailReply::new(Self { status: "accepted" })
    }
}

/// 202 where a mail is on its way, should there be somebody to get it.
pub type MailReply = AcceptedBody<MailAccepted>;

/// A pair of tokens (RFC 6749, 5.1), with whose they are.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Tokens {
    /// Send it as `Authorization: Bearer`.
    pub access_token: String,
    /// Exchange it for a new pair at `/auth/refresh`; each can be used once.
    pub refresh_token: String,
    /// Always `bearer`.
    #[schema(example = "bearer")]
    pub token_type: &'static str,
    /// Seconds that the access token holds.
    #[schema(example = 900)]
    pub expires_in: u64,
    /// Whose they are.
    pub user: Account,
}

impl Tokens {
    pub(super) async fn of(app: &App, pair: TokenPair) -> Result<Self, Error> {
        let user = accounts::find(app.pool(), pair.account_id.into()).await?.ok_or(ACCOUNT_ERASED)?;
        Ok(Self {
            access_token: pair.access_token,
            refresh_token: pair.refresh_token,
            token_type: "bearer",
            expires_in: pair.expires_in,
            user: user.into(),
        })
    }
}
