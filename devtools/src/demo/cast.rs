//! The people, and what they share.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    client::{Api, Call, Reply},
    event::Names,
    narrator::Narrator,
    socket::{Credential, Socket},
    subscriber::Subscriber,
};

/// What every act needs.
pub(super) struct Stage {
    pub(super) api: Api,
    pub(super) narrator: Narrator,
    /// Who is who.
    pub(super) names: Names,
    /// Sockets opened so far.
    pub(super) sockets: u32,
    /// Refusals that came as they should.
    pub(super) refusals: u32,
}

/// Somebody who is signed in.
pub(super) struct Person {
    /// What to call them.
    pub(super) name: &'static str,
    pub(super) email: String,
    /// Id of the person's account, from the reply to the registration.
    pub(super) id: String,
    token: String,
}

impl Stage {
    /// An empty stage.
    pub(super) fn new(api: Api) -> Self {
        Self { api, narrator: Narrator::new(), names: Names::default(), sockets: 0, refusals: 0 }
    }

    /// Somebody asks, is told, and it is as expected.
    pub(super) async fn ask(&mut self, who: &Person, status: u16, note: &str, call: Call<'_>) -> anyhow::Result<Reply> {
        let reply = self.api.expect(status, call.token(&who.token)).await?;
        self.refusals += u32::from(status >= 400);
        self.narrator.rest(who.name, &reply, note);
        Ok(reply)
    }

    /// Somebody asks, and is told what cannot be known before.
    pub(super) async fn try_asking(&self, who: &Person, call: Call<'_>) -> anyhow::Result<Reply> {
        self.api.send(call.token(&who.token)).await
    }

    /// Somebody new registers and signs in. The address is a fresh one, so that the demo can be played again.
    pub(super) async fn welcome(&mut self, name: &'static str, full_name: &str) -> anyhow::Result<Person> {
        let email = format!("{}.{}@example.com", name.to_lowercase(), Uuid::now_v7().simple());
        let password = format!("{full_name} {}", Uuid::now_v7());
        let account = json!({ "email": email, "password": password, "full_name": full_name });
        let registered = self.api.expect(201, Call::post("/api/v1/auth/register").body(&account)).await?;
        let id = registered.text("/id")?.to_owned();
        self.narrator.rest(name, &registered, &format!("{full_name} registers"));
        let credentials = json!({ "email": email, "password": password });
        let signed_in = self.api.expect(200, Call::post("/api/v1/auth/login").body(&credentials)).await?;
        signed_in.must_say("/user/id", &Value::from(id.as_str()))?;
        let token = signed_in.text("/access_token")?.to_owned();
        self.narrator.rest(name, &signed_in, &format!("signs in, for {} s", signed_in.body["expires_in"]));
        self.names.add(&id, name);
        Ok(Person { name, email, id, token })
    }

    /// Opens a socket with the `Authorization` header.
    pub(super) async fn connect(&mut self, who: &Person) -> anyhow::Result<Socket> {
        let socket = Socket::open(&self.api, who, Credential::Header(&who.token)).await?;
        self.opened(who, &socket, "signed in by the Authorization header");
        Ok(socket)
    }

    /// Opens a socket with a ticket, as browsers must.
    pub(super) async fn connect_by_ticket(&mut self, who: &Person) -> anyhow::Result<Socket> {
        let note = "a ticket, for the WebSocket";
        let reply = self.ask(who, 201, note, Call::post("/api/v1/realtime/tickets")).await?;
        let socket = Socket::open(&self.api, who, Credential::Ticket(reply.text("/ticket")?)).await?;
        self.opened(who, &socket, "signed in by a ticket, as a browser is");
        Ok(socket)
    }

    fn opened(&mut self, who: &Person, socket: &Socket, how: &str) {
        self.sockets += 1;
        self.narrator.live(who.name, "welcome", &format!("{how}; ping interval {} s", socket.ping_interval()));
    }

    /// Lets a subscriber see everything up to a position of the log.
    pub(super) async fn see(&mut self, subscriber: &mut Subscriber, position: i64) -> anyhow::Result<()> {
        let who = subscriber.who();
        while subscriber.position() < position {
            let event = subscriber.next_event(&format!("the event at position {position}")).await?;
            self.narrator.event(who, event, &self.names);
        }
        Ok(())
    }

    /// Lets each of some subscribers see everything up to a position of the log.
    pub(super) async fn all_see(&mut self, subscribers: [&mut Subscriber; 2], position: i64) -> anyhow::Result<()> {
        for subscriber in subscribers {
            self.see(subscriber, position).await?;
        }
        Ok(())
    }
}
