//! Rules about redactions: nothing is redacted, and no purge ordered, by somebody who may not any more.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::PgPool;

use super::{all_rounds, assert_proved, count, instances, rounds};
use crate::{
    auth::{external::Issuer, webhook},
    organizations::{add, organization},
    support::{World, eventually, within},
};

/// A name that is redacted.
const CANARY: &str = "canary";

fn reason() -> Value {
    json!({"reason": "posted by mistake"})
}

/// Waits until the log tree has all of the log: a redaction of what it has not waits for it, and is no race.
async fn grown(pool: &PgPool) {
    let left = "SELECT count(*) FROM events e
                WHERE NOT EXISTS (SELECT FROM log_leaves l WHERE l.position = e.position)";
    eventually("the tree has all of it", async || count(pool, left).await == 0).await;
}

/// How many of these came to something.
fn done(outcomes: &[bool]) -> usize {
    outcomes.iter().filter(|done| **done).count()
}

/// An owner is demoted on one instance while they redact an event on the other.
#[tokio::test(flavor = "multi_thread")]
async fn an_owner_who_is_demoted_redacts_nothing_more() {
    let world = World::new().await;
    let (here, there) = instances(&world).await;
    let (ada, grace) = (here.person("ada").await, here.person("grace").await);
    let projects = rounds(all_rounds(), async |_| {
        let project = ada.project(CANARY).await;
        ada.invite(&project, &grace, "owner").await;
        format!("/projects/{project}")
    })
    .await;
    let pool = world.pool().await;
    grown(&pool).await;
    let redacted = rounds(all_rounds(), async |number| {
        let project = &projects[number];
        let (member, first) = (format!("{project}/members/{}", grace.id), format!("{project}/events/1/redact"));
        let other = grace.at(&there.address);
        let (demoted, redacted) =
            tokio::join!(ada.patch(&member, json!({"role": "collaborator"})), other.post(&first, reason()));
        demoted.is(200);
        assert!(matches!(redacted.status, 201 | 403), "{}", redacted.text);
        other.post(&first, reason()).await.refused("forbidden");
        let name = if redacted.status == 201 { "[redacted]" } else { CANARY };
        assert_eq!(ada.get(project).await.is(200).json["name"], name);
        redacted.status == 201
    })
    .await;
    eprintln!("{} of {} were redacted", done(&redacted), redacted.len());
    let late = "SELECT count(*) FROM events r
                JOIN events m ON m.feed_id = r.feed_id AND m.position < r.position
                             AND m.event_type = 'MemberRoleChanged'
                WHERE r.event_type = 'PayloadRedacted'
                  AND r.metadata->>'actor' = 'account:' || (m.payload->>'account_id')";
    assert_eq!(count(&pool, late).await, 0);
    assert_proved(&world).await;
}

/// An admin orders the purge of a deleted project, or redacts an event of its organization, while that is deleted; who
/// owned a deleted project orders its purge while they are erased.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_redacted_or_purged_by_who_is_gone_or_for_an_organization_that_is() {
    let world = World::new().await;
    let issuer = Issuer::new();
    let ((here, provider), (there, _)) = tokio::join!(webhook::start(&world, &issuer), webhook::start(&world, &issuer));
    let (ada, grace) = (here.person("ada").await, here.person("grace").await);
    let subject = |number: usize| format!("user_{number}");
    let owner = |number: usize| there.client().with_token(&issuer.token(&json!({"sub": subject(number)})));
    // What is asked for, and the organization that is deleted meanwhile, if it is one.
    let places: Vec<(String, Option<String>)> = rounds(all_rounds(), async |number| {
        if number % 3 == 2 {
            let owner = owner(number);
            let project = owner.post("/projects", json!({"name": CANARY})).await.is(201).id();
            owner.delete(&format!("/projects/{project}")).await.is(204);
            return (format!("/projects/{project}/purge"), None);
        }
        let acme = organization(&ada, CANARY).await;
        add(&ada, &acme, &grace, "admin").await;
        let path = format!("/organizations/{acme}");
        if number % 3 == 1 {
            return (format!("{path}/events/1/redact"), Some(path));
        }
        let body = json!({"name": CANARY, "organization_id": acme});
        let project = ada.post("/projects", body).await.is(201).id();
        ada.delete(&format!("/projects/{project}")).await.is(204);
        (format!("/projects/{project}/purge"), Some(path))
    })
    .await;
    let pool = world.pool().await;
    grown(&pool).await;
    let outcomes = rounds(all_rounds(), async |number| {
        let (asked, organization) = &places[number];
        let outcome = if let Some(organization) = organization {
            let other = grace.at(&there.address);
            let (gone, outcome) = tokio::join!(ada.delete(organization), other.post(asked, reason()));
            gone.is(204);
            other.post(asked, reason()).await.refused("not-found");
            outcome
        } else {
            let (owner, gone) = (owner(number), json!({"id": subject(number), "deleted": true}));
            let (erased, outcome) = tokio::join!(provider.tell("user.deleted", gone), owner.post(asked, reason()));
            erased.is(204);
            owner.post(asked, reason()).await.problem(401);
            outcome
        };
        assert!(matches!(outcome.status, 201 | 202 | 401 | 404), "{}", outcome.text);
        outcome.status < 300
    })
    .await;
    eprintln!("{} of {} were ordered or redacted", done(&outcomes), outcomes.len());

    // An order stands, whatever becomes of who gave it.
    let open = "SELECT count(*) FROM redaction_orders";
    within(Duration::from_secs(60), "no order is open", async || count(&pool, open).await == 0).await;
    let left = "SELECT count(*) FROM events e WHERE strpos(e.payload::text, 'canary') > 0
                AND EXISTS (SELECT FROM events o WHERE o.event_type = 'ProjectPurgeOrdered' AND o.feed_id = e.feed_id)";
    assert_eq!(count(&pool, left).await, 0);
    let behind_erasures = "SELECT count(*) FROM events a
        JOIN events e ON e.event_type = 'AccountErased' AND e.position < a.position
                     AND a.metadata->>'actor' = 'account:' || e.aggregate_id
        WHERE a.event_type = 'ProjectPurgeOrdered'";
    assert_eq!(count(&pool, behind_erasures).await, 0);
    let behind_organizations = "SELECT count(*) FROM events a
        JOIN events d ON d.event_type = 'OrganizationDeleted' AND d.position < a.position
        WHERE a.event_type IN ('ProjectPurgeOrdered', 'PayloadRedacted') AND a.metadata->>'actor' LIKE 'account:%'
          AND (a.feed_id = d.feed_id
               OR EXISTS (SELECT FROM events c WHERE c.event_type = 'ProjectCreated' AND c.feed_id = a.feed_id
                          AND c.payload->>'organization_id' = d.aggregate_id))";
    assert_eq!(count(&pool, behind_organizations).await, 0);
    assert_proved(&world).await;
}
