//! All routes on one page, and what every request passes on its way to one.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRef, Request},
    http::{HeaderName, HeaderValue, Method, header},
    middleware,
    response::Response,
    routing::get,
};
use tower::{Layer, Service, ServiceBuilder};
use tower_http::cors::{AllowOrigin, CorsLayer};
use utoipa_axum::router::UtoipaMethodRouterExt;
use workroom_domain::refusal::NOT_FOUND;

use super::{
    Probes, State, auth, comments, docs, envelope, files, health, history, invitations, jobs, live_page, log, members,
    openapi::{Operations, documented_operation},
    organizations,
    problem::Problem,
    project_state, project_webhooks, projects, rate_limit, realtime, reply, request, schedules, tasks, webhooks,
    workspaces,
};
use crate::config::{Config, Role};
use crate::{http::problem::codes::METHOD_NOT_ALLOWED, live};

const BASE: &str = "/api/v1";

fn api() -> Operations {
    work(Operations::new())
        .routes(documented_operation!(auth::register::register))
        .routes(documented_operation!(auth::login::login))
        .routes(documented_operation!(auth::refresh::refresh))
        .routes(documented_operation!(auth::logout::logout))
        .routes(documented_operation!(auth::me::me))
        .routes(documented_operation!(auth::me::update_me))
        .routes(documented_operation!(auth::me::erase_me))
        .routes(documented_operation!(auth::sessions::list_sessions))
        .routes(documented_operation!(auth::sessions::revoke_session))
        .routes(documented_operation!(auth::tokens::create_token))
        .routes(documented_operation!(auth::tokens::list_tokens))
        .routes(documented_operation!(auth::tokens::read_token))
        .routes(documented_operation!(auth::tokens::revoke_token))
        .routes(documented_operation!(auth::password::change_password))
        .routes(documented_operation!(auth::password::forgot_password))
        .routes(documented_operation!(auth::password::reset_password))
        .routes(documented_operation!(auth::email::verify_email))
        .routes(documented_operation!(auth::email::send_verification))
        .routes(documented_operation!(webhooks::identity))
        .routes(documented_operation!(history::account_events))
        .routes(documented_operation!(history::proof::prove_account_event))
        .routes(documented_operation!(history::read::account_event))
        .routes(documented_operation!(history::redact::redact_account_event))
        .routes(documented_operation!(organizations::create::create))
        .routes(documented_operation!(organizations::list::list))
        .routes(documented_operation!(organizations::read::read))
        .routes(documented_operation!(organizations::update::update))
        .routes(documented_operation!(organizations::delete::delete))
        .routes(documented_operation!(organizations::members::add::add_member))
        .routes(documented_operation!(organizations::members::list::list_members))
        .routes(documented_operation!(organizations::members::read::read_member))
        .routes(documented_operation!(organizations::members::change_role::change_member_role))
        .routes(documented_operation!(organizations::members::remove::remove_member))
        .routes(documented_operation!(organizations::projects::list_projects))
        .routes(documented_operation!(history::organization_events))
        .routes(documented_operation!(history::export::export_organization))
        .routes(documented_operation!(history::proof::prove_organization_event))
        .routes(documented_operation!(history::read::organization_event))
        .routes(documented_operation!(history::redact::redact_organization_event))
        .routes(documented_operation!(organizations::retention::set_retention))
        .routes(documented_operation!(projects::create::create))
        .routes(documented_operation!(projects::list::list))
        .routes(documented_operation!(projects::read::read))
        .routes(documented_operation!(projects::update::update))
        .routes(documented_operation!(projects::delete::delete))
        .routes(documented_operation!(history::project_events))
        .routes(documented_operation!(history::export::export_project))
        .routes(documented_operation!(history::proof::prove_project_event))
        .routes(documented_operation!(project_state::state::read))
        .routes(documented_operation!(project_state::diff::read))
        .routes(documented_operation!(history::read::project_event))
        .routes(documented_operation!(history::redact::redact_project_event))
        .routes(documented_operation!(projects::purge::purge))
        .routes(documented_operation!(members::add::add))
        .routes(documented_operation!(members::list::list))
        .routes(documented_operation!(members::read::read))
        .routes(documented_operation!(members::change_role::change_role))
        .routes(documented_operation!(members::remove::remove))
        .routes(documented_operation!(invitations::list::list_invitations))
        .routes(documented_operation!(invitations::read::read_invitation))
        .routes(documented_operation!(invitations::revoke::revoke_invitation))
        .routes(documented_operation!(invitations::list::list_organization_invitations))
        .routes(documented_operation!(invitations::read::read_organization_invitation))
        .routes(documented_operation!(invitations::revoke::revoke_organization_invitation))
        .routes(documented_operation!(invitations::accept::accept))
        .routes(documented_operation!(invitations::block::block))
        .routes(documented_operation!(tasks::create::create))
        .routes(documented_operation!(tasks::list::list))
        .routes(documented_operation!(tasks::delete::delete_many))
        .routes(documented_operation!(tasks::read::read))
        .routes(documented_operation!(tasks::update::update))
        .routes(documented_operation!(tasks::delete::delete))
        .routes(documented_operation!(comments::post::post))
        .routes(documented_operation!(comments::list::list))
        .routes(documented_operation!(comments::read::read))
        .routes(documented_operation!(comments::edit::edit))
        .routes(documented_operation!(comments::delete::delete))
        .routes(documented_operation!(workspaces::create::create))
        .routes(documented_operation!(workspaces::list::list))
        .routes(documented_operation!(workspaces::read::read))
        .routes(documented_operation!(workspaces::update::update))
        .routes(documented_operation!(workspaces::delete::delete))
        .routes(documented_operation!(files::create::create).layer(DefaultBodyLimit::max(files::CREATE_LIMIT)))
        .routes(documented_operation!(files::list::list))
        .routes(documented_operation!(files::read::read))
        .routes(documented_operation!(files::update::update))
        .routes(documented_operation!(files::delete::delete))
        .routes(documented_operation!(files::content::read_content))
        .routes(documented_operation!(files::content::write_content).layer(DefaultBodyLimit::max(files::WRITE_LIMIT)))
        .routes(documented_operation!(realtime::publish))
        .routes(documented_operation!(realtime::ticket))
}

