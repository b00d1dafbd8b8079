//! What is not reached by the API's router, or not below its address: the WebSocket, probes, keys, the log tree.

use utoipa::{
    OpenApi,
    openapi::{OpenApi as Document, RefOr, server::Server},
};

use super::{headers, operations, refer_to_problems, schemas, schemas::Use};
use crate::{
    http::{auth::jwks, health, log},
    live,
};

/// What every request is told that cannot be answered as it should be.
const ALWAYS: [&str; 3] = ["408", "431", "500"];

#[derive(OpenApi)]
#[openapi(paths(health::health, health::ready, health::about, jwks::jwks))]
struct Service;

#[derive(OpenApi)]
#[openapi(paths(log::checkpoint, log::tile, log::keys, log::consistency))]
struct Log;

#[derive(OpenApi)]
#[openapi(paths(
    live::transport::websocket::upgrade::realtime,
    live::transport::sse::stream_project_events,
    live::transport::sse::stream_events
))]
struct Sockets;

/// Adds all of it.
pub fn add_to(document: &mut Document) {
    let mut service = Service::openapi();
    for item in service.paths.paths.values_mut() {
        item.servers = Some(vec![Server::new("/")]);
    }
    for mut other in [service, Sockets::openapi(), Log::openapi()] {
        for item in other.paths.paths.values_mut() {
            for (_, operation) in operations(item) {
                refer_to_problems(operation);
                for status in ALWAYS {
                    let problem = super::problems::reference(status);
                    operation.responses.responses.extend(problem.map(|problem| (status.to_owned(), problem)));
                }
                for response in operation.responses.responses.values_mut() {
                    if let RefOr::T(response) = response {
                        response
                            .headers
                            .extend(headers::ALWAYS.map(|name| (name.to_owned(), headers::reference(name))));
                    }
                }
            }
        }
        for schema in other.components.iter_mut().flat_map(|components| components.schemas.values_mut()) {
            *schema = schemas::as_it_is(schema.clone(), Use::Reply);
        }
        document.merge(other);
    }
}
