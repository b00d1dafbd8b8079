//! Codes of invitations.

use serde_json::json;

use super::Met;
use crate::{
    organizations::organization_with_guests,
    support::{Person, Reply, World},
};

pub const MET: &[&str] = &[
    "already-invited",
    "email-unproven",
    "invitation-accepted",
    "invitation-expired",
    "invitation-lapsed",
    "invitations-unwanted",
    "no-guests",
];

async fn invite(person: &Person, project: &str, email: &str) -> Reply {
    person.post(&format!("/projects/{project}/members"), json!({"email": email})).await
}

async fn accept(person: &Person, token: &str) -> Reply {
    person.post(&format!("/invitations/{token}/accept"), json!({})).await
}

/// Lets the time of all invitations end: in the rows, which are asked whom to show, and in the log, which is asked whom to let
/// in.
async fn let_invitations_expire(world: &World) {
    let statements = "UPDATE invitations SET expires_at = expires_at - interval '49 hours';
        ALTER TABLE events DISABLE TRIGGER ALL;
        UPDATE events SET payload = jsonb_set(payload::jsonb, '{expires_at}', '\"2020-01-01T00:00:00Z\"')::json
        WHERE event_type = 'InvitationSent';
        ALTER TABLE events ENABLE TRIGGER ALL";
    sqlx::raw_sql(statements).execute(&world.pool().await).await.expect("invitations of long ago");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_comes_by_an_invitation_that_does_not_hold() {
    let mut met = Met::default();
    let world = World::new().await;
    let server = world.server().await;
    let (ada, eve) = (server.person("ada").await, server.person("eve").await);
    let (apollo, gemini) = (ada.project("Apollo").await, ada.project("Gemini").await);
    let mailed = async |email: &str, name: &str| world.mailed_token(email, &format!("You are invited to {name}")).await;
    let arrive = async |email: &str| -> Person { server.person_with("guest", email).await };

    let invited = invite(&ada, &apollo, "grace@example.com").await.is(201).id();
    met.refused(invite(&ada, &apollo, "grace@example.com").await, "already-invited");
    let token = mailed("grace@example.com", "Apollo").await;
    ada.post(&format!("/invitations/{token}/block"), json!({})).await.is(204);
    met.refused(invite(&ada, &gemini, "grace@example.com").await, "invitations-unwanted");
    accept(&arrive("grace@example.com").await, &token).await.is(200);
    let taken_back = ada.delete(&format!("/projects/{apollo}/invitations/{invited}")).await;
    met.refused(taken_back, "invitation-accepted");

    let acme = organization_with_guests(&ada, "Acme").await;
    let hosted = ada.post("/projects", json!({"name": "Mercury", "organization_id": acme})).await.is(201).id();
    invite(&ada, &hosted, "barbara@example.com").await.is(201);
    let token = mailed("barbara@example.com", "Mercury").await;
    ada.patch(&format!("/organizations/{acme}"), json!({"settings": {"allow_guests": false}})).await.is(200);
    met.refused(accept(&arrive("barbara@example.com").await, &token).await, "no-guests");

    ada.invite(&apollo, &eve, "owner").await;
    invite(&eve, &apollo, "edsger@example.com").await.is(201);
    let token = mailed("edsger@example.com", "Apollo").await;
    let (closed, printed) = world.command(&["accounts", "deactivate", &eve.id]).await;
    assert!(closed, "{printed}");
    met.refused(accept(&arrive("edsger@example.com").await, &token).await, "invitation-lapsed");

    invite(&ada, &gemini, "niklaus@example.com").await.is(201);
    let token = mailed("niklaus@example.com", "Gemini").await;
    let niklaus = arrive("niklaus@example.com").await;
    let_invitations_expire(&world).await;
    // Instances that have not seen the log as it was before; one of them asks for proof.
    let proof = [("WORKROOM_EMAIL_PROOF", "mail")];
    let (fresh, strict) =
        tokio::join!(world.server_with(&["--roles", "api"], &[]), world.server_with(&["--roles", "api"], &proof));
    met.refused(accept(&niklaus.at(&fresh.address), &token).await, "invitation-expired");
    let unproven = invite(&ada.at(&strict.address), &apollo, "alan@example.com").await;
    met.refused(unproven, "email-unproven");
    met.are(MET);
}
