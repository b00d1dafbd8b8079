//! Codes of a database that does something else than it was asked for.

use reqwest::Client;
use serde_json::json;

use super::Met;
use crate::support::{Person, Reply, World};

pub const MET: &[&str] = &["contended", "internal"];

/// Changes the profile; of a client's own make, for those of the tests take no internal error.
async fn change_profile(person: &Person) -> Reply {
    let request =
        Client::new().patch(format!("http://{}/api/v1/auth/me", person.address())).bearer_auth(person.token());
    let reply = request.json(&json!({"full_name": "Countess"})).send().await.expect("a reply");
    let (status, headers) = (reply.status().as_u16(), reply.headers().clone());
    let text = reply.text().await.expect("a body");
    Reply { status, headers, json: serde_json::from_str(&text).unwrap_or_default(), text }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_loses_every_round_or_breaks() {
    let mut met = Met::default();
    let world = World::new().await;
    let server = world.server().await;
    let (ada, pool) = (server.person("ada").await, world.pool().await);
    let interfere = async |statement: &str| {
        let function = format!(
            "CREATE OR REPLACE FUNCTION interfere() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {statement}; END $$;
             CREATE OR REPLACE TRIGGER interfered BEFORE UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION interfere()"
        );
        sqlx::raw_sql(&function).execute(&pool).await.expect("a trigger");
    };
    // As if somebody else had changed the row since it was read, each time.
    interfere("RETURN NULL").await;
    met.refused(change_profile(&ada).await, "contended");
    interfere("RAISE EXCEPTION 'broken' USING ERRCODE = 'data_corrupted'").await;
    met.refused(change_profile(&ada).await, "internal");
    met.are(MET);
}
