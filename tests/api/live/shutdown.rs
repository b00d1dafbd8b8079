//! A service that stops sends its sockets elsewhere.

use super::{edit, follow, head, seqs};
use crate::support::{Closed, Socket, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_stops_says_so_and_another_goes_on() {
    let world = World::new().await;
    let (one, two) = (world.server().await, world.server().await);
    let ada = one.person("ada").await;
    let project = ada.project("Apollo").await;
    let mut sockets = Vec::new();
    for _ in 0..10 {
        let mut socket = Socket::open(&ada).await;
        follow(&mut socket, &project).await;
        sockets.push(socket);
    }
    let mut anonymous = Socket::anonymous(&one.address).await;
    let last = head(&ada, &project).await;
    assert!(one.stop().await, "it ends well");
    for socket in sockets.iter_mut().chain([&mut anonymous]) {
        let (frames, closed) = socket.until_closed().await;
        assert_eq!(closed, Closed(1012));
        assert!(frames.iter().all(|frame| frame["type"] == "head"), "{frames:?}");
    }
    let ada = ada.at(&two.address);
    edit(&ada, &project).await;
    let events = Socket::open(&ada).await.subscribe(&project, last).await;
    assert_eq!(seqs(&events), [last + 1]);
}
