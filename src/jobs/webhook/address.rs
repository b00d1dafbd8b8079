//! What people may give as the address of a webhook.

use ::url::Url;
use workroom_domain::{refusal::TOO_LONG, text::NOT_A_WEB_ADDRESS};

use super::{Destinations, destinations::Refused};
use crate::application::{Error, webhooks::codes::UNREACHABLE_ADDRESS};

/// Most bytes of an address.
pub const MAX_BYTES: usize = 2048;

/// Checks the address of a webhook, and puts it into the form in which it is kept. Its host is not looked up: what a
/// name stands for may change, and is checked whenever something is sent.
///
/// # Errors
/// [`Error::Invalid`]: too long, no https address (or http, where that is allowed), with a user name, a password or a
/// fragment, or one that may not be reached.
pub fn parse_address(pointer: &str, text: &str, destinations: &Destinations) -> Result<String, Error> {
    let too_long = || Error::invalid(pointer, TOO_LONG, format!("must be at most {MAX_BYTES} bytes long"));
    let no_address = |detail: &'static str| Error::invalid(pointer, NOT_A_WEB_ADDRESS, detail);
    if text.len() > MAX_BYTES {
        return Err(too_long());
    }
    let url = Url::parse(text).map_err(|_| no_address("must be an https address"))?;
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(no_address("must not have a user name, a password or a fragment"));
    }
    destinations.check(&url).map_err(|refused| match refused {
        Refused::Scheme => no_address("must be an https address"),
        Refused::Address => Error::invalid(pointer, UNREACHABLE_ADDRESS, "is no address that webhooks may reach"),
    })?;
    // Characters that a URL cannot hold are written as several.
    if url.as_str().len() > MAX_BYTES { Err(too_long()) } else { Ok(url.into()) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn code(text: &str) -> &'static str {
        match parse_address("/url", text, &Destinations::default()) {
            Err(Error::Invalid(violations)) => violations[0].code.name,
            Err(other) => panic!("{other}"),
            Ok(_) => "",
        }
    }

    #[test]
    fn an_address_is_public_encrypted_and_without_credentials() {
        assert_eq!(code("https://example.com/hook?for=apollo"), "");
        for bad in
            ["", "example.com", "http://example.com/", "https://", "https://a:b@example.com/", "https://e.com/#a"]
        {
            assert_eq!(code(bad), "not-a-web-address", "{bad}");
        }
        assert_eq!(code("https://10.0.0.1/"), "unreachable-address");
        assert_eq!(code(&format!("https://example.com/{}", "x".repeat(2048))), "too-long");
        assert_eq!(code(&format!("https://example.com/{}", "é".repeat(1000))), "too-long", "three times as long");
    }

    #[test]
    fn an_address_has_one_form() {
        let parsed = parse_address("/url", "HTTPS://Example.COM:443/a b", &Destinations::default());
        assert_eq!(parsed.unwrap(), "https://example.com/a%20b");
    }
}
