//! Rules about organizations and what is in them.

use serde_json::json;

use super::{all_rounds, assert_proved, instances, rounds};
use crate::{
    organizations::organization,
    support::{Person, World},
};

/// Deletes an organization while a project is created in it, on the other instance or the same; returns whether each was
/// done.
async fn round(number: usize, ada: &Person, there: &str) -> (bool, bool) {
    let acme = organization(ada, "Acme").await;
    let (deleter, creator) = match number % 3 {
        0 => (ada.clone(), ada.at(there)),
        1 => (ada.at(there), ada.clone()),
        // One instance knows of the project before it is in the log.
        _ => (ada.clone(), ada.clone()),
    };
    // The instance that deletes has been asked about it before, or has not.
    if number % 4 < 2 {
        deleter.patch(&format!("/organizations/{acme}"), json!({"name": "Ajax"})).await.is(200);
    }
    let path = format!("/organizations/{acme}");
    let project = json!({"name": "Apollo", "organization_id": acme});
    let (created, deleted) = tokio::join!(creator.post("/projects", project), deleter.delete(&path));
    assert!(matches!(deleted.status, 204 | 409), "{}", deleted.text);
    assert!(matches!(created.status, 201 | 404), "{}", created.text);
    (deleted.status == 204, created.status == 201)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_project_is_created_in_an_organization_that_is_deleted() {
    let world = World::new().await;
    let (here, there) = instances(&world).await;
    let ada = here.person("ada").await;
    let outcomes = rounds(all_rounds(), async |number| round(number, &ada, &there.address).await).await;
    let orphans = outcomes.iter().filter(|outcome| **outcome == (true, true)).count();
    let deleted = outcomes.iter().filter(|(deleted, _)| *deleted).count();
    eprintln!("{deleted} of {} organizations deleted", outcomes.len());
    assert_eq!(orphans, 0, "projects without an organization, in {} rounds", outcomes.len());
    assert!(outcomes.iter().all(|(deleted, created)| deleted | created), "one of the two goes through");
    assert_proved(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_can_be_deleted_once_its_projects_are() {
    let world = World::new().await;
    let (here, there) = instances(&world).await;
    let ada = here.person("ada").await;
    let acme = organization(&ada, "Acme").await;
    let path = format!("/organizations/{acme}");
    let body = json!({"name": "Apollo", "organization_id": acme});
    let mut projects = Vec::new();
    for client in [&ada, &ada.at(&there.address), &ada] {
        projects.push(client.post("/projects", body.clone()).await.is(201).id());
    }
    for (number, project) in projects.iter().enumerate() {
        ada.delete(&path).await.problem(409);
        let client = if number == 1 { ada.at(&there.address) } else { ada.clone() };
        client.delete(&format!("/projects/{project}")).await.is(204);
    }
    ada.at(&there.address).delete(&path).await.is(204);
    ada.post("/projects", body).await.problem(404);
    assert_proved(&world).await;
}
