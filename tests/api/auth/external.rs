//! Bearer tokens of other issuers.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use uuid::Uuid;

use super::password::CONFIRM;
use crate::support::World;

/// An OpenID Connect issuer, with its keys in a file.
pub struct Issuer {
    /// `iss`.
    pub name: String,
    key: Ed25519KeyPair,
    jwks: tempfile::NamedTempFile,
}

fn now() -> i64 {
    workroom::clock::now().unix_timestamp()
}

impl Issuer {
    pub fn new() -> Self {
        let key = Ed25519KeyPair::generate().expect("a key");
        let jwks = tempfile::NamedTempFile::new().expect("a file");
        let issuer = Self { name: format!("https://{}.clerk.example", Uuid::now_v7().simple()), key, jwks };
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": issuer.x(), "kid": "key-1", "use": "sig"});
        let foreign = json!({"kty": "post-quantum", "kid": "key-2"});
        std::fs::write(issuer.jwks.path(), json!({"keys": [foreign, jwk]}).to_string()).expect("a file");
        issuer
    }

    fn x(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.key.public_key().as_ref())
    }

    /// `WORKROOM_EXTERNAL_ISSUERS`.
    pub fn setting(&self) -> String {
        let file = self.jwks.path().to_str().expect("a path");
        format!("[{{issuer=\"{}\",audience=[\"workroom-app\"],jwks_file=\"{file}\"}}]", self.name)
    }

    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(message.as_bytes()).as_ref());
        format!("{message}.{signature}")
    }

    /// A sound token but for what `changes` says.
    pub fn token(&self, changes: &Value) -> String {
        self.sign(&json!({"alg": "EdDSA", "kid": "key-1", "typ": "JWT"}), &self.claims(changes))
    }

    fn claims(&self, changes: &Value) -> Value {
        let mut claims = json!({"iss": self.name, "aud": "workroom-app", "sub": "user_7", "iat": now(),
            "exp": now() + 60});
        for (name, value) in changes.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        claims.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
        claims
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bearer_of_another_issuer_is_one_account_and_never_somebody_elses() {
    let world = World::new().await;
    let issuer = Issuer::new();
    let settings = [("WORKROOM_EXTERNAL_ISSUERS", issuer.setting())];
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let server = world.server_with(&[], &settings).await;
    let grace = server.person("grace").await;
    let proof = world.mailed_token(&grace.email, CONFIRM).await;
    server.client().post("/auth/email/verify", json!({"token": proof})).await.is(204);
    // The issuer may say what it likes: an address is no proof of being its owner here.
    let claims = json!({"email": grace.email, "email_verified": true, "name": "Not Grace"});
    let token = issuer.token(&claims);
    let bearer = server.client().with_token(&token);
    let racing = futures::future::join_all((0..8).map(|_| bearer.get("/auth/me"))).await;
    let ids: std::collections::BTreeSet<_> = racing.into_iter().map(|reply| reply.is(200).id()).collect();
    assert_eq!(ids.len(), 1, "one account, whoever races");
    assert!(!ids.contains(&grace.id));
    let me = bearer.get("/auth/me").await.is(200).json;
    assert_eq!((&me["email"], &me["full_name"]), (&Value::Null, &json!("Not Grace")));
    let project = bearer.post("/projects", json!({"name": "Theirs"})).await.is(201).id();
    grace.get(&format!("/projects/{project}")).await.problem(404);
    let other = server.client().with_token(&issuer.token(&json!({"sub": "user_8", "email": "new@example.com"})));
    let other = other.get("/auth/me").await.is(200).json;
    assert_ne!(other["id"], me["id"]);
    assert_eq!(other["email"], Value::Null, "an address that nobody verified is nobody's");
    bearer.post("/auth/logout", json!({})).await.problem(409);
    // Nothing to prove with but the token itself.
    bearer.send(reqwest::Method::DELETE, "/auth/me", Some("{}".to_owned())).await.is(204);
    bearer.get("/auth/me").await.problem(401);
    server.client().with_token(&issuer.token(&json!({"sub": "user_7"}))).get("/auth/me").await.problem(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_quite_a_token_of_the_issuer_is_refused() {
    let world = World::new().await;
    let issuer = Issuer::new();
    let setting = issuer.setting();
    let server = world.server_with(&[], &[("WORKROOM_EXTERNAL_ISSUERS", setting.as_str())]).await;
    let is_refused = async |token: &str| {
        server.client().with_token(token).get("/auth/me").await.problem(401);
    };
    for changes in [
        json!({"aud": "another-app"}),
        json!({"aud": null}),
        json!({"aud": null, "azp": "another-app"}),
        json!({"aud": []}),
        json!({"iss": "https://other.example"}),
        json!({"sub": null}),
        json!({"sub": ""}),
        json!({"sub": 7}),
        json!({"sub": "x".repeat(300)}),
        json!({"exp": null}),
        json!({"exp": now() - 60}),
        json!({"exp": (now() + 60).to_string()}),
        json!({"exp": 1e30}),
        json!({"exp": now() + 24 * 3600 + 60}),
        json!({"exp": now() + 24 * 3600 + 60, "iat": null}),
        json!({"exp": -1}),
        json!({"nbf": now() + 60}),
        json!({"iat": now() + 60}),
    ] {
        is_refused(&issuer.token(&changes)).await;
    }
    let claims = issuer.claims(&json!({}));
    for header in [
        json!({"alg": "none", "kid": "key-1"}),
        json!({"alg": "HS256", "kid": "key-1"}),
        json!({"alg": "RS256", "kid": "key-1"}),
        json!({"alg": "EdDSA", "kid": "key-9"}),
        json!({"alg": "EdDSA", "kid": ["key-1"]}),
        json!({"alg": "EdDSA", "kid": "../../etc/passwd"}),
        json!({"alg": "EdDSA", "kid": "key-1", "crit": ["exp"]}),
        json!({"alg": "EdDSA", "kid": "key-1", "typ": "logout+jwt"}),
    ] {
        is_refused(&issuer.sign(&header, &claims)).await;
    }
    let impostor = Issuer { name: issuer.name.clone(), ..Issuer::new() };
    is_refused(&impostor.token(&json!({}))).await;
    let header = json!({"alg": "EdDSA", "kid": "key-9", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": impostor.x()}});
    is_refused(&impostor.sign(&header, &claims)).await;
    server.client().with_token(&issuer.token(&json!({}))).get("/auth/me").await.is(200);
    let by_party = issuer.token(&json!({"aud": null, "azp": "workroom-app"}));
    server.client().with_token(&by_party).get("/auth/me").await.is(200);
}
