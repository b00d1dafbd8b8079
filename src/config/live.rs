//! Sockets.

use super::section::section;

section! {
    /// Sockets.
    pub struct LiveSettings {
        /// Sockets that an address may have open in one process.
        sockets_per_address: u32 = 25_000,
        /// Sockets that an account may have open in one process.
        sockets_per_account: u32 = 10_000,
    }
}
