//! Auditors are audited: who may have it noted that they read a history, and that it is noted.

use futures::future::join_all;
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;
use workroom::{
    application::{
        App, Context, EmailProof, Error,
        audit::{AuditedFeed, RecordExport, RecordStateRead},
    },
    event_store::{AppendLimits, EventLog},
};
use workroom_domain::{
    actor::{Actor, SystemActor},
    ids::{AccountId, OrganizationId, ProjectId},
    refusal::Kind,
};
use workroom_projections::progress::Progress;

use crate::{
    organizations::{add, organization_with_guests},
    support::{Person, World},
};

/// The application, without what is around it.
async fn app(pool: &PgPool) -> App {
    let log = EventLog::open(pool.clone(), AppendLimits::default()).await.expect("the log");
    App::new(pool.clone(), log, Progress::new(pool.clone()), EmailProof::Trusted)
}

fn id(text: &str) -> Uuid {
    text.parse().expect("an id")
}

fn context(person: &Person) -> Context {
    Context::new(Actor::Account(AccountId(id(&person.id))), Uuid::now_v7())
}

/// What becomes of an export, and of a read, of a project.
async fn of_project(app: &App, person: &Person, project: &str) -> [Result<(), Kind>; 2] {
    let project_id = ProjectId(id(project));
    let export = RecordExport { feed: AuditedFeed::Project(project_id), after: 0, until: 5 };
    let exported = app.run(&context(person), &export).await;
    let read = app.run(&context(person), &RecordStateRead { project_id, as_of: 2 }).await;
    let kind = |error: Error| error.kind();
    [exported.map(drop).map_err(kind), read.map(drop).map_err(kind)]
}

