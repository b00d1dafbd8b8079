//! What a handler takes and gives, read off its types: parameters, bodies, headers and statuses stand in the document because
//! the handler's arguments and its reply say so, and nowhere else.

use utoipa::{
    ToSchema,
    openapi::{
        Content, Object, ObjectBuilder, Ref, RefOr, ResponseBuilder, Schema, SchemaFormat, Type,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn},
        request_body::RequestBodyBuilder,
        schema::SchemaType,
    },
};

use super::{
    headers, problems,
    schemas::{self, Use},
};

/// What the document says of an operation.
pub struct OperationDoc {
    /// As it stands in the document.
    pub operation: Operation,
    /// The components that it refers to.
    pub schemas: Vec<(String, RefOr<Schema>)>,
    /// Whether it may change something.
    pub is_change: bool,
    /// Whether it takes parameters in the query string.
    pub takes_query: bool,
}

/// An argument of a handler.
pub trait Input {
    /// Says what it takes of a request, and with which statuses it refuses one.
    fn describe(doc: &mut OperationDoc);
}

/// What a handler gives.
pub trait Output {
    /// Says with which status, headers and body it answers.
    fn describe(doc: &mut OperationDoc);
}

/// A handler, by its arguments.
pub trait Documented<Arguments> {
    /// Says what its arguments and its reply say.
    fn describe(doc: &mut OperationDoc);
}

macro_rules! documented {
    ($($argument:ident),*) => {
        impl<Handler, Reply, Given, Refusal, $($argument),*> Documented<($($argument,)*)> for Handler
        where
            Handler: Fn($($argument),*) -> Reply,
            Reply: Future<Output = Result<Given, Refusal>>,
            Given: Output,
            $($argument: Input,)*
        {
            fn describe(doc: &mut OperationDoc) {
                $($argument::describe(doc);)*
                Given::describe(doc);
            }
        }
    };
}
documented!(A);
documented!(A, B);
documented!(A, B, C);
documented!(A, B, C, D);
documented!(A, B, C, D, E);
documented!(A, B, C, D, E, F);
documented!(A, B, C, D, E, F, G);

impl<S> Input for axum::extract::State<S> {
    fn describe(_: &mut OperationDoc) {}
}

impl Input for axum::http::HeaderMap {
    fn describe(_: &mut OperationDoc) {}
}

/// `HEAD` is answered by what answers `GET`.
impl Input for axum::http::Method {
    fn describe(_: &mut OperationDoc) {}
}

/// Bytes as they come; what they must be is written at the handler.
impl Input for bytes::Bytes {
    fn describe(doc: &mut OperationDoc) {
        doc.refuses(&["413"]);
    }
}

/// A body of its own kind, or a reply without one.
impl<A: Output, B> Output for Result<A, B> {
    fn describe(doc: &mut OperationDoc) {
        A::describe(doc);
    }
}

/// A text that is a header's value, or a parameter's.
pub fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// A whole number.
pub fn integer() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer).format(Some(SchemaFormat::Custom("int64".to_owned())))
}

impl OperationDoc {
    /// Adds a parameter in the path.
    pub fn path_parameter(&mut self, name: &str, description: &str, schema: impl Into<RefOr<Schema>>) {
        self.parameter(name, ParameterIn::Path, description, schema);
    }

    /// Adds a parameter in a header.
    pub fn header_parameter(&mut self, name: &str, description: &str, schema: impl Into<RefOr<Schema>>) {
        self.parameter(name, ParameterIn::Header, description, schema);
    }

    fn parameter(&mut self, name: &str, place: ParameterIn, description: &str, schema: impl Into<RefOr<Schema>>) {
        let required =
            if place == ParameterIn::Path { utoipa::openapi::Required::True } else { utoipa::openapi::Required::False };
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(place)
            .required(required)
            .description(Some(description))
            .schema(Some(schema))
            .build();
        self.parameters(vec![parameter]);
    }

    /// Whether it takes this parameter in a header.
    pub fn takes_header(&self, name: &str) -> bool {
        let parameters = self.operation.parameters.iter().flatten();
        parameters.into_iter().any(|parameter| matches!(parameter, RefOr::T(parameter) if parameter.name == name))
    }

