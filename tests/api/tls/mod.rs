//! TLS between the parts: all of the service works over it, and nothing is said to a server that is not the one that was meant.

mod authority;
mod servers;
mod tap;

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;
use sqlx::{Connection, PgConnection, Row};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use self::{
    authority::{Authority, text},
    servers::{HOST, OTHER_NAME, encrypt_nats, encrypt_postgres, greeting, nats_url, postgres_url},
    tap::Tap,
};
use crate::{
    cli::process::{Served, assert_one_sentence, command, run},
    support::{Server, Socket, World, eventually},
};

const SOON: Duration = Duration::from_secs(15);
const NOT_TRUSTED: &str = "its certificate is from an authority that is not trusted here";
const OTHER_HOST: &str = "its certificate is for another host name";
const NO_TLS: &str = "it offers no TLS";

/// How the processes of a deployment are told where its servers are.
#[derive(Clone)]
struct Urls {
    service: String,
    owner: String,
    worker: String,
    nats: String,
    nats_worker: String,
    nats_ca: String,
}

impl Urls {
    fn of(world: &World, host: &str, authority: &Authority) -> Self {
        let urls = world.urls();
        Self {
            service: postgres_url(&urls.service, host, authority),
            owner: postgres_url(&urls.owner, host, authority),
            worker: postgres_url(&urls.worker, host, authority),
            nats: nats_url(world.nats_url(), host),
            nats_worker: nats_url(&world.nats().worker_url(), host),
            nats_ca: text(&authority.file()).to_owned(),
        }
    }

    /// As variables, for a process that does not only run jobs.
    fn variables(&self) -> Vec<(&str, &str)> {
        vec![
            ("DATABASE_URL", &self.service),
            ("OWNER_URL", &self.owner),
            ("NATS_URL", &self.nats),
            ("WORKROOM_NATS_CA_FILE", &self.nats_ca),
        ]
    }

    /// As variables, for a process that only runs jobs.
    fn variables_of_worker(&self) -> Vec<(&str, &str)> {
        vec![
            ("DATABASE_URL", &self.worker),
            ("OWNER_URL", ""),
            ("NATS_URL", &self.nats_worker),
            ("WORKROOM_NATS_CA_FILE", &self.nats_ca),
        ]
    }
}

async fn encrypted(authority: &Authority, clients_show: bool) -> World {
    let world = World::with_own_postgres().await;
    encrypt_postgres(&world, authority, clients_show).await;
    encrypt_nats(&world, authority, clients_show).await;
    world
}

