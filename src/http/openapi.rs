//! The OpenAPI document: what every operation shares is said here once.

use utoipa::{
    Modify, OpenApi,
    openapi::{
        ContentBuilder, OpenApi as Document, Ref, RefOr, Response, ResponseBuilder,
        path::Operation,
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use super::problem::{FieldProblem, ProblemDetails};

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
)]
pub(super) struct Api;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut Document) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        let components = document.components.get_or_insert_with(Default::default);
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

fn problem(description: &str) -> RefOr<Response> {
    let schema = Ref::from_schema_name("ProblemDetails");
    let content = ContentBuilder::new().schema(Some(schema)).build();
    RefOr::T(ResponseBuilder::new().description(description).content("application/problem+json", content).build())
}

fn add(operation: &mut Operation, status: &str, description: &str) {
    operation.responses.responses.entry(status.to_owned()).or_insert_with(|| problem(description));
}

/// Adds the errors that every operation of a kind can answer with.
pub(super) fn describe_errors(document: &mut Document) {
    for (path, item) in &mut document.paths.paths {
        let names_a_thing = path.contains('{');
        let methods = [
            (&mut item.get, false),
            (&mut item.post, true),
            (&mut item.put, true),
            (&mut item.patch, true),
            (&mut item.delete, true),
        ];
        for (operation, changes) in methods {
            let Some(operation) = operation else { continue };
            // Handlers are called by their verb alone; in the document their names must be unique.
            if let (Some(tag), Some(id)) = (operation.tags.iter().flatten().next(), &operation.operation_id) {
                operation.operation_id = Some(format!("{tag}_{id}"));
            }
            let asks_for_a_project =
                operation.parameters.iter().flatten().any(|p| matches!(p, RefOr::T(p) if p.name == "project_id"));
            let is_public = operation
                .security
                .as_ref()
                .is_some_and(|schemes| schemes.iter().all(|s| *s == SecurityRequirement::default()));
            add(operation, "400", "Malformed");
            if !is_public {
                add(operation, "401", "Not signed in");
                add(operation, "403", "A member without the right");
            }
            if names_a_thing || changes || asks_for_a_project {
                add(operation, "404", "Absent, or hidden from the caller");
            }
            if changes {
                add(operation, "409", "Conflict with the current state");
                add(operation, "412", "`If-Match` is stale");
            }
            if operation.request_body.is_some() {
                add(operation, "413", "The body is too large");
                add(operation, "415", "The body is not JSON");
            }
            add(operation, "422", "Well-formed but invalid");
            add(operation, "408", "Took too long");
            add(operation, "500", "Internal error");
            add(operation, "429", "Too many requests; see `Retry-After`, `RateLimit` and `RateLimit-Policy`");
            add(operation, "503", "Temporarily unavailable; see `Retry-After`");
        }
    }
}
