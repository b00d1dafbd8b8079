//! Access tokens that expire under a live socket.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{edit, follow, is_quiet};
use crate::support::{Client, Closed, Person, Server, Socket, World};

const LIFETIME: Duration = Duration::from_secs(3);
const GRACE: Duration = Duration::from_secs(25);
/// Tokens count in whole seconds, from before they arrive.
const SLACK: Duration = Duration::from_secs(2);

/// The same person with a new access token, as this instance hands them out.
async fn signed_in_at(server: &Server, person: &Person) -> Client {
    let credentials = json!({"email": person.email, "password": person.password});
    let tokens = server.client().post("/auth/login", credentials).await.is(200).json;
    server.client().with_token(tokens["access_token"].as_str().expect("an access token"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_outlives_its_token_with_another_or_for_a_while() {
    let world = World::new().await;
    let seconds = LIFETIME.as_secs().to_string();
    let brief = world.server_with(&[], &[("WORKROOM_ACCESS_TOKEN_SECONDS", &seconds)]).await;
    let lasting = world.server().await;
    let ada = lasting.person("ada").await;
    let project = ada.project("Apollo").await;

    let mut forgetful = Socket::open(&signed_in_at(&brief, &ada).await).await;
    let opened = Instant::now();
    follow(&mut forgetful, &project).await;
    let mut careful = Socket::open(&signed_in_at(&brief, &ada).await).await;
    for _ in 0..2 {
        assert_eq!(careful.expect("error").await["code"], "token_expiring");
        let fresh = signed_in_at(&brief, &ada).await;
        careful.send(json!({"type": "refresh", "token": fresh.token()})).await;
    }
    careful.send(json!({"type": "refresh", "token": ada.token()})).await;

    assert_eq!(forgetful.expect("error").await["code"], "token_expiring");
    edit(&ada, &project).await;
    assert_eq!(forgetful.event().await["event_type"], "ProjectUpdated", "the grace is not to lose anything");
    let (frames, closed) = forgetful.until_closed().await;
    assert_eq!(closed, Closed(4501));
    assert!(frames.iter().all(|frame| frame["type"] == "head"), "{frames:?}");
    assert!(opened.elapsed() + SLACK > LIFETIME + GRACE, "after {:?}", opened.elapsed());
    is_quiet(&mut careful).await;
}
