#![allow(clippy::unwrap_used)]

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{KeyPair as RsaKeyPair, KeySize},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{ExternalRejected::Invalid, *};
use crate::identity::signing_key::install_crypto_provider;

const ISSUER: &str = "https://issuer.example";

/// Serves a key set, and counts how often.
struct Publisher {
    url: String,
    served: Arc<AtomicUsize>,
}

async fn publish(keys: Value, is_there: bool) -> Publisher {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    let served = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&served);
    let body = json!({"keys": keys}).to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            count.fetch_add(1, Ordering::SeqCst);
            let status = if is_there { "200 OK" } else { "503 Service Unavailable" };
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
        }
    });
    Publisher { url, served }
}

fn issuers(url: &str) -> ExternalIssuers {
    install_crypto_provider();
    ExternalIssuers::new(&[ExternalIssuerConfig {
        issuer: ISSUER.to_owned(),
        audience: vec!["us".to_owned()],
        jwks_url: Some(url.to_owned()),
        jwks_file: None,
        max_lifetime_seconds: 60 * 60,
    }])
    .unwrap()
}

fn now() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap()
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn token(alg: &str, kid: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let claims = json!({"iss": ISSUER, "aud": ["them", "us"], "sub": "ada", "exp": 1_800_000_060});
    let message = format!("{}.{}", encode(json!({"alg": alg, "kid": kid}).to_string()), encode(claims.to_string()));
    format!("{message}.{}", encode(sign(message.as_bytes())))
}

fn ed25519() -> (Ed25519KeyPair, Value) {
    let key = Ed25519KeyPair::generate().unwrap();
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": encode(key.public_key())});
    (key, jwk)
}

fn rsa(size: KeySize, kid: &str) -> (RsaKeyPair, Value) {
    let key = RsaKeyPair::generate(size).unwrap();
    let (n, e) = (key.public_key().modulus(), key.public_key().exponent());
    let jwk = json!({"kty": "RSA", "kid": kid, "use": "sig", "n": encode(n.big_endian_without_leading_zero()),
        "e": encode(e.big_endian_without_leading_zero())});
    (key, jwk)
}

fn rs256(key: &RsaKeyPair, message: &[u8]) -> Vec<u8> {
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
    signature
}

#[tokio::test]
async fn each_algorithm_is_accepted_with_its_own_kind_of_key_only() {
    let (ed, ed_jwk) = ed25519();
    let (rsa_key, rsa_jwk) = rsa(KeySize::Rsa2048, "rsa");
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    let ec = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).unwrap();
    let point = ec.public_key().as_ref().to_vec();
    let curve_jwk =
        json!({"kty": "EC", "crv": "P-256", "kid": "ec", "x": encode(&point[1..33]), "y": encode(&point[33..])});
    let mut for_encryption = ed_jwk.clone();
    for_encryption["use"] = "enc".into();
    for_encryption["kid"] = "enc".into();
    let publisher = publish(json!([ed_jwk, rsa_jwk, curve_jwk, for_encryption, {"kty": "new"}, 7]), true).await;
    let issuers = issuers(&publisher.url);
    let by_ed = |message: &[u8]| ed.sign(message).as_ref().to_vec();
    let by_rsa = |message: &[u8]| rs256(&rsa_key, message);
    let by_curve = |message: &[u8]| ec.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec();
    for good in [token("EdDSA", "ed", by_ed), token("RS256", "rsa", by_rsa), token("ES256", "ec", by_curve)] {
        assert_eq!(issuers.verify(&good, now()).await.unwrap().subject, "ada");
        assert_eq!(issuers.verify(&good, now() + time::Duration::hours(1)).await, Err(ExternalRejected::Expired));
    }
    // The public key is no secret: nobody may sign with it.
    let hmac = |message: &[u8]| {
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, ed.public_key().as_ref());
        aws_lc_rs::hmac::sign(&key, message).as_ref().to_vec()
    };
    for bad in [
        token("HS256", "ed", hmac),
        token("none", "ed", |_| Vec::new()),
        token("RS256", "ed", by_ed),
        token("RS512", "rsa", by_rsa),
        token("PS256", "rsa", by_rsa),
        token("EdDSA", "rsa", by_ed),
        token("EdDSA", "enc", by_ed),
    ] {
        assert!(matches!(issuers.verify(&bad, now()).await, Err(Invalid(_))), "{bad}");
    }
    assert_eq!(publisher.served.load(Ordering::SeqCst), 1, "kept");
}

