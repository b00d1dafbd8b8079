//! What a client asks for, and what it is told.

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;
use workroom_domain::ids::AccountId;
use workroom_domain::refusal::Kind;

use crate::{
    clock::now,
    identity::{Caller, Identity, Scope},
    live::{
        feed::{
            EndReason, FeedId,
            frames::{Frame, MessageId, Reply},
        },
        socket::{
            Admission, Pending, Socket,
            close::Close,
            messages::{ClientMessage, ParseError, Received, Subscribe, read},
            subscribe::admit,
            subscription::Subscription,
        },
    },
};

/// Whose account a feed is named for before anybody has signed in.
const NOBODY: AccountId = AccountId(Uuid::nil());

impl Socket {
    /// Does what a message asks for.
    ///
    /// # Errors
    /// Why the socket ends.
    pub(in crate::live) async fn dispatch(&mut self, text: &str) -> Result<(), Close> {
        let Received { id, message } = read(text);
        let message = match message {
            Ok(message) => message,
            Err(ParseError::Bad { detail }) => return self.reject(&detail, id.as_ref()),
            Err(ParseError::Unsupported) => {
                self.error("unsupported", "not part of this version yet", None, id.as_ref());
                return Ok(());
            }
        };
        match (message, self.caller) {
            (ClientMessage::Ping { .. }, _) => self.say(&Frame::Pong { reply: Reply { to: id.as_ref() } }),
            (ClientMessage::Hello { token: Some(token), .. }, None) => {
                let caller = authenticate(self.live.identity.clone(), &token).await?;
                self.welcome(caller, id.as_ref())?;
            }
            (ClientMessage::Hello { token: None, .. }, None) => return Err(Close::BadCredentials),
            // Signed in by header or ticket already: courtesy.
            (ClientMessage::Hello { token: None, .. }, Some(_)) => {}
            (ClientMessage::Hello { token: Some(token), .. } | ClientMessage::Refresh { token, .. }, Some(caller)) => {
                self.refresh(caller, &token).await?;
            }
            (ClientMessage::Subscribe(request), Some(caller)) => match request.feed(caller.account_id) {
                Ok(feed) if !may_open(&caller, feed) => {
                    self.error("forbidden", "this token does not open the account itself", Some(feed), id.as_ref());
                }
                Ok(feed) => self.subscribe(caller.account_id, feed, request, id),
                Err(detail) => return self.reject(detail, id.as_ref()),
            },
            (ClientMessage::Unsubscribe(named), Some(caller)) => match named.feed(caller.account_id) {
                Ok(feed) => self.unsubscribe(feed, id.as_ref()),
                Err(detail) => return self.reject(detail, id.as_ref()),
            },
            (message, None) => {
                let feed = match message {
                    ClientMessage::Subscribe(request) => request.feed(NOBODY).ok(),
                    ClientMessage::Unsubscribe(named) => named.feed(NOBODY).ok(),
                    _ => None,
                };
                self.error("unauthenticated", "send hello first", feed, id.as_ref());
            }
        }
        Ok(())
    }

    /// Puts a frame into the control lane.
    pub(in crate::live) fn say(&mut self, frame: &Frame<'_>) {
        self.outbox.control(Message::Text(frame.text()));
    }

    /// Says what was not done.
    pub(in crate::live) fn error(&mut self, code: &str, detail: &str, feed: Option<FeedId>, to: Option<&MessageId>) {
        self.say(&Frame::Error { code, detail, feed, reply: Reply { to } });
    }

    /// Says that a message was not understood.
    ///
    /// # Errors
    /// [`Close::TooManyMessages`], when it is one too many.
    pub(in crate::live) fn reject(&mut self, detail: &str, to: Option<&MessageId>) -> Result<(), Close> {
        if !self.errors.take(Instant::now()) {
            return Err(Close::TooManyMessages);
        }
        self.error("bad_request", detail, None, to);
        Ok(())
    }

