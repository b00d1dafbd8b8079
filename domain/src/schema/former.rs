//! Forms of events that nothing writes any more, but that old logs hold.

use utoipa::{
    PartialSchema,
    openapi::{ObjectBuilder, Ref, RefOr, Schema, Type},
};

use super::{Components, change::Changing};
use crate::ids::ProjectId;

/// The name of what version 1 of `JobRequested` told.
pub(super) const JOB_REQUEST: &str = "JobRequestVersion1";

/// Adds the components of former forms. Today's forms refer to the same components as they do.
pub(super) fn add_components(found: &mut Components) {
    found.push((JOB_REQUEST.to_owned(), job_request()));
}

fn job_request() -> RefOr<Schema> {
    let job_type = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["code_execution"]));
    let form = ObjectBuilder::new().description(Some("What version 1 of the event told, with the program in it."));
    let form = form.property("project_id", <Option<ProjectId> as Changing>::value()).required("project_id");
    let form = form.property("submitted_by", Ref::from_schema_name("AccountId")).required("submitted_by");
    let form = form.property("job_type", job_type).required("job_type");
    let form = form.property("language", Ref::from_schema_name("EventLanguage")).required("language");
    let form = form.property("code", Ref::from_schema_name("ProgramText")).required("code");
    let form = form.property("stdin", Ref::from_schema_name("ProgramText"));
    let form = form.property("timeout_seconds", Ref::from_schema_name("TimeoutSeconds")).required("timeout_seconds");
    form.property("max_attempts", u32::schema()).required("max_attempts").into()
}
