//! Tickets that rest on a key which somebody else may have.

use serde_json::json;

use crate::support::{Client, Closed, EventStream, Server, Socket, World, eventually};

async fn ticket(client: &Client, reusable: bool) -> String {
    let ticket = client.post("/realtime/tickets", json!({"reusable": reusable})).await.is(201).json;
    ticket["ticket"].as_str().expect("a ticket").to_owned()
}

async fn opens(server: &Server, ticket: &str) -> Result<(), u16> {
    let mut socket = Socket::attempt(&server.address, &format!("?ticket={ticket}"), &[]).await?;
    socket.expect("welcome").await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tickets_of_a_compromised_key_open_nothing() {
    let world = World::new().await;
    let servers = [world.server().await, world.server().await];
    let ada = servers[0].person("ada").await;
    let project = ada.project("Apollo").await;
    let made = ada.post("/auth/tokens", json!({"name": "deploy", "scopes": ["write"]})).await.is(201).json;
    let program = servers[0].client().with_token(made["token"].as_str().expect("a token"));
    // Tokens of this kind are signed by no key, and neither are their tickets.
    let unaffected = ticket(&program, true).await;
    let reusable = ticket(&ada, true).await;
    let single = [ticket(&ada, false).await, ticket(&ada, false).await];
    let mut sockets = Vec::new();
    for server in &servers {
        let mut socket = Socket::with_ticket(&server.address, &reusable).await;
        socket.expect("welcome").await;
        sockets.push(socket);
    }
    let pool = world.pool().await;
    let keep = "CREATE TABLE kept_tickets AS SELECT * FROM realtime_tickets WHERE kind = 'session'";
    sqlx::query(keep).execute(&pool).await.expect("a copy");

    let (done, printed) = world.command(&["keys", "rotate", "--compromised"]).await;
    assert!(done, "{printed}");
    let stream = format!("/projects/{project}/events/stream?ticket={reusable}");
    for (server, single) in servers.iter().zip(&single) {
        assert_eq!(opens(server, &reusable).await, Err(401));
        assert_eq!(opens(server, single).await, Err(401));
        let refused = EventStream::attempt(&server.client(), &stream, &[]).await;
        assert_eq!(refused.err().map(|(status, _)| status), Some(401));
    }
    for socket in &mut sockets {
        assert_eq!(socket.until_closed().await.1, Closed(4401));
    }

    // An instance that had not heard of it yet would have stored such tickets a moment later: all know by now that the
    // key has ended.
    sqlx::query("INSERT INTO realtime_tickets SELECT * FROM kept_tickets").execute(&pool).await.expect("tickets");
    for (server, single) in servers.iter().zip(&single) {
        assert_eq!(opens(server, &reusable).await, Err(401));
        assert_eq!(opens(server, single).await, Err(401));
    }

    // Each has the new key by now, and signs with it.
    for server in &servers {
        let own = ada.at(&server.address);
        eventually("the old token is refused", async || own.get("/auth/me").await.status == 401).await;
    }
    let credentials = json!({"email": ada.email, "password": ada.password});
    let tokens = servers[0].client().post("/auth/login", credentials).await.is(200).json;
    let again = servers[0].client().with_token(tokens["access_token"].as_str().expect("a token"));
    for server in &servers {
        assert_eq!(opens(server, &unaffected).await, Ok(()));
        assert_eq!(opens(server, &ticket(&again, true).await).await, Ok(()));
        assert_eq!(opens(server, &ticket(&again, false).await).await, Ok(()));
    }
}
