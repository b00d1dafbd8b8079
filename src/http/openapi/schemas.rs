//! What serde does with a type and its derived schema does not say: which fields are always there, and which may be null.

use utoipa::openapi::{RefOr, Schema, Type, schema::SchemaType};

/// What a type is used for.
#[derive(Clone, Copy, Debug)]
pub enum Use<'a> {
    /// It is sent: each field is there, null where there is nothing; only what was not asked for is left out.
    Reply,
    /// It is received: what may be left out may not be null, but for what null clears.
    Request {
        /// The fields that null clears.
        clearable: &'a [&'a str],
    },
}

/// A schema that says what is sent, or taken.
pub fn as_it_is(schema: RefOr<Schema>, usage: Use<'_>) -> RefOr<Schema> {
    let RefOr::T(mut schema) = schema else { return schema };
    refine(&mut schema, usage);
    RefOr::T(schema)
}

fn refine(schema: &mut Schema, usage: Use<'_>) {
    match schema {
        Schema::Object(object) => match usage {
            Use::Reply => {
                let is_sent =
                    |(name, schema): &(&String, &RefOr<Schema>)| object.required.contains(name) || may_be_null(schema);
                object.required = object.properties.iter().filter(is_sent).map(|(name, _)| name.clone()).collect();
            }
            Use::Request { clearable } => {
                for (name, property) in &mut object.properties {
                    if !clearable.contains(&name.as_str()) {
                        forbid_null(property);
                    }
                    tell_default(property);
                }
            }
        },
        Schema::AllOf(parts) => parts.items.iter_mut().for_each(|part| refine_part(part, usage)),
        Schema::OneOf(parts) => parts.items.iter_mut().for_each(|part| refine_part(part, usage)),
        _ => {}
    }
}

fn refine_part(part: &mut RefOr<Schema>, usage: Use<'_>) {
    if let RefOr::T(schema) = part {
        refine(schema, usage);
    }
}

fn is_null(schema: &RefOr<Schema>) -> bool {
    matches!(schema, RefOr::T(Schema::Object(object)) if object.schema_type == SchemaType::Type(Type::Null))
}

fn may_be_null(schema: &RefOr<Schema>) -> bool {
    let has_null =
        |schema_type: &SchemaType| matches!(schema_type, SchemaType::Array(types) if types.contains(&Type::Null));
    match schema {
        RefOr::T(Schema::Object(object)) => has_null(&object.schema_type),
        RefOr::T(Schema::Array(array)) => has_null(&array.schema_type),
        RefOr::T(Schema::OneOf(one_of)) => one_of.items.iter().any(is_null),
        _ => false,
    }
}

fn forbid_null(property: &mut RefOr<Schema>) {
    let RefOr::T(schema) = property else { return };
    match schema {
        Schema::Object(object) => without_null(&mut object.schema_type),
        Schema::Array(array) => without_null(&mut array.schema_type),
        Schema::OneOf(one_of) => {
            one_of.items.retain(|item| !is_null(item));
            // A reference alone says the same.
            if let [only] = one_of.items.as_slice() {
                *property = only.clone();
            }
        }
        _ => {}
    }
}

/// Generators take a field with a default for one that is always there, which holds of replies alone: it is told in words.
fn tell_default(property: &mut RefOr<Schema>) {
    if let RefOr::T(Schema::Object(object)) = property
        && let Some(default) = object.default.take()
    {
        let description = object.description.take().unwrap_or_default();
        object.description = Some(format!("{description} Where it is left out: {default}."));
    }
}

fn without_null(schema_type: &mut SchemaType) {
    if let SchemaType::Array(types) = schema_type {
        types.retain(|one| *one != Type::Null);
        if let [only] = types.as_slice() {
            *schema_type = SchemaType::Type(only.clone());
        }
    }
}
