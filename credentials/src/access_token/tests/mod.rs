#![allow(clippy::unwrap_used)]

mod claims;
mod form;
mod header;
mod issue;
mod keys;
mod times;

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, crypto};
use serde_json::{Value, json};
use time::{OffsetDateTime, macros::datetime};
use uuid::Uuid;

use super::*;
use crate::{
    jws::LAST_SECOND,
    signing_key::{KeyRing, SharedKeyRing, SigningKey},
};

const NOW: OffsetDateTime = datetime!(2026-11-20 12:00 UTC);
const ISSUER: &str = "https://workroom.example";
const AUDIENCE: &str = "workroom";

struct Fixture {
    key: SigningKey,
    keys: SharedKeyRing,
    issuer: AccessTokenIssuer,
    verifier: AccessTokenVerifier,
    account: Uuid,
    session: Uuid,
}

fn fixture() -> Fixture {
    let key = SigningKey::generate().unwrap();
    let keys = SharedKeyRing::new(KeyRing::new(key.clone(), []));
    let config = AccessTokenConfig::new(ISSUER, AUDIENCE);
    Fixture {
        issuer: AccessTokenIssuer::new(config.clone(), keys.clone()).unwrap(),
        verifier: AccessTokenVerifier::new(config, keys.clone()).unwrap(),
        key,
        keys,
        account: Uuid::from_u128(1),
        session: Uuid::from_u128(2),
    }
}

impl Fixture {
    fn issue(&self) -> String {
        self.issuer.issue(self.account, self.session, NOW).unwrap().token
    }

    fn verify(&self, token: &str) -> Result<Claims, TokenRejected> {
        self.verifier.verify(token, NOW)
    }

    fn refusal(&self, token: &str) -> InvalidToken {
        match self.verify(token) {
            Err(TokenRejected::Invalid(reason)) => reason,
            other => panic!("{other:?}"),
        }
    }

    fn header(&self) -> Value {
        json!({"alg": "EdDSA", "typ": "at+jwt", "kid": self.key.kid()})
    }

    fn claims(&self) -> Value {
        let iat = NOW.unix_timestamp();
        json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": self.account, "sid": self.session,
            "jti": Uuid::from_u128(3), "iat": iat, "nbf": iat, "exp": iat + 900,
        })
    }

    /// Signs any text, as only a holder of the private key could.
    fn sign_text(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = crypto::sign(message.as_bytes(), self.key.encoding(), Algorithm::EdDSA).unwrap();
        format!("{message}.{signature}")
    }

    fn with_header(&self, name: &str, value: Value) -> String {
        let mut header = self.header();
        header[name] = value;
        self.sign_text(&header.to_string(), &self.claims().to_string())
    }

    fn without_header(&self, name: &str) -> String {
        let mut header = self.header();
        header.as_object_mut().unwrap().remove(name).unwrap();
        self.sign_text(&header.to_string(), &self.claims().to_string())
    }

    fn with_claim(&self, name: &str, value: Value) -> String {
        let mut claims = self.claims();
        claims[name] = value;
        self.sign_text(&self.header().to_string(), &claims.to_string())
    }

    fn without_claim(&self, name: &str) -> String {
        let mut claims = self.claims();
        claims.as_object_mut().unwrap().remove(name).unwrap();
        self.sign_text(&self.header().to_string(), &claims.to_string())
    }
}

fn seconds(count: i64) -> time::Duration {
    time::Duration::seconds(count)
}
