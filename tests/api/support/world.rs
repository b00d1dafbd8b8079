//! A database and a NATS of one's own.

use sqlx::{Connection, PgConnection, PgPool};
use uuid::Uuid;
use workroom::database;
use workroom_dev::services::{NatsServer, Services};

use super::{
    machine::{DatabaseUrls, MIGRATED, ephemeral, eventually, postgres, workroom},
    server::Server,
};

/// A database and a NATS of one's own, for as many services as a test wants.
pub struct World {
    /// The database's URL as the role that owns it: what tests look at it, and change it, with.
    pub database_url: String,
    /// The database's URL as the role that services work with.
    pub service_url: String,
    urls: DatabaseUrls,
    services: Services,
    mails: tempfile::TempDir,
    /// Its name in the Postgres that all tests share; none in one of its own.
    shared_database: Option<String>,
}

/// Hundreds of tests, some with a million events, would fill a disk: each takes away what it wrote.
impl Drop for World {
    fn drop(&mut self) {
        let Some(name) = self.shared_database.take() else { return };
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut connection = PgConnection::connect(&postgres().admin).await?;
                sqlx::query(&format!("DROP DATABASE {name} WITH (FORCE)")).execute(&mut connection).await?;
                anyhow::Ok(())
            })
        });
        // Not a reason to fail: what the test asks was answered, and the folder goes with the process.
        if !matches!(dropped.join(), Ok(Ok(()))) {
            eprintln!("a database of the tests could not be dropped");
        }
    }
}

impl World {
    /// A new database in the shared Postgres, with the schema, and a new NATS.
    pub async fn new() -> Self {
        let world = Self::in_shared_postgres(&format!("TEMPLATE {MIGRATED} STRATEGY FILE_COPY")).await;
        // A log is told from others by its epoch.
        let mut admin = PgConnection::connect(&world.urls.admin).await.expect("a connection");
        sqlx::query("UPDATE log_epoch SET epoch = gen_random_uuid(), started_at = now()")
            .execute(&mut admin)
            .await
            .expect("an epoch");
        world
    }

    /// A new and empty database in the shared Postgres, and a new NATS.
    pub async fn without_schema() -> Self {
        Self::in_shared_postgres("").await
    }

    async fn in_shared_postgres(made_from: &str) -> Self {
        let shared = tokio::task::spawn_blocking(postgres).await.expect("Postgres");
        let name = format!("test_{}", Uuid::now_v7().simple());
        let mut connection = PgConnection::connect(&shared.admin).await.expect("a connection");
        let create = format!("CREATE DATABASE {name} OWNER workroom_owner {made_from}");
        sqlx::query(&create).execute(&mut connection).await.expect("a database");
        let urls = shared.named(&name);
        let services = Services::start(ephemeral(Some(&urls.owner), None)).await.expect("NATS");
        Self::with(urls, services, Some(name))
    }

    /// A new Postgres and a new NATS, for tests that harm them.
    pub async fn with_own_postgres() -> Self {
        let services = Services::start(ephemeral(None, None)).await.expect("servers");
        Self::with(DatabaseUrls::of(&services), services, None)
    }

    fn with(urls: DatabaseUrls, services: Services, shared_database: Option<String>) -> Self {
        let mails = tempfile::tempdir().expect("a folder");
        let (database_url, service_url) = (urls.owner.clone(), urls.service.clone());
        Self { database_url, service_url, urls, services, mails, shared_database }
    }

    /// The database's URLs, by role.
    pub fn urls(&self) -> &DatabaseUrls {
        &self.urls
    }

    /// The servers, to harm them.
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// The NATS server, to harm it.
    pub fn nats(&self) -> &NatsServer {
        self.services.nats().expect("a NATS of one's own")
    }

    /// The URL of NATS.
    pub fn nats_url(&self) -> &str {
        self.services.nats_url()
    }

    /// A service with all roles.
    pub async fn server(&self) -> Server {
        self.server_with(&[], &[]).await
    }

    /// A service with these further arguments and variables.
    pub async fn server_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Server {
        let folder = self.mails.path().to_str().expect("a path");
        // As `./dev up` does; who asks for proof says so.
        let mut all = vec![
            ("WORKROOM_MAIL_FOLDER", folder),
            ("WORKROOM_EMAIL_PROOF", "trusted"),
            // Races and drills invite by the thousand.
            ("WORKROOM_INVITATIONS_PER_RECIPIENT", "1000"),
            ("WORKROOM_INVITATIONS_PER_SENDER", "1000000"),
            ("OWNER_URL", self.database_url.as_str()),
        ];
        all.extend_from_slice(variables);
        Server::start(&self.service_url, self.services.nats_url(), arguments, &all).await
    }

    /// A service that does everything but run programs.
    pub async fn server_without_worker(&self) -> Server {
        self.server_with(&["--roles", "api,live,projector,relay,scheduler"], &[]).await
    }

    /// A service that only runs jobs, with the least rights: nothing but a worker's in Postgres and NATS.
    pub async fn worker(&self) -> Server {
        self.worker_with(&[]).await
    }

    /// The same, with these further variables.
    pub async fn worker_with(&self, variables: &[(&str, &str)]) -> Server {
        Server::start(&self.urls.worker, &self.nats().worker_url(), &["--roles", "worker"], variables).await
    }

    /// The mails to an address with this subject that were written so far, oldest first.
    pub fn mails(&self, address: &str, subject: &str) -> Vec<String> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(self.mails.path()).expect("a folder") {
            let path = entry.expect("an entry").path();
            let text = std::fs::read_to_string(&path).unwrap_or_default().replace("=\r\n", "");
            if text.contains(&format!("To: {address}\r\n")) && text.contains(&format!("Subject: {subject}\r\n")) {
                found.push((path, text));
            }
        }
        found.sort();
        found.into_iter().map(|(_, text)| text).collect()
    }

    /// Waits for a mail, and returns the token that it carries.
    pub async fn mailed_token(&self, address: &str, subject: &str) -> String {
        eventually("a mail", async || !self.mails(address, subject).is_empty()).await;
        let mails = self.mails(address, subject);
        let text = mails.last().expect("a mail");
        let at = text.find("wrm_").expect("a token");
        text[at..at + 47].to_owned()
    }

    /// Where mails are written.
    pub fn mail_folder(&self) -> &std::path::Path {
        self.mails.path()
    }

    /// The database, migrated.
    pub async fn pool(&self) -> PgPool {
        let options = database::options(&self.database_url).expect("options");
        database::migrate(&options).await.expect("migrations");
        database::pool(options, 8)
    }

    /// Runs a `workroom` command on this database to its end; returns whether it succeeded and what it printed.
    pub async fn command(&self, arguments: &[&str]) -> (bool, String) {
        let output = tokio::process::Command::new(workroom())
            .args(arguments)
            .env("DATABASE_URL", &self.service_url)
            .env("OWNER_URL", &self.database_url)
            .env("NATS_URL", self.nats_url())
            .output()
            .await
            .expect("a command");
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.success(), text)
    }
}
