//! Where NATS is. async-nats ignores a user and a password in the address, so they are taken out here.

use async_nats::ServerAddr;

/// An address of NATS, taken apart.
pub(super) struct Address {
    pub(super) servers: Vec<ServerAddr>,
    pub(super) credentials: Option<Credentials>,
}

/// How to sign in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Credentials {
    Password { user: String, password: String },
    Token(String),
}

/// The address of NATS is malformed. Never shows the address, which may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// Not a URL of NATS.
    #[error("not an address of the form nats://[user:password@]host[:port]")]
    Malformed(#[source] std::io::Error),
    /// Another scheme. The client knows those of WebSockets, but would speak to them without any, and without TLS.
    #[error("neither nats:// nor tls://")]
    Scheme,
    /// The user or the password is not percent-encoded text.
    #[error("the user or the password is not percent-encoded UTF-8")]
    Credentials,
}

/// Takes an address apart.
pub(super) fn parse(url: &str) -> Result<Address, AddressError> {
    let servers: Vec<ServerAddr> = url
        .split(',')
        .map(|server| server.trim().parse().map_err(AddressError::Malformed))
        .collect::<Result<_, _>>()?;
    if servers.iter().any(ServerAddr::is_websocket) {
        return Err(AddressError::Scheme);
    }
    let credentials = match servers.iter().find(|server| server.has_user_pass()) {
        Some(server) => {
            let user = decode(server.username().unwrap_or_default())?;
            Some(match server.password() {
                Some(password) => Credentials::Password { user, password: decode(password)? },
                None => Credentials::Token(user),
            })
        }
        None => None,
    };
    Ok(Address { servers, credentials })
}

/// Decodes `%XX` in the user name or the password of an address.
fn decode(text: &str) -> Result<String, AddressError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        if *first == b'%' {
            let (digits, tail) = tail.split_at_checked(2).ok_or(AddressError::Credentials)?;
            bytes.extend(hex::decode(digits).map_err(|_| AddressError::Credentials)?);
            rest = tail;
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).map_err(|_| AddressError::Credentials)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(url: &str) -> Option<Credentials> {
        parse(url).unwrap().credentials
    }

    #[test]
    fn credentials_are_taken_out_and_decoded() {
        let expected = Credentials::Password { user: "work".to_owned(), password: "p@ss:wörd%".to_owned() };
        assert_eq!(credentials("nats://work:p%40ss%3Aw%C3%B6rd%25@localhost:4222"), Some(expected));
        assert_eq!(credentials("nats://s3cret@localhost"), Some(Credentials::Token("s3cret".to_owned())));
        assert_eq!(credentials("localhost:4222"), None);
    }

    #[test]
    fn several_servers_are_separated_by_commas() {
        assert_eq!(parse("nats://a:1, nats://b:2").unwrap().servers.len(), 2);
    }

    #[test]
    fn nonsense_is_refused_without_being_repeated() {
        let error = parse("http://user:hush@localhost").err().unwrap();
        assert!(!format!("{error:?} {error}").contains("hush"));
        assert!(parse("nats://a:%zz@localhost").is_err());
        for url in ["wss://user:hush@localhost", "tls://a, ws://b"] {
            assert!(matches!(parse(url), Err(AddressError::Scheme)), "{url}");
        }
    }
}
