//! Events: one component a type, told apart by `event_type`. What each says is the domain's to know (`workroom_domain::schema`).

use std::{borrow::Cow, collections::BTreeMap};

use time::OffsetDateTime;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{AllOf, AllOfBuilder, Discriminator, ObjectBuilder, OneOfBuilder, OpenApi, Ref, RefOr, Schema, Type},
};
use uuid::Uuid;
use workroom_domain::{
    Decide,
    account::Account,
    organization::Organization,
    organization_slug::OrganizationSlug,
    schema::{self, EventSchema},
};

use super::operation::text;
use crate::http::history::{ActorStatus, SEEN_BY_VISITORS};

/// Aggregates whose events belong to no project's feed, so that visitors never meet them.
const OF_OTHER_FEEDS: [&str; 3] = [Account::TYPE, Organization::TYPE, OrganizationSlug::TYPE];

/// The component that stands for the data of an event whose reader may not see it.
const WITHHELD: &str = "WithheldData";

/// An event of any type.
pub struct Event;

impl PartialSchema for Event {
    fn schema() -> RefOr<Schema> {
        let event_types = schema::events().into_iter().map(|event| event.event_type);
        let mut mapping = BTreeMap::new();
        let mut any = OneOfBuilder::new();
        for event_type in event_types {
            let component = Ref::from_schema_name(event_component(event_type));
            mapping.insert(event_type, component.ref_location.clone());
            any = any.item(component);
        }
        any.discriminator(Some(Discriminator::with_mapping("event_type", mapping)))
            .description(Some("An event of a feed; `event_type` says which."))
            .into()
    }
}

impl ToSchema for Event {
    fn name() -> Cow<'static, str> {
        "Event".into()
    }
}

/// What events of all types have.
#[derive(ToSchema)]
#[expect(dead_code, reason = "its schema is used")]
struct EventFields {
    /// Its place in the whole log.
    #[schema(minimum = 1)]
    position: i64,
    /// Its place in the feed: 1, 2, 3, … without a hole.
    #[schema(minimum = 1)]
    seq: i64,
    /// The id of the event, the same in every copy of the log.
    event_id: Uuid,
    /// The feed it belongs to: the id of a project, an organization or an account.
    feed_id: Uuid,
    /// Version of the stored form.
    event_version: String,
    /// The id of what it happened to: a project, a task, a file, …
    aggregate_id: Uuid,
    /// Its place in that thing's own stream.
    #[schema(minimum = 1)]
    sequence: i64,
    /// When the command behind it was decided.
    occurred_at: OffsetDateTime,
    /// When the log recorded it.
    recorded_at: OffsetDateTime,
    /// Who caused it: an account's id, or `system:<part>`.
    actor: String,
    /// Their full name, or their user name, when the event is read; null for the service, for an account that was erased, and
    /// for a visitor of a public project. What webhooks and exports carry has no names.
    #[schema(required)]
    actor_name: Option<String>,
    /// What has become of them; null for a visitor of a public project.
    #[schema(required)]
    actor_status: Option<ActorStatus>,
    /// Present, and true, where the event was redacted: `data` is what is left of it. A `PayloadRedacted` event behind it says who
    /// did that, and why.
    #[schema(required = false)]
    redacted: bool,
    /// The id of the request that everything downstream of it shares.
    #[schema(required)]
    correlation_id: Option<String>,
}

/// Adds the components.
pub fn add_to(document: &mut OpenApi) {
    let schemas = &mut document.components.get_or_insert_default().schemas;
    schemas.insert(Event::name().into_owned(), Event::schema());
    schemas.insert(WITHHELD.to_owned(), withheld());
    schemas.insert(ActorStatus::name().into_owned(), ActorStatus::schema());
    let components = schema::components();
    for event in schema::events() {
        schemas.insert(event_component(event.event_type), one_event(&event));
        schemas.insert(data_component(event.event_type), data(&event, &components));
    }
    schemas.extend(components);
}

fn event_component(event_type: &str) -> String {
    format!("{event_type}Event")
}

fn data_component(event_type: &str) -> String {
    format!("{event_type}Data")
}

