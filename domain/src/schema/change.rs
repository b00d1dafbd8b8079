//! Schemas of what changed. Derived they would have a name for each way to write the type; here they have one of their own:
//! `NameChange`, `OptionalTimestampChange`.

use std::borrow::Cow;

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, OneOfBuilder, Ref, RefOr, Schema, Type, schema::RefBuilder},
};

use super::Components;
use crate::{
    change::Change,
    organization::{OrganizationSettings, Slug},
    project::{EditPolicy, Priority, ProjectStatus, Schedule},
    schedule::{JobTemplate, MissedRuns, TimeZoneName, Timing},
    task::{TaskStatus, TaskType},
    text::{Name, Prose},
    workspace::FilePath,
};

/// A type whose values change.
pub trait Changing {
    /// What its changes are named after.
    fn name() -> Cow<'static, str>;
    /// The schema of a value.
    fn value() -> RefOr<Schema>;
    /// Adds the components that the schema refers to.
    fn components(found: &mut Components);
}

impl<T: ToSchema> Changing for Option<T> {
    fn name() -> Cow<'static, str> {
        format!("Optional{}", T::name()).into()
    }

    fn value() -> RefOr<Schema> {
        let nothing = ObjectBuilder::new().schema_type(Type::Null);
        OneOfBuilder::new().item(nothing).item(Ref::from_schema_name(T::name())).into()
    }

    fn components(found: &mut Components) {
        add::<T>(found);
    }
}

impl Changing for bool {
    fn name() -> Cow<'static, str> {
        "Boolean".into()
    }

    fn value() -> RefOr<Schema> {
        bool::schema()
    }

    fn components(_: &mut Components) {}
}

macro_rules! changing {
    ($($name:ty),+ $(,)?) => {$(
        impl Changing for $name {
            fn name() -> Cow<'static, str> {
                <$name as ToSchema>::name()
            }

            fn value() -> RefOr<Schema> {
                Ref::from_schema_name(<$name as ToSchema>::name()).into()
            }

            fn components(found: &mut Components) {
                add::<$name>(found);
            }
        }
    )+};
}
changing!(
    EditPolicy,
    FilePath,
    JobTemplate,
    MissedRuns,
    Name,
    OrganizationSettings,
    Priority,
    ProjectStatus,
    Prose,
    Schedule,
    Slug,
    TaskStatus,
    TaskType,
    TimeZoneName,
    Timing,
);

impl<T: Changing> PartialSchema for Change<T> {
    fn schema() -> RefOr<Schema> {
        let change = ObjectBuilder::new().description(Some("What changed, from and to."));
        let change = change.property("from", T::value()).required("from");
        change.property("to", T::value()).required("to").into()
    }
}

impl<T: Changing> ToSchema for Change<T> {
    fn name() -> Cow<'static, str> {
        format!("{}Change", T::name()).into()
    }

    fn schemas(found: &mut Components) {
        T::components(found);
    }
}

/// Adds the component of a type, and those that it refers to.
pub(crate) fn add<T: ToSchema>(found: &mut Components) {
    found.push((T::name().into_owned(), T::schema()));
    T::schemas(found);
}

/// The schema of changed fields: none is required, and none is null.
pub(crate) struct ChangesSchema(ObjectBuilder);

impl ChangesSchema {
    pub(crate) fn new(description: &str) -> Self {
        Self(ObjectBuilder::new().description(Some(description.trim())))
    }

    /// Adds a field by the type of its value.
    pub(crate) fn field<T: Changing>(self, name: &str, description: &str) -> Self {
        let change = RefBuilder::new()
            .ref_location_from_schema_name(Change::<T>::name())
            .description(Some(description.trim()))
            .build();
        Self(self.0.property(name, change))
    }

    pub(crate) fn build(self) -> RefOr<Schema> {
        self.0.into()
    }
}
