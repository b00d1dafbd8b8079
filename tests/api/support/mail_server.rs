//! An SMTP server on loopback (RFC 5321), that can be told to behave badly.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// How the server behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Takes every mail.
    Takes,
    /// Refuses every recipient for good.
    Refuses,
    /// Puts every recipient off.
    PutsOff,
    /// Says nothing at all.
    Stalls,
    /// Hangs up in the middle of a mail.
    Drops,
}

/// A mail that was taken.
#[derive(Clone, Debug)]
pub struct Taken {
    /// Its recipient.
    pub to: String,
    /// Its headers and body, soft line breaks undone.
    pub text: String,
}

impl Taken {
    /// A header's value.
    pub fn header(&self, name: &str) -> &str {
        let prefix = format!("{name}: ");
        self.text.lines().find_map(|line| line.strip_prefix(prefix.as_str())).unwrap_or_default()
    }
}

struct Shared {
    manner: Mutex<Manner>,
    taken: Mutex<Vec<Taken>>,
    attempts: Mutex<usize>,
    /// Who has to sign in: `AUTH PLAIN` with this, Base64.
    credentials: Option<String>,
}

/// An SMTP server.
pub struct MailServer {
    shared: Arc<Shared>,
    address: std::net::SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl MailServer {
    /// A server that takes mails from anybody.
    pub async fn new(manner: Manner) -> Self {
        Self::start(manner, None).await
    }

    /// A server that takes mails from whoever signs in with this (RFC 4616: NUL name NUL password, Base64).
    pub async fn with_credentials(credentials: &str) -> Self {
        Self::start(Manner::Takes, Some(credentials.to_owned())).await
    }

    async fn start(manner: Manner, credentials: Option<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            manner: Mutex::new(manner),
            taken: Mutex::default(),
            attempts: Mutex::default(),
            credentials,
        });
        let serving = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&serving);
                // A client that goes away is none of the server's failures.
                tokio::spawn(async move { serve(stream, &shared).await.unwrap_or_default() });
            }
        });
        Self { shared, address, task }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// Its URL with a name and a password in it.
    pub fn url_as(&self, name: &str, password: &str) -> String {
        format!("smtp://{name}:{password}@{}", self.address)
    }

    /// Changes how it behaves.
    pub fn behave(&self, manner: Manner) {
        *self.shared.manner.lock().expect("a lock") = manner;
    }

    /// How often somebody tried to deliver a mail.
    pub fn attempts(&self) -> usize {
        *self.shared.attempts.lock().expect("a lock")
    }

    /// What it took, oldest first.
    pub fn taken(&self) -> Vec<Taken> {
        self.shared.taken.lock().expect("a lock").clone()
    }

    /// What it took for an address with this subject.
    pub fn mails(&self, address: &str, subject: &str) -> Vec<Taken> {
        let mut mails = self.taken();
        mails.retain(|mail| mail.to == address && mail.header("Subject") == subject);
        mails
    }
}

async fn serve(stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let manner = || *shared.manner.lock().expect("a lock");
    let attempt = || *shared.attempts.lock().expect("a lock") += 1;
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    if manner() == Manner::Stalls {
        attempt();
        // Until the client has enough of it.
        while lines.next_line().await?.is_some() {}
        return Ok(());
    }
    write.write_all(b"220 mail.test ESMTP\r\n").await?;
    let mut is_trusted = shared.credentials.is_none();
    let mut to = String::new();
    while let Some(line) = lines.next_line().await? {
        let verb = line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
        if verb == "RCPT" {
            attempt();
        }
        let reply = match verb.as_str() {
            "EHLO" => "250-mail.test\r\n250-8BITMIME\r\n250 AUTH PLAIN".to_owned(),
            "AUTH" => {
                is_trusted = line.rsplit(' ').next() == shared.credentials.as_deref();
                if is_trusted { "235 welcome" } else { "535 who are you" }.to_owned()
            }
            "MAIL" if !is_trusted => "530 sign in first".to_owned(),
            "RCPT" if manner() == Manner::Refuses => "550 nobody of that name".to_owned(),
            "RCPT" if manner() == Manner::PutsOff => "451 come back later".to_owned(),
            "RCPT" => {
                to = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                "250 ok".to_owned()
            }
            "DATA" => {
                write.write_all(b"354 go on\r\n").await?;
                let mut text = String::new();
                while let Some(line) = lines.next_line().await? {
                    if line == "." {
                        break;
                    }
                    if manner() == Manner::Drops {
                        return Ok(());
                    }
                    text.push_str(line.strip_prefix('.').unwrap_or(&line));
                    text.push('\n');
                }
                let text = text.replace("=\n", "");
                shared.taken.lock().expect("a lock").push(Taken { to: to.clone(), text });
                "250 taken".to_owned()
            }
            "QUIT" => {
                write.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => "250 ok".to_owned(),
        };
        write.write_all(format!("{reply}\r\n").as_bytes()).await?;
    }
    Ok(())
}