    /// Greets somebody who has signed in.
    ///
    /// # Errors
    /// The account has too many sockets.
    pub(in crate::live) fn welcome(&mut self, caller: Caller, to: Option<&MessageId>) -> Result<(), Close> {
        let permit = self.live.hub.socket_quota().for_account(caller.account_id);
        self.permit = Some(permit.ok_or(Close::TooManySockets)?);
        self.caller = Some(caller);
        self.watch = Some(self.live.identity.watch(&caller));
        self.timers.signed_in(Instant::now(), now(), caller.expires_at);
        self.say(&Frame::Welcome {
            connection_id: self.connection_id,
            user_id: caller.account_id,
            ping_interval: self.live.limits.ping_interval.as_secs(),
            epoch: self.live.hub.epoch(),
            reply: Reply { to },
        });
        Ok(())
    }

    async fn refresh(&mut self, caller: Caller, token: &str) -> Result<(), Close> {
        let fresh = authenticate(self.live.identity.clone(), token).await?;
        if fresh.account_id != caller.account_id {
            return Err(Close::BadCredentials);
        }
        self.caller = Some(fresh);
        self.watch = Some(self.live.identity.watch(&fresh));
        self.timers.signed_in(Instant::now(), now(), fresh.expires_at);
        let account = FeedId::Account(fresh.account_id);
        if !may_open(&fresh, account) {
            self.pending.retain(|pending| pending.feed != account);
            self.drop_subscription(account, EndReason::Revoked.as_str(account), None);
        }
        Ok(())
    }

    fn subscribe(&mut self, account_id: AccountId, feed: FeedId, request: Subscribe, id: Option<MessageId>) {
        let is_known = self.subscriptions.iter().any(|one| one.feed_id() == feed)
            || self.pending.iter().any(|pending| pending.feed == feed);
        if is_known {
            return self.error("already_subscribed", "unsubscribe first", Some(feed), id.as_ref());
        }
        // Counted with those that were called off, so that nobody keeps the database busy by changing their mind.
        if self.subscriptions.len() + self.admissions.len() >= self.live.limits.subscriptions {
            return self.error(
                "too_many_subscriptions",
                "unsubscribe from another feed first",
                Some(feed),
                id.as_ref(),
            );
        }
        let number = self.next_admission;
        self.next_admission += 1;
        self.pending.push(Pending { feed, number, id });
        let admission = admit(self.live.clone(), account_id, feed, request, self.wake.clone());
        self.admissions.push(Box::pin(async move { (number, admission.await) }));
    }

    /// A subscription was looked into.
    pub(in crate::live) fn admitted(&mut self, (number, outcome): Admission) {
        let Some(place) = self.pending.iter().position(|pending| pending.number == number) else {
            return; // Called off meanwhile.
        };
        let Pending { feed, id, .. } = self.pending.swap_remove(place);
        let admitted = match outcome {
            Ok(admitted) => admitted,
            Err(refused) => return self.error(refused.code, refused.detail, Some(feed), id.as_ref()),
        };
        let (epoch, head, role) = (admitted.epoch, admitted.start.head, admitted.start.role);
        let reply = Reply { to: id.as_ref() };
        self.outbox.durable(feed, Frame::Subscribed { feed, epoch, head, role, reply }.text());
        if admitted.is_reset {
            self.outbox.durable(feed, Frame::Reset { feed, epoch, head }.text());
        }
        self.subscriptions.push(Subscription::new(admitted.start));
    }

    fn unsubscribe(&mut self, feed: FeedId, to: Option<&MessageId>) {
        let before = self.pending.len();
        self.pending.retain(|pending| pending.feed != feed);
        if self.pending.len() < before {
            self.say(&Frame::Unsubscribed { feed, reason: "requested", reply: Reply { to } });
        } else if !self.drop_subscription(feed, "requested", to) {
            self.error("not_subscribed", "there is no such subscription", Some(feed), to);
        }
    }
}

/// Whether what somebody came with opens a feed: as for histories, a personal access token does not open the account itself.
fn may_open(caller: &Caller, feed: FeedId) -> bool {
    !matches!(feed, FeedId::Account(_)) || caller.require(Scope::Full).is_ok()
}

/// Finds out who brings a token. (Not of the socket: what it awaits must not hold on to one.)
async fn authenticate(identity: Identity, token: &str) -> Result<Caller, Close> {
    identity.authenticate(token, now()).await.map_err(|error| match error {
        error if error.kind() == Kind::Unauthenticated => Close::BadCredentials,
        error => {
            tracing::warn!(error = &error as &dyn std::error::Error, "a token could not be judged");
            Close::Internal
        }
    })
}
