//! Access tokens, wherever they are asked for, and `GET /.well-known/jwks.json`.

use aws_lc_rs::{
    hmac,
    signature::{Ed25519KeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::{Reply, Server, World, eventually};

fn encode(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

fn decode(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
}

async fn refused(server: &Server, authorization: &str) -> Reply {
    let reply = server.client().with_header("authorization", authorization).get("/auth/me").await;
    assert_eq!(reply.status, 401, "{authorization}: {}", reply.text);
    assert!(reply.header("www-authenticate").starts_with("Bearer"), "{authorization}");
    reply.problem(401)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_sound_credentials_nobody_is_let_in() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let reply = server.client().get("/auth/me").await.problem(401);
    assert!(reply.header("www-authenticate").starts_with("Bearer"));
    let token = ada.token();
    let malformed = [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Bearer nonsense".to_owned(),
        "Bearer a.b.c".to_owned(),
        "Bearer ..".to_owned(),
        format!("Bearer {token}."),
        format!("Bearer {token}x"),
        format!("Bearer {}", token.rsplit_once('.').unwrap().0),
        format!("Bearer {}", ada.refresh_token),
        format!("Basic {token}"),
        token.to_owned(),
        format!("Bearer {}", "x".repeat(10_000)),
    ];
    for authorization in malformed {
        refused(&server, &authorization).await;
    }
    server.client().with_header("authorization", &format!("bearer {token}")).get("/auth/me").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_token_is_refused() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let grace = server.person("grace").await;
    let parts: Vec<_> = ada.token().split('.').collect();
    let (header, claims) = (decode(parts[0]), decode(parts[1]));
    assert_eq!(header["alg"], "EdDSA");
    assert_eq!(header["typ"], "at+jwt");
    assert_eq!(claims["sub"], ada.id);
    for claim in ["iss", "aud", "sid", "exp", "nbf"] {
        assert!(!claims[claim].is_null(), "{claim}");
    }

    let mut as_grace = claims.clone();
    as_grace["sub"] = grace.id.clone().into();
    let mut longer = claims.clone();
    longer["exp"] = (claims["exp"].as_i64().unwrap() + 60).into();
    let mut forged = vec![
        format!("{}.{}.{}", parts[0], encode(&as_grace), parts[2]),
        format!("{}.{}.{}", parts[0], encode(&longer), parts[2]),
        format!("{}.{}.{}", parts[0], parts[1], grace.token().rsplit_once('.').unwrap().1),
        format!("{}.{}.", parts[0], parts[1]),
    ];
    for alg in ["none", "None", "EdDSA"] {
        let unsigned = json!({"alg": alg, "typ": "at+jwt", "kid": header["kid"]});
        forged.push(format!("{}.{}.", encode(&unsigned), parts[1]));
    }
    // Signed with the public key as if it were a shared secret.
    let jwks = server.client().get("//.well-known/jwks.json").await.is(200).json;
    let public = jwks["keys"][0]["x"].as_str().unwrap();
    for secret in [public.as_bytes().to_vec(), URL_SAFE_NO_PAD.decode(public).unwrap()] {
        let message =
            format!("{}.{}", encode(&json!({"alg": "HS256", "typ": "at+jwt", "kid": header["kid"]})), parts[1]);
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), message.as_bytes());
        forged.push(format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag)));
    }
    // Signed well, with a key of the forger's own: under our key's name, under none, brought along.
    let key = Ed25519KeyPair::generate().expect("a key");
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(key.public_key())});
    for header in [
        header.clone(),
        json!({"alg": "EdDSA", "typ": "at+jwt"}),
        json!({"alg": "EdDSA", "typ": "at+jwt", "kid": "mine"}),
        json!({"alg": "EdDSA", "typ": "at+jwt", "kid": header["kid"], "jwk": jwk}),
        json!({"alg": "EdDSA", "typ": "at+jwt", "kid": header["kid"], "jku": "http://127.0.0.1/keys"}),
    ] {
        let message = format!("{}.{}", encode(&header), parts[1]);
        forged.push(format!("{message}.{}", URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes()))));
    }
    for token in forged {
        refused(&server, &format!("Bearer {token}")).await;
    }
    ada.get("/auth/me").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_is_refused_and_its_holder_told_to_refresh() {
    let world = World::new().await;
    let server = world.server_with(&[], &[("WORKROOM_ACCESS_TOKEN_SECONDS", "1")]).await;
    let ada = server.person("ada").await;
    ada.get("/auth/me").await.is(200);
    eventually("the token expires", || async { ada.get("/auth/me").await.status == 401 }).await;
    let reply = ada.get("/auth/me").await.problem(401);
    assert!(reply.json["detail"].as_str().unwrap().contains("expired"), "{}", reply.text);
    let fresh = server.client().post("/auth/refresh", json!({"refresh_token": ada.refresh_token})).await.is(200);
    let token = fresh.json["access_token"].as_str().unwrap();
    server.client().with_token(token).get("/auth/me").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_made_for_another_service_is_refused() {
    let world = World::new().await;
    let server = world.server().await;
    for variable in ["WORKROOM_AUDIENCE", "WORKROOM_ISSUER"] {
        // The same keys, another name.
        let other = world.server_with(&["--roles", "api,projector"], &[(variable, "elsewhere")]).await;
        let ada = other.person("ada").await;
        ada.get("/auth/me").await.is(200);
        refused(&server, &format!("Bearer {}", ada.token())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_public_keys_are_published_and_nothing_of_the_private_ones() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let jwks = server.client().get("//.well-known/jwks.json").await.is(200);
    let kid = decode(ada.token().split('.').next().unwrap())["kid"].clone();
    let keys = jwks.json["keys"].as_array().expect("keys");
    assert!(keys.iter().any(|key| key["kid"] == kid), "the key that signed is among them");
    for key in keys {
        assert_eq!(key["kty"], "OKP");
        assert_eq!(key["crv"], "Ed25519");
        assert_eq!(URL_SAFE_NO_PAD.decode(key["x"].as_str().unwrap()).unwrap().len(), 32);
        assert!(key.get("d").is_none(), "{key}");
    }
    // Who has the published key can check a token.
    let key = keys.iter().find(|key| key["kid"] == kid).unwrap();
    let (message, signature) = ada.token().rsplit_once('.').unwrap();
    let public = URL_SAFE_NO_PAD.decode(key["x"].as_str().unwrap()).unwrap();
    aws_lc_rs::signature::UnparsedPublicKey::new(&aws_lc_rs::signature::ED25519, public)
        .verify(message.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap())
        .expect("a signature by the published key");
}
