//! The people, signed in, and their organization.

use futures::future::try_join_all;
use serde_json::json;
use uuid::Uuid;

use super::{
    client::{Api, BASE, Call, Reply},
    data::{ORGANIZATION, PASSWORD, PEOPLE, PersonData, Who},
};

/// The people of an organization.
pub(super) struct Team {
    /// What the addresses of this run have in common.
    suffix: String,
    /// In the order of [`PEOPLE`].
    people: Vec<Person>,
    /// The organization's id.
    pub(super) organization: String,
    /// Its short name.
    pub(super) slug: String,
}

/// Somebody who is signed in.
pub(super) struct Person {
    /// Id of the person's account, from the reply to the registration.
    pub(super) id: String,
    pub(super) email: String,
    token: String,
}

impl Team {
    /// Registers all of them, signs them in, and creates their organization.
    pub(super) async fn gather(api: &Api) -> anyhow::Result<Self> {
        // The random end of an id: no two runs have the same.
        let suffix = Uuid::now_v7().simple().to_string().split_off(24);
        let people = try_join_all(PEOPLE.iter().map(|data| welcome(api, data, &suffix))).await?;
        let (name, short_name) = ORGANIZATION;
        let slug = format!("{short_name}-{suffix}");
        let team = Self { suffix, people, organization: String::new(), slug };
        // Somebody from outside is invited to one of its projects.
        let request = json!({ "name": name, "slug": team.slug, "settings": { "allow_guests": true } });
        let call = Call::post(format!("{BASE}/organizations")).body(&request);
        let created = team.ask(api, Who::Ingrid, 201, call).await?;
        let team = Self { organization: created.text("/id")?.to_owned(), ..team };
        try_join_all(PEOPLE.iter().zip(&team.people).skip(1).map(|(data, person)| team.add(api, data, person))).await?;
        Ok(team)
    }

    /// One of them.
    pub(super) fn person(&self, who: Who) -> &Person {
        &self.people[who as usize]
    }

    /// All of them, and what there is to know about each.
    pub(super) fn everybody(&self) -> impl Iterator<Item = (&'static PersonData, &Person)> {
        PEOPLE.iter().zip(&self.people)
    }

    /// The address of somebody in this run.
    pub(super) fn address(&self, local_part: &str) -> String {
        address(local_part, &self.suffix)
    }

    /// Somebody asks; the reply must have this status.
    pub(super) async fn ask(&self, api: &Api, who: Who, status: u16, call: Call<'_>) -> anyhow::Result<Reply> {
        self.try_asking(api, who, call).await?.must_be(status)
    }

    /// Somebody asks, and is told what cannot be known before.
    pub(super) async fn try_asking(&self, api: &Api, who: Who, call: Call<'_>) -> anyhow::Result<Reply> {
        api.send(call.token(&self.person(who).token)).await
    }

    async fn add(&self, api: &Api, data: &PersonData, person: &Person) -> anyhow::Result<Reply> {
        let request = json!({ "email": person.email, "role": if data.is_admin { "admin" } else { "member" } });
        let call = Call::post(format!("{BASE}/organizations/{}/members", self.organization)).body(&request);
        self.ask(api, Who::Ingrid, 201, call).await
    }
}

fn address(local_part: &str, suffix: &str) -> String {
    format!("{local_part}.{suffix}@example.com")
}

async fn welcome(api: &Api, data: &PersonData, suffix: &str) -> anyhow::Result<Person> {
    let email = address(data.local_part, suffix);
    let account = json!({ "email": email, "password": PASSWORD, "full_name": data.full_name });
    let registered = api.expect(201, Call::post(format!("{BASE}/auth/register")).body(&account)).await?;
    let credentials = json!({ "email": email, "password": PASSWORD });
    let signed_in = api.expect(200, Call::post(format!("{BASE}/auth/login")).body(&credentials)).await?;
    let (id, token) = (registered.text("/id")?.to_owned(), signed_in.text("/access_token")?.to_owned());
    Ok(Person { id, email, token })
}
