//! Sends what waits in the outbox. Any number of senders may run: each mail is leased by one at a time.
//!
//! A mail that a server took and whose sender died before it could note that is sent again, with the same `Message-ID`:
//! SMTP knows no better. Otherwise each is sent once.

use std::{sync::Arc, time::Duration};

use lettre::{
    Message,
    message::{Mailbox, MultiPart},
};
use sqlx::{FromRow, PgPool};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    letters,
    outbox::{self, MailKind},
    transport::{MailConfig, SendFailed, Transport, mailbox},
};
use crate::{
    application::{Error, now},
    identity::mail_token::{self, Purpose},
};

const INTERVAL: Duration = Duration::from_secs(1);
const SWEEP_INTERVAL: Duration = Duration::from_mins(10);
/// Mails that are taken, and sent, at a time.
const BATCH: i64 = 20;

/// Sends what waits in the outbox.
#[derive(Clone)]
pub struct Sender {
    pool: PgPool,
    transport: Arc<Transport>,
    from: Mailbox,
    app_url: Arc<str>,
}

#[derive(FromRow)]
struct Due {
    id: Uuid,
    account_id: Uuid,
    kind: String,
    attempts: i32,
    email: Option<String>,
    name: String,
}

/// What became of an attempt.
enum Outcome {
    Sent,
    Never,
    Later,
}

impl Sender {
    /// A sender, if there is a way to send.
    ///
    /// # Errors
    /// A configuration that does not fit.
    pub fn new(pool: PgPool, config: &MailConfig) -> anyhow::Result<Option<Self>> {
        let from = mailbox(&config.from)?;
        let Some(transport) = Transport::new(config)? else { return Ok(None) };
        Ok(Some(Self { pool, transport: Arc::new(transport), from, app_url: config.app_url.as_str().into() }))
    }

    /// Sends until told to stop.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut swept: Option<tokio::time::Instant> = None;
        loop {
            match self.pass().await {
                Ok(true) if !shutdown.is_cancelled() => continue,
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "the outbox cannot be read");
                }
            }
            if swept.is_none_or(|at| at.elapsed() >= SWEEP_INTERVAL) {
                swept = Some(tokio::time::Instant::now());
                if let Err(error) = self.sweep().await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "old mails could not be deleted");
                }
            }
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                () = outbox::added() => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// Sends a batch of what is due; `true` when there may be more.
    async fn pass(&self) -> Result<bool, sqlx::Error> {
        let due: Vec<Due> = sqlx::query_as(
            "WITH due AS (
                 SELECT id FROM mails
                 WHERE sent_at IS NULL AND failed_at IS NULL AND due_at <= now()
                   AND (leased_until IS NULL OR leased_until < now())
                 ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED)
             UPDATE mails m SET leased_until = now() + interval '1 minute', attempts = m.attempts + 1
             FROM due, accounts a WHERE m.id = due.id AND a.id = m.account_id
             RETURNING m.id, m.account_id, m.kind, m.attempts, a.email, COALESCE(a.full_name, a.username) AS name",
        )
        .bind(BATCH)
        .fetch_all(&self.pool)
        .await?;
        let is_full = i64::try_from(due.len()).unwrap_or(BATCH) == BATCH;
        futures::future::join_all(due.into_iter().map(|mail| self.attempt(mail))).await;
        Ok(is_full)
    }

    async fn attempt(&self, mail: Due) {
        let outcome = self.send(&mail).await.unwrap_or_else(|error| {
            tracing::warn!(error = &error as &dyn std::error::Error, mail_id = %mail.id, "a mail could not be written");
            Outcome::Later
        });
        let noted = match outcome {
            Outcome::Sent => "UPDATE mails SET sent_at = now(), leased_until = NULL WHERE id = $1 AND $2 >= 0",
            Outcome::Never => "UPDATE mails SET failed_at = now(), leased_until = NULL WHERE id = $1 AND $2 >= 0",
            Outcome::Later => {
                "UPDATE mails SET leased_until = NULL, due_at = now() + make_interval(secs => $2),
                        failed_at = CASE WHEN expires_at < now() + make_interval(secs => $2) THEN now() END
                 WHERE id = $1"
            }
        };
        let pause = backoff(mail.attempts);
        if let Err(error) = sqlx::query(noted).bind(mail.id).bind(pause.as_secs_f64()).execute(&self.pool).await {
            tracing::warn!(error = &error as &dyn std::error::Error, mail_id = %mail.id, "a mail could not be noted");
        }
    }

    async fn send(&self, mail: &Due) -> Result<Outcome, Error> {
        let address = mail.email.as_deref().and_then(|email| email.parse().ok());
        let (Some(kind), Some(address)) = (MailKind::parse(&mail.kind), address) else { return Ok(Outcome::Never) };
        let purpose = match kind {
            MailKind::EmailVerification => Some(Purpose::EmailVerification),
            MailKind::PasswordReset => Some(Purpose::PasswordReset),
            MailKind::PasswordChanged => None,
        };
        let token = match purpose {
            Some(purpose) => {
                let mut connection = self.pool.acquire().await?;
                Some(mail_token::issue(&mut connection, mail.account_id, purpose, now()).await?)
            }
            None => None,
        };
        let letter = letters::write(kind, &mail.name, &self.app_url, token.as_deref());
        let domain = self.from.email.domain();
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, address))
            .subject(letter.subject)
            .date(std::time::SystemTime::from(OffsetDateTime::now_utc()))
            .message_id(Some(format!("<{}@{domain}>", mail.id)))
            .multipart(MultiPart::alternative_plain_html(letter.text, letter.html))
            .map_err(Error::failure)?;
        match self.transport.send(mail.account_id, mail.id, message).await {
            Ok(()) => Ok(Outcome::Sent),
            Err(error @ SendFailed::Refused(_)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, mail_id = %mail.id, "a mail is given up");
                Ok(Outcome::Never)
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, mail_id = %mail.id, "a mail waits");
                Ok(Outcome::Later)
            }
        }
    }

    async fn sweep(&self) -> Result<(), sqlx::Error> {
        sqlx::query("DELETE FROM mails WHERE expires_at < now() - interval '7 days'")
            .execute(&self.pool)
            .await
            .map(drop)
    }
}

/// The pause before the next attempt: doubling from a second to five minutes, with jitter.
fn backoff(attempts: i32) -> Duration {
    let exponent = u32::try_from(attempts).unwrap_or_default().min(9);
    let ceiling = Duration::from_secs(1 << exponent).min(Duration::from_mins(5));
    let jitter = f64::from(OffsetDateTime::now_utc().nanosecond() % 1000) / 1000.0;
    ceiling.mul_f64(0.5 + jitter / 2.0)
}