/// Jobs, and what has them done.
fn work(operations: Operations) -> Operations {
    operations
        .routes(documented_operation!(jobs::submit::submit).layer(DefaultBodyLimit::max(jobs::SUBMIT_LIMIT)))
        .routes(documented_operation!(jobs::list::list))
        .routes(documented_operation!(jobs::read::read))
        .routes(documented_operation!(jobs::cancel::cancel))
        .routes(documented_operation!(jobs::retry::retry))
        .routes(documented_operation!(jobs::delete::delete))
        .routes(documented_operation!(jobs::bulk_cancel::cancel_many))
        .routes(documented_operation!(jobs::bulk_retry::retry_many))
        .routes(documented_operation!(jobs::bulk_delete::delete_many))
        .routes(documented_operation!(jobs::logs::logs))
        .routes(documented_operation!(jobs::rules::pause::pause))
        .routes(documented_operation!(jobs::rules::resume::resume))
        .routes(documented_operation!(jobs::rules::list::list_rules))
        .routes(documented_operation!(jobs::rules::set::set_rule))
        .routes(documented_operation!(schedules::create::create).layer(DefaultBodyLimit::max(jobs::SUBMIT_LIMIT)))
        .routes(documented_operation!(schedules::list::list))
        .routes(documented_operation!(schedules::read::read))
        .routes(documented_operation!(schedules::update::update).layer(DefaultBodyLimit::max(jobs::SUBMIT_LIMIT)))
        .routes(documented_operation!(schedules::delete::delete))
        .routes(documented_operation!(jobs::artifacts::artifacts))
        .routes(documented_operation!(project_webhooks::create::create))
        .routes(documented_operation!(project_webhooks::list::list))
        .routes(documented_operation!(project_webhooks::read::read))
        .routes(documented_operation!(project_webhooks::update::update))
        .routes(documented_operation!(project_webhooks::delete::delete))
        .routes(documented_operation!(project_webhooks::rotate::rotate))
        .routes(documented_operation!(project_webhooks::deliveries::list_deliveries))
        .routes(documented_operation!(project_webhooks::redeliver::redeliver))
}

