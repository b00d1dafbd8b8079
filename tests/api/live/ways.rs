//! The ways that an event comes by: each is enough. Postgres is not asked for heads in any of these.

use super::{Notes, edit, follow, head, is_quiet};
use crate::support::{Server, Socket, World};

/// A service that never asks Postgres how far a feed is, with these roles.
async fn server(world: &World, roles: &str) -> Server {
    let never = [("WORKROOM_LIVE__HEADS_MS", "3600000"), ("WORKROOM_LIVE__HEADS_IN_DOUBT_MS", "3600000")];
    world.server_with(&["--roles", roles], &never).await
}

const NO_RELAY: &str = "api,live,projector,scheduler";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_process_writes_its_own_sockets_get_from_it() {
    let world = World::new().await;
    let server = server(&world, NO_RELAY).await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let mut socket = Socket::open(&ada).await;
    follow(&mut socket, &project).await;
    let mut last = head(&ada, &project).await;
    for nats in [true, false] {
        if !nats {
            world.nats().kill9().await;
        }
        for _ in 0..20 {
            edit(&ada, &project).await;
            last += 1;
            assert_eq!(socket.event().await["seq"], last);
        }
    }
    is_quiet(&mut socket).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_process_writes_comes_from_there_without_a_relay() {
    let world = World::new().await;
    let (one, two) = (server(&world, NO_RELAY).await, server(&world, NO_RELAY).await);
    let ada = one.person("ada").await;
    let project = ada.project("Apollo").await;
    let mut sockets = Vec::new();
    for server in [&one, &two] {
        let mut socket = Socket::open(&ada.at(&server.address)).await;
        follow(&mut socket, &project).await;
        sockets.push(socket);
    }
    let mut last = head(&ada, &project).await;
    // By turns, so that each feed is put together from two ways.
    for writer in [&one, &two].into_iter().cycle().take(40) {
        edit(&ada.at(&writer.address), &project).await;
        last += 1;
        for socket in &mut sockets {
            assert_eq!(socket.event().await["seq"], last);
        }
    }
    for socket in &mut sockets {
        is_quiet(socket).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_passes_on_comes_from_the_relay() {
    let world = World::new().await;
    let server = server(&world, "api,live,projector,scheduler,relay").await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let mut socket = Socket::open(&ada).await;
    follow(&mut socket, &project).await;
    let last = head(&ada, &project).await;
    let mut notes = Notes::of(&project, world.pool().await).await;
    notes.write(3, "from elsewhere").await;
    for seq in last + 1..=last + 3 {
        assert_eq!(socket.event().await["seq"], seq);
    }
    // What the process itself writes behind it follows without a gap.
    edit(&ada, &project).await;
    assert_eq!(socket.event().await["seq"], last + 4);
    is_quiet(&mut socket).await;
}
