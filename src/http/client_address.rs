//! Where a request comes from: the connection, or what a known number of proxies in front tell of it.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{HeaderMap, request::Parts},
};

use super::{State, problem::Problem};
use crate::application::Error;

/// How often it is said that a proxy is not configured.
const SAY_AGAIN: Duration = Duration::from_mins(10);

/// The client's address.
pub struct ClientAddress(pub IpAddr);

impl FromRequestParts<State> for ClientAddress {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        let ConnectInfo(peer) = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .ok_or_else(|| Error::failure("a request from nowhere"))?;
        Ok(Self(client_address(peer.ip(), &parts.headers, state.config.requests.trusted_proxies)))
    }
}

/// The client's address, with so many trusted proxies in front. Each proxy appends the address that it was called from to
/// `X-Forwarded-For`, so the client's is that many from the right; whatever stands left of it the client wrote itself.
/// Where the header has fewer addresses, or no address in that place, the request did not come through all the proxies:
/// then the connection's own address counts.
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted_proxies: usize) -> IpAddr {
    if trusted_proxies == 0 {
        return peer.to_canonical();
    }
    let lines = headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok());
    let entries: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
    let place = entries.len().checked_sub(trusted_proxies);
    place.and_then(|place| parse(entries[place])).unwrap_or(peer).to_canonical()
}

/// Whether a request came from this machine, and not for somebody else through a proxy on it.
pub fn is_local(peer: IpAddr, headers: &HeaderMap) -> bool {
    peer.to_canonical().is_loopback() && !FORWARDED.iter().any(|name| headers.contains_key(*name))
}

/// What proxies tell of where a request came from.
const FORWARDED: [&str; 2] = ["x-forwarded-for", "forwarded"];

/// Says, now and then, that there is a proxy in front that nobody has configured: all that it passes on is counted as one address'.
pub fn note_unconfigured_proxy(peer: IpAddr, headers: &HeaderMap, trusted_proxies: usize) {
    static LAST: Mutex<Option<Instant>> = Mutex::new(None);
    if trusted_proxies > 0 || !FORWARDED.iter().any(|name| headers.contains_key(*name)) {
        return;
    }
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if last.is_none_or(|last| last.elapsed() >= SAY_AGAIN) {
        *last = Some(Instant::now());
        tracing::warn!(
            %peer,
            "requests come through a proxy that is not configured: all its clients are taken for one address; set \
             WORKROOM_TRUSTED_PROXIES to the number of proxies in front"
        );
    }
}

/// An address, perhaps with a port.
fn parse(entry: &str) -> Option<IpAddr> {
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    bare.parse().ok().or_else(|| entry.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

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

    fn forwarded(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| ("x-forwarded-for".parse().unwrap(), line.parse().unwrap())).collect()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_are_counted_from_the_right() {
        let peer = ip("10.0.0.9");
        let headers = forwarded(&["6.6.6.6, 7.7.7.7", "203.0.113.5, 10.0.0.1"]);
        assert_eq!(client_address(peer, &headers, 0), peer);
        assert_eq!(client_address(peer, &headers, 1), ip("10.0.0.1"));
        assert_eq!(client_address(peer, &headers, 2), ip("203.0.113.5"));
        assert_eq!(client_address(peer, &headers, 5), peer, "fewer than there are proxies");
    }

    #[test]
    fn what_the_client_wrote_itself_never_counts() {
        let peer = ip("10.0.0.9");
        for spoofed in ["", "1.1.1.1", "1.1.1.1, 2.2.2.2", "nonsense,,"] {
            let headers = forwarded(&[spoofed, "203.0.113.5"]);
            assert_eq!(client_address(peer, &headers, 1), ip("203.0.113.5"), "{spoofed}");
        }
        assert_eq!(client_address(peer, &forwarded(&["1.1.1.1, unknown"]), 1), peer);
    }

    #[test]
    fn ports_and_brackets_are_no_part_of_an_address() {
        let peer = ip("::ffff:10.0.0.9");
        assert_eq!(client_address(peer, &HeaderMap::new(), 0), ip("10.0.0.9"));
        for (written, meant) in [
            ("203.0.113.5:4711", "203.0.113.5"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("::ffff:203.0.113.5", "203.0.113.5"),
        ] {
            assert_eq!(client_address(peer, &forwarded(&[written]), 1), ip(meant));
        }
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
