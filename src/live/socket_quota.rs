//! How many sockets an address and an account have open in this process, and how many they may have; and how many may be open that
//! nobody has signed in to.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use workroom_domain::ids::AccountId;

use crate::network::network;

/// Whose sockets are counted.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Owner {
    Account([u8; 16]),
    Network([u8; 16]),
    /// Nobody's so far: all of them, and those of a network.
    Anonymous,
    AnonymousOf([u8; 16]),
}

/// How many sockets are open.
type OpenSockets = Arc<Mutex<HashMap<Owner, usize>>>;

/// Counts open sockets.
pub(crate) struct SocketQuota {
    open: OpenSockets,
    per_address: usize,
    per_account: usize,
    anonymous: usize,
}

/// Lets a socket be open; given back when it is dropped.
pub(crate) struct SocketPermit {
    open: OpenSockets,
    owner: Owner,
}

impl SocketQuota {
    /// So many sockets for each, and so many `anonymous` ones in all.
    pub(in crate::live) fn new(per_address: usize, per_account: usize, anonymous: usize) -> Self {
        Self { open: Arc::default(), per_address, per_account, anonymous }
    }

    /// A permit for a socket from an address, or its /64 network of IPv6; `None` when it has as many as it may.
    pub(crate) fn for_address(&self, address: IpAddr) -> Option<SocketPermit> {
        self.take(Owner::Network(network(address)), self.per_address)
    }

    /// A permit for a socket that nobody has signed in to. No address has more than a tenth of them, so that one cannot keep all
    /// others from signing in.
    pub(in crate::live) fn for_anonymous(&self, address: IpAddr) -> Option<Box<[SocketPermit; 2]>> {
        let own = self.take(Owner::AnonymousOf(network(address)), self.anonymous.div_ceil(10))?;
        Some(Box::new([own, self.take(Owner::Anonymous, self.anonymous)?]))
    }

    /// A permit for a socket of an account.
    pub(crate) fn for_account(&self, account_id: AccountId) -> Option<SocketPermit> {
        self.take(Owner::Account(account_id.uuid().into_bytes()), self.per_account)
    }

    fn take(&self, owner: Owner, most: usize) -> Option<SocketPermit> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.get(&owner).copied().unwrap_or_default() >= most {
            return None;
        }
        *open.entry(owner).or_default() += 1;
        drop(open);
        Some(SocketPermit { open: Arc::clone(&self.open), owner })
    }
}

impl Drop for SocketPermit {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.owner) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn permits_are_given_back() {
        let quota = SocketQuota::new(2, 1, 11);
        let (one, same): (IpAddr, IpAddr) =
            ("2001:db8::1".parse().expect("an address"), "2001:db8::2".parse().expect("an address"));
        let first = quota.for_address(one).expect("a permit");
        let _second = quota.for_address(same).expect("a permit");
        assert!(quota.for_address(one).is_none());
        assert!(quota.for_address("203.0.113.5".parse().expect("an address")).is_some());
        drop(first);
        assert!(quota.for_address(same).is_some());
        let own = quota.for_account(AccountId(Uuid::nil())).expect("a permit");
        assert!(quota.for_account(AccountId(Uuid::nil())).is_none());
        drop(own);
        assert_eq!(quota.open.lock().expect("a count").len(), 1, "who has none takes no room");
        let strangers = [quota.for_anonymous(one), quota.for_anonymous(same)];
        assert!(strangers.iter().all(Option::is_some));
        assert!(quota.for_anonymous(one).is_none(), "a tenth");
        assert!(quota.for_anonymous("203.0.113.5".parse().expect("an address")).is_some());
    }
}