/// The OpenAPI document.
pub fn document() -> utoipa::openapi::OpenApi {
    let (_, document) = api().split();
    document
}

/// The service's router: the API, the WebSocket, and what lies around them.
pub fn router(state: State) -> Router {
    let config = Arc::clone(&state.config);
    let mut service = probes();
    if config.process.roles.contains(&Role::Api) {
        let (api, _) = api().split();
        service = service
            .nest(BASE, api)
            .route("/.well-known/jwks.json", get(auth::jwks::jwks))
            .merge(log::routes())
            .merge(docs::routes())
            .merge(live_page::routes());
    }
    if config.process.roles.contains(&Role::Live) {
        service = service
            .route("/api/v1/realtime", get(live::realtime))
            .route("/api/v1/projects/{project_id}/events/stream", get(live::stream_project_events))
            .route("/api/v1/events/stream", get(live::stream_events));
    }
    let limits = middleware::from_fn_with_state(state.clone(), rate_limit::limited);
    around(limits.layer(settled(service, state)), &config)
}

/// The router of a process that only runs jobs: it says how it is, and nothing else.
pub fn router_of_worker(probes_of: Probes, config: &Config) -> Router {
    around(settled(probes(), probes_of), config)
}

fn probes<S: Clone + Send + Sync + 'static>() -> Router<S>
where
    Probes: FromRef<S>,
{
    Router::new()
        .route("/", get(health::about))
        .route("/health", get(health::health))
        .route("/ready", get(health::ready))
}

/// Routes, and what is answered where there are none.
fn settled<S: Clone + Send + Sync + 'static>(service: Router<S>, state: S) -> Router {
    service.fallback(nothing_here).method_not_allowed_fallback(method_not_allowed).with_state(state)
}

/// What lies around all routes: around the router as a whole, since what lies around a single route is copied for each request.
fn around<S>(service: S, config: &Config) -> Router
where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static,
{
    let time_limit = Duration::from_secs(config.requests.request_timeout_seconds);
    let layers = ServiceBuilder::new()
        .layer(middleware::from_fn_with_state(time_limit, envelope::envelope))
        .layer(cors(&config.requests.allowed_origins))
        .layer(DefaultBodyLimit::max(config.requests.body_limit_bytes));
    Router::new().fallback_service(layers.service(service))
}

async fn nothing_here() -> Problem {
    Problem::new(NOT_FOUND, "there is nothing at this address")
}

async fn method_not_allowed() -> Problem {
    METHOD_NOT_ALLOWED.into()
}

/// Which pages of other origins may call, from a browser. By default none.
fn cors(allowed: &[String]) -> CorsLayer {
    let origins: Vec<HeaderValue> = allowed.iter().filter_map(|origin| origin.parse().ok()).collect();
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            header::IF_NONE_MATCH,
            HeaderName::from_static("idempotency-key"),
            HeaderName::from_static("last-event-id"),
            HeaderName::from_static("traceparent"),
            request::REQUEST_ID.clone(),
        ])
        .expose_headers([
            header::ETAG,
            header::LOCATION,
            header::RETRY_AFTER,
            request::REQUEST_ID.clone(),
            reply::POSITION.clone(),
            reply::VISIBLE.clone(),
            reply::ENDED_INVITATIONS.clone(),
            reply::REPLAYED.clone(),
            rate_limit::RATE_LIMIT.clone(),
            rate_limit::RATE_LIMIT_POLICY.clone(),
        ])
        .max_age(Duration::from_hours(1))
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_two_types_share_a_name_in_the_document() {
        assert_eq!(super::api().ambiguous, Vec::<String>::new());
    }
}
