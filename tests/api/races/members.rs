//! Rules about members, and what they may do where.

use serde_json::{Value, json};

use super::{all_rounds, assert_proved, count, instances, rounds};
use crate::{
    auth::{external::Issuer, webhook},
    organizations::{add, organization},
    support::{Person, World, eventually},
};

/// Somebody is removed from a project on one instance while they are given a task, or the lead, on the other.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_removed_has_no_task_and_leads_nothing() {
    let world = World::new().await;
    let (here, there) = instances(&world).await;
    let (ada, grace) = (here.person("ada").await, here.person("grace").await);
    rounds(all_rounds(), async |number| {
        let project = ada.project("Apollo").await;
        ada.invite(&project, &grace, "collaborator").await;
        let path = format!("/projects/{project}");
        let (other, member) = (ada.at(&there.address), format!("{path}/members/{}", grace.id));
        let given = async {
            if number % 2 == 0 {
                other.post(&format!("{path}/tasks"), json!({"title": "Launch", "assignee_id": grace.id})).await
            } else {
                other.patch(&path, json!({"team_lead": grace.id})).await
            }
        };
        let (removed, given) = tokio::join!(ada.delete(&member), given);
        removed.is(204);
        assert!(matches!(given.status, 200 | 201 | 422), "{}", given.text);
        let hers = ada.get(&format!("{path}/tasks?assignee_id={}", grace.id)).await.is(200);
        assert!(hers.items().is_empty(), "{}", hers.text);
        assert_eq!(ada.get(&path).await.is(200).json["team_lead"], Value::Null);
    })
    .await;
    assert_proved(&world).await;
}

/// An admin of an organization, whose right in its projects comes from there alone, is removed or demoted while they use
/// it; a member is kept from creating projects while they create one. The audit knows who had the right where.
#[tokio::test(flavor = "multi_thread")]
async fn no_right_outlives_the_organization_that_gave_it() {
    let world = World::new().await;
    let (here, there) = instances(&world).await;
    let (ada, grace) = (here.person("ada").await, here.person("grace").await);
    rounds(all_rounds(), async |number| {
        let acme = organization(&ada, "Acme").await;
        let project = ada.post("/projects", json!({"name": "Apollo", "organization_id": acme})).await.is(201).id();
        let grace = grace.at(&there.address);
        let (path, members) = (format!("/organizations/{acme}"), format!("/organizations/{acme}/members"));
        let member = format!("{members}/{}", grace.id);
        let kept = match number % 3 {
            0 | 1 => {
                add(&ada, &acme, &grace, "admin").await;
                let edit = json!({"description": "x"});
                let project = format!("/projects/{project}");
                grace.patch(&project, edit.clone()).await.is(200);
                let use_it = grace.patch(&project, json!({"description": "y"}));
                let (kept, used) = if number % 3 == 0 {
                    tokio::join!(ada.delete(&member), use_it)
                } else {
                    tokio::join!(ada.patch(&member, json!({"role": "member"})), use_it)
                };
                assert!(matches!(used.status, 200 | 404), "{}", used.text);
                grace.patch(&project, edit).await.problem(404);
                kept
            }
            _ => {
                add(&ada, &acme, &grace, "member").await;
                ada.patch(&path, settings(true)).await.is(200);
                let project = json!({"name": "Gemini", "organization_id": acme});
                let (kept, used) =
                    tokio::join!(ada.patch(&path, settings(false)), grace.post("/projects", project.clone()));
                assert!(matches!(used.status, 201 | 403), "{}", used.text);
                grace.post("/projects", project).await.problem(403);
                kept
            }
        };
        assert!(matches!(kept.status, 200 | 204), "{}", kept.text);
    })
    .await;
    assert_proved(&world).await;
}

fn settings(members_can_create_projects: bool) -> Value {
    json!({"settings": {"members_can_create_projects": members_can_create_projects}})
}

