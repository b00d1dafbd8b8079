//! Where a request comes from: the connection, or what a known number of proxies in front tell of it.

use std::{
    net::{IpAddr, SocketAddr},
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
}
