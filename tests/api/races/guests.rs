//! Members of a shared organization's projects belong to it.

use serde_json::json;

use super::{all_rounds, assert_proved, count, instances, rounds};
use crate::support::{World, eventually};

/// Somebody is taken off an organization on one instance while they are added to one of its projects on the other.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_stays_in_a_project_behind_their_organization() {
    let world = World::new().await;
    let (here, there) = instances(&world).await;
    let (ada, grace) = (here.person("ada").await, here.person("grace").await);
    let other = ada.at(&there.address);
    let acme = ada.post("/organizations", json!({"name": "Acme"})).await.is(201).id();
    let belonging = format!("/organizations/{acme}/members");
    let places = rounds(all_rounds(), async |number| {
        let project = json!({"name": format!("Project {number}"), "organization_id": acme});
        ada.post("/projects", project).await.is(201).id()
    })
    .await;
    for project in &places {
        ada.post(&belonging, json!({"email": grace.email})).await.is(201);
        let (member, members) = (format!("{belonging}/{}", grace.id), format!("/projects/{project}/members"));
        let (removed, added) = tokio::join!(ada.delete(&member), other.post(&members, json!({"email": grace.email})));
        removed.is(204);
        assert!(matches!(added.status, 201 | 422), "{}", added.text);
        // Taken off before the reply, as far as the views showed it, and by the reactor in any case.
        let path = format!("/projects/{project}");
        eventually("she is out", async || grace.get(&path).await.status == 404).await;
    }
    let added_behind = "SELECT count(*) FROM events m WHERE m.event_type = 'MemberAdded'
        AND (SELECT o.event_type FROM events o WHERE o.aggregate_type = 'organization' AND o.position < m.position
                 AND o.payload->>'account_id' = m.payload->>'account_id' ORDER BY o.position DESC LIMIT 1)
            = 'OrganizationMemberRemoved'";
    assert_eq!(count(&world.pool().await, added_behind).await, 0);
    assert_proved(&world).await;
}