/// Somebody is erased on one instance while they are added to a project and to an organization on the other.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_added_who_is_erased() {
    let world = World::new().await;
    let issuer = Issuer::new();
    let ((here, provider), (there, _)) = tokio::join!(webhook::start(&world, &issuer), webhook::start(&world, &issuer));
    let ada = here.person("ada").await;
    let (project, acme) = (ada.project("Apollo").await, organization(&ada, "Acme").await);
    rounds(all_rounds(), async |number| {
        let (subject, email) = (format!("user_{number}"), format!("user-{number}@example.com"));
        let mut somebody = webhook::person(1_700_000_000_000, "Grace");
        somebody["id"] = subject.clone().into();
        somebody["username"] = format!("grace-{number}").into();
        somebody["email_addresses"][0]["email_address"] = email.clone().into();
        provider.tell("user.created", somebody).await.is(204);
        let other = ada.at(&there.address);
        let host = if number % 2 == 0 { format!("/projects/{project}") } else { format!("/organizations/{acme}") };
        let members = format!("{host}/members");
        let (erased, added) = tokio::join!(
            provider.tell("user.deleted", json!({"id": subject, "deleted": true})),
            other.post(&members, json!({"email": email})),
        );
        erased.is(204);
        // Invited, when the address was nobody's any more.
        assert!(matches!(added.status, 201 | 422), "{}", added.text);
    })
    .await;
    for host in [format!("/projects/{project}"), format!("/organizations/{acme}")] {
        eventually("ada is alone", async || ada.get(&format!("{host}/members")).await.items().len() == 1).await;
    }
    assert_proved(&world).await;
}

/// Invitations are accepted while they are taken back, while the project is deleted, and twice at once.
#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_is_accepted_once_and_only_while_it_holds() {
    let world = World::new().await;
    let (here, there) = instances(&world).await;
    let ada = here.person("ada").await;
    let email = format!("grace-{}@example.com", uuid::Uuid::now_v7().simple());
    let invited = rounds(all_rounds(), async |number| {
        let name = format!("Project {number:03}.");
        let project = ada.project(&name).await;
        let path = format!("/projects/{project}/members");
        (project, ada.post(&path, json!({"email": email})).await.is(201).id(), name)
    })
    .await;
    let subject = |name: &str| format!("You are invited to {name}");
    let pool = world.pool().await;
    let waiting = "SELECT count(*) FROM mails WHERE kind = 'invitation' AND sent_at IS NULL";
    eventually("all mails are sent", async || count(&pool, waiting).await == 0).await;
    let grace = here.person_with("grace", &email).await;
    rounds(all_rounds(), async |number| {
        let (project, invitation, name) = &invited[number];
        let token = world.mailed_token(&email, &subject(name)).await;
        let path = format!("/projects/{project}");
        let accept = async |person: &Person| person.post(&format!("/invitations/{token}/accept"), json!({})).await;
        let other = grace.at(&there.address);
        match number % 3 {
            0 => {
                let (gone, accepted) = tokio::join!(ada.delete(&path), accept(&other));
                gone.is(204);
                assert!(matches!(accepted.status, 200 | 404), "{}", accepted.text);
                grace.get(&path).await.problem(404);
            }
            1 => {
                let revoke = format!("{path}/invitations/{invitation}");
                let (revoked, accepted) = tokio::join!(ada.delete(&revoke), accept(&other));
                let outcome = (revoked.status, accepted.status);
                assert!(matches!(outcome, (204, 404) | (409, 200)), "{outcome:?}");
                grace.get(&path).await.is(if accepted.status == 200 { 200 } else { 404 });
            }
            _ => {
                let (one, two) = tokio::join!(accept(&grace), accept(&other));
                one.is(200);
                two.is(200);
            }
        }
    })
    .await;
    let twice = "SELECT count(*) FROM (SELECT FROM events WHERE event_type = 'InvitationAccepted'
                 GROUP BY aggregate_id HAVING count(*) > 1) twice";
    assert_eq!(count(&pool, twice).await, 0);
    assert_proved(&world).await;
}
