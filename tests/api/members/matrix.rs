//! The table of roles × operations, as callers meet it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Client, Person, World};

/// What each caller is told: owner, collaborator, viewer, visitor of a public project, stranger, nobody.
type Row = (&'static str, Method, &'static str, Option<Value>, [u16; 6]);

/// `{m}` is a further member, `{e}` the address of an account that is none.
fn table() -> Vec<Row> {
    let edit = || Some(json!({"description": "edited"}));
    let role = || Some(json!({"role": "viewer"}));
    let job = json!({"type": "code_execution", "language": "bash", "code": "true", "project_id": "{p}"});
    vec![
        ("read", Method::GET, "/projects/{p}", None, [200, 200, 200, 200, 404, 401]),
        ("history", Method::GET, "/projects/{p}/events", None, [200, 200, 200, 200, 404, 401]),
        ("members", Method::GET, "/projects/{p}/members", None, [200, 200, 200, 403, 404, 401]),
        ("member", Method::GET, "/projects/{p}/members/{m}", None, [200, 200, 200, 403, 404, 401]),
        ("jobs", Method::GET, "/jobs?project_id={p}", None, [200, 200, 200, 403, 404, 401]),
        ("patch", Method::PATCH, "/projects/{p}", edit(), [200, 200, 403, 403, 404, 401]),
        ("put", Method::PUT, "/projects/{p}", edit(), [200, 200, 403, 403, 404, 401]),
        ("job", Method::POST, "/jobs", Some(job), [202, 202, 403, 403, 404, 401]),
        ("role", Method::PATCH, "/projects/{p}/members/{m}", role(), [200, 403, 403, 403, 404, 401]),
        ("set role", Method::PUT, "/projects/{p}/members/{m}", role(), [200, 403, 403, 403, 404, 401]),
        ("add", Method::POST, "/projects/{p}/members", Some(json!({"email": "{e}"})), [201, 403, 403, 403, 404, 401]),
        ("remove", Method::DELETE, "/projects/{p}/members/{m}", None, [204, 403, 403, 403, 404, 401]),
        ("delete", Method::DELETE, "/projects/{p}", None, [204, 403, 403, 403, 404, 401]),
    ]
}

struct Cast {
    owner: Person,
    collaborator: Person,
    viewer: Person,
    other: Person,
    further: Person,
}

/// A project with one member of each role and one to be acted upon.
async fn project(cast: &Cast, is_public: bool) -> String {
    let body = json!({"name": "Stage", "is_public": is_public});
    let project = cast.owner.post("/projects", body).await.is(201).id();
    for (person, role) in
        [(&cast.collaborator, "collaborator"), (&cast.viewer, "viewer"), (&cast.further, "collaborator")]
    {
        cast.owner.invite(&project, person, role).await;
    }
    project
}

#[tokio::test(flavor = "multi_thread")]
async fn every_caller_may_do_what_the_table_says_and_nothing_else() {
    let world = World::new().await;
    let server = world.server().await;
    let cast = Cast {
        owner: server.person("owner").await,
        collaborator: server.person("collaborator").await,
        viewer: server.person("viewer").await,
        other: server.person("other").await,
        further: server.person("further").await,
    };
    let nobody = server.client();
    for (name, method, path, body, expected) in table() {
        let (private, public) = (project(&cast, false).await, project(&cast, true).await);
        // The owner last, whose deeds may end the project.
        let callers: [(&str, &Client, &str, u16); 6] = [
            ("nobody", &nobody, &private, expected[5]),
            ("stranger", &cast.other, &private, expected[4]),
            ("visitor", &cast.other, &public, expected[3]),
            ("viewer", &cast.viewer, &private, expected[2]),
            ("collaborator", &cast.collaborator, &private, expected[1]),
            ("owner", &cast.owner, &private, expected[0]),
        ];
        for (who, client, project, status) in callers {
            let fill = |text: &str| {
                text.replace("{p}", project).replace("{m}", &cast.further.id).replace("{e}", &cast.other.email)
            };
            let body = body.as_ref().map(|body| fill(&body.to_string()));
            let reply = client.send(method.clone(), &fill(path), body).await;
            assert_eq!(reply.status, status, "{who}: {name}: {}", reply.text);
            if status >= 400 {
                reply.problem(status);
            }
        }
        if name != "delete" {
            let forbidden = cast.owner.history(&public).await;
            assert_eq!(forbidden.len(), 5, "{name}: a visitor left no trace");
        }
    }
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}
