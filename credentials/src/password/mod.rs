//! Passwords: what is typed, what a new one must be, and what is stored of it.
//!
//! | | |
//! |---|---|
//! | [`Password`] | what somebody typed, in its normal form |
//! | [`PasswordPolicy`] | what a new one must be; [`strength`] estimates how hard it is to guess |
//! | [`PasswordHasher`] | hashes, on threads and with bounds of its own |

mod hashing;
mod policy;
pub mod strength;
mod typed;

pub use hashing::{Comparison, InvalidCost, PasswordError, PasswordHasher, PasswordHasherConfig, Queue, Verified};
pub use policy::{PasswordOwner, PasswordPolicy, PasswordRefused};
pub use typed::{MAX_TYPED_LENGTH, Password, PasswordTooLong};
