//! What keeps a command from starting is told in one sentence.

use std::{net::TcpListener, time::Duration};

use super::process::{assert_nothing_left, assert_one_sentence, command, data_folder, dev, run};

const SOON: Duration = Duration::from_secs(15);

#[tokio::test]
async fn a_taken_port_is_named() {
    let folder = data_folder().await;
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let path = folder.path().to_str().expect("a path");
    let output = run(dev(&["up", "--port", &port, "--data-dir", path]), SOON).await;
    assert_one_sentence(&output, &[&port, "taken"]);
    assert_nothing_left(folder.path()).await;
    let output = run(command(&["serve", "--port", &port]), SOON).await;
    assert_one_sentence(&output, &[&port]);
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_named() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let strangers = tempfile::tempdir().expect("a folder");
    std::fs::write(strangers.path().join("thesis.tex"), "precious").expect("a file");
    for path in [
        "/proc/workroom-cannot-write-here",
        file.path().to_str().expect("a path"),
        strangers.path().to_str().expect("a path"),
    ] {
        let output = run(dev(&["up", "--port", "0", "--data-dir", path]), SOON).await;
        assert_one_sentence(&output, &[path]);
    }
    let kept: Vec<_> = std::fs::read_dir(strangers.path()).expect("a folder").collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
}

#[tokio::test]
async fn a_wrong_url_is_named_without_its_password() {
    let folder = data_folder().await;
    let path = folder.path().to_str().expect("a path");
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address").to_string()
    };
    // Accepts, and never says anything.
    let mute = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mute_address = mute.local_addr().expect("an address").to_string();
    for (variable, url, named) in [
        ("DATABASE_URL", format!("postgres://ada:swordfish@{closed}/x"), closed.as_str()),
        ("DATABASE_URL", format!("postgres://ada:swordfish@{mute_address}/x"), &mute_address),
        ("DATABASE_URL", "mysql://ada:swordfish@127.0.0.1/x".to_owned(), "DATABASE_URL"),
        ("DATABASE_URL", "swordfish".to_owned(), "DATABASE_URL"),
        ("NATS_URL", format!("nats://ada:swordfish@{closed}"), &closed),
        ("NATS_URL", format!("nats://ada:swordfish@{mute_address}"), &mute_address),
        ("NATS_URL", "http://ada:swordfish@127.0.0.1".to_owned(), "NATS_URL"),
    ] {
        let mut command = dev(&["up", "--port", "0", "--data-dir", path]);
        command.env(variable, &url);
        assert_one_sentence(&run(command, SOON).await, &[named]);
        assert_nothing_left(folder.path()).await;
    }
}

#[tokio::test]
async fn a_setting_that_does_not_fit_is_named() {
    for (variable, value, named) in [
        ("WORKROOM_PORT", "many", "PORT"),
        ("WORKROOM_HOST", "nowhere at all", "HOST"),
        ("WORKROOM_ROLES", "[juggler]", "ROLES"),
        ("WORKROOM_REQEST_TIMEOUT_SECONDS", "5", "WORKROOM_REQUEST_TIMEOUT_SECONDS"),
    ] {
        let mut command = command(&["serve"]);
        command.env(variable, value);
        assert_one_sentence(&run(command, SOON).await, &[named]);
    }
}