/// Everything that goes over the two connections: a command, a live message, a job.
async fn works(server: &Server) {
    let ready = async || server.client().get("//ready").await.status == 200;
    eventually("everything is reached", ready).await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let mut socket = Socket::open(&ada).await;
    socket.subscribe(&project, 0).await;
    ada.patch(&format!("/projects/{project}"), json!({"description": "to the moon"})).await.is(200);
    assert_eq!(socket.event().await["event_type"], "ProjectUpdated");
    let job = ada.run_python("print(6 * 7)", Some(&project)).await;
    let job = ada.finished(&job).await;
    assert_eq!(job["status"], "completed", "{job}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_service_works_over_verified_tls() {
    let authority = Authority::new();
    let world = encrypted(&authority, false).await;
    let urls = Urls::of(&world, HOST, &authority);
    // DIRECT_URL too: the log's writer and the leaders have a way of their own then.
    let mut variables = urls.variables();
    variables.push(("DIRECT_URL", &urls.service));
    let server = world.server_with(&["--roles", "api,live,projector,relay,scheduler"], &variables).await;
    let worker = world.server_with(&["--roles", "worker"], &urls.variables_of_worker()).await;
    works(&server).await;
    eventually("the worker reaches everything", async || worker.client().get("//ready").await.status == 200).await;

    let mut admin =
        PgConnection::connect(&postgres_url(&world.urls().admin, HOST, &authority)).await.expect("a connection");
    let sessions = sqlx::query(
        "SELECT usename::text AS role, bool_and(ssl) AS encrypted, count(*) AS count
         FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) WHERE application_name = 'workroom' GROUP BY 1 ORDER BY 1",
    )
    .fetch_all(&mut admin)
    .await
    .expect("sessions");
    let sessions: Vec<(String, bool, i64)> =
        sessions.iter().map(|row| (row.get("role"), row.get("encrypted"), row.get("count"))).collect();
    let roles: Vec<_> = sessions.iter().map(|(role, encrypted, _)| (role.as_str(), *encrypted)).collect();
    assert_eq!(roles, [("workroom_service", true), ("workroom_worker", true)], "{sessions:?}");
    // The pool, the writer, the leaders and the runners.
    assert!(sessions[0].2 > 5, "{sessions:?}");

    // The servers take nothing else, so nothing else was used.
    let plain = PgConnection::connect(&world.urls().service).await.expect_err("a refusal").to_string();
    assert!(plain.contains("no encryption"), "{plain}");
    let mut plain = TcpStream::connect((HOST, world.nats().port())).await.expect("a connection");
    let url = reqwest::Url::parse(world.nats_url()).expect("a URL");
    let sign_in = json!({"user": url.username(), "pass": url.password(), "verbose": true});
    plain.write_all(format!("CONNECT {sign_in}\r\nPING\r\n").as_bytes()).await.expect("a sign-in");
    let mut answer = Vec::new();
    // Cut off, in the middle of it or not.
    let _ = tokio::time::timeout(SOON, plain.read_to_end(&mut answer)).await.expect("an end in time");
    assert!(!String::from_utf8_lossy(&answer).contains("PONG"));

    for arguments in [&["migrate"][..], &["audit", "access"], &["projections", "verify"], &["keys", "list"]] {
        let mut command = command(arguments);
        command.envs(urls.variables());
        let output = run(command, SOON).await;
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(worker.stop().await && server.stop().await);
}

/// Everything fits but what one setting says: that is refused, by its name, and with this reason.
async fn refused(right: &Urls, wrong: &Urls, reason: &str) {
    let mut cases: Vec<(&[&str], &str, &str)> = Vec::new();
    for (setting, url) in
        [("DATABASE_URL", &wrong.service), ("DIRECT_URL", &wrong.service), ("OWNER_URL", &wrong.owner)]
    {
        for arguments in [&["serve", "--port", "0"][..], &["migrate"], &["audit", "access"], &["projections", "verify"]]
        {
            cases.push((arguments, setting, url));
        }
    }
    for (arguments, setting, url) in cases {
        let mut command = command(arguments);
        command.envs(right.variables()).env(setting, url);
        assert_one_sentence(&run(command, SOON).await, &[setting, reason]);
    }
    // A service comes up without NATS, as always, and says why it has none.
    let mut variables = right.variables();
    variables.extend([("NATS_URL", wrong.nats.as_str()), ("WORKROOM_NATS_CA_FILE", &wrong.nats_ca)]);
    has_no_nats(&right.service, &wrong.nats, &variables, reason).await;
}

async fn has_no_nats(database_url: &str, nats_url: &str, variables: &[(&str, &str)], reason: &str) {
    let served = Served::start(database_url, nats_url, variables);
    let says = |words: &str| {
        served.said().iter().any(|line| ["WORKROOM_NATS_CA_FILE", words].iter().all(|word| line.contains(word)))
    };
    eventually(reason, || async { says(reason) }).await;
    let address = served.listens().await;
    let reply = reqwest::get(format!("http://{address}/ready")).await.expect("a reply");
    assert_eq!(reply.status(), 503);
    let text = reply.text().await.expect("a text");
    assert!(text.contains("nats: NATS cannot be reached") && !text.contains("postgres:"), "{text}");
    assert!(served.end_by(Signal::SIGTERM).await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_another_authority_is_refused_and_it_is_said_why() {
    let authority = Authority::new();
    let world = encrypted(&authority, false).await;
    let right = Urls::of(&world, HOST, &authority);
    refused(&right, &Urls::of(&world, HOST, &Authority::new()), NOT_TRUSTED).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_another_name_is_refused_and_it_is_said_why() {
    let authority = Authority::new();
    let world = encrypted(&authority, false).await;
    let right = Urls::of(&world, HOST, &authority);
    refused(&right, &Urls::of(&world, OTHER_NAME, &authority), OTHER_HOST).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_may_ask_for_client_certificates() {
    let authority = Authority::new();
    let world = encrypted(&authority, true).await;
    let bare = Urls::of(&world, HOST, &authority);
    let (certificate, key) = authority.client();
    let (certificate, key) = (text(&certificate), text(&key));
    let shown = |url: &str| format!("{url}&sslcert={certificate}&sslkey={key}");
    let urls = Urls { service: shown(&bare.service), owner: shown(&bare.owner), ..bare.clone() };
    let mut variables = urls.variables();
    let without = variables.clone();
    variables.extend([("WORKROOM_NATS_CERT_FILE", certificate), ("WORKROOM_NATS_KEY_FILE", key)]);
    let server = world.server_with(&[], &variables).await;
    works(&server).await;

    let mut command = command(&["serve", "--port", "0"]);
    command.envs(bare.variables());
    assert_one_sentence(&run(command, SOON).await, &["DATABASE_URL", "client certificate"]);
    has_no_nats(&urls.service, &urls.nats, &without, "it wants a client certificate").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_never_sent_to_a_server_without_tls() {
    let authority = Authority::new();
    // Its servers offer no TLS.
    let world = World::without_schema().await;
    let url = reqwest::Url::parse(&world.service_url).expect("a URL");
    let on_the_way = Tap::new(url.port().expect("a port"), Vec::new()).await;
    let wanted = postgres_url(&world.service_url, HOST, &authority);
    let wanted = wanted.replace(&format!(":{}/", url.port().expect("a port")), &format!(":{}/", on_the_way.port));
    for arguments in [&["serve", "--port", "0"][..], &["audit", "access"]] {
        let mut command = command(arguments);
        command.env("DATABASE_URL", &wanted).env("NATS_URL", world.nats_url());
        assert_one_sentence(&run(command, SOON).await, &["DATABASE_URL", NO_TLS]);
    }
    // The question whether there is TLS, and nothing else.
    let question = [0, 0, 0, 8, 4, 210, 22, 47];
    let heard = on_the_way.heard();
    assert!(!heard.is_empty() && heard.chunks(8).all(|asked| asked == question), "{heard:?}");

    let on_the_way = Tap::new(world.nats().port(), Vec::new()).await;
    let port = format!(":{}", world.nats().port());
    let owner = ("OWNER_URL", world.database_url.as_str());
    let ca = authority.file();
    // By its scheme, and by naming an authority.
    for (scheme, variables) in [("tls://", vec![owner]), ("nats://", vec![owner, ("WORKROOM_NATS_CA_FILE", text(&ca))])]
    {
        let url = world.nats_url().replace("nats://", scheme).replace(&port, &format!(":{}", on_the_way.port));
        has_no_nats(&world.service_url, &url, &variables, NO_TLS).await;
    }
    let heard = on_the_way.heard();
    let said = String::from_utf8_lossy(&heard);
    let url = reqwest::Url::parse(world.nats_url()).expect("a URL");
    // The beginning of TLS was sent.
    assert_eq!(heard.first(), Some(&0x16));
    assert!(!said.contains("CONNECT") && !said.contains(url.password().expect("a password")));
}

/// A server says whether there are others before its certificate is seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_on_the_way_can_name_a_nats_that_gets_the_password() {
    let authority = Authority::new();
    let world = World::without_schema().await;
    encrypt_nats(&world, &authority, false).await;
    let stranger = Tap::new(world.nats().port(), Vec::new()).await;
    let further = ["wss://127.0.0.1", "nats://127.0.0.1"].map(|place| format!("{place}:{}", stranger.port)).to_vec();
    let on_the_way = Tap::new(world.nats().port(), further).await;
    assert_eq!(greeting(on_the_way.port).await["connect_urls"].as_array().map(Vec::len), Some(2));
    let url = nats_url(world.nats_url(), HOST)
        .replace(&format!(":{}", world.nats().port()), &format!(":{}", on_the_way.port));
    let ca = authority.file();
    let server = world.server_with(&[], &[("NATS_URL", &url), ("WORKROOM_NATS_CA_FILE", text(&ca))]).await;
    eventually("NATS is reached", async || server.client().get("//ready").await.status == 200).await;
    let before = on_the_way.connections();
    on_the_way.cut();
    // The client tries whom it knows in turn.
    let tried = || on_the_way.connections() >= before + 5 || stranger.connections() > 0;
    eventually("the client tries again", || async { tried() }).await;
    assert_eq!(stranger.connections(), 0, "{}", String::from_utf8_lossy(&stranger.heard()));
}

#[tokio::test]
async fn a_file_that_is_missing_is_told_at_once() {
    let missing = "/nowhere/ca.pem";
    let url = format!("postgres://ada:swordfish@127.0.0.1:9/x?sslmode=verify-full&sslrootcert={missing}");
    for (variable, value) in [
        ("WORKROOM_NATS_CA_FILE", missing),
        ("WORKROOM_NATS_CERT_FILE", missing),
        ("WORKROOM_NATS_KEY_FILE", missing),
        ("DATABASE_URL", &url),
        ("DIRECT_URL", &url),
        ("OWNER_URL", &url),
    ] {
        let mut command = command(&["serve", "--port", "0"]);
        command.env("DATABASE_URL", "postgres://ada:swordfish@127.0.0.1:9/x").env(variable, value);
        assert_one_sentence(&run(command, SOON).await, &[variable]);
    }
}
