//! What a client asks for, and what it is told.

use std::sync::Arc;

use tokio::time::Instant;
use uuid::Uuid;
use workroom_domain::ids::AccountId;
use workroom_domain::refusal::Kind;

use crate::{
    clock::now,
    identity::{Caller, Identity, Scope},
    live::{
        connection::{
            Admission, Connection, Joined, Pending,
            close::Close,
            messages::{ClientMessage, Received, Subscribe, read},
            subscribe::{Admitted, admit},
            subscription::Subscription,
        },
        feed::{
            EndReason, FeedId,
            frames::{Frame, MessageId, Reply, Topic},
        },
        signal::reason,
        transport::Place,
    },
};

/// Whose account a feed is named for before anybody has signed in.
const NOBODY: AccountId = AccountId(Uuid::nil());

impl Connection {
    /// Does what a message asks for.
    ///
    /// # Errors
    /// Why the connection ends.
    pub(in crate::live) async fn dispatch(&mut self, text: &str) -> Result<(), Close> {
        let Received { id, message } = read(text);
        let to = id.as_ref();
        let is_ephemeral = |message: &ClientMessage| {
            matches!(message, ClientMessage::Presence(_) | ClientMessage::Cursor(_) | ClientMessage::Publish(_))
        };
        if !message.as_ref().is_ok_and(is_ephemeral) {
            self.count()?;
        }
        let message = match message {
            Ok(message) => message,
            Err(error) => return self.refuse(error.code, &error.detail, to),
        };
        let Some(caller) = self.caller else { return self.sign_in(message, to).await };
        match message {
            ClientMessage::Ping => self.say(&Frame::Pong { reply: Reply { to } }),
            ClientMessage::Hello(hello) => {
                // Without a token it is courtesy: the client has signed in by header or ticket.
                if let Some(token) = hello.token {
                    self.refresh(caller, &token).await?;
                }
            }
            ClientMessage::Refresh(refresh) => self.refresh(caller, &refresh.token).await?,
            ClientMessage::Subscribe(request) => match request.topic(caller.account_id) {
                Ok(topic) if !may_open(&caller, topic.feed) => {
                    self.error("forbidden", "this token does not open the account itself", Some(topic), to);
                }
                Ok(topic) => self.subscribe(caller.account_id, topic, &request, id),
                Err(detail) => return self.reject(detail, to),
            },
            ClientMessage::Unsubscribe(named) => match named.topic(caller.account_id) {
                Ok(topic) => self.unsubscribe(topic, to),
                Err(detail) => return self.reject(detail, to),
            },
            ClientMessage::Presence(presence) => self.show_state(&presence, to),
            ClientMessage::Cursor(cursor) => self.point(cursor, to),
            ClientMessage::Publish(publish) => self.publish(&caller, publish, to),
        }
        Ok(())
    }

    /// Before somebody has signed in.
    async fn sign_in(&mut self, message: ClientMessage, to: Option<&MessageId>) -> Result<(), Close> {
        let topic = match message {
            ClientMessage::Ping => {
                self.say(&Frame::Pong { reply: Reply { to } });
                return Ok(());
            }
            ClientMessage::Hello(hello) => {
                let token = hello.token.ok_or(Close::BadCredentials)?;
                let caller = authenticate(self.live.identity.clone(), &token).await?;
                return self.welcome(caller, to);
            }
            ClientMessage::Subscribe(request) => request.topic(NOBODY).ok(),
            ClientMessage::Unsubscribe(named) => named.topic(NOBODY).ok(),
            ClientMessage::Presence(presence) => Some(presence.room().into()),
            ClientMessage::Cursor(cursor) => Some(cursor.room(|_| false).into()),
            ClientMessage::Publish(publish) => Some(publish.room().into()),
            ClientMessage::Refresh(_) => None,
        };
        self.count_ephemeral();
        self.error("unauthenticated", "send hello first", topic, to);
        Ok(())
    }

    /// Counts a message that the client may not send too many of.
    ///
    /// # Errors
    /// [`Close::TooManyMessages`].
    pub(in crate::live) fn count(&mut self) -> Result<(), Close> {
        if self.messages.take(Instant::now()) { Ok(()) } else { Err(Close::TooManyMessages) }
    }

