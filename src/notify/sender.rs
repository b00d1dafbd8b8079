//! Sends what waits in the outbox. Any number of senders may run: each mail is leased by one at a time.
//!
//! A mail that a server took and whose sender died before it could note that is sent again, with the same `Message-ID`:
//! SMTP knows no better. Otherwise each is sent once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{StreamExt, stream::FuturesUnordered};
use lettre::{
    Message,
    message::{Mailbox, MultiPart},
};
use serde_json::json;
use sqlx::PgPool;
use sqlx_macros::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    content::Content,
    outbox::{self, MailKind},
    templates,
    transport::{MailConfig, SendFailed, Transport, mailbox},
    unsubscribe::{ListUnsubscribe, ListUnsubscribePost},
};
use crate::{
    application::Error,
    background::{Activation, Context, Task, while_renewed},
    backoff, clock,
};

/// The longest pause between two attempts at a mail.
const LONGEST_BACKOFF: Duration = Duration::from_mins(5);
/// How often the outbox is looked at while mails are on their way.
const INTERVAL: Duration = Duration::from_secs(1);
/// Mails that are on their way at a time: each takes a connection to the server, and now and then one to the database.
const AT_ONCE: usize = 16;
/// How long a mail is kept from other senders, unless that is renewed: so long it waits when its sender dies or stands still.
const LEASE: Duration = Duration::from_secs(2);
const HEARTBEAT: Duration = Duration::from_millis(400);

/// Sends what waits in the outbox.
#[derive(Clone)]
pub struct Sender {
    pool: PgPool,
    transport: Arc<Transport>,
    from: Mailbox,
    app_url: Arc<str>,
}

#[derive(FromRow)]
pub(super) struct Due {
    pub(super) id: Uuid,
    pub(super) account_id: Option<Uuid>,
    pub(super) invitation_id: Option<Uuid>,
    pub(super) about: Option<Uuid>,
    pub(super) note: Option<String>,
    /// The time that it was meant for; a retry is due later.
    pub(super) asked_for: OffsetDateTime,
    kind: String,
    attempts: i32,
    email: Option<String>,
    name: Option<String>,
}

/// What became of an attempt.
enum Outcome {
    Sent,
    /// What it would have said is no longer true.
    Dropped,
    Never,
    Later,
    /// Another sender has taken it.
    Lost,
}

/// The mails that this sender has leased, and which attempt each is.
#[derive(Default)]
struct Leased(Mutex<HashMap<Uuid, i32>>);

impl Leased {
    fn mails(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, i32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, due: &[Due]) {
        self.mails().extend(due.iter().map(|mail| (mail.id, mail.attempts)));
    }

    fn remove(&self, id: Uuid) {
        self.mails().remove(&id);
    }

    fn all(&self) -> (Vec<Uuid>, Vec<i32>) {
        self.mails().iter().map(|(id, attempts)| (*id, *attempts)).unzip()
    }
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

    /// Sends what is due, and what becomes due meanwhile, until nothing is on its way. Once told to stop it takes no more, and
    /// what is on its way is sent to its end. Returns how many attempts were made.
    async fn send_all(&self, leased: &Leased, context: &Context) -> Result<u64, sqlx::Error> {
        let mut flying = FuturesUnordered::new();
        let mut attempts = 0;
        let mut failure = None;
        // Whether there may be more to send.
        let mut more = true;
        loop {
            let free = AT_ONCE - flying.len();
            if more && free >= AT_ONCE / 2 && context.may_go_on() {
                let due = match self.lease(free).await {
                    Ok(due) => due,
                    Err(error) => {
                        failure = Some(error);
                        Vec::new()
                    }
                };
                more = due.len() == free;
                leased.add(&due);
                flying.extend(due.into_iter().map(|mail| self.attempt(mail)));
            }
            if flying.is_empty() {
                return failure.map_or(Ok(attempts), Err);
            }
            tokio::select! {
                Some(id) = flying.next() => {
                    leased.remove(id);
                    attempts += 1;
                }
                () = tokio::time::sleep(INTERVAL) => more = true,
                () = outbox::added() => more = true,
            }
        }
    }

    /// Keeps what is on its way from other senders.
    async fn renew(&self, leased: &Leased) -> Result<bool, sqlx::Error> {
        let (ids, attempts) = leased.all();
        if ids.is_empty() {
            return Ok(true);
        }
        sqlx::query(
            "UPDATE mails m SET leased_until = now() + make_interval(secs => $3)
             FROM unnest($1::uuid[], $2::int[]) AS mine (id, attempts)
             WHERE m.id = mine.id AND m.attempts = mine.attempts AND m.leased_until IS NOT NULL",
        )
        .bind(ids)
        .bind(attempts)
        .bind(LEASE.as_secs_f64())
        .execute(&self.pool)
        .await?;
        Ok(true)
    }

