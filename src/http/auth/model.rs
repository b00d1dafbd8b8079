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
    /// The account's id, a UUIDv7.
    pub id: Uuid,
    /// E-mail address; null where another issuer vouches for the account and told none.
    #[schema(example = "ada@example.com")]
    pub email: Option<String>,
    /// Whether the account has shown that it reads mail to the address.
    pub email_verified: bool,
    /// The user name: 3 to 32 letters, digits, dots, hyphens and underscores; no two accounts have the same.
    #[schema(example = "ada")]
    pub username: String,
    /// The full name, as the account wants to be called; null where it has given none.
    pub full_name: Option<String>,
    /// The address of the account's picture, http or https; null where there is none.
    pub image_url: Option<String>,
    /// The account's personal organization, where its projects go unless another one is named.
    pub personal_organization_id: Uuid,
    /// When the account was registered.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When the profile last changed.
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
    /// Always `accepted`, whether or not a mail is sent.
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
    /// The access token (a JWT): send it as `Authorization: Bearer`.
    pub access_token: String,
    /// Exchange it for a new pair at `/auth/refresh`; each can be used once.
    pub refresh_token: String,
    /// The type of the access token (RFC 6750): always `bearer`.
    #[schema(example = "bearer")]
    pub token_type: &'static str,
    /// How long the access token holds, in seconds; refresh it before.
    #[schema(example = 900)]
    pub expires_in: u64,
    /// The account that the tokens sign in.
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
