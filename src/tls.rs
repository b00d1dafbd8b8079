//! TLS to Postgres and NATS: what its files must hold, and what its errors mean.
//!
//! Both drivers speak it by rustls with aws-lc, the only crypto library that is linked (`deny.toml`), so neither needs to be told
//! which. They read the files at each connection, so that a renewed certificate needs no restart; but they tell late, or not at all,
//! that a file is missing or holds something else. So whoever takes a file from a setting looks into it first.

use std::path::Path;

use anyhow::Context;
use rustls::{
    RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};

/// Looks into a file of certificate authorities.
///
/// # Errors
/// It cannot be read, or holds no certificate in PEM.
pub fn check_authorities(path: &Path) -> anyhow::Result<()> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(path)? {
        store.add(certificate).with_context(|| format!("{} holds a certificate that does not read", path.display()))?;
    }
    Ok(())
}

/// Looks into the files of a client certificate and its private key.
///
/// # Errors
/// One of them cannot be read, or holds something else; they do not belong together.
pub fn check_pair(certificate: &Path, key: &Path) -> anyhow::Result<()> {
    let chain = certificates(certificate)?;
    let text = read(key)?;
    let private = PrivateKeyDer::from_pem_slice(&text)
        .ok()
        .with_context(|| format!("{} holds no private key in PEM", key.display()))?;
    CertifiedKey::from_der(chain, private, &aws_lc_rs::default_provider()).with_context(|| {
        format!("the key in {} is not that of the certificate in {}", key.display(), certificate.display())
    })?;
    Ok(())
}

fn certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let text = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.ok().filter(|found| !found.is_empty());
    found.with_context(|| format!("{} holds no certificate in PEM", path.display()))
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
}

/// What the drivers and rustls say when there can be no TLS with a server, and what it means. The drivers keep little more of an
/// error than its words.
const MEANINGS: [(&str, &str); 10] = [
    ("UnknownIssuer", "its certificate is from an authority that is not trusted here"),
    ("certificate not valid for name", "its certificate is for another host name"),
    ("certificate expired", "its certificate has expired"),
    ("certificate not valid yet", "its certificate is not valid yet, or a clock is wrong"),
    ("invalid peer certificate", "its certificate cannot be believed"),
    ("alert: CertificateRequired", "it wants a client certificate"),
    ("alert: UnknownCA", "it does not trust the authority of the client certificate"),
    ("alert: BadCertificate", "it does not believe the client certificate"),
    ("InvalidContentType", "it offers no TLS"),
    ("server does not support TLS", "it offers no TLS"),
];

/// What an error means in plain words, if it is one that no other try mends: there can be no TLS with this server.
pub fn meaning(said: &str) -> Option<&'static str> {
    MEANINGS.iter().find(|(words, _)| said.contains(words)).map(|(_, meaning)| *meaning)
}

#[cfg(test)]
mod tests {
    use rustls::{
        AlertDescription, CertificateError, Error, InvalidMessage,
        pki_types::{ServerName, UnixTime},
    };

    use super::*;

    fn refused(error: CertificateError) -> Option<&'static str> {
        meaning(&format!("IO error: {}", Error::InvalidCertificate(error)))
    }

    /// A version of rustls that says it in other words shows here.
    #[test]
    fn the_words_of_rustls_are_known() {
        assert!(refused(CertificateError::UnknownIssuer).is_some_and(|said| said.contains("authority")));
        let other = CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("db.internal").unwrap(),
            presented: vec!["DnsName(\"other\")".to_owned()],
        };
        assert!(refused(other).is_some_and(|said| said.contains("another host name")));
        let (time, day) = (UnixTime::now(), UnixTime::since_unix_epoch(std::time::Duration::from_hours(24)));
        let expired = CertificateError::ExpiredContext { time, not_after: day };
        assert!(refused(expired).is_some_and(|said| said.contains("expired")));
        let early = CertificateError::NotValidYetContext { time: day, not_before: time };
        assert!(refused(early).is_some_and(|said| said.contains("not valid yet")));
        assert!(refused(CertificateError::BadSignature).is_some());
        for alert in
            [AlertDescription::CertificateRequired, AlertDescription::UnknownCA, AlertDescription::BadCertificate]
        {
            assert!(meaning(&Error::AlertReceived(alert).to_string()).is_some(), "{alert:?}");
        }
        let plain = Error::InvalidMessage(InvalidMessage::InvalidContentType).to_string();
        assert_eq!(meaning(&plain), Some("it offers no TLS"));
    }

    #[test]
    fn what_another_try_may_mend_has_no_such_meaning() {
        for said in ["Connection refused (os error 111)", "tls handshake eof", "received fatal alert: InternalError"] {
            assert_eq!(meaning(said), None, "{said}");
        }
    }

    #[test]
    fn a_file_that_does_not_hold_what_it_should_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file.pem");
        let says = |checked: anyhow::Result<()>, words: &str| {
            let error = format!("{:#}", checked.unwrap_err());
            assert!(error.contains("file.pem") && error.contains(words), "{error}");
        };
        says(check_authorities(&file), "cannot be read");
        std::fs::write(&file, "nothing of the kind").unwrap();
        says(check_authorities(&file), "no certificate");
        says(check_pair(&file, &file), "no certificate");
        let mine = rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap();
        let other = rcgen::generate_simple_self_signed(["b".to_owned()]).unwrap();
        std::fs::write(&file, mine.cert.pem()).unwrap();
        check_authorities(&file).unwrap();
        says(check_pair(&file, &file), "no private key");
        let key = folder.path().join("key.pem");
        std::fs::write(&key, other.signing_key.serialize_pem()).unwrap();
        says(check_pair(&file, &key), "is not that of");
        std::fs::write(&key, mine.signing_key.serialize_pem()).unwrap();
        check_pair(&file, &key).unwrap();
    }
}
