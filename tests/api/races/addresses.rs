//! Rules about addresses and invitations: what an address, or a sender's word, gives.

use serde_json::json;

use super::{all_rounds, assert_proved, count, instances, rounds};
use crate::{
    auth::{external::Issuer, webhook},
    support::{World, eventually},
};

/// Who sent an invitation is removed on one instance while it is accepted on the other.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_joins_by_the_word_of_who_was_removed() {
    let world = World::new().await;
    let (here, there) = instances(&world).await;
    let (ada, eve) = (here.person("ada").await, here.person("eve").await);
    let email = format!("grace-{}@example.com", uuid::Uuid::now_v7().simple());
    let projects = rounds(all_rounds(), async |number| {
        let name = format!("Project {number:03}.");
        let project = ada.project(&name).await;
        ada.invite(&project, &eve, "owner").await;
        let invite = json!({"email": email, "role": "owner"});
        eve.post(&format!("/projects/{project}/members"), invite).await.is(201);
        (project, name)
    })
    .await;
    let pool = world.pool().await;
    let waiting = "SELECT count(*) FROM mails WHERE kind = 'invitation' AND sent_at IS NULL";
    eventually("all mails are sent", async || count(&pool, waiting).await == 0).await;
    let grace = there.person_with("grace", &email).await;
    rounds(all_rounds(), async |number| {
        let (project, name) = &projects[number];
        let token = world.mailed_token(&email, &format!("You are invited to {name}")).await;
        let member = format!("/projects/{project}/members/{}", eve.id);
        let accept = format!("/invitations/{token}/accept");
        let (removed, accepted) = tokio::join!(ada.delete(&member), grace.post(&accept, json!({})));
        removed.is(204);
        assert!(matches!(accepted.status, 200 | 404 | 409), "{}", accepted.text);
        grace.get(&format!("/projects/{project}")).await.is(if accepted.status == 200 { 200 } else { 404 });
    })
    .await;
    let late = "SELECT count(*) FROM events a JOIN events r ON r.feed_id = a.feed_id AND r.position < a.position
                WHERE a.event_type = 'InvitationAccepted' AND r.event_type = 'MemberRemoved'";
    assert_eq!(count(&pool, late).await, 0);
    assert_proved(&world).await;
}

/// A provider's verified claim takes an address from whoever only typed it, on one instance, while the address is added to a
/// project on the other.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_added_by_an_address_that_was_taken_from_them() {
    let world = World::new().await;
    let issuer = Issuer::new();
    let ((here, provider), (there, _)) = tokio::join!(webhook::start(&world, &issuer), webhook::start(&world, &issuer));
    let ada = here.person("ada").await;
    let project = ada.project("Apollo").await;
    rounds(all_rounds(), async |number| {
        let email = format!("user-{number}@example.com");
        let squatter = here.person_with("mallory", &email).await;
        let mut somebody = webhook::person(1_700_000_000_000, "Grace");
        somebody["id"] = format!("user_{number}").into();
        somebody["username"] = format!("grace-{number}").into();
        somebody["email_addresses"][0]["email_address"] = email.clone().into();
        let (other, members) = (ada.at(&there.address), format!("/projects/{project}/members"));
        let (told, added) =
            tokio::join!(provider.tell("user.created", somebody), other.post(&members, json!({"email": email})),);
        told.is(204);
        assert!(matches!(added.status, 201 | 422), "{}", added.text);
        assert!(squatter.get("/auth/me").await.is(200).json["email"].is_null());
    })
    .await;
    let late = "SELECT count(*) FROM events m
                JOIN events p ON p.aggregate_type = 'account' AND p.aggregate_id = m.payload->>'account_id'
                             AND p.event_type = 'ProfileChanged' AND p.position < m.position
                WHERE m.event_type = 'MemberAdded'";
    assert_eq!(count(&world.pool().await, late).await, 0);
    assert_proved(&world).await;
}
