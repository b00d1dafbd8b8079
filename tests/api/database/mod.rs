//! The way to the database: whatever its defaults are, and whatever stands before it.

mod defaults;
mod pooler;
mod transactions;

use serde_json::json;

use crate::support::{Person, Server, World};

/// What a team does, over two instances, much of it at once.
async fn use_it(world: &World, one: &Server, two: &Server) {
    let ada = one.person("ada").await;
    let grace = two.person("grace").await;
    let project = ada.project("Apollo").await;
    ada.invite(&project, &grace, "collaborator").await;
    let edits = |person: Person, address: String| {
        let path = format!("/projects/{project}");
        async move {
            let person = person.at(&address);
            for number in 0..25 {
                // Of each its own: what says nothing new is no event.
                let text = format!("{} {number}, by {address}", person.email);
                person.patch(&path, json!({"description": text})).await.is(200);
                let task = json!({"title": format!("task {number}"), "priority": "high"});
                person.post(&format!("{path}/tasks"), task).await.is(201);
            }
        }
    };
    let all = [(&ada, one), (&ada, two), (&grace, one), (&grace, two)]
        .map(|(person, server)| tokio::spawn(edits(person.clone(), server.address.clone())));
    for edits in all {
        edits.await.expect("no panic");
    }
    let tasks = grace.get(&format!("/projects/{project}/tasks?limit=100")).await.is(200);
    assert_eq!(tasks.items().len(), 100);
    for person in [&ada, &grace] {
        let job = person.run_python("print(6 * 7)", Some(&project)).await;
        assert_eq!(person.finished(&job).await["result"]["stdout"], "42\n");
    }
    // Created, two people, 200 edits, and the jobs.
    assert!(ada.history(&project).await.len() > 200);
    for proof in [&["audit", "access"][..], &["projections", "verify"]] {
        let (proved, text) = world.command(proof).await;
        assert!(proved, "{proof:?}: {text}");
    }
}
