//! What clients say of a webhook.

use std::{collections::BTreeSet, sync::LazyLock};

use workroom_domain::{
    Decide, account::Account, organization::Organization, organization_slug::OrganizationSlug, schema, text::Prose,
    webhook::EventFilter,
};

use crate::{
    application::{Error, at_pointer},
    http::problem::codes::INVALID_VALUE,
};

/// The types of events that a project's feed may have.
static EVENT_TYPES: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| {
    let others = [Account::TYPE, Organization::TYPE, OrganizationSlug::TYPE];
    let of_projects =
        schema::events().into_iter().filter(|event| event.aggregate_types.iter().any(|of| !others.contains(of)));
    of_projects.map(|event| event.event_type).collect()
});

/// Checks the event types that a webhook is to send.
pub(super) fn event_filter(names: &[String]) -> Result<EventFilter, Error> {
    let filter = EventFilter::parse(names).map_err(at_pointer("/event_types"))?;
    match names.iter().position(|name| !EVENT_TYPES.contains(name.as_str())) {
        Some(index) => {
            Err(Error::invalid(&format!("/event_types/{index}"), INVALID_VALUE, "is no type of a project's events"))
        }
        None => Ok(filter),
    }
}

/// Checks what people say about a webhook.
pub(super) fn description(text: Option<&str>) -> Result<Option<String>, Error> {
    let checked = text.map(Prose::parse).transpose().map_err(at_pointer("/description"))?;
    Ok(checked.map(|prose| prose.as_str().to_owned()))
}