    /// Takes what is due, at most so many.
    async fn lease(&self, most: usize) -> Result<Vec<Due>, sqlx::Error> {
        sqlx::query_as(
            "WITH due AS (
                 SELECT id, account_id, invitation_id FROM mails
                 WHERE sent_at IS NULL AND failed_at IS NULL AND dropped_at IS NULL
                   AND COALESCE(retry_at, due_at) <= now() AND (leased_until IS NULL OR leased_until < now())
                 ORDER BY COALESCE(retry_at, due_at) LIMIT $1 FOR UPDATE SKIP LOCKED)
             UPDATE mails m SET leased_until = now() + make_interval(secs => $2), attempts = m.attempts + 1
             FROM due LEFT JOIN accounts a ON a.id = due.account_id LEFT JOIN invitations i ON i.id = due.invitation_id
             WHERE m.id = due.id
             RETURNING m.id, m.account_id, m.invitation_id, m.about, m.note, m.due_at AS asked_for, m.kind, m.attempts,
                       COALESCE(a.email, i.email) AS email, COALESCE(a.full_name, a.username) AS name",
        )
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .bind(LEASE.as_secs_f64())
        .fetch_all(&self.pool)
        .await
    }

    /// Whether a mail is still this sender's: each lease counts another attempt. It may have stood still since it took it.
    async fn is_ours(&self, mail: &Due) -> Result<bool, sqlx::Error> {
        let renewed = sqlx::query(
            "UPDATE mails SET leased_until = now() + make_interval(secs => $3)
             WHERE id = $1 AND attempts = $2 AND leased_until IS NOT NULL",
        )
        .bind(mail.id)
        .bind(mail.attempts)
        .bind(LEASE.as_secs_f64())
        .execute(&self.pool)
        .await?;
        Ok(renewed.rows_affected() == 1)
    }

    /// Sends a mail, and notes what became of it.
    async fn attempt(&self, mail: Due) -> Uuid {
        let outcome = self.send(&mail).await.unwrap_or_else(|error| {
            tracing::warn!(error = &error as &dyn std::error::Error, mail_id = %mail.id, "a mail could not be written");
            Outcome::Later
        });
        let noted = match outcome {
            // Whoever else has taken it meanwhile: it has been sent.
            Outcome::Sent => {
                "UPDATE mails SET sent_at = now(), failed_at = NULL, leased_until = NULL
                 WHERE id = $1 AND $2 >= 0 AND attempts >= $3"
            }
            Outcome::Dropped => {
                "UPDATE mails SET dropped_at = now(), leased_until = NULL WHERE id = $1 AND $2 >= 0 AND attempts = $3"
            }
            Outcome::Never => {
                "UPDATE mails SET failed_at = now(), leased_until = NULL WHERE id = $1 AND $2 >= 0 AND attempts = $3"
            }
            Outcome::Later => {
                "UPDATE mails SET leased_until = NULL, retry_at = now() + make_interval(secs => $2),
                        failed_at = CASE WHEN expires_at < now() + make_interval(secs => $2) THEN now() END
                 WHERE id = $1 AND attempts = $3"
            }
            Outcome::Lost => return mail.id,
        };
        let pause = backoff::pause(u32::try_from(mail.attempts).unwrap_or_default(), LONGEST_BACKOFF);
        let noted = sqlx::query(noted).bind(mail.id).bind(pause.as_secs_f64()).bind(mail.attempts);
        if let Err(error) = noted.execute(&self.pool).await {
            tracing::warn!(error = &error as &dyn std::error::Error, mail_id = %mail.id, "a mail could not be noted");
        }
        mail.id
    }

    async fn send(&self, mail: &Due) -> Result<Outcome, Error> {
        let address = mail.email.as_deref().and_then(|email| email.parse().ok());
        let (Some(kind), Some(address)) = (MailKind::parse(&mail.kind), address) else { return Ok(Outcome::Never) };
        let Some(content) = Content::read(&self.pool, kind, mail).await? else { return Ok(Outcome::Dropped) };
        let text = templates::render(&content, mail.name.as_deref(), &self.app_url).map_err(Error::failure)?;
        let domain = self.from.email.domain();
        let mut message = Message::builder();
        if let Some(url) = text.unsubscribe {
            message = message.header(ListUnsubscribe(format!("<{url}>"))).header(ListUnsubscribePost);
        }
        let message = message
            .from(self.from.clone())
            .to(Mailbox::new(None, address))
            .subject(text.subject)
            .date(std::time::SystemTime::from(clock::now()))
            .message_id(Some(format!("<{}@{domain}>", mail.id)))
            .multipart(MultiPart::alternative_plain_html(text.plain, text.html))
            .map_err(Error::failure)?;
        if !self.is_ours(mail).await? {
            return Ok(Outcome::Lost);
        }
        match self.transport.send(mail.account_id.or(mail.invitation_id).unwrap_or(mail.id), mail.id, message).await {
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
}

impl Task for Sender {
    async fn activate(&mut self, context: &Context) -> anyhow::Result<Activation> {
        let leased = Leased::default();
        let sent = while_renewed(HEARTBEAT, || self.renew(&leased), self.send_all(&leased, context)).await;
        Ok(Activation::did(json!({"attempts": sent.transpose()?})))
    }

    async fn woken(&mut self) {
        outbox::added().await;
    }
}
