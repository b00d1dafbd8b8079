//! How many sockets an address and an account have open in this process, and how many more they may.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use workroom_domain::ids::AccountId;

use crate::http::client_address::network;

/// Whose sockets are counted: an account's, or those of a network.
type Owner = (bool, [u8; 16]);

/// Counts open sockets. Cheap to clone.
#[derive(Clone)]
pub(super) struct Places {
    taken: Arc<Mutex<HashMap<Owner, usize>>>,
    per_address: usize,
    per_account: usize,
}

/// A socket's place; given back when it is dropped.
pub(super) struct Place {
    places: Places,
    owner: Owner,
}

impl Places {
    /// So many places for each.
    pub(super) fn new(per_address: usize, per_account: usize) -> Self {
        Self { taken: Arc::default(), per_address, per_account }
    }

    /// A place for a socket from an address, or its /64 network of IPv6; `None` when all are taken.
    pub(super) fn of_address(&self, address: IpAddr) -> Option<Place> {
        self.take((false, network(address)), self.per_address)
    }

    /// A place for a socket of an account.
    pub(super) fn of_account(&self, account_id: AccountId) -> Option<Place> {
        self.take((true, account_id.uuid().into_bytes()), self.per_account)
    }

    fn take(&self, owner: Owner, most: usize) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(owner).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Place { places: self.clone(), owner })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.owner) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn places_are_given_back() {
        let places = Places::new(2, 1);
        let (one, same): (IpAddr, IpAddr) =
            ("2001:db8::1".parse().expect("an address"), "2001:db8::2".parse().expect("an address"));
        let first = places.of_address(one).expect("a place");
        let _second = places.of_address(same).expect("a place");
        assert!(places.of_address(one).is_none());
        assert!(places.of_address("203.0.113.5".parse().expect("an address")).is_some());
        drop(first);
        assert!(places.of_address(same).is_some());
        let own = places.of_account(AccountId(Uuid::nil())).expect("a place");
        assert!(places.of_account(AccountId(Uuid::nil())).is_none());
        drop(own);
        assert_eq!(places.taken.lock().expect("a count").len(), 1, "who has none takes no room");
    }
}
