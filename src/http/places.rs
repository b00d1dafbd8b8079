//! Places for work that takes much memory, or long. The process has so many of them, and an account so few that it cannot keep out all
//! others. A place is given back when it is dropped.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};
use workroom_domain::ids::AccountId;

use super::problem::codes::{TOO_MANY_REQUESTS, UNAVAILABLE};
use crate::application::Error;

/// How long one waits for others.
const PATIENCE: Duration = Duration::from_secs(5);

/// The next place of those that all share, if one gets free in time.
///
/// # Errors
/// None does: `Kind::Unavailable`.
pub async fn next_place(places: &Semaphore, retry_after: Duration) -> Result<SemaphorePermit<'_>, Error> {
    let busy = || Error::later(UNAVAILABLE, retry_after);
    timeout(PATIENCE, places.acquire()).await.map_err(|_| busy())?.map_err(|_| busy())
}

/// The places that each account has. Those of one account share a `T`, from the first that is taken to the last that is given back.
pub struct AccountPlaces<T = ()> {
    of_each: usize,
    retry_after: Duration,
    taken: Mutex<BTreeMap<AccountId, (usize, Arc<T>)>>,
}

impl<T: Default + 'static> AccountPlaces<T> {
    /// So many for each.
    pub const fn new(of_each: usize, retry_after: Duration) -> Self {
        Self { of_each, retry_after, taken: Mutex::new(BTreeMap::new()) }
    }

    /// The next place of an account.
    ///
    /// # Errors
    /// It has as many as it may: `Kind::Throttled`.
    pub fn take(&'static self, account_id: AccountId) -> Result<AccountPlace<T>, Error> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, shared) = taken.entry(account_id).or_default();
        if *count >= self.of_each {
            return Err(Error::later(TOO_MANY_REQUESTS, self.retry_after));
        }
        *count += 1;
        Ok(AccountPlace { places: self, account_id, shared: Arc::clone(shared) })
    }
}

/// A place of an account.
pub struct AccountPlace<T: 'static = ()> {
    places: &'static AccountPlaces<T>,
    account_id: AccountId,
    /// What the account's places share.
    pub shared: Arc<T>,
}

impl<T: 'static> Drop for AccountPlace<T> {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((count, _)) = taken.get_mut(&self.account_id) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.account_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_account_has_so_many_places_and_takes_no_room_without_any() {
        static PLACES: AccountPlaces = AccountPlaces::new(2, Duration::from_secs(3));
        let account = |number| AccountId(Uuid::from_u128(number));
        let take = |number| PLACES.take(account(number));
        let [first, second, others] = [1, 1, 2].map(|number| take(number).expect("a place"));
        assert!(take(1).is_err_and(|error| error.code().name == TOO_MANY_REQUESTS.name));
        assert!(Arc::ptr_eq(&first.shared, &second.shared));
        assert!(!Arc::ptr_eq(&first.shared, &others.shared));
        drop(first);
        assert!(take(1).is_ok(), "given back");
        drop([second, others]);
        assert!(PLACES.taken.lock().expect("counts").is_empty(), "who has none takes no room");
    }
}
