//! Where a given `DATABASE_URL` or `NATS_URL` points, and whether somebody answers there.
//!
//! The drivers would find out too, but late, after retries, and some of them print the password.

use std::fmt;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long a given server may take to answer.
const LIMIT: Duration = Duration::from_secs(5);

/// A host and a port: what may be shown of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl Address {
    /// Takes the address out of a URL with one of the `schemes`; `None` if it is not such a URL.
    fn parse(url: &str, schemes: &[&str], default_port: u16) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        if !schemes.contains(&scheme) {
            return None;
        }
        let authority = rest.split(['/', '?', '#']).next()?;
        // The last @: a password may hold an unescaped one.
        let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
        let (host, port) = match place.strip_prefix('[') {
            Some(bracketed) => {
                let (host, rest) = bracketed.split_once(']')?;
                (host, rest.strip_prefix(':'))
            }
            None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
        };
        let port = match port {
            None | Some("") => default_port,
            Some(port) => port.parse().ok().filter(|port| *port != 0)?,
        };
        if host.is_empty() || host.contains(char::is_whitespace) {
            return None;
        }
        Some(Self { host: host.to_owned(), port })
    }

    async fn connect(&self) -> std::io::Result<TcpStream> {
        TcpStream::connect((self.host.as_str(), self.port)).await
    }
}

/// Checks that a Postgres server answers where `DATABASE_URL` points.
///
/// The failure is one sentence that names host and port but never the user or the password.
pub async fn check_database_url(url: &str) -> anyhow::Result<()> {
    let address = Address::parse(url, &["postgres", "postgresql"], 5432)
        .context("DATABASE_URL is not a Postgres URL (postgres://user:password@host:port/database)")?;
    answers("DATABASE_URL", "Postgres", &address, postgres_answers(&address)).await
}

/// Checks that a NATS server answers at one of the servers that `NATS_URL` lists.
///
/// The failure is one sentence that names hosts and ports but never the user, the password or the token.
pub async fn check_nats_url(urls: &str) -> anyhow::Result<()> {
    let mut failure = None;
    for url in urls.split(',').map(str::trim) {
        let address = parse_nats(url).context("NATS_URL is not a NATS URL (nats://host:port)")?;
        match answers("NATS_URL", "NATS", &address, nats_answers(&address)).await {
            Ok(()) => return Ok(()),
            Err(error) => failure = Some(error),
        }
    }
    failure.map_or(Ok(()), Err)
}

fn parse_nats(url: &str) -> Option<Address> {
    let schemes = ["nats", "tls"];
    if url.contains("://") {
        Address::parse(url, &schemes, 4222)
    } else {
        Address::parse(&format!("nats://{url}"), &schemes, 4222)
    }
}

async fn answers(
    name: &str,
    what: &str,
    address: &Address,
    attempt: impl Future<Output = std::io::Result<bool>>,
) -> anyhow::Result<()> {
    match tokio::time::timeout(LIMIT, attempt).await {
        Ok(Ok(true)) => Ok(()),
        Ok(Ok(false)) => bail!("what answers at {address}, where {name} points, is not {what}"),
        Ok(Err(error)) => bail!("{what} cannot be reached at {address}, where {name} points: {error}"),
        Err(_) => bail!("{what} did not answer within {} seconds at {address}, where {name} points", LIMIT.as_secs()),
    }
}

/// Asks for TLS: the one question that every Postgres answers, with a single byte, before it knows who asks.
async fn postgres_answers(address: &Address) -> std::io::Result<bool> {
    const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
    let mut stream = address.connect().await?;
    stream.write_all(&SSL_REQUEST).await?;
    let mut answer = [0];
    let read = stream.read(&mut answer).await?;
    Ok(read == 1 && matches!(answer[0], b'S' | b'N'))
}

/// A NATS server speaks first: a line that begins with `INFO`.
pub(super) async fn nats_answers(address: &Address) -> std::io::Result<bool> {
    let mut stream = address.connect().await?;
    let mut greeting = [0; 4];
    stream.read_exact(&mut greeting).await?;
    Ok(&greeting == b"INFO")
}

/// The address of a server on this machine.
pub(super) fn loopback(port: u16) -> Address {
    Address { host: "127.0.0.1".to_owned(), port }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &str) -> Option<String> {
        Address::parse(url, &["postgres"], 5432).map(|address| address.to_string())
    }

    #[test]
    fn the_address_is_shown_without_the_password() {
        assert_eq!(shown("postgres://me:p@ss@db.example:6000/x?sslmode=disable").as_deref(), Some("db.example:6000"));
        assert_eq!(shown("postgres://db").as_deref(), Some("db:5432"));
        assert_eq!(shown("postgres://u@[::1]:7/x").as_deref(), Some("[::1]:7"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for url in [
            "",
            "db:5432",
            "mysql://db",
            "postgres://",
            "postgres://db:port/x",
            "postgres://db:99999/x",
            "postgres://:5432/x",
        ] {
            assert_eq!(shown(url), None, "{url}");
        }
        assert_eq!(parse_nats("127.0.0.1:4333").map(|address| address.to_string()).as_deref(), Some("127.0.0.1:4333"));
    }

    #[tokio::test]
    async fn an_unreachable_server_is_named_without_its_password() {
        let error = check_database_url("postgres://me:secret@127.0.0.1:1/x").await.unwrap_err().to_string();
        assert!(error.contains("127.0.0.1:1") && !error.contains("secret"), "{error}");
    }
}