/// An event of one type, with all its fields.
fn one_event(event: &EventSchema) -> RefOr<Schema> {
    let mut object = match EventFields::schema() {
        RefOr::T(Schema::Object(fields)) => ObjectBuilder::from(fields),
        _ => ObjectBuilder::new(),
    };
    let data: RefOr<Schema> = Ref::from_schema_name(data_component(event.event_type)).into();
    let data = if event.aggregate_types.iter().any(|aggregate_type| may_be_withheld(aggregate_type)) {
        OneOfBuilder::new().item(data).item(Ref::from_schema_name(WITHHELD)).into()
    } else {
        data
    };
    let own = [
        ("event_type", one_of(&[event.event_type], "The type of the event: it says which fields `data` has.")),
        ("aggregate_type", one_of(&event.aggregate_types, "What kind of thing it happened to.")),
        ("data", data),
    ];
    for (name, schema) in own {
        object = object.property(name, schema).required(name);
    }
    object.description(Some(event.description.as_str())).into()
}

/// The data of an event. Where a part of it is one of several forms, the whole is: `oneOf` outside, since generators of clients
/// cannot put a choice together with more fields.
fn data(event: &EventSchema, components: &[(String, RefOr<Schema>)]) -> RefOr<Schema> {
    let RefOr::T(Schema::AllOf(all_of)) = &event.schema else { return event.schema.clone() };
    let choice = |part: &RefOr<Schema>| {
        let RefOr::Ref(reference) = part else { return None };
        let name = reference.ref_location.rsplit('/').next()?;
        match components.iter().find(|(known, _)| known == name) {
            Some((_, RefOr::T(Schema::OneOf(one_of)))) => Some(one_of.items.clone()),
            _ => None,
        }
    };
    let Some((at, forms)) = all_of.items.iter().enumerate().find_map(|(at, part)| Some((at, choice(part)?))) else {
        return event.schema.clone();
    };
    let whole = |form: RefOr<Schema>| {
        let parts = all_of.items.iter().enumerate();
        let parts = parts.map(|(index, part)| if index == at { form.clone() } else { part.clone() });
        parts.fold(AllOfBuilder::new(), AllOfBuilder::item).build()
    };
    let forms: Vec<AllOf> = forms.into_iter().map(whole).collect();
    match <[AllOf; 1]>::try_from(forms) {
        Ok([mut only]) => {
            only.description.clone_from(&all_of.description);
            RefOr::T(Schema::AllOf(only))
        }
        Err(forms) => {
            let any = forms.into_iter().map(Schema::AllOf).fold(OneOfBuilder::new(), OneOfBuilder::item);
            any.description(all_of.description.clone()).into()
        }
    }
}

fn may_be_withheld(aggregate_type: &str) -> bool {
    !SEEN_BY_VISITORS.contains(&aggregate_type) && !OF_OTHER_FEEDS.contains(&aggregate_type)
}

fn one_of(values: &[&'static str], description: &str) -> RefOr<Schema> {
    text().enum_values(Some(values.iter().copied())).description(Some(description)).into()
}

fn withheld() -> RefOr<Schema> {
    let always = ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([true]));
    let withheld = ObjectBuilder::new()
        .property("withheld", always)
        .required("withheld")
        .description(Some("What stands for the data of an event that a visitor of a public project may not see."));
    withheld.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::router::document;

    #[test]
    fn no_other_component_has_the_name_of_an_events() {
        let document = document();
        let found = &document.components.as_ref().unwrap().schemas;
        let components = schema::components();
        for (name, schema) in components.clone() {
            assert!(found[&name] == schema, "{name} is also something else");
        }
        for event in schema::events() {
            assert!(found[&data_component(event.event_type)] == data(&event, &components), "{}", event.event_type);
            assert!(found[&event_component(event.event_type)] == one_event(&event), "{}", event.event_type);
        }
        assert!(found["Event"] == Event::schema());
    }

    #[test]
    fn data_may_be_withheld_where_visitors_meet_it_and_may_not_see_it() {
        let events = schema::events();
        // The first of an event of several: it is of the aggregate whose other events stand around it.
        let all = events.iter().filter_map(|event| event.aggregate_types.first().copied());
        let mut aggregate_types: Vec<_> = all.filter(|aggregate_type| may_be_withheld(aggregate_type)).collect();
        aggregate_types.dedup();
        let expected = [
            "membership",
            "job",
            "job_key",
            "job_rule",
            "schedule",
            "organization_projects",
            "workspace",
            "file",
            "invitation",
            "webhook",
            "audit_trail",
        ];
        assert_eq!(aggregate_types, expected);
    }
}
