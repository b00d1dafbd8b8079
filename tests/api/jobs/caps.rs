//! How many jobs may wait or run: of an account, a project, an organization, each by itself.

use serde_json::json;

use super::lifecycle::with;
use crate::{
    organizations::organization,
    support::{Person, Reply, World},
};

/// A service that takes jobs, and hands none out.
const ROLES: [&str; 2] = ["--roles", "api,projector,relay"];

/// Submits a job that waits for a time that does not come; without a project where none is named.
async fn submit(person: &Person, project: Option<&str>) -> Reply {
    let job = json!({"type": "noop", "run_at": "2100-01-01T00:00:00Z"});
    let project = project.map_or_else(|| json!({}), |project| json!({"project_id": project}));
    person.post("/jobs", with(job, project)).await
}

async fn of_organization(person: &Person, organization: &str, name: &str) -> String {
    person.post("/projects", json!({"name": name, "organization_id": organization})).await.is(201).id()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_account_a_project_and_an_organization_only_so_many_wait() {
    let world = World::new().await;
    let of_one = async |limit: &str| world.server_with(&ROLES, &[(limit, "1")]).await;
    let (accounts, projects, organizations) = tokio::join!(
        of_one("WORKROOM_OPEN_JOBS_PER_ACCOUNT"),
        of_one("WORKROOM_OPEN_JOBS_PER_PROJECT"),
        of_one("WORKROOM_OPEN_JOBS_PER_ORGANIZATION"),
    );

    // Of an account, wherever they belong.
    let (ada, grace) = (accounts.person("ada").await, accounts.person("grace").await);
    let apollo = ada.project("Apollo").await;
    ada.invite(&apollo, &grace, "collaborator").await;
    submit(&ada, Some(&apollo)).await.is(202);
    for project in [Some(apollo.as_str()), None] {
        let refused = submit(&ada, project).await.refused("too-many-jobs");
        assert_eq!((refused.status, refused.header("retry-after")), (429, "5"));
    }
    submit(&grace, Some(&apollo)).await.is(202);

    // Of a project, whoever submits them.
    let (emmy, vera) = (projects.person("emmy").await, projects.person("vera").await);
    let (gemini, mercury) = (emmy.project("Gemini").await, emmy.project("Mercury").await);
    emmy.invite(&gemini, &vera, "collaborator").await;
    submit(&emmy, Some(&gemini)).await.is(202);
    for person in [&emmy, &vera] {
        assert_eq!(submit(person, Some(&gemini)).await.refused("too-many-jobs").status, 429);
    }
    submit(&emmy, Some(&mercury)).await.is(202);
    submit(&emmy, None).await.is(202);

    // Of an organization, in whatever projects.
    let mary = organizations.person("mary").await;
    let acme = organization(&mary, "Acme").await;
    let (one, other) = (of_organization(&mary, &acme, "One").await, of_organization(&mary, &acme, "Other").await);
    submit(&mary, Some(&one)).await.is(202);
    for project in [&one, &other] {
        assert_eq!(submit(&mary, Some(project)).await.refused("too-many-jobs").status, 429);
    }
    let elsewhere = mary.project("Elsewhere").await;
    submit(&mary, Some(&elsewhere)).await.is(202);
    submit(&mary, None).await.is(202);
}
