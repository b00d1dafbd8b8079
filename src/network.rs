//! The networks that an address is counted by, by all that has quotas.

use std::net::{IpAddr, Ipv6Addr};

/// What an address is counted by: itself, or the /64 network of an IPv6 address, which one customer has to themselves.
pub fn network(address: IpAddr) -> [u8; 16] {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => masked(address, 64),
    }
}

/// How wide a network around an address is, and how much more than the narrowest it may do.
pub struct NetworkStep {
    /// Bits of an IPv6 address that its members share.
    pub prefix: u8,
    /// How many times as much as the narrowest.
    pub times: u32,
}

/// The networks that an address is counted by. Some customers have a /56 or a /48 of IPv6, which are 256 and 65,536 of the narrowest.
pub const NETWORK_STEPS: [NetworkStep; 3] =
    [NetworkStep { prefix: 64, times: 1 }, NetworkStep { prefix: 56, times: 4 }, NetworkStep { prefix: 48, times: 16 }];

/// The network of that many bits around an address; of IPv4 there is only the address itself, as the narrowest.
pub fn wider_network(address: IpAddr, prefix: u8) -> Option<[u8; 16]> {
    match address.to_canonical() {
        IpAddr::V4(_) => (prefix == 64).then(|| network(address)),
        IpAddr::V6(address) => Some(masked(address, prefix)),
    }
}

fn masked(address: Ipv6Addr, prefix: u8) -> [u8; 16] {
    let mask = u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0);
    Ipv6Addr::from_bits(address.to_bits() & mask).octets()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one() {
        assert_eq!(network(ip("2001:db8:1:2::1")), network(ip("2001:db8:1:2:ffff::9")));
        assert_ne!(network(ip("2001:db8:1:2::1")), network(ip("2001:db8:1:3::1")));
        assert_ne!(network(ip("203.0.113.5")), network(ip("203.0.113.6")));
        assert_eq!(network(ip("203.0.113.5")), network(ip("::ffff:203.0.113.5")));
    }

    #[test]
    fn wider_networks_hold_more() {
        let (one, near, far) = (ip("2001:db8:1:2::1"), ip("2001:db8:1:ff::1"), ip("2001:db8:1:9902::1"));
        assert_eq!(wider_network(one, 64), Some(network(one)));
        assert_ne!(wider_network(one, 64), wider_network(near, 64));
        assert_eq!(wider_network(one, 56), wider_network(near, 56));
        assert_ne!(wider_network(one, 56), wider_network(far, 56));
        assert_eq!(wider_network(one, 48), wider_network(far, 48));
        assert_ne!(wider_network(one, 48), wider_network(ip("2001:db8:2::"), 48));
        assert_eq!(wider_network(ip("203.0.113.5"), 56), None);
    }
}
