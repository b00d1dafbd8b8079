//! One variant of an event: its own fields, and what is flattened into them.

use std::collections::BTreeMap;

use utoipa::openapi::{
    AllOfBuilder, Object, ObjectBuilder, OneOfBuilder, Ref, RefOr, Schema, Type, schema::SchemaType,
};

/// The schema of a variant.
pub(super) struct Variant {
    description: Option<String>,
    flattened: Vec<RefOr<Schema>>,
    own: Object,
}

/// The variants of an event that is tagged by `type`, each by its tag.
pub(super) fn of(event: RefOr<Schema>) -> BTreeMap<String, Variant> {
    let variants = match event {
        RefOr::T(Schema::OneOf(one_of)) => one_of.items,
        other => vec![other],
    };
    let variants = variants.into_iter().map(Variant::new);
    variants.filter_map(|variant| Some((variant.tag()?.to_owned(), variant))).collect()
}

impl Variant {
    /// A variant with flattened fields is derived as `allOf` them, its other fields and its tag.
    fn new(schema: RefOr<Schema>) -> Self {
        let (description, parts) = match schema {
            RefOr::T(Schema::AllOf(all_of)) => (all_of.description, all_of.items),
            other => (None, vec![other]),
        };
        let own = ObjectBuilder::new().schema_type(SchemaType::Type(Type::Object)).build();
        let mut variant = Self { description, flattened: Vec::new(), own };
        for part in parts {
            match part {
                RefOr::T(Schema::Object(object)) => {
                    variant.description = variant.description.or(object.description);
                    variant.own.properties.extend(object.properties);
                    variant.own.required.extend(object.required);
                }
                other => variant.flattened.push(other),
            }
        }
        variant
    }

    fn tag(&self) -> Option<&str> {
        match self.own.properties.get("type")? {
            RefOr::T(Schema::Object(tag)) => tag.enum_values.as_ref()?.first()?.as_str(),
            _ => None,
        }
    }

    /// Some stored events lack a field that today's have.
    pub(super) fn may_lack(&mut self, field: &str) {
        self.own.required.retain(|required| required != field);
    }

    /// Some stored events have another form instead of what is flattened into today's.
    pub(super) fn may_be(&mut self, component: &str) {
        let today = std::mem::take(&mut self.flattened).into_iter();
        let forms = today.fold(OneOfBuilder::new(), OneOfBuilder::item).item(Ref::from_schema_name(component));
        self.flattened.push(forms.into());
    }

    /// What happened, and the schema of what is stored.
    pub(super) fn finish(self) -> (String, RefOr<Schema>) {
        let Self { description, flattened, mut own } = self;
        let schema = if flattened.is_empty() {
            own.description.clone_from(&description);
            own.into()
        } else {
            let all_of = flattened.into_iter().fold(AllOfBuilder::new(), AllOfBuilder::item);
            all_of.item(own).description(description.clone()).build().into()
        };
        (description.unwrap_or_default(), RefOr::T(schema))
    }
}
