//! Inviting people by an address that is nobody's yet: to projects, to organizations, and `/invitations/{token}/accept`

use serde_json::json;
use uuid::Uuid;

use crate::{
    organizations::{organization, organization_with_guests},
    support::{Person, Reply, World, eventually},
};

fn unknown(name: &str) -> String {
    format!("{name}-{}@example.com", Uuid::now_v7().simple())
}

async fn accept(person: &Person, token: &str) -> crate::support::Reply {
    person.post(&format!("/invitations/{token}/accept"), json!({})).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_address_is_invited_by_mail_and_joins_with_its_account() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, eve) = (server.person("ada").await, server.person("eve").await);
    let project = ada.project("Apollo").await;
    let members = format!("/projects/{project}/members");
    let email = unknown("Grace");
    let long = json!({"email": email, "message": "x".repeat(501)});
    assert_eq!(ada.post(&members, long).await.problem(422).json["errors"][0]["pointer"], "/message");
    let invite = json!({"email": email, "role": "viewer", "message": "Come and see."});
    let invited = ada.post(&members, invite).await.is(201);
    assert_eq!(invited.json["message"], "Come and see.");
    assert_eq!((&invited.json["status"], &invited.json["email"]), (&json!("invited"), &json!(email)));
    assert_eq!((&invited.json["role"], &invited.json["invited_by"]), (&json!("viewer"), &json!(ada.id)));
    let path = format!("/projects/{project}/invitations/{}", invited.id());
    assert_eq!(invited.header("location"), format!("/api/v1{path}"));
    assert_eq!(ada.get(&path).await.is(200).json, invited.json);
    let listed = ada.get(&format!("/projects/{project}/invitations")).await.is(200);
    assert_eq!(listed.items(), &vec![invited.json.clone()]);
    // Once is enough, however it is spelled.
    ada.post(&members, json!({"email": email.to_uppercase()})).await.problem(409);
    assert_eq!(ada.get(&members).await.is(200).items().len(), 1, "nobody has joined yet");

    let subject = "You are invited to Apollo";
    let token = world.mailed_token(&email, subject).await;
    let mail = world.mails(&email, subject).remove(0);
    assert!(mail.contains("ada invites you to the project") && mail.contains("Come and see."), "{mail}");
    assert!(mail.contains("text/plain") && mail.contains("text/html"), "{mail}");
    accept(&eve, &token).await.problem(403);
    accept(&ada, &token).await.problem(403);
    let anonymous = server.client();
    anonymous.post(&format!("/invitations/{token}/accept"), json!({})).await.problem(401);
    let grace = server.person_with("grace", &email.to_lowercase()).await;
    grace.get(&format!("/projects/{project}")).await.problem(404);
    let accepted = accept(&grace, &token).await.is(200);
    assert_eq!((&accepted.json["project_id"], &accepted.json["role"]), (&json!(project), &json!("viewer")));
    assert_eq!(accepted.json["organization_id"], json!(null));
    assert_eq!(grace.get(&format!("/projects/{project}")).await.is(200).json["role"], "viewer");
    // Asked again, because the first answer was lost.
    assert_eq!(accept(&grace, &token).await.is(200).json, accepted.json);
    accept(&eve, &token).await.problem(403);
    assert_eq!(ada.get(&members).await.is(200).items().len(), 2);
    assert!(ada.get(&format!("/projects/{project}/invitations")).await.is(200).items().is_empty());
    ada.get(&path).await.problem(404);
    ada.delete(&path).await.problem(409);
    ada.post(&members, json!({"email": email})).await.problem(409);

    let history = ada.history(&project).await;
    let types: Vec<_> = history.iter().map(|event| event["event_type"].as_str().unwrap_or_default()).collect();
    assert!(types.ends_with(&["InvitationSent", "InvitationAccepted", "MemberAdded"]), "{types:?}");
    assert!(!serde_json::to_string(&history).expect("JSON").contains("@example.com"), "addresses are not in the log");
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_is_taken_back() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let (project, other) = (ada.project("Apollo").await, ada.project("Gemini").await);
    let email = unknown("grace");
    let members = format!("/projects/{project}/members");
    let id = ada.post(&members, json!({"email": email})).await.is(201).id();
    let token = world.mailed_token(&email, "You are invited to Apollo").await;
    ada.delete(&format!("/projects/{other}/invitations/{id}")).await.problem(404);
    ada.get(&format!("/projects/{other}/invitations/{id}")).await.problem(404);
    ada.delete(&format!("/projects/{project}/invitations/{id}")).await.is(204);
    ada.delete(&format!("/projects/{project}/invitations/{id}")).await.problem(404);
    let grace = server.person_with("grace", &email).await;
    accept(&grace, &token).await.problem(404);
    for bad in ["x", "wrm_x", &format!("wrm_{}", "A".repeat(43)), "%00", "..%2F"] {
        accept(&grace, bad).await.problem(404);
    }
    grace.get(&format!("/projects/{project}")).await.problem(404);
    // Now that the address is an account's, it is simply added.
    assert_eq!(ada.post(&members, json!({"email": email})).await.is(201).json["user_id"], grace.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_that_was_used_lets_nobody_back_in() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let (project, acme) = (ada.project("Apollo").await, organization(&ada, "Acme").await);
    let email = unknown("grace");
    for host in [format!("/projects/{project}"), format!("/organizations/{acme}")] {
        ada.post(&format!("{host}/members"), json!({"email": email})).await.is(201);
    }
    let tokens = [
        world.mailed_token(&email, "You are invited to Apollo").await,
        world.mailed_token(&email, "You are invited to Acme").await,
    ];
    let grace = server.person_with("grace", &email).await;
    for (host, token) in [format!("/projects/{project}"), format!("/organizations/{acme}")].iter().zip(&tokens) {
        let first = accept(&grace, token).await.is(200);
        assert_eq!(accept(&grace, token).await.is(200).json, first.json, "the first answer may have been lost");
        ada.delete(&format!("{host}/members/{}", grace.id)).await.is(204);
        accept(&grace, token).await.problem(409);
        grace.get(host).await.problem(404);
    }
    ada.invite(&project, &grace, "viewer").await;
    accept(&grace, &tokens[0]).await.is(200);
    ada.delete(&format!("/projects/{project}")).await.is(204);
    accept(&grace, &tokens[0]).await.problem(409);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_is_good_for_two_days_and_then_can_be_sent_anew() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let email = unknown("grace");
    let members = format!("/projects/{project}/members");
    let invited = ada.post(&members, json!({"email": email})).await.is(201);
    let moment = |field: &str| {
        let text = invited.json[field].as_str().expect("a moment");
        time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).expect("RFC 3339")
    };
    assert_eq!(moment("expires_at") - moment("created_at"), time::Duration::hours(48));
    let token = world.mailed_token(&email, "You are invited to Apollo").await;
    // Two days pass: in the row, which is asked whom to show, and in the log, which is asked whom to let in.
    let pool = world.pool().await;
    for statement in [
        "UPDATE invitations SET expires_at = expires_at - interval '49 hours'",
        "ALTER TABLE events DISABLE TRIGGER ALL",
        "UPDATE events SET payload = jsonb_set(payload::jsonb, '{expires_at}', '\"2020-01-01T00:00:00Z\"')::json
         WHERE event_type = 'InvitationSent'",
        "ALTER TABLE events ENABLE TRIGGER ALL",
    ] {
        sqlx::query(statement).execute(&pool).await.expect("a statement");
    }
    let fresh = world.server().await;
    let grace = server.person_with("grace", &email).await.at(&fresh.address);
    let refused = accept(&grace, &token).await.problem(409);
    assert!(refused.json["detail"].as_str().expect("a detail").contains("expired"), "{}", refused.text);
    assert!(ada.get(&format!("/projects/{project}/invitations")).await.is(200).items().is_empty());
    grace.get(&format!("/projects/{project}")).await.problem(404);
    let other = unknown("bob");
    ada.post(&members, json!({"email": other})).await.is(201);
    sqlx::query("UPDATE invitations SET expires_at = now() - interval '1 second'").execute(&pool).await.expect("a row");
    ada.post(&members, json!({"email": other})).await.is(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_races_to_accept_joins_once_and_who_races_to_invite_invites_once() {
    let world = World::new().await;
    let (here, there) = tokio::join!(world.server(), world.server());
    let ada = here.person("ada").await;
    let project = ada.project("Apollo").await;
    let email = unknown("grace");
    let members = format!("/projects/{project}/members");
    let other = ada.at(&there.address);
    let invites = (0..20).map(|number| {
        let person = if number % 2 == 0 { &ada } else { &other };
        person.post(&members, json!({"email": email}))
    });
    let statuses: Vec<_> = futures::future::join_all(invites).await.iter().map(|reply| reply.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 19, "{statuses:?}");
    let token = world.mailed_token(&email, "You are invited to Apollo").await;
    let grace = here.person_with("grace", &email).await;
    let elsewhere = grace.at(&there.address);
    let accepts = (0..20).map(|number| accept(if number % 2 == 0 { &grace } else { &elsewhere }, &token));
    for reply in futures::future::join_all(accepts).await {
        reply.is(200);
    }
    let history = ada.history(&project).await;
    let count = |event_type: &str| history.iter().filter(|event| event["event_type"] == event_type).count();
    assert_eq!((count("InvitationSent"), count("InvitationAccepted"), count("MemberAdded")), (1, 1, 2));
    assert_eq!(world.mails(&email, "You are invited to Apollo").len(), 1, "one mail");
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn organizations_invite_too_and_tell_those_they_add() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let acme = organization(&ada, "Acme").await;
    let members = format!("/organizations/{acme}/members");
    let body = json!({"email": bob.email, "message": "Good to have you!\n<b>Really</b>"});
    assert_eq!(ada.post(&members, body).await.is(201).json["user_id"], bob.id);
    eventually("a mail", async || !world.mails(&bob.email, "You were added to Acme").is_empty()).await;
    let mail = world.mails(&bob.email, "You were added to Acme").remove(0);
    assert!(mail.contains("Good to have you!") && mail.contains("&lt;b&gt;Really&lt;/b&gt;"), "{mail}");
    let email = unknown("grace");
    let body = json!({"email": email, "role": "admin", "message": "Come!"});
    let invited = ada.post(&members, body).await.is(201);
    assert_eq!((&invited.json["status"], &invited.json["message"]), (&json!("invited"), &json!("Come!")));
    let path = format!("/organizations/{acme}/invitations");
    assert_eq!(ada.get(&path).await.is(200).items().len(), 1);
    assert_eq!(ada.get(&format!("{path}/{}", invited.id())).await.is(200).json, invited.json);
    bob.get(&path).await.problem(403);
    bob.delete(&format!("{path}/{}", invited.id())).await.problem(403);
    let token = world.mailed_token(&email, "You are invited to Acme").await;
    assert!(world.mails(&email, "You are invited to Acme")[0].contains("Come!"));
    let grace = server.person_with("grace", &email).await;
    let accepted = accept(&grace, &token).await.is(200);
    assert_eq!((&accepted.json["organization_id"], &accepted.json["role"]), (&json!(acme), &json!("admin")));
    assert_eq!(grace.get(&format!("/organizations/{acme}")).await.is(200).json["role"], "admin");
    let second = unknown("eve");
    let id = grace.post(&members, json!({"email": second})).await.is(201).id();
    grace.delete(&format!("{path}/{id}")).await.is(204);
    assert!(grace.get(&path).await.is(200).items().is_empty());
    ada.post(&members, json!({"email": second, "message": "x".repeat(20_001)})).await.problem(422);
    ada.post(&members, json!({"email": "no address"})).await.problem(422);
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_an_invitation_went_to_is_erased_with_the_account() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let email = unknown("grace");
    let keyed = ada.with_header("idempotency-key", "one");
    keyed.post(&format!("/projects/{project}/members"), json!({"email": email})).await.is(201);
    let token = world.mailed_token(&email, "You are invited to Apollo").await;
    let grace = server.person_with("grace", &email).await;
    let body = json!({"password": grace.password}).to_string();
    grace.send(reqwest::Method::DELETE, "/auth/me", Some(body)).await.is(204);
    let pool = world.pool().await;
    for (table, column) in [("invitations", "email"), ("idempotency_receipts", "body"), ("accounts", "email")] {
        let count: i64 =
            sqlx::query_scalar(&format!("SELECT count(*) FROM {table} WHERE strpos(lower({column}), $1) > 0"))
                .bind(email.to_lowercase())
                .fetch_one(&pool)
                .await
                .expect("a count");
        assert_eq!(count, 0, "{table}");
    }
    assert!(world.mails(&email, "You are invited to Apollo").is_empty(), "mails in the folder");
    let anew = server.person_with("grace", &email).await;
    accept(&anew, &token).await.problem(404);
    // Nobody is invited any more, so the address can be added, or invited, anew.
    ada.post(&format!("/projects/{project}/members"), json!({"email": email})).await.is(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_joins_an_organization_whose_last_admin_was_erased() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let acme = organization(&ada, "Acme").await;
    let email = unknown("grace");
    ada.post(&format!("/organizations/{acme}/members"), json!({"email": email})).await.is(201);
    let token = world.mailed_token(&email, "You are invited to Acme").await;
    let body = json!({"password": ada.password}).to_string();
    ada.send(reqwest::Method::DELETE, "/auth/me", Some(body)).await.is(204);
    let grace = server.person_with("grace", &email).await;
    // Refused from the beginning, and ended soon.
    eventually("the invitation ends", async || {
        let status = accept(&grace, &token).await.status;
        assert!([404, 409].contains(&status), "{status}");
        status == 404
    })
    .await;
    grace.get(&format!("/organizations/{acme}")).await.problem(404);
}

/// A reply names no other invitations than these. The reactor follows the same removal, and may have ended one before the reply did.
fn assert_ended(reply: &Reply, sent: &[String]) {
    let ended = reply.header("workroom-ended-invitations");
    assert!(ended.split(", ").all(|id| id.is_empty() || sent.iter().any(|sent| sent == id)), "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn invitations_end_with_their_senders_right_to_invite() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, eve) = (server.person("ada").await, server.person("eve").await);
    let (project, acme) = (ada.project("Apollo").await, organization_with_guests(&ada, "Acme").await);
    let hosted = ada.post("/projects", json!({"name": "Gemini", "organization_id": acme})).await.is(201).id();
    let (projects, organizations) = (format!("/projects/{project}"), format!("/organizations/{acme}"));
    let hosted = format!("/projects/{hosted}");
    let invite = async |host: &str, role: &str| {
        let email = unknown("grace");
        let id = eve.post(&format!("{host}/members"), json!({"email": email, "role": role})).await.is(201).id();
        (id, email)
    };
    let add = async |host: &str, role: &str| {
        ada.post(&format!("{host}/members"), json!({"email": eve.email, "role": role})).await.is(201);
    };
    let token = async |email: &str, name: &str| world.mailed_token(email, &format!("You are invited to {name}")).await;

    // Removed from a project.
    add(&projects, "owner").await;
    let (id, email) = invite(&projects, "owner").await;
    let mailed = token(&email, "Apollo").await;
    let removed = ada.delete(&format!("{projects}/members/{}", eve.id)).await.is(204);
    assert_ended(&removed, std::slice::from_ref(&id));
    let grace = server.person_with("grace", &email).await;
    accept(&grace, &mailed).await.problem(404);
    grace.get(&projects).await.problem(404);
    assert!(ada.get(&format!("{projects}/invitations")).await.is(200).items().is_empty());
    let last = ada.history(&project).await.pop().expect("an event");
    assert_eq!((&last["event_type"], &last["actor"]), (&json!("InvitationLapsed"), &json!("system:reconciler")));

    // Demoted there.
    add(&projects, "owner").await;
    let sent = [invite(&projects, "viewer").await.0, invite(&projects, "viewer").await.0];
    let demoted = ada.patch(&format!("{projects}/members/{}", eve.id), json!({"role": "collaborator"})).await.is(200);
    assert_ended(&demoted, &sent);
    assert!(ada.get(&format!("{projects}/invitations")).await.is(200).items().is_empty());

    // An organization's admin, demoted: invitations to it, and to its projects.
    add(&organizations, "admin").await;
    let sent = [invite(&organizations, "admin").await.0, invite(&hosted, "owner").await.0];
    let demoted = ada.patch(&format!("{organizations}/members/{}", eve.id), json!({"role": "member"})).await.is(200);
    assert_ended(&demoted, &sent);
    for host in [&organizations, &hosted] {
        assert!(ada.get(&format!("{host}/invitations")).await.is(200).items().is_empty());
    }

    // And removed, while others' invitations stay.
    let kept = ada.post(&format!("{organizations}/members"), json!({"email": unknown("hopper")})).await.is(201).id();
    ada.patch(&format!("{organizations}/members/{}", eve.id), json!({"role": "admin"})).await.is(200);
    let sent = invite(&organizations, "member").await.0;
    let removed = ada.delete(&format!("{organizations}/members/{}", eve.id)).await.is(204);
    assert_ended(&removed, std::slice::from_ref(&sent));
    let left = ada.get(&format!("{organizations}/invitations")).await.is(200);
    assert_eq!(left.items().iter().map(|item| item["id"].clone()).collect::<Vec<_>>(), [json!(kept)]);
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_joins_by_the_word_of_who_may_not_invite_any_more() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, eve) = (server.person("ada").await, server.person("eve").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &eve, "owner").await;
    let email = unknown("grace");
    eve.post(&format!("/projects/{project}/members"), json!({"email": email, "role": "owner"})).await.is(201);
    let token = world.mailed_token(&email, "You are invited to Apollo").await;
    let grace = server.person_with("grace", &email).await;
    // Nothing follows the removal as long as the views do not show it; acceptance does not wait for that.
    let pool = world.pool().await;
    let mut held = pool.begin().await.expect("a transaction");
    sqlx::query("SELECT FROM projection_checkpoints FOR UPDATE").execute(&mut *held).await.expect("the checkpoints");
    let removed = ada.delete(&format!("/projects/{project}/members/{}", eve.id)).await.is(204);
    assert_eq!(removed.header("workroom-visible"), "false");
    let refused = accept(&grace, &token).await.problem(409).json;
    assert_eq!(refused["detail"], "who sent the invitation may no longer invite: ask for another one");
    drop(held);
    eventually("the invitation ends", async || accept(&grace, &token).await.status == 404).await;

    // Nor by the word of an account that is closed; it counts again when it is opened.
    let email = unknown("hopper");
    ada.post(&format!("/projects/{project}/members"), json!({"email": email})).await.is(201);
    let token = world.mailed_token(&email, "You are invited to Apollo").await;
    let hopper = server.person_with("hopper", &email).await;
    for (command, status) in [("deactivate", 409), ("reactivate", 200)] {
        let (done, printed) = world.command(&["accounts", command, &ada.id]).await;
        assert!(done, "{printed}");
        accept(&hopper, &token).await.is(status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_no_invitations_gets_none_until_an_account_proves_the_address() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let members = async |person: &Person, name: &str| format!("/projects/{}/members", person.project(name).await);
    let (apollo, gemini) = (members(&ada, "Apollo").await, members(&grace, "Gemini").await);
    let email = unknown("Edsger");
    ada.post(&apollo, json!({"email": email})).await.is(201);
    let subject = "You are invited to Apollo";
    let token = world.mailed_token(&email, subject).await;
    let mail = world.mails(&email, subject).remove(0);
    let unfolded = mail.replace("\r\n ", " ").replace("=\r\n", "");
    let block = format!("/invitations/{token}/block");
    let header = unfolded.lines().find_map(|line| line.strip_prefix("List-Unsubscribe: ")).expect("a header");
    assert!(header.trim().starts_with("<http") && header.trim().ends_with(&format!("/api/v1{block}>")), "{header}");
    assert!(unfolded.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click"), "{mail}");
    assert!(unfolded.contains("block-invitations?token"), "{mail}");

    let stranger = server.client();
    stranger.post(&format!("/invitations/wrm_{}/block", "x".repeat(43)), json!({})).await.problem(404);
    stranger.get(&block).await.problem(405);
    for _ in 0..2 {
        let form = Some("List-Unsubscribe=One-Click".to_owned());
        let blocked = stranger.with_header("content-type", "application/x-www-form-urlencoded");
        blocked.send(reqwest::Method::POST, &block, form).await.is(204);
    }
    for spelled in [email.clone(), email.to_uppercase()] {
        let refused = grace.post(&gemini, json!({"email": spelled})).await.problem(409);
        assert_eq!(refused.json["detail"], "whoever reads mail to this address wants no invitations");
    }
    grace.post(&gemini, json!({"email": unknown("Barbara")})).await.is(201);
    // What was sent before is still theirs to accept.
    let edsger = server.person_with("edsger", &email).await;
    accept(&edsger, &token).await.is(200);
    grace.post(&members(&grace, "Mercury").await, json!({"email": email})).await.is(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proof_of_an_address_lets_invitations_through_again() {
    let world = World::new().await;
    let server = world.server_with(&[], &[("WORKROOM_EMAIL_PROOF", "mail")]).await;
    let ada = server.person("ada").await;
    let token = world.mailed_token(&ada.email, "Confirm your e-mail address").await;
    ada.post("/auth/email/verify", json!({"token": token})).await.is(204);
    let invite = async |name: &str, email: &str| {
        let project = ada.project(name).await;
        ada.post(&format!("/projects/{project}/members"), json!({"email": email})).await
    };
    let email = unknown("Edsger");
    invite("Apollo", &email).await.is(201);
    let token = world.mailed_token(&email, "You are invited to Apollo").await;
    ada.post(&format!("/invitations/{token}/block"), json!({})).await.is(204);
    invite("Gemini", &email).await.problem(409);
    let edsger = server.person_with("edsger", &email).await;
    invite("Mercury", &email).await.problem(409);
    let proof = world.mailed_token(&email, "Confirm your e-mail address").await;
    edsger.post("/auth/email/verify", json!({"token": proof})).await.is(204);
    let added = invite("Vostok", &email).await.is(201);
    assert_ne!(added.json["status"], "invited", "the address counts as theirs now");
}

#[tokio::test(flavor = "multi_thread")]
async fn invitations_are_bounded_by_sender_and_by_recipient() {
    let world = World::new().await;
    let settings = [("WORKROOM_INVITATIONS_PER_SENDER", "4"), ("WORKROOM_INVITATIONS_PER_RECIPIENT", "2")];
    let server = world.server_with(&[], &settings).await;
    let (ada, grace, eve) = (server.person("ada").await, server.person("grace").await, server.person("eve").await);
    let invite = async |person: &Person, email: &str| {
        let project = person.project("Apollo").await;
        person.post(&format!("/projects/{project}/members"), json!({"email": email})).await
    };
    let email = unknown("Edsger");
    invite(&ada, &email).await.is(201);
    invite(&grace, &email).await.is(201);
    let refused = invite(&eve, &email).await.problem(429);
    assert!(refused.header("retry-after").parse::<u64>().expect("seconds") > 60);
    let mut statuses = Vec::new();
    for n in 0..5 {
        statuses.push(invite(&ada, &unknown(&format!("n{n}"))).await.status);
    }
    assert_eq!(statuses, [201, 201, 201, 429, 429], "four, of which one was sent before");
    invite(&eve, &unknown("Barbara")).await.is(201);
}
