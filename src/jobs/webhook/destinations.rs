//! Where webhooks may send events to.

use std::net::IpAddr;

use ::url::{Host, Url};

use super::network::{Network, is_public};

/// Where webhooks may send events to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Destinations {
    /// Whether they may go there without encryption.
    pub allow_http: bool,
    /// Networks that may be reached though they are not public.
    pub allowed_networks: Vec<Network>,
}

/// Nothing may be sent there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not `https`, nor `http` where that is allowed.
    #[error("webhooks are sent over https")]
    Scheme,
    /// No address that may be reached.
    #[error("the address is not public")]
    Address,
}

impl Destinations {
    /// Whether a connection to this address may be made.
    pub fn may_reach(&self, address: IpAddr) -> bool {
        is_public(address) || self.allowed_networks.iter().any(|network| network.contains(address))
    }

    /// Checks what can be known before a name is resolved. A URL has one form for each address of IPv4, however it was
    /// written.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn check(&self, url: &Url) -> Result<(), Refused> {
        match url.scheme() {
            "https" => {}
            "http" if self.allow_http => {}
            _ => return Err(Refused::Scheme),
        }
        let may_reach = match url.host() {
            Some(Host::Ipv4(address)) => self.may_reach(address.into()),
            Some(Host::Ipv6(address)) => self.may_reach(address.into()),
            Some(Host::Domain(name)) => !name.is_empty(),
            None => false,
        };
        if may_reach { Ok(()) } else { Err(Refused::Address) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn check(destinations: &Destinations, url: &str) -> Result<(), Refused> {
        destinations.check(&Url::parse(url).unwrap())
    }

    #[test]
    fn by_default_only_public_addresses_over_https() {
        let default = Destinations::default();
        for good in ["https://example.com/hook", "https://8.8.8.8:8443/", "https://[2606:4700::1111]/"] {
            assert_eq!(check(&default, good), Ok(()), "{good}");
        }
        for bad in ["http://example.com/", "ftp://example.com/", "file:///etc/passwd", "https+unix://x/"] {
            assert_eq!(check(&default, bad), Err(Refused::Scheme), "{bad}");
        }
        let disguised = [
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0177.0.0.1/",
            "https://0/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:7f00:1]/",
            "https://[64:ff9b::7f00:1]/",
            "https://169.254.169.254/latest/meta-data/",
            "https://１２７.0.0.1/",
        ];
        for bad in disguised {
            assert_eq!(check(&default, bad), Err(Refused::Address), "{bad}");
        }
    }

    #[test]
    fn settings_allow_more() {
        let allowed_networks = vec!["127.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let allowing = Destinations { allow_http: true, allowed_networks };
        for good in ["http://127.0.0.1:8080/", "https://[fd00::1]/", "http://[::ffff:127.0.0.1]/"] {
            assert_eq!(check(&allowing, good), Ok(()), "{good}");
        }
        for bad in ["http://10.0.0.1/", "https://[::1]/"] {
            assert_eq!(check(&allowing, bad), Err(Refused::Address), "{bad}");
        }
        assert_eq!(check(&allowing, "ftp://127.0.0.1/"), Err(Refused::Scheme));
    }
}