    pub fn parameters(&mut self, parameters: Vec<Parameter>) {
        let all = self.operation.parameters.get_or_insert_default();
        all.extend(parameters.into_iter().map(RefOr::T));
    }

    /// Adds a body in JSON that must be there.
    pub fn takes_json<T: ToSchema>(&mut self, clearable: &[&str]) {
        let schema = self.component::<T>(Use::Request { clearable });
        self.takes("application/json", schema);
    }

    /// Adds a body that must be there.
    pub fn takes(&mut self, media_type: &str, schema: impl Into<RefOr<Schema>>) {
        let body = RequestBodyBuilder::new()
            .content(media_type, Content::new(Some(schema)))
            .required(Some(utoipa::openapi::Required::True))
            .build();
        self.operation.request_body = Some(RefOr::T(body));
    }

    /// The body may be left out.
    pub fn body_is_optional(&mut self) {
        if let Some(RefOr::T(body)) = &mut self.operation.request_body {
            body.required = Some(utoipa::openapi::Required::False);
        }
    }

    /// Adds the component of a type, and those that it refers to; returns a reference.
    pub fn component<T: ToSchema>(&mut self, usage: Use<'_>) -> RefOr<Schema> {
        let name = T::name().into_owned();
        let mut found = vec![(name.clone(), T::schema())];
        T::schemas(&mut found);
        for (name, schema) in found {
            self.add_schema(name, schemas::as_it_is(schema, usage));
        }
        Ref::from_schema_name(name).into()
    }

    /// Adds a component.
    pub fn add_schema(&mut self, name: String, schema: RefOr<Schema>) {
        self.schemas.push((name, schema));
    }

    /// Adds a reply that is no error.
    pub fn gives(&mut self, status: &str, description: &str, body: Option<(&str, RefOr<Schema>)>) {
        let written = match self.operation.responses.responses.remove(status) {
            // What is written at the handler says more.
            Some(RefOr::T(response)) if !response.description.is_empty() => response.description,
            _ => description.to_owned(),
        };
        let mut response = ResponseBuilder::new().description(written);
        if let Some((media_type, schema)) = body {
            response = response.content(media_type, Content::new(Some(schema)));
        }
        self.operation.responses.responses.insert(status.to_owned(), RefOr::T(response.build()));
        self.tells(status, &headers::ALWAYS);
    }

    /// Adds another form of what it gives with a status.
    pub fn also_gives(&mut self, status: &str, media_type: &str, schema: impl Into<RefOr<Schema>>) {
        if let Some(RefOr::T(response)) = self.operation.responses.responses.get_mut(status) {
            response.content.insert(media_type.to_owned(), RefOr::T(Content::new(Some(schema.into()))));
        }
    }

    /// Adds headers to what it gives with a status.
    pub fn tells(&mut self, status: &str, names: &[&str]) {
        if let Some(RefOr::T(response)) = self.operation.responses.responses.get_mut(status) {
            for name in names {
                response.headers.insert((*name).to_owned(), headers::reference(name));
            }
        }
    }

    /// Adds refusals by their statuses.
    pub fn refuses(&mut self, statuses: &[&str]) {
        for status in statuses {
            if let Some(reference) = problems::reference(status) {
                self.operation.responses.responses.insert((*status).to_owned(), reference);
            }
        }
    }
}

/// The schema of an id.
pub fn id() -> Object {
    text().format(Some(SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::Uuid))).build()
}

/// A list of a type's references, and where it goes on.
pub fn list_of<T: ToSchema>(doc: &mut OperationDoc) -> RefOr<Schema> {
    let item = doc.component::<T>(Use::Reply);
    let name = format!("{}List", T::name());
    let next = text().schema_type(SchemaType::from_iter([Type::String, Type::Null]));
    let list = ObjectBuilder::new()
        .description(Some("A part of a list."))
        .property("items", utoipa::openapi::schema::ArrayBuilder::new().items(item).description(Some("The items.")))
        .required("items")
        .property("next_cursor", next.description(Some("Where to go on: pass it as `cursor`; null at the end.")))
        .required("next_cursor");
    doc.add_schema(name.clone(), list.into());
    Ref::from_schema_name(name).into()
}
