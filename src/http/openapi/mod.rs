//! The OpenAPI document: what every operation shares is said here once.
//!
//! What an operation takes and gives is read off its handler's types ([`operation`]): an argument adds its parameters and the
//! statuses that it refuses with, the reply adds its status, headers and body. A handler's own attribute says where it is and
//! what it is called; `responses((status = 403, …))` in it adds what the types cannot know.

mod beside;
pub mod events;
pub mod headers;
pub mod operation;
pub mod problems;
pub mod schemas;

use axum::{
    extract::Request,
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        OpenApi as Document, PathItem,
        path::Operation,
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use super::{
    State,
    problem::{FieldProblem, Problem, ProblemDetails, codes::UNKNOWN_FIELD},
};
use crate::application::Error;
use operation::{Documented, OperationDoc};

/// The document's head; the router adds the operations.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Workroom",
        description = "The backend of a real-time collaborative workspace: every change is an event that an auditor \
                       can replay.\n\nSign in with `POST /auth/login` and send the access token as \
                       `Authorization: Bearer`. Errors are RFC 9457 problem documents. The reply to a \
                       command on a resource carries `Workroom-Position`, the log position that it is about, and \
                       `ETag`, the resource's version. Every reply tells in `RateLimit-Policy` and `RateLimit` how the \
                       nearest quota stands; beyond it there is 429 with `Retry-After`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    servers((url = "/api/v1")),
    components(schemas(ProblemDetails, FieldProblem)),
    security(("bearer" = [])),
    modifiers(&Bearer),
    tags(
        (name = "auth", description = "Accounts, sessions, tokens: who somebody is."),
        (name = "organizations", description = "Tenants. Everybody has a personal one; others are shared."),
        (name = "projects", description = "Projects, with roles for their members."),
        (name = "members", description = "Who belongs to a project, and as what."),
        (name = "invitations", description = "Asking people to join by mail."),
        (name = "tasks", description = "What is to be done in a project."),
        (name = "comments", description = "Remarks on tasks."),
        (name = "workspaces", description = "Folders of a project that hold files."),
        (name = "files", description = "Text files, and their contents."),
        (name = "jobs", description = "Background work, such as running code in a sandbox."),
        (name = "schedules", description = "Jobs that are submitted again and again."),
        (name = "history", description = "The ordered events of a project, an organization, or an account."),
        (name = "log", description = "What proves the whole log: signed checkpoints, and the tree that they are of."),
        (name = "realtime", description = "Events as they happen, over a WebSocket."),
        (name = "webhooks", description = "What other services tell Workroom."),
        (name = "service", description = "The service itself: what it is, and how it is."),
    ),
)]
pub(super) struct Api;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut Document) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        let components = document.components.get_or_insert_with(Default::default);
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
        problems::add_to(document);
        headers::add_to(document);
        events::add_to(document);
    }
}

/// Routes a handler, with what its types say of it.
macro_rules! documented_operation {
    ($($handler:tt)+) => {
        $crate::http::openapi::documented(utoipa_axum::routes!($($handler)+), $($handler)+)
    };
}
pub(super) use documented_operation;

/// The operations, each routed and documented.
pub(super) struct Operations {
    router: OpenApiRouter<State>,
    /// Names that two components have which are not the same.
    pub(super) ambiguous: Vec<String>,
}

impl Operations {
    pub(super) fn new() -> Self {
        Self { router: OpenApiRouter::with_openapi(Api::openapi()), ambiguous: Vec::new() }
    }

    /// With another one.
    pub(super) fn routes(mut self, routes: UtoipaMethodRouter<State>) -> Self {
        let known = &self.router.get_openapi().components;
        for (index, (name, schema)) in routes.0.iter().enumerate() {
            let among = routes.0[..index].iter().find(|(other, _)| other == name).map(|(_, other)| other);
            let before = known.as_ref().and_then(|components| components.schemas.get(name));
            if before.or(among).is_some_and(|other| other != schema) {
                self.ambiguous.push(name.clone());
            }
        }
        self.router = self.router.routes(routes);
        self
    }

    /// The routes, and the document, which tells of what lies beside them, too.
    pub(super) fn split(self) -> (axum::Router<State>, Document) {
        let (router, mut document) = self.router.split_for_parts();
        beside::add_to(&mut document);
        (router, document)
    }
}

/// A routed handler with what its types say of it. One that takes no parameters in the query string refuses all.
pub(super) fn documented<Handler: Documented<Arguments>, Arguments>(
    (mut schemas, mut paths, mut router): UtoipaMethodRouter<State>,
    _: Handler,
) -> UtoipaMethodRouter<State> {
    let mut takes_query = false;
    for item in paths.paths.values_mut() {
        let is_patched = item.patch.is_some();
        for (method, operation) in operations(item) {
            let is_change = method != "get";
            let mut doc = OperationDoc {
                operation: std::mem::take(operation),
                schemas: Vec::new(),
                is_change,
                takes_query: false,
            };
            refer_to_problems(&mut doc.operation);
            // `[{}]` and `[]` say the same; not all generators of clients know.
            if doc.operation.security.iter().flatten().all(|scheme| *scheme == SecurityRequirement::default()) {
                doc.operation.security = doc.operation.security.map(|_| Vec::new());
            }
            Handler::describe(&mut doc);
            doc.refuses(&problems::ALWAYS);
            if method == "put" && is_patched {
                name_put(&mut doc.operation);
            }
            takes_query |= doc.takes_query;
            schemas.append(&mut doc.schemas);
            *operation = doc.operation;
        }
    }
    if !takes_query {
        router = router.layer(middleware::from_fn(without_query));
    }
    (schemas, paths, router)
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let PathItem { get, post, put, patch, delete, .. } = item;
    [("get", get), ("post", post), ("put", put), ("patch", patch), ("delete", delete)]
        .into_iter()
        .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// Errors that are written at the handler by their status alone.
fn refer_to_problems(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        if let Some(reference) = problems::reference(status) {
            *response = reference;
        }
    }
}

/// `PUT` does what `PATCH` does, under a name of its own.
fn name_put(operation: &mut Operation) {
    if let Some(id) = &mut operation.operation_id {
        let noun = id.trim_start_matches(|letter: char| letter.is_ascii_lowercase());
        *id = format!("put{noun}");
    }
    let summary = operation.summary.take().unwrap_or_default();
    operation.summary = Some(format!("{} (the same as PATCH).", summary.trim_end_matches('.')));
}

async fn without_query(request: Request, next: Next) -> Response {
    match request.uri().query() {
        Some(query) if !query.is_empty() => {
            let name = query.split(['=', '&']).next().unwrap_or_default();
            let detail = format!("the query string is not valid: unknown field `{name}`; there are no parameters here");
            Problem::from(Error::invalid("", UNKNOWN_FIELD, detail)).into_response()
        }
        _ => next.run(request).await,
    }
}