#[tokio::test]
async fn made_up_key_names_are_not_looked_up_each_time() {
    let (ed, jwk) = ed25519();
    let publisher = publish(json!([jwk]), true).await;
    let issuers = issuers(&publisher.url);
    let by_ed = |message: &[u8]| ed.sign(message).as_ref().to_vec();
    let tokens: Vec<_> = (0..50).map(|n| token("EdDSA", &format!("made-up-{n}"), by_ed)).collect();
    let racing = tokens.iter().map(|token| issuers.verify(token, now()));
    let answers = futures::future::join_all(racing).await;
    assert!(answers.iter().all(|answer| *answer == Err(Invalid("unknown key"))));
    assert_eq!(publisher.served.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn known_keys_answer_while_an_issuer_keeps_others_waiting() {
    let (ed, jwk) = ed25519();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuers = issuers(&format!("http://{}/jwks.json", listener.local_addr().unwrap()));
    let by_ed = |message: &[u8]| ed.sign(message).as_ref().to_vec();
    let (known, made_up) = (token("EdDSA", "ed", by_ed), token("EdDSA", "made-up", by_ed));
    let body = json!({"keys": [jwk]}).to_string();
    let reply = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    let first = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
        stream.write_all(reply.as_bytes()).await.unwrap();
    };
    assert!(tokio::join!(issuers.verify(&known, now()), first).0.is_ok());
    issuers.issuers[0].keys.age_last_fetch();
    let second = async {
        // Accepted, and never answered.
        let held = listener.accept().await.unwrap();
        assert!(issuers.verify(&known, now()).await.is_ok());
        drop(held);
    };
    // That the issuer hung up is seen at once; until then the token with the unknown key waited.
    let (answer, ()) = tokio::join!(issuers.verify(&made_up, now()), second);
    assert_eq!(answer, Err(Invalid("unknown key")));
}

#[tokio::test]
async fn an_issuer_that_is_away_is_no_fault_of_the_token() {
    let (ed, _) = ed25519();
    let publisher = publish(json!([]), false).await;
    let issuers = issuers(&publisher.url);
    let good = token("EdDSA", "ed", |message| ed.sign(message).as_ref().to_vec());
    for _ in 0..3 {
        assert_eq!(issuers.verify(&good, now()).await, Err(ExternalRejected::Unavailable));
    }
    assert_eq!(publisher.served.load(Ordering::SeqCst), 1, "it is left alone for a while");
}

/// A token whose header and claims are these very texts.
fn token_of(key: &Ed25519KeyPair, header: &str, claims: &str) -> String {
    let message = format!("{}.{}", encode(header), encode(claims));
    format!("{message}.{}", encode(key.sign(message.as_bytes())))
}

const HEADER: &str = r#"{"alg":"EdDSA","kid":"ed"}"#;

#[tokio::test]
async fn a_name_that_comes_twice_is_refused() {
    let (ed, jwk) = ed25519();
    let publisher = publish(json!([jwk]), true).await;
    let issuers = issuers(&publisher.url);
    let claims = |more: &str| format!(r#"{{"iss":"{ISSUER}","aud":"us","sub":"ada","exp":1800000060{more}}}"#);
    assert!(issuers.verify(&token_of(&ed, HEADER, &claims("")), now()).await.is_ok());
    for twice in [r#","sub":"eve""#, r#","\u0073ub":"eve""#, r#","iss":"them""#, r#","a":{"b":1,"b":2}"#] {
        let token = token_of(&ed, HEADER, &claims(twice));
        assert!(matches!(issuers.verify(&token, now()).await, Err(Invalid(_))), "{twice}");
    }
    for twice in [r#","kid":"other""#, r#","alg":"none""#, r#","jwk":{"kty":"OKP","kty":"RSA"}"#] {
        let header = format!("{}{twice}}}", HEADER.trim_end_matches('}'));
        let token = token_of(&ed, &header, &claims(""));
        assert!(matches!(issuers.verify(&token, now()).await, Err(Invalid(_))), "{twice}");
    }
}

#[tokio::test]
async fn a_token_of_a_long_life_is_refused_however_young_it_says_it_is() {
    let (ed, jwk) = ed25519();
    let publisher = publish(json!([jwk]), true).await;
    // They take tokens of an hour.
    let issuers = issuers(&publisher.url);
    let now_in_seconds = now().unix_timestamp();
    let claims = |times: Value| {
        let mut claims = json!({"iss": ISSUER, "aud": "us", "sub": "ada"});
        claims.as_object_mut().unwrap().extend(times.as_object().unwrap().clone());
        claims.to_string()
    };
    for good in [
        json!({"iat": now_in_seconds, "exp": now_in_seconds + 3600}),
        json!({"iat": now_in_seconds - 3000, "nbf": now_in_seconds, "exp": now_in_seconds + 600}),
        json!({"exp": now_in_seconds + 3600}),
    ] {
        let token = token_of(&ed, HEADER, &claims(good.clone()));
        assert!(issuers.verify(&token, now()).await.is_ok(), "{good}");
    }
    for bad in [
        json!({"iat": now_in_seconds, "exp": now_in_seconds + 3601}),
        json!({"exp": now_in_seconds + 3601}),
        // Issued ten days ago, and good from now on: it lived for ten days and an hour.
        json!({"iat": now_in_seconds - 864_000, "nbf": now_in_seconds, "exp": now_in_seconds + 3600}),
        json!({"iat": 0, "nbf": now_in_seconds, "exp": now_in_seconds + 60}),
    ] {
        let token = token_of(&ed, HEADER, &claims(bad.clone()));
        assert!(matches!(issuers.verify(&token, now()).await, Err(Invalid(_))), "{bad}");
    }
}

#[test]
fn keys_come_over_https_or_from_this_machine() {
    let config = |url: Option<&str>, file: Option<&str>| ExternalIssuerConfig {
        issuer: ISSUER.to_owned(),
        audience: vec!["us".to_owned()],
        jwks_url: url.map(str::to_owned),
        jwks_file: file.map(Into::into),
        max_lifetime_seconds: 60 * 60,
    };
    for good in [config(Some("https://issuer.example/jwks"), None), config(None, Some("keys.json"))] {
        assert!(ExternalIssuers::new(&[good]).is_ok());
    }
    for bad in [
        config(Some("http://issuer.example/jwks"), None),
        config(Some("file:///etc/passwd"), None),
        config(None, None),
        config(Some("https://issuer.example/jwks"), Some("keys.json")),
    ] {
        assert!(ExternalIssuers::new(&[bad]).is_err());
    }
}
