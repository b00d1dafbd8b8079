//! Idempotent commands: the same key and request again is answered as before and not carried out again.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use uuid::Uuid;

use super::{
    App, Command, Context, Done, Error,
    run::Ran,
    tables::{NoTables, TableChange},
};
use crate::application::codes::{IDEMPOTENCY_KEY_REUSED, REQUEST_IN_PROGRESS};
use crate::event_store::{Receipt, receipts, receipts::KeptReply};

/// What makes a request the same request.
#[derive(Clone, Debug)]
pub struct IdempotencyKey {
    /// Whose key it is: the account, or what stands for one before there is one.
    pub principal: Uuid,
    /// The client's `Idempotency-Key`.
    pub key: String,
    /// A digest of the request.
    pub fingerprint: Vec<u8>,
}

/// A reply in the form that is kept: what the client will see, now and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The status code of the HTTP reply, such as 201.
    pub status: u16,
    /// Headers of the resource, by lower-case name.
    pub headers: Vec<(String, String)>,
    /// The body of the HTTP reply, as the text of a JSON value.
    pub body: String,
}

/// The answer to a command that creates.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The reply to the client: a new one, or the kept one where `replayed` is set.
    pub rendered: Rendered,
    /// The log position of the command's last event.
    pub position: i64,
    /// Whether every read model shows it.
    pub visible: bool,
    /// Whether the command had been carried out before, under the same key.
    pub replayed: bool,
}

/// Keys whose command is being carried out by this process.
#[derive(Clone, Default)]
pub(super) struct InFlight(Arc<Mutex<HashSet<(Uuid, String)>>>);

struct Turn {
    keys: InFlight,
    entry: (Uuid, String),
}

impl InFlight {
    fn enter(&self, key: &IdempotencyKey) -> Result<Turn, Error> {
        let entry = (key.principal, key.key.clone());
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !keys.insert(entry.clone()) {
            return Err(REQUEST_IN_PROGRESS.into());
        }
        Ok(Turn { keys: self.clone(), entry })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.keys.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.entry);
    }
}

impl App {
    /// Carries a command out that creates something, once for each key.
    ///
    /// # Errors
    /// See [`Error`]; a key that was used for another request is [`Error::Invalid`], one whose command is still running
    /// `Kind::Conflict`.
    pub async fn create<C: Command>(
        &self,
        context: &Context,
        command: &C,
        key: Option<IdempotencyKey>,
        render: impl Fn(&C::Reply) -> Result<Rendered, Error> + Sync,
    ) -> Result<Answer, Error> {
        self.create_with_tables(context, command, &NoTables, key, render).await
    }

    /// As [`App::create`], together with a change of tables outside the log.
    ///
    /// # Errors
    /// As [`App::create`].
    pub async fn create_with_tables<C: Command, T: TableChange>(
        &self,
        context: &Context,
        command: &C,
        tables: &T,
        key: Option<IdempotencyKey>,
        render: impl Fn(&C::Reply) -> Result<Rendered, Error> + Sync,
    ) -> Result<Answer, Error> {
        let Some(key) = key else {
            return match self.run_with(context, command, tables, |_| Ok(None)).await? {
                Ran::Now(Done { reply, position, visible }) => {
                    Ok(Answer { rendered: render(&reply)?, position, visible, replayed: false })
                }
                Ran::Before => Err(Error::failure("a command without a receipt met one")),
            };
        };
        let _turn = self.in_flight.enter(&key)?;
        if let Some(kept) = receipts::find(&self.pool, key.principal, &key.key).await? {
            return self.answer_again(&key, kept).await;
        }
        let receipt = |reply: &C::Reply| {
            let rendered = render(reply)?;
            Ok(Some(Receipt {
                principal: key.principal,
                key: key.key.clone(),
                fingerprint: key.fingerprint.clone(),
                status: rendered.status,
                headers: serde_json::to_string(&rendered.headers).map_err(Error::failure)?,
                body: rendered.body,
            }))
        };
        let refusal = match self.run_with(context, command, tables, receipt).await {
            Ok(Ran::Now(Done { reply, position, visible })) => {
                return Ok(Answer { rendered: render(&reply)?, position, visible, replayed: false });
            }
            Ok(Ran::Before) => Error::failure("a receipt vanished"),
            Err(error) if error.depends_on_state() => error,
            Err(error) => return Err(error),
        };
        // Another instance may have carried the same command out meanwhile: then its effect is what refused this one.
        match receipts::find(&self.pool, key.principal, &key.key).await? {
            Some(kept) => self.answer_again(&key, kept).await,
            None => Err(refusal),
        }
    }

    /// Answers from a receipt, if it is of the same request.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the key was used for another request.
    pub async fn answer_again(&self, key: &IdempotencyKey, kept: KeptReply) -> Result<Answer, Error> {
        if kept.fingerprint != key.fingerprint {
            return Err(IDEMPOTENCY_KEY_REUSED.into());
        }
        let rendered = Rendered {
            status: kept.status,
            headers: serde_json::from_str(&kept.headers).map_err(Error::failure)?,
            body: kept.body,
        };
        let visible = self.visible(kept.position).await;
        Ok(Answer { rendered, position: kept.position, visible, replayed: true })
    }
}
