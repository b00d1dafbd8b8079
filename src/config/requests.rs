//! What requests may be.

use super::section::section;

section! {
    /// What requests may be, and how many.
    pub struct Requests {
        /// Origins whose pages may call the API and open WebSockets from a browser, such as `https://app.example.com`.
        allowed_origins: Vec<String> = Vec::new(),
        /// Proxies in front of the service whose `X-Forwarded-For` is believed.
        trusted_proxies: usize = 0,
        /// Largest request body, in bytes.
        body_limit_bytes: usize = 1024 * 1024,
        /// How long a request may take, in seconds.
        request_timeout_seconds: u64 = 30,
        /// How often anything may be asked.
        rate_limits: RateLimitsConfig = RateLimitsConfig::default(),
    }
}

section! {
    /// Requests in a sliding window of a minute, by class; 0 is as many as one likes. Above what a benchmark on a small machine
    /// reaches: a service for many should be given less.
    #[serde(deny_unknown_fields)]
    pub struct RateLimitsConfig {
        /// Reads of one account.
        reads_per_account: u32 = 3_000_000,
        /// Reads from one address, or one /64 network of IPv6, as in all that follow.
        reads_per_address: u32 = 6_000_000,
        /// Changes by one account.
        writes_per_account: u32 = 1_500_000,
        /// Changes from one address.
        writes_per_address: u32 = 3_000_000,
        /// Sign-ins and refreshed tokens from one address.
        sign_ins_per_address: u32 = 60_000,
        /// New accounts from one address.
        registrations_per_address: u32 = 6_000,
        /// Forgotten passwords and proofs of addresses, from one address.
        recoveries_per_address: u32 = 600,
        /// Sockets opened from one address.
        sockets_per_address: u32 = 120_000,
    }
}
