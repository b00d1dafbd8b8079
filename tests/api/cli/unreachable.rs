//! Without Postgres no command starts, and none waits for ever.

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use super::process::{assert_one_sentence, command, run};

const SOON: Duration = Duration::from_secs(15);

#[tokio::test]
async fn serve_without_postgres_ends_within_fifteen_seconds() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address").to_string()
    };
    let mute = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mute = mute.local_addr().expect("an address").to_string();
    for url in [
        format!("postgres://ada:swordfish@{closed}/x"),
        format!("postgres://ada:swordfish@{mute}/x"),
        "swordfish".to_owned(),
    ] {
        for arguments in [&["serve", "--port", "0"][..], &["migrate"], &["audit", "access"], &["projections", "verify"]]
        {
            let mut command = command(arguments);
            command.env("DATABASE_URL", &url).env("NATS_URL", "nats://127.0.0.1:9");
            let began = Instant::now();
            let output = run(command, SOON).await;
            assert_one_sentence(&output, &[]);
            assert!(began.elapsed() < SOON, "{arguments:?}: {:?}", began.elapsed());
        }
    }
}
