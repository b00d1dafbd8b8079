//! How mails leave: by SMTP, or, in development, into a folder.

use std::{
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor, message::Mailbox};
use uuid::Uuid;

/// How long connecting may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long it may take over a mail.
const DEADLINE: Duration = Duration::from_secs(15);

/// How mails leave.
#[derive(Clone, Debug)]
pub struct MailConfig {
    /// `smtps://user:password@host[:port]`, or `smtp://…?tls=required` for STARTTLS.
    pub smtp_url: Option<String>,
    /// Who they are from.
    pub from: String,
    /// Where to write them when there is no server.
    pub folder: Option<PathBuf>,
    /// The address of the pages that mails link to.
    pub app_url: String,
}

/// Why a mail did not leave.
#[derive(Debug, thiserror::Error)]
pub enum SendFailed {
    /// The server will never take it.
    #[error("the mail server refused the mail for good")]
    Refused(#[source] lettre::transport::smtp::Error),
    /// It may at another time.
    #[error("the mail server did not take the mail")]
    Smtp(#[source] lettre::transport::smtp::Error),
    /// It takes too long.
    #[error("the mail server took too long")]
    TooSlow,
    /// The folder cannot be written.
    #[error("the mail could not be written")]
    Folder(#[source] std::io::Error),
}

/// A way for mails to leave.
pub enum Transport {
    /// By SMTP, to the server of `WORKROOM_SMTP_URL`; preferred where a folder is configured too.
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    /// Into a folder.
    Folder(PathBuf),
}

impl Transport {
    /// As configured; none when nothing is.
    ///
    /// # Errors
    /// An address that is none.
    pub fn new(config: &MailConfig) -> anyhow::Result<Option<Self>> {
        if let Some(url) = &config.smtp_url {
            let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url);
            // The URL holds a password, and the error may hold the URL.
            let builder =
                builder.map_err(|_| anyhow::anyhow!("WORKROOM_SMTP_URL is not an address of a mail server"))?;
            return Ok(Some(Self::Smtp(builder.timeout(Some(TIMEOUT)).build())));
        }
        Ok(config.folder.clone().map(Self::Folder))
    }

    pub(super) async fn send(&self, recipient_id: Uuid, id: Uuid, message: Message) -> Result<(), SendFailed> {
        match self {
            Self::Smtp(smtp) => match tokio::time::timeout(DEADLINE, smtp.send(message)).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) if error.is_permanent() => Err(SendFailed::Refused(error)),
                Ok(Err(error)) => Err(SendFailed::Smtp(error)),
                Err(_) => Err(SendFailed::TooSlow),
            },
            Self::Folder(folder) => {
                let path = folder.join(format!("{recipient_id}-{id}.eml"));
                let folder = folder.clone();
                let text = message.formatted();
                let written = tokio::task::spawn_blocking(move || write(&folder, &path, &text)).await;
                written.unwrap_or_else(|error| Err(std::io::Error::other(error))).map_err(SendFailed::Folder)
            }
        }
    }
}

fn write(folder: &Path, path: &Path, text: &[u8]) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)?.write_all(text)
}

/// The sender's mailbox.
pub(super) fn mailbox(from: &str) -> anyhow::Result<Mailbox> {
    from.parse().with_context(|| format!("`{from}` is no sender; expected `Name <address>`"))
}

/// Deletes what was written for an account, or to those who were invited, into a folder.
pub async fn erase_files(folder: Option<&Path>, recipients: &[Uuid]) {
    let Some(folder) = folder.map(Path::to_owned) else { return };
    let prefixes: Vec<_> = recipients.iter().map(|id| format!("{id}-")).collect();
    let erased = tokio::task::spawn_blocking(move || {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if prefixes.iter().any(|prefix| name.starts_with(prefix)) {
                std::fs::remove_file(entry.path())?;
            }
        }
        std::io::Result::Ok(())
    });
    match erased.await {
        Ok(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::error!(%error, "mails of an erased account could not be deleted");
        }
        _ => {}
    }
}
