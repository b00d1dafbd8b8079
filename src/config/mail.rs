//! How mails are sent.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use super::section::section;
use crate::notify::MailConfig;

section! {
    /// How mails are sent.
    pub struct MailSettings {
        /// The mail server, as `smtps://user:password@host`, or `smtp://…?tls=required`.
        smtp_url: Option<String> = None,
        /// Who mails are from.
        mail_from: String = "Workroom <workroom@localhost>".to_owned(),
        /// Where mails are written when there is no mail server: for development.
        mail_folder: Option<PathBuf> = None,
        /// The address of the pages that mails link to; where the service listens when not given.
        app_url: Option<String> = None,
        /// How late a reminder of a task may come, in minutes after it was due, when nobody was there to send it in time.
        reminder_latest_minutes: u64 = 7 * 24 * 60,
    }
}

impl MailSettings {
    /// What mail needs of it, in a process that listens at `address`.
    pub fn config(&self, address: SocketAddr) -> MailConfig {
        MailConfig {
            smtp_url: self.smtp_url.clone(),
            from: self.mail_from.clone(),
            folder: self.mail_folder.clone(),
            app_url: self.app_url.clone().unwrap_or_else(|| format!("http://{}", reachable(address))),
        }
    }

    /// How late a reminder may come; a hundred years are never.
    pub fn reminder_latest(&self) -> Duration {
        Duration::from_secs(self.reminder_latest_minutes.min(100 * 365 * 24 * 60) * 60)
    }
}

/// An address that a browser on this machine can open: a service that listens everywhere is also there.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() { SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())) } else { address }
}
