//! What an account says of itself, where other resources name it.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_projections::accounts::AccountRow;

/// What an account says of itself. An erased account says nothing but its id.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Profile {
    /// The account's id.
    pub user_id: Uuid,
    /// The account's user name; null where the account says nothing but its id.
    pub username: Option<String>,
    /// The full name; null where the account has given none, or says nothing but its id.
    pub full_name: Option<String>,
    /// The e-mail address; null where the account has none, or says nothing but its id.
    pub email: Option<String>,
    /// The address of the account's picture, http or https; null where it has none, or says nothing but its id.
    pub image_url: Option<String>,
}

impl Profile {
    /// Of an account that says nothing of itself.
    pub fn bare(user_id: Uuid) -> Self {
        Self { user_id, username: None, full_name: None, email: None, image_url: None }
    }
}

impl From<AccountRow> for Profile {
    fn from(account: AccountRow) -> Self {
        Self {
            user_id: account.id,
            username: Some(account.username),
            full_name: account.full_name,
            email: account.email,
            image_url: account.image_url,
        }
    }
}
