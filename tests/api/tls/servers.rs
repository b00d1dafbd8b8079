//! A private Postgres and NATS that speak TLS and nothing else.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::Path,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
};

use super::authority::{Authority, text};
use crate::support::{World, eventually};

/// The address that the servers' certificates are for.
pub const HOST: &str = "127.0.0.1";
/// Another name of the same machine.
pub const OTHER_NAME: &str = "localhost";

/// Puts a certificate of this authority into a folder, for the user who owns what is there to read.
fn install(authority: &Authority, folder: &Path, owned_by: &Path) {
    let issued = authority.issue(HOST);
    let owner = fs::metadata(owned_by).expect("an owner");
    for (name, text) in [("tls.pem", issued.certificate), ("tls.key", issued.key), ("tls-ca.pem", authority.pem())] {
        let path = folder.join(name);
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("permissions");
        chown(&path, Some(owner.uid()), Some(owner.gid())).expect("an owner");
    }
}

/// Has Postgres take no session but over TLS; with a client certificate, if that is asked for.
pub async fn encrypt_postgres(world: &World, authority: &Authority, clients_show: bool) {
    let data = world.services().postgres().expect("a Postgres of one's own").data_dir();
    install(authority, &data, &data);
    let mut admin = PgConnection::connect(&world.urls().admin).await.expect("a connection");
    for setting in ["ssl_cert_file = 'tls.pem'", "ssl_key_file = 'tls.key'", "ssl_ca_file = 'tls-ca.pem'", "ssl = on"] {
        sqlx::query(&format!("ALTER SYSTEM SET {setting}")).execute(&mut admin).await.expect("a setting");
    }
    let clients = if clients_show { "clientcert=verify-ca" } else { "" };
    // Written over, so that it keeps its owner.
    fs::write(data.join("pg_hba.conf"), format!("hostssl all all all scram-sha-256 {clients}\n")).expect("a file");
    sqlx::query("SELECT pg_reload_conf()").execute(&mut admin).await.expect("a reload");
    eventually("Postgres refuses whoever speaks no TLS", || async {
        PgConnection::connect(&world.urls().admin).await.is_err()
    })
    .await;
}

/// Has NATS take no client but over TLS; with a client certificate, if that is asked for.
pub async fn encrypt_nats(world: &World, authority: &Authority, clients_show: bool) {
    let root = world.services().folder().root();
    let settings = root.join("nats.conf");
    install(authority, &world.nats().store_dir(), &settings);
    let mut all: Value = serde_json::from_slice(&fs::read(&settings).expect("settings")).expect("JSON");
    let file = |name: &str| text(&world.nats().store_dir().join(name)).to_owned();
    all["tls"] = json!({"cert_file": file("tls.pem"), "key_file": file("tls.key"), "ca_file": file("tls-ca.pem"), "verify": clients_show});
    fs::write(&settings, all.to_string()).expect("settings");
    let pid = i32::try_from(world.nats().pid().expect("a running NATS")).expect("a pid");
    kill(Pid::from_raw(pid), Signal::SIGHUP).expect("a running NATS");
    eventually("NATS requires TLS", || async { greeting(world.nats().port()).await["tls_required"] == true }).await;
}

/// What a NATS server says first.
pub async fn greeting(port: u16) -> Value {
    let mut lines = BufReader::new(TcpStream::connect((HOST, port)).await.expect("a connection")).lines();
    let line = lines.next_line().await.expect("a greeting").expect("a greeting");
    serde_json::from_str(line.strip_prefix("INFO ").expect("a greeting")).expect("JSON")
}

/// A URL of Postgres that insists on TLS with this host, vouched for by this authority.
pub fn postgres_url(url: &str, host: &str, authority: &Authority) -> String {
    let verified = format!("sslmode=verify-full&sslrootcert={}", text(&authority.file()));
    url.replace(HOST, host).replace("sslmode=disable", &verified)
}

/// A URL of NATS that insists on TLS with this host.
pub fn nats_url(url: &str, host: &str) -> String {
    url.replace("nats://", "tls://").replace(HOST, host)
}