    /// Puts a frame into the control lane.
    pub(in crate::live) fn say(&mut self, frame: &Frame<'_>) {
        self.lanes.control(frame.text());
    }

    /// Says what was not done.
    pub(in crate::live) fn error(&mut self, code: &str, detail: &str, topic: Option<Topic>, to: Option<&MessageId>) {
        self.say(&Frame::Error { code, detail, topic, reply: Reply { to } });
    }

    /// Says that a message was not understood.
    ///
    /// # Errors
    /// [`Close::TooManyMessages`], when it is one too many.
    pub(in crate::live) fn reject(&mut self, detail: &str, to: Option<&MessageId>) -> Result<(), Close> {
        self.refuse("bad_request", detail, to)
    }

    fn refuse(&mut self, code: &str, detail: &str, to: Option<&MessageId>) -> Result<(), Close> {
        if !self.errors.take(Instant::now()) {
            return Err(Close::TooManyMessages);
        }
        self.error(code, detail, None, to);
        Ok(())
    }

    /// Greets somebody who has signed in.
    ///
    /// # Errors
    /// The account has too many sockets.
    pub(in crate::live) fn welcome(&mut self, caller: Caller, to: Option<&MessageId>) -> Result<(), Close> {
        let permit = self.live.hub.socket_quota().for_account(caller.account_id);
        self.permit = Some(permit.ok_or(Close::TooManySockets)?);
        self.anonymous = None;
        self.caller = Some(caller);
        self.watch = Some(self.live.identity.watch(&caller, &self.ended()));
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
        self.leave_history_queue();
        let fresh = authenticate(self.live.identity.clone(), token).await?;
        if fresh.account_id != caller.account_id {
            return Err(Close::BadCredentials);
        }
        self.caller = Some(fresh);
        self.watch = Some(self.live.identity.watch(&fresh, &self.ended()));
        self.timers.signed_in(Instant::now(), now(), fresh.expires_at);
        let account = FeedId::Account(fresh.account_id);
        if !may_open(&fresh, account) {
            self.pending.retain(|pending| pending.topic.feed != account);
            self.drop_feed(account, EndReason::Revoked.as_str(account));
        }
        Ok(())
    }

    /// What tells this connection that its credentials have ended.
    fn ended(&self) -> Arc<dyn Fn() + Send + Sync> {
        let signal = Arc::clone(&self.signal);
        Arc::new(move || signal.raise(reason::CREDENTIAL))
    }

    /// Whether something is subscribed to, or is being looked into.
    pub(in crate::live) fn has_asked_for(&self, topic: Topic) -> bool {
        self.joined.iter().any(|one| one.topic == topic) || self.pending.iter().any(|pending| pending.topic == topic)
    }

    fn subscribe(&mut self, account_id: AccountId, topic: Topic, request: &Subscribe, id: Option<MessageId>) {
        if self.has_asked_for(topic) {
            return self.error("already_subscribed", "unsubscribe first", Some(topic), id.as_ref());
        }
        // Counted with those that were called off, so that nobody keeps the database busy by changing their mind.
        if self.joined.len() + self.admissions.len() >= self.live.limits.subscriptions {
            let detail = "unsubscribe from another feed first";
            return self.error("too_many_subscriptions", detail, Some(topic), id.as_ref());
        }
        let number = self.next_admission;
        self.next_admission += 1;
        self.pending.push(Pending { topic, number, id, is_over: false });
        let admission = admit(self.live.clone(), account_id, topic, request.wanted(), Arc::clone(&self.signal));
        self.admissions.push(Box::pin(async move { (number, admission.await) }));
    }

    /// A subscription was looked into.
    pub(in crate::live) fn admitted(&mut self, (number, outcome): Admission) {
        let Some(place) = self.pending.iter().position(|pending| pending.number == number) else {
            return; // Called off meanwhile.
        };
        let Pending { topic, id, is_over, .. } = self.pending.swap_remove(place);
        if self.pending.is_empty() {
            self.pending.shrink_to_fit();
        }
        match outcome {
            Ok(_) if is_over => self.error("not_found", "the workspace or file was deleted", Some(topic), id.as_ref()),
            Ok(admitted) => self.join(topic, admitted, id.as_ref()),
            Err(refused) => self.error(refused.code, refused.detail, Some(topic), id.as_ref()),
        }
    }

