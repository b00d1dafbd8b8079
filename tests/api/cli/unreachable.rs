//! Without its database no command does anything, none waits for ever, and each says why.

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use super::process::{assert_one_sentence, command, run};
use crate::support::World;

const SOON: Duration = Duration::from_secs(15);
/// Well below any time-out.
const AT_ONCE: Duration = Duration::from_secs(3);

const COMMANDS: [&[&str]; 9] = [
    &["migrate"],
    &["audit", "access"],
    &["audit", "export"],
    &["audit", "redact", "--position", "1", "--reason", "a secret"],
    &["projections", "verify"],
    &["projections", "rebuild"],
    &["keys", "list"],
    &["accounts", "deactivate", "ada@example.com"],
    &["jobs", "rules"],
];

async fn refused(arguments: &[&str], url: Option<&str>, names: &[&str], within: Duration) {
    let nowhere = tempfile::tempdir().expect("a folder");
    let mut command = command(arguments);
    command.env("NATS_URL", "nats://127.0.0.1:9").current_dir(nowhere.path());
    if let Some(url) = url {
        command.env("DATABASE_URL", url);
    }
    let began = Instant::now();
    let output = run(command, SOON).await;
    assert_one_sentence(&output, names);
    assert!(began.elapsed() < within, "{arguments:?}, {url:?}: {:?}", began.elapsed());
}

#[tokio::test]
async fn a_command_names_the_setting_and_where_it_leads_at_once() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address").to_string()
    };
    let url = format!("postgres://ada:swordfish@{closed}/x");
    for arguments in COMMANDS {
        refused(arguments, Some(&url), &["DATABASE_URL", &closed], AT_ONCE).await;
        refused(arguments, Some("swordfish"), &["DATABASE_URL"], AT_ONCE).await;
        refused(arguments, Some("mysql://ada:swordfish@127.0.0.1/x"), &["DATABASE_URL"], AT_ONCE).await;
    }
    let nowhere = "postgres://ada:swordfish@db.invalid:6543/x";
    refused(COMMANDS[1], Some(nowhere), &["DATABASE_URL", "db.invalid:6543"], SOON).await;
}

#[tokio::test]
async fn a_wrong_password_and_a_wrong_name_are_told_at_once() {
    let world = World::without_schema().await;
    let url = reqwest::Url::parse(&world.database_url).expect("a URL");
    let place = format!("{}:{}", url.host_str().expect("a host"), url.port().expect("a port"));
    let mut password = url.clone();
    password.set_password(Some("swordfish")).expect("a password");
    let mut name = url.clone();
    name.set_path("/nothing_of_this_name");
    for arguments in [&["serve", "--port", "0"][..], &["audit", "access"], &["projections", "verify"]] {
        refused(arguments, Some(password.as_str()), &["DATABASE_URL", &place, "password"], AT_ONCE).await;
        refused(arguments, Some(name.as_str()), &["DATABASE_URL", &place, "nothing_of_this_name"], AT_ONCE).await;
    }
}

#[tokio::test]
async fn a_database_of_somebody_elses_is_told_at_once() {
    let world = World::without_schema().await;
    for arguments in [&["audit", "access"][..], &["projections", "verify"], &["keys", "list"]] {
        refused(arguments, Some(&world.database_url), &["DATABASE_URL", "workroom migrate"], AT_ONCE).await;
    }
}

#[tokio::test]
async fn a_missing_setting_is_told_as_such() {
    // Whatever listens at the default place on this machine, it is not this user's.
    refused(&["audit", "access"], None, &["DATABASE_URL is not set", "5432"], SOON).await;
}

#[tokio::test]
async fn a_server_that_says_nothing_is_not_waited_for_for_ever() {
    let mute = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mute = mute.local_addr().expect("an address").to_string();
    let url = format!("postgres://ada:swordfish@{mute}/x");
    for arguments in [&["migrate"][..], &["audit", "access"]] {
        refused(arguments, Some(&url), &["DATABASE_URL", &mute], SOON).await;
    }
    // What is no URL will never be one: that is not waited for.
    refused(&["serve", "--port", "0"], Some("swordfish"), &["DATABASE_URL"], AT_ONCE).await;
}