async fn of_organization(app: &App, person: &Person, organization: &str) -> Result<(), Kind> {
    let feed = AuditedFeed::Organization(OrganizationId(id(organization)));
    let exported = app.run(&context(person), &RecordExport { feed, after: 0, until: 5 }).await;
    exported.map(drop).map_err(|error| error.kind())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_a_whole_history_is_named_in_it() {
    let world = World::new().await;
    let server = world.server().await;
    let app = app(&world.pool().await).await;
    let (ada, grace, eve) = (server.person("ada").await, server.person("grace").await, server.person("eve").await);
    let (auditor, clerk) = (server.person("auditor").await, server.person("clerk").await);
    let acme = organization_with_guests(&ada, "Acme").await;
    add(&ada, &acme, &auditor, "auditor").await;
    add(&ada, &acme, &clerk, "member").await;
    let create = json!({"name": "Apollo", "organization_id": acme, "is_public": true});
    let project = ada.post("/projects", create).await.is(201).id();
    ada.invite(&project, &grace, "viewer").await;
    let before = ada.history(&project).await.len();

    for person in [&ada, &grace, &auditor] {
        assert_eq!(of_project(&app, person, &project).await, [Ok(()); 2], "{}", person.email);
    }
    // To visitors a history is shown in part; to strangers there is none.
    for person in [&clerk, &eve] {
        assert_eq!(of_project(&app, person, &project).await, [Err(Kind::Forbidden); 2], "{}", person.email);
    }
    let told = ada.history(&project).await;
    let told: Vec<_> = told[before..].iter().map(|event| (&event["event_type"], &event["actor"])).collect();
    let (exported, read) = (json!("HistoryExported"), json!("StateRead"));
    let [ada_is, grace_is, auditor_is] = [&ada, &grace, &auditor].map(|person| json!(person.id));
    let expected = [&ada_is, &grace_is, &auditor_is].into_iter().flat_map(|actor| [(&exported, actor), (&read, actor)]);
    assert_eq!(told, expected.collect::<Vec<_>>());
    let last = ada.history(&project).await;
    assert_eq!(last[before]["data"], json!({"type": "HistoryExported", "after": 0, "until": 5}));
    assert_eq!(last[before + 1]["data"], json!({"type": "StateRead", "as_of": 2}));
    // A visitor learns that somebody read it, as of everything that members do.
    let seen = eve.history(&project).await;
    assert_eq!(seen[before]["data"], json!({"withheld": true}));

    ada.patch(&format!("/projects/{project}"), json!({"is_public": false})).await.is(200);
    for person in [&clerk, &eve] {
        assert_eq!(of_project(&app, person, &project).await, [Err(Kind::NotFound); 2], "{}", person.email);
    }
    // The history of a deleted project stays open to who owned it, and to its organization's admins and auditors.
    ada.delete(&format!("/projects/{project}")).await.is(204);
    for person in [&ada, &auditor] {
        assert_eq!(of_project(&app, person, &project).await, [Ok(()); 2], "{}", person.email);
    }
    for person in [&grace, &clerk, &eve] {
        assert_eq!(of_project(&app, person, &project).await, [Err(Kind::NotFound); 2], "{}", person.email);
    }

    assert_eq!(of_organization(&app, &ada, &acme).await, Ok(()));
    assert_eq!(of_organization(&app, &auditor, &acme).await, Ok(()));
    assert_eq!(of_organization(&app, &clerk, &acme).await, Err(Kind::Forbidden));
    assert_eq!(of_organization(&app, &eve, &acme).await, Err(Kind::NotFound));
    // The whole log is handed to the operator alone, and nothing to the other parts of the service.
    let worker = Context::new(Actor::System(SystemActor::Worker), Uuid::now_v7());
    let (project_id, organization_id) = (ProjectId(id(&project)), OrganizationId(id(&acme)));
    for (asked, feed) in [
        (&context(&ada), AuditedFeed::Log(Uuid::now_v7())),
        (&worker, AuditedFeed::Log(Uuid::now_v7())),
        (&worker, AuditedFeed::Project(project_id)),
        (&worker, AuditedFeed::Organization(organization_id)),
    ] {
        let refused = app.run(asked, &RecordExport { feed, after: 0, until: 5 }).await;
        assert_eq!(refused.map(drop).map_err(|error| error.kind()), Err(Kind::Forbidden), "{asked:?}: {feed:?}");
    }
    // A personal organization has no right above the memberships of its projects.
    let own = ada.get("/organizations").await.is(200);
    let own = own.items().iter().find(|one| one["is_personal"] == true).expect("her own")["id"].clone();
    assert_eq!(of_organization(&app, &ada, own.as_str().expect("an id")).await, Err(Kind::Forbidden));

    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_are_all_noted() {
    const EACH: usize = 20;
    let world = World::new().await;
    let server = world.server().await;
    let pool = world.pool().await;
    let apps = [app(&pool).await, app(&pool).await];
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let before = ada.history(&project).await.len();
    let notes = apps.iter().flat_map(|app| (0..EACH).map(move |_| app));
    let notes = join_all(notes.map(|app| of_project(app, &ada, &project))).await;
    assert!(notes.iter().all(|note| *note == [Ok(()); 2]), "{notes:?}");
    assert_eq!(ada.history(&project).await.len(), before + 2 * 2 * EACH);
}

#[tokio::test]
async fn a_note_by_somebody_who_could_not_read_is_found() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace, eve) = (server.person("ada").await, server.person("grace").await, server.person("eve").await);
    let acme = crate::organizations::organization(&ada, "Acme").await;
    add(&ada, &acme, &grace, "auditor").await;
    add(&ada, &acme, &eve, "member").await;
    let create = json!({"name": "Apollo", "organization_id": acme});
    let project = ada.post("/projects", create).await.is(201).id();
    assert!(server.stop().await);
    let pool = world.pool().await;
    let log_id = sqlx::query_scalar::<_, Uuid>("SELECT log_id FROM log_identity").fetch_one(&pool).await;
    let log_id = log_id.expect("the log's id").to_string();
    let [ada, grace, eve] = [&ada, &grace, &eve].map(|person| format!("account:{}", person.id));
    let parts = ["operator", "worker", "reconciler", "dispatcher", "identity"];
    let [operator, worker, reconciler, dispatcher, identity] = parts.map(|part| format!("system:{part}"));
    let export = json!({"type": "HistoryExported", "after": 0, "until": 1});
    let read = json!({"type": "StateRead", "as_of": 1});
    let updated = json!({"type": "ProjectUpdated", "changes": {"name": {"from": "Apollo", "to": "Gemini"}}});
    let mut planted = Vec::new();
    for (feed, kind, payload, actor, is_lawful) in [
        (&project, "audit_trail", &export, &ada, true),
        (&project, "audit_trail", &export, &grace, true),
        (&project, "audit_trail", &read, &grace, true),
        (&acme, "audit_trail", &export, &grace, true),
        (&project, "audit_trail", &export, &eve, false),
        (&project, "audit_trail", &read, &eve, false),
        (&acme, "audit_trail", &export, &eve, false),
        // An auditor reads, and changes nothing.
        (&project, "project", &updated, &grace, false),
        // The operator exports anything, and reads nothing as of a moment. No other part of the service does either.
        (&project, "audit_trail", &export, &operator, true),
        (&acme, "audit_trail", &export, &operator, true),
        (&log_id, "audit_trail", &export, &operator, true),
        (&project, "audit_trail", &read, &operator, false),
        (&project, "audit_trail", &export, &worker, false),
        (&acme, "audit_trail", &export, &reconciler, false),
        (&project, "audit_trail", &export, &dispatcher, false),
        (&project, "audit_trail", &export, &identity, false),
        (&log_id, "audit_trail", &export, &worker, false),
        (&log_id, "audit_trail", &export, &ada, false),
    ] {
        let position = super::insert(&pool, feed, (kind, feed), payload.clone(), actor).await;
        if !is_lawful {
            planted.push((position, payload["type"].as_str().expect("a type"), actor));
        }
    }
    let (proved, text) = world.command(&["audit", "access"]).await;
    assert!(!proved, "{text}");
    for (position, event_type, actor) in &planted {
        assert!(text.contains(&format!("position {position}: {event_type} by {actor}: ")), "{position}: {text}");
    }
    assert!(text.contains(&format!(" {} violations", planted.len())), "{text}");
}
