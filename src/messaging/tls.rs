//! TLS with NATS: when it is required, and by which files.

use std::path::{Path, PathBuf};

use anyhow::Context;
use async_nats::{ConnectOptions, Server};

use crate::{config::Connections, tls};

const CA_FILE: &str = "WORKROOM_NATS_CA_FILE";
const CERT_FILE: &str = "WORKROOM_NATS_CERT_FILE";
const KEY_FILE: &str = "WORKROOM_NATS_KEY_FILE";

/// The files that TLS with NATS takes; none are needed where the system's authorities are to be trusted.
#[derive(Debug, Default)]
pub(super) struct Files {
    authorities: Option<PathBuf>,
    client: Option<(PathBuf, PathBuf)>,
}

impl Files {
    /// The files that are configured.
    ///
    /// # Errors
    /// A file cannot be read or holds something else; a client certificate without its key. One sentence that names the setting.
    pub(super) fn of(config: &Connections) -> anyhow::Result<Self> {
        let given = |path: &Option<PathBuf>| path.clone().filter(|path| !path.as_os_str().is_empty());
        let authorities = given(&config.nats_ca_file);
        if let Some(path) = &authorities {
            tls::check_authorities(path).with_context(|| format!("{CA_FILE} cannot be used"))?;
        }
        let client = match (given(&config.nats_cert_file), given(&config.nats_key_file)) {
            (Some(certificate), Some(key)) => {
                check_pair(&certificate, &key)?;
                Some((certificate, key))
            }
            (None, None) => None,
            _ => anyhow::bail!("{CERT_FILE} and {KEY_FILE} belong together: one of them is not set"),
        };
        Ok(Self { authorities, client })
    }

    /// Whether there are any: whoever names one wants TLS.
    pub(super) fn any(&self) -> bool {
        self.authorities.is_some() || self.client.is_some()
    }

    /// Nothing goes out, a password least of all, before TLS with a server whose certificate holds.
    pub(super) fn require(&self, options: ConnectOptions) -> ConnectOptions {
        // A server tells of others before its certificate is seen, so that anybody on the way can name any; and to those the
        // client would not always speak TLS. NATS_URL names all there are.
        let options = options.require_tls(true).ignore_discovered_servers();
        let options = match &self.authorities {
            Some(path) => options.add_root_certificates(path.clone()),
            None => options,
        };
        match &self.client {
            Some((certificate, key)) => options.add_client_certificate(certificate.clone(), key.clone()),
            None => options,
        }
    }
}

fn check_pair(certificate: &Path, key: &Path) -> anyhow::Result<()> {
    tls::check_pair(certificate, key).with_context(|| format!("{CERT_FILE} and {KEY_FILE} cannot be used"))
}

/// Says why there is no TLS with a server. The client's events tell that an attempt has failed, and keep the cause to themselves.
pub(super) fn explain(servers: &[Server]) {
    for server in servers {
        let Some(error) = &server.last_error else { continue };
        if let Some(reason) = tls::meaning(error) {
            let place = format!("{}:{}", server.addr.host(), server.addr.port());
            tracing::warn!(place, reason, error, "no TLS with NATS: NATS_URL or {CA_FILE} do not fit the server");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_does_not_fit_is_told_by_its_setting() {
        let missing = Some(PathBuf::from("/nowhere/ca.pem"));
        let config = Connections { nats_ca_file: missing.clone(), ..Connections::default() };
        let error = format!("{:#}", Files::of(&config).unwrap_err());
        assert!(error.contains(CA_FILE) && error.contains("/nowhere/ca.pem cannot be read"), "{error}");
        let config = Connections { nats_cert_file: missing.clone(), ..Connections::default() };
        let error = format!("{:#}", Files::of(&config).unwrap_err());
        assert!(error.contains(CERT_FILE) && error.contains(KEY_FILE), "{error}");
        let config = Connections { nats_cert_file: missing.clone(), nats_key_file: missing, ..Connections::default() };
        let error = format!("{:#}", Files::of(&config).unwrap_err());
        assert!(error.contains(CERT_FILE) && error.contains("cannot be read"), "{error}");
    }

    #[test]
    fn an_empty_setting_is_none() {
        let empty = Some(PathBuf::new());
        let config = Connections { nats_ca_file: empty.clone(), nats_cert_file: empty, ..Connections::default() };
        assert!(!Files::of(&config).unwrap().any());
    }
}
