//! What a client asks for, and what it is told.

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use workroom_domain::ids::{AccountId, ProjectId};
use workroom_domain::refusal::Kind;

use crate::{
    clock::now,
    identity::{Caller, Identity},
    live::{
        feed::frames::Frame,
        socket::{
            Admission, Socket,
            close::Close,
            messages::{ClientMessage, ParseError, Subscribe, read},
            subscribe::admit,
            subscription::Subscription,
        },
    },
};

impl Socket {
    /// Does what a message asks for.
    pub(in crate::live) async fn dispatch(&mut self, text: &str) -> Result<(), Close> {
        let message = match read(text) {
            Ok(message) => message,
            Err(ParseError::Bad { detail }) => return self.reject(&detail),
            Err(ParseError::Unsupported { project_id }) => {
                self.error("unsupported", "not part of this version yet", project_id);
                return Ok(());
            }
        };
        match (message, self.caller) {
            (ClientMessage::Ping {}, _) => self.say(&Frame::Pong {}),
            (ClientMessage::Hello { token: Some(token) }, None) => {
                let caller = authenticate(self.live.identity.clone(), &token).await?;
                self.welcome(caller)?;
            }
            (ClientMessage::Hello { token: None }, None) => return Err(Close::BadCredentials),
            // Signed in by header or ticket already: courtesy.
            (ClientMessage::Hello { token: None }, Some(_)) => {}
            (ClientMessage::Hello { token: Some(token) } | ClientMessage::Refresh { token }, Some(caller)) => {
                self.refresh(caller, &token).await?;
            }
            (ClientMessage::Subscribe(request), Some(caller)) => self.subscribe(caller.account_id, request),
            (ClientMessage::Unsubscribe { project_id }, Some(_)) => self.unsubscribe(project_id),
            (ClientMessage::Refresh { .. }, None) => self.error("unauthenticated", "send hello first", None),
            (
                ClientMessage::Subscribe(Subscribe { project_id, .. }) | ClientMessage::Unsubscribe { project_id },
                None,
            ) => {
                self.error("unauthenticated", "send hello first", Some(project_id));
            }
        }
        Ok(())
    }

    /// Puts a frame into the control lane.
    pub(in crate::live) fn say(&mut self, frame: &Frame<'_>) {
        self.outbox.control(Message::Text(frame.text()));
    }

    /// Says what was not done.
    pub(in crate::live) fn error(&mut self, code: &str, detail: &str, reference: Option<ProjectId>) {
        self.say(&Frame::Error { code, detail, reference });
    }

    /// Says that a message was not understood.
    ///
    /// # Errors
    /// [`Close::TooManyMessages`], when it is one too many.
    pub(in crate::live) fn reject(&mut self, detail: &str) -> Result<(), Close> {
        if !self.errors.take(Instant::now()) {
            return Err(Close::TooManyMessages);
        }
        self.error("bad_request", detail, None);
        Ok(())
    }

    /// Greets somebody who has signed in.
    ///
    /// # Errors
    /// The account has too many sockets.
    pub(in crate::live) fn welcome(&mut self, caller: Caller) -> Result<(), Close> {
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
        Ok(())
    }

    fn subscribe(&mut self, account_id: AccountId, request: Subscribe) {
        let project_id = request.project_id;
        let is_known = self.subscriptions.iter().any(|one| one.project_id() == project_id)
            || self.pending.iter().any(|(of, _)| *of == project_id);
        if is_known {
            return self.error("already_subscribed", "unsubscribe first", Some(project_id));
        }
        // Counted with those that were called off, so that nobody keeps the database busy by changing their mind.
        if self.subscriptions.len() + self.admissions.len() >= self.live.limits.subscriptions {
            return self.error("too_many_subscriptions", "unsubscribe from another project first", Some(project_id));
        }
        let number = self.next_admission;
        self.next_admission += 1;
        self.pending.push((project_id, number));
        let admission = admit(self.live.clone(), account_id, request, self.wake.clone());
        self.admissions.push(Box::pin(async move { (project_id, number, admission.await) }));
    }

    /// A subscription was looked into.
    pub(in crate::live) fn admitted(&mut self, (project_id, number, outcome): Admission) {
        let before = self.pending.len();
        self.pending.retain(|one| *one != (project_id, number));
        if self.pending.len() == before {
            return; // Called off meanwhile.
        }
        let admitted = match outcome {
            Ok(admitted) => admitted,
            Err(refused) => return self.error(refused.code, refused.detail, Some(project_id)),
        };
        let (epoch, head) = (admitted.epoch, admitted.start.head);
        self.outbox.durable(project_id, Frame::Subscribed { project_id, epoch, head }.text());
        if admitted.is_reset {
            self.outbox.durable(project_id, Frame::Reset { project_id, epoch, head }.text());
        }
        self.subscriptions.push(Subscription::new(admitted.start));
    }

    fn unsubscribe(&mut self, project_id: ProjectId) {
        let before = self.pending.len();
        self.pending.retain(|(of, _)| *of != project_id);
        if self.pending.len() < before {
            self.say(&Frame::Unsubscribed { project_id, reason: "requested" });
        } else if !self.drop_subscription(project_id, "requested") {
            self.error("not_subscribed", "there is no such subscription", Some(project_id));
        }
    }
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
