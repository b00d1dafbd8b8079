//! What operations on accounts, their sessions and what is mailed to them are asked with.

use serde_json::{Value, json};

use super::{
    asked::Asked,
    bodies::{unique, unknown},
    operations::{ACCEPT, BLOCK, SESSION},
    scene::Scene,
};
use crate::auth::{
    password::{CONFIRM, RESET},
    webhook::{self, Provider},
};

const PASSWORD: &str = "nobody has a good password";

impl Scene<'_> {
    /// What such an operation is asked with; none for others.
    pub(super) async fn of_accounts(&self, method: &str, path: &str) -> Option<Asked> {
        let asked = match (method, path) {
            ("POST", "/auth/register") => self.by_nobody().body(credentials(&unknown(), PASSWORD)),
            ("POST", "/auth/login") => self.by_nobody().body(credentials(&self.bea.email, &self.bea.password)),
            ("POST", "/auth/refresh") => {
                let session = self.session().await;
                self.by_nobody().body(json!({"refresh_token": session["refresh_token"]}))
            }
            ("POST", "/auth/logout") => self.by(access_token(&self.session().await)),
            ("DELETE", SESSION) => {
                let session = self.session().await;
                let client = self.server.client().with_token(access_token(&session));
                let listed = client.get("/auth/sessions?limit=100").await.is(200);
                let own = listed.items().iter().find(|session| session["current"] == true).expect("its session");
                self.by(client.token()).id("session_id", own["id"].as_str().expect("an id"))
            }
            ("POST", "/auth/password") => {
                let password = &self.cid.password;
                let change = json!({"current_password": password, "new_password": password});
                self.by(self.cid.token()).body(change)
            }
            ("POST", "/auth/password/forgot") => self.by_nobody().body(json!({"email": self.bea.email})),
            ("POST", "/auth/password/reset") => {
                let email = self.registered().await;
                self.server.client().post("/auth/password/forgot", json!({"email": email})).await.is(202);
                let token = self.world.mailed_token(&email, RESET).await;
                self.by_nobody().body(json!({"token": token, "new_password": PASSWORD}))
            }
            ("POST", "/auth/email/verify") => {
                let token = self.world.mailed_token(&self.registered().await, CONFIRM).await;
                self.by_nobody().body(json!({"token": token}))
            }
            ("DELETE", "/auth/me") => {
                let dan = self.server.person("dan").await;
                self.by(dan.token()).body(json!({"password": dan.password}))
            }
            ("POST", ACCEPT) => {
                let (email, token) = self.invited().await;
                let eve = self.server.person_with("eve", &email).await;
                self.by(eve.token()).id("token", &token)
            }
            ("POST", BLOCK) => {
                let (_, token) = self.invited().await;
                self.by_nobody().id("token", &token)
            }
            ("POST", "/webhooks/identity") => self.told_by_provider(),
            _ => return None,
        };
        Some(asked)
    }

    /// The tokens of one more session of `bea`.
    async fn session(&self) -> Value {
        let credentials = credentials(&self.bea.email, &self.bea.password);
        self.server.client().with_password("/auth/login", &credentials).await.is(200).json
    }

    /// The address of somebody who has just registered.
    async fn registered(&self) -> String {
        let email = unknown();
        self.server.client().with_password("/auth/register", &credentials(&email, PASSWORD)).await.is(201);
        email
    }

    /// An address that was invited, and the token that was mailed to it.
    async fn invited(&self) -> (String, String) {
        let (email, project) = (unknown(), self.ada.project("Gemini").await);
        self.ada.post(&format!("/projects/{project}/members"), json!({"email": email})).await.is(201);
        let token = self.world.mailed_token(&email, "You are invited to Gemini").await;
        (email, token)
    }

    /// A new name of somebody whom an identity provider knows.
    fn told_by_provider(&self) -> Asked {
        let (id, now) = (format!("msg_{}", unique()), workroom::clock::now());
        let milliseconds = i64::try_from(now.unix_timestamp_nanos() / 1_000_000).expect("a time");
        let data = webhook::person(milliseconds, &unique());
        let (at, body) = (now.unix_timestamp(), json!({"type": "user.updated", "data": data}).to_string());
        let signature = Provider::sign(&id, at, &body);
        self.by_nobody()
            .header("svix-id", &id)
            .header("svix-timestamp", &at.to_string())
            .header("svix-signature", &signature)
            .body(body)
    }
}

fn credentials(email: &str, password: &str) -> Value {
    json!({"email": email, "password": password})
}

fn access_token(session: &Value) -> &str {
    session["access_token"].as_str().expect("an access token")
}
