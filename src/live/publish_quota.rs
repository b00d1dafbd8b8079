//! How much an account may say in rooms, over all its connections and requests to this process.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use tokio::time::Instant;
use workroom_domain::ids::AccountId;

use crate::live::connection::token_bucket::TokenBucket;

/// Kibibytes a second that an account may publish on average, and at once.
const PER_SECOND: u32 = 1024;
const BURST: u32 = 4 * 1024;
/// Accounts above which those that have their whole quota are let go of.
const SWEEP_ABOVE: usize = 1024;

/// Counts what accounts publish.
#[derive(Default)]
pub(in crate::live) struct PublishQuota {
    accounts: Mutex<HashMap<AccountId, TokenBucket>>,
}

impl PublishQuota {
    /// Whether an account may publish so many bytes now.
    pub(in crate::live) fn take(&self, account_id: AccountId, bytes: usize, now: Instant) -> bool {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if accounts.len() >= SWEEP_ABOVE && !accounts.contains_key(&account_id) {
            accounts.retain(|_, bucket| !bucket.is_full(now));
        }
        let bucket = accounts.entry(account_id).or_insert_with(|| TokenBucket::new(PER_SECOND, BURST, now));
        // The least is charged for what surrounds it.
        bucket.take_many(u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX), now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_account_has_one_quota_and_gets_it_back() {
        let quota = PublishQuota::default();
        let start = Instant::now();
        let (one, two) = (AccountId(Uuid::from_u128(1)), AccountId(Uuid::from_u128(2)));
        let took = std::iter::repeat_with(|| quota.take(one, 16 * 1024, start)).take_while(|took| *took).count();
        assert_eq!(took, 256);
        assert!(quota.take(two, 16 * 1024, start));
        assert!(quota.take(one, 16 * 1024, start + Duration::from_millis(20)));
    }
}
