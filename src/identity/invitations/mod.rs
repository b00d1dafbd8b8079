//! How often somebody may invite, how often an address may be invited, and who wants no invitations at all.

mod block;
mod limits;
mod store;

pub use block::RecipientDigest;
