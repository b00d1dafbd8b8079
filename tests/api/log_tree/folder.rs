//! `WORKROOM_CHECKPOINTS_DIR`

use std::path::Path;

use super::{change, covering, opened, verifiers};
use crate::support::{Server, World, eventually};

async fn serve(world: &World, folder: &Path) -> Server {
    world.server_with(&[], &[("WORKROOM_CHECKPOINTS_DIR", folder.to_str().expect("a path"))]).await
}

async fn tree(server: &Server) -> (bool, String) {
    let check = server.client().get("//ready").await.is(200).json["checks"]["log_tree"].clone();
    (check["ok"] == true, check["detail"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_are_written_to_a_folder() {
    let world = World::new().await;
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("checkpoints of the log");
    let server = serve(&world, &place).await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let (signed, _) = covering(&server.client(), change(&ada, &project, "changed").await).await;
    let keys = verifiers(&server.client()).await;
    let latest = || std::fs::read_to_string(place.join("checkpoint")).ok();
    let is_there = async || latest().is_some_and(|text| opened(&text, &keys).size >= signed.size);
    eventually("the checkpoint is in the folder", is_there).await;
    let latest = opened(&latest().expect("a checkpoint"), &keys);
    // The first one is kept, and then one a minute.
    let kept: Vec<_> = std::fs::read_dir(place.join("checkpoints").join("0"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.')))
        .collect();
    assert!(!kept.is_empty());
    for file in kept {
        let signed = opened(&std::fs::read_to_string(&file).expect("a checkpoint"), &keys);
        assert!(file.ends_with(signed.size.to_string()) && signed.size <= latest.size, "{file:?}");
    }
    assert!(tree(&server).await.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_written_or_has_another_history_stops_nothing_and_is_told() {
    let world = World::new().await;
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("a file");
    std::fs::write(&place, "in the way").expect("a file");
    let server = serve(&world, &place).await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    covering(&server.client(), change(&ada, &project, "changed").await).await;
    eventually("it is told", async || tree(&server).await.1.contains("folder")).await;
    assert!(!tree(&server).await.0);
    assert!(server.stop().await);

    // Another log's.
    let (other, place) = (World::new().await, folder.path().join("another"));
    std::fs::create_dir(&place).expect("a folder");
    let note = "workroom/elsewhere\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n\u{2014} x AAAA\n";
    std::fs::write(place.join("checkpoint"), note).expect("a file");
    let server = serve(&other, &place).await;
    server.person("ada").await;
    eventually("it is told", async || tree(&server).await.1.contains("none of this log's history")).await;
    assert_eq!(std::fs::read_to_string(place.join("checkpoint")).expect("a file"), note, "it is left as it is");
}