    /// Begins a subscription.
    pub(in crate::live) fn join(&mut self, topic: Topic, admitted: Admitted, to: Option<&MessageId>) {
        let Admitted { start, wanted, is_reset } = admitted;
        let (feed, epoch, head, role, events) =
            (topic.feed, start.epoch, start.head, start.follower.role, start.events);
        let subscribed = Frame::Subscribed { topic, epoch, head, role, reply: Reply { to } }.text();
        let known = self.subscriptions.iter_mut().find(|one| one.feed_id() == feed);
        let is_before = |one: &Subscription| wanted.since.is_some_and(|since| !is_reset && since.seq < one.started());
        match known {
            // Events of a feed are sent once, by however many ways they are wanted.
            Some(one) if one.sends_events() && events && is_before(one) => {
                let detail = "events of this project are sent already, from a later place: unsubscribe first";
                return self.error("already_subscribed", detail, Some(topic), to);
            }
            Some(one) => {
                self.lanes.durable(feed, subscribed, None);
                let starts = events && !one.sends_events();
                if is_reset {
                    let head = if starts { head } else { one.cursor() };
                    self.lanes.durable(feed, Frame::Reset { feed, epoch, head }.text(), None);
                }
                if starts {
                    one.start_events(start.cursor, head);
                } else {
                    one.tell_caught_up(&mut self.lanes);
                }
            }
            None => {
                let fresh = Subscription::new(start);
                self.lanes.durable(feed, subscribed, Some(fresh.place()));
                if is_reset {
                    let place = Place { feed, epoch, seq: head };
                    self.lanes.durable(feed, Frame::Reset { feed, epoch, head }.text(), Some(place));
                }
                // Most have one, and a vector would make room for four.
                self.subscriptions.reserve_exact(1);
                self.subscriptions.push(fresh);
            }
        }
        let visit = topic.room().zip(self.caller).map(|(id, caller)| {
            let viewer = (caller.account_id, self.connection_id, Arc::clone(&self.signal));
            let others = self.live.hub.others_are_there();
            let mut visit = self.live.hub.rooms().open(id, viewer, (wanted.presence, wanted.cursors), others);
            if wanted.presence {
                visit.show();
            }
            visit
        });
        let output = match feed {
            FeedId::Project(project_id) if wanted.output => {
                Some(self.live.hub.outputs().open(project_id, self.connection_id, &self.signal))
            }
            _ => None,
        };
        self.joined.reserve_exact(1);
        self.joined.push(Joined { topic, events, visit, output });
        self.feeds_ready = true;
        self.rooms_ready = true;
    }

    fn unsubscribe(&mut self, topic: Topic, to: Option<&MessageId>) {
        let before = self.pending.len();
        self.pending.retain(|pending| pending.topic != topic);
        if self.pending.len() == before {
            let Some(place) = self.joined.iter().position(|one| one.topic == topic) else {
                return self.error("not_subscribed", "there is no such subscription", Some(topic), to);
            };
            let joined = self.joined.swap_remove(place);
            self.leave(joined);
            self.review_events(topic.feed);
            if !self.subscriptions.iter().any(|one| one.feed_id() == topic.feed && one.sends_events()) {
                self.lanes.withdraw_events(topic.feed);
            }
        }
        let frame = Frame::Unsubscribed { topic, reason: "requested", reply: Reply { to } };
        if self.lanes.has_durable(topic.feed) {
            // Not before what tells that the subscription has begun.
            self.lanes.durable(topic.feed, frame.text(), None);
        } else {
            self.say(&frame);
        }
    }
}

/// Whether what somebody came with opens a feed: as for histories, a personal access token does not open the account itself.
fn may_open(caller: &Caller, feed: FeedId) -> bool {
    !matches!(feed, FeedId::Account(_)) || caller.require(Scope::Full).is_ok()
}

/// Finds out who brings a token. (Not of the socket: what it awaits must not hold on to one.)
async fn authenticate(identity: Identity, token: &str) -> Result<Caller, Close> {
    Box::pin(identity.authenticate(token, now())).await.map_err(|error| match error {
        error if error.kind() == Kind::Unauthenticated => Close::BadCredentials,
        error => {
            tracing::warn!(error = &error as &dyn std::error::Error, "a token could not be judged");
            Close::Internal
        }
    })
}
